"""MMRM against R 4.2.2 with nlme 3.1.162 (fitted: 2e-5 of a standard deviation; their optimiser's).

gls(y ~ v + v:base + v:arm + site, correlation = C, weights = varIdent(form = ~1 | visit),
    method = "REML", na.action = na.omit, control = glsControl(tolerance = 1e-12,
    msTol = 1e-14, maxIter = 500, msMaxIter = 500))
with v = factor(visit), site = factor(site) and C = corSymm, corAR1 or corCompSymm
(form = ~visit | id). Log likelihoods are compared from below: ours may only be higher.
"""

import numpy as np
import pytest

from simulation.analysis.longitudinal.design import Method
from simulation.analysis.longitudinal.trial import mmrm
from tests.support.longitudinal_support import visits_trial

# Family, whether values are missing, log likelihood, effects and their standard errors by visit
# (vcov takes the covariance as known), standard deviations, correlations below the diagonal.
NLME = [
    (
        "unstructured", False, -575.756109266,
        [0.432046901312, 1.063829170911, 1.046736537458, 1.585574413355],
        [0.6681681797435, 0.8434834277499, 0.8513450613805, 0.9086592108062],
        [2.55167987101, 3.22168539805, 3.25172825412, 3.47074753409],
        [0.278499906012, 0.369561472052, 0.491436641686,
         0.491055215511, 0.538330670458, 0.595399893533],
    ),
    (
        "unstructured", True, -430.791311959,
        [0.2278323319366, 0.0872613671386, 1.3137780959533, 1.5119989457736],
        [0.6796066557410, 0.9587097468049, 0.9758946676430, 1.2063572729720],
        [2.50766276504, 3.17953344303, 3.26779586615, 3.85783446580],
        [0.168423965171, 0.338129052377, 0.496388738608,
         0.502469978225, 0.489728078633, 0.634572199997],
    ),
    (
        "heterogeneous_ar1", True, -438.286291709,
        [0.173603489442, 0.265892798538, 1.387031568479, 1.880417265744],
        [0.7148313270275, 0.9894159732176, 0.9384891570960, 1.2199296925226],
        [2.62648835545, 3.32714358706, 3.09453466488, 3.60848292595],
        [0.4365930150572, 0.190613460797, 0.4365930150572,
         0.0832205055597, 0.1906134607967, 0.4365930150572],
    ),
    (
        "heterogeneous_cs", True, -435.132414311,
        [0.160161608993, 0.225471160846, 1.383706194959, 1.718333413559],
        [0.6982400913391, 0.9714612770096, 0.9600852173025, 1.2090333746442],
        [2.57973844547, 3.25706404333, 3.21057734966, 3.69717281273],
        [0.42678126904] * 6,
    ),
]


@pytest.mark.parametrize(("family", "holes", "value", "effects", "errors", "sds", "lower"), NLME)
def test_fitted_mmrm_is_that_of_nlme(family, holes, value, effects, errors, sds, lower):
    y, arm, base, site = visits_trial(holes=holes)
    found = mmrm(y, arm, {"base": base}, factors={"site": site},
                 method=Method((family,), "satterthwaite"))
    assert found.family == family
    assert -1e-9 < found.log_likelihood - value < 1e-7
    named = [found.effects[visit] for visit in found.visits]
    assert [e.estimate for e in named] == pytest.approx(effects, abs=1e-5)
    assert [e.se for e in named] == pytest.approx(errors, abs=2e-5)
    sd = np.sqrt(np.diag(found.sigma))
    assert sd == pytest.approx(np.array(sds), abs=3e-5)
    correlation = found.sigma / np.outer(sd, sd)
    assert correlation[np.tril_indices(4, -1)] == pytest.approx(np.array(lower), abs=2e-5)
