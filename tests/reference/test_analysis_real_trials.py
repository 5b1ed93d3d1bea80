"""What prognostic scores do in real trials.

Figures: the house's statement of statistical practice, computed from the same public data: the
CDISC pilot (SE^2 ratio 1.002, .95 to 1.03, with a placebo-only score on 7 covariates; .963, .91 to
.99, and partial r .21 with all arms) and ACTG175 to ACTG320 (C .759; 22 % of patients within the
1 to 99 % range of CD4; standardised difference -2.7).
"""

import numpy as np
import pytest

from benchmarks import prognostic
from extraction.records.errors import RefusedError
from extraction.sources.public import public_trial
from simulation.analysis.borrowing import range_overlap, standardised_difference
from simulation.analysis.prognostic import RidgeScorer, cross_fitted_adjustment


@pytest.fixture(scope="module")
def pilot():
    return prognostic.pilot()


@pytest.fixture(scope="module")
def hiv():
    old, locked, log = prognostic.locked_score()
    return old, public_trial("actg320"), locked, log


# The bands are those of the 20 random divisions behind the figures.
@pytest.mark.parametrize(("train", "low", "high", "r"), [
    ("controls", 0.95, 1.03, None), ("all_arms", 0.91, 0.99, 0.21)])
def test_the_pilot_saves_little_simulated_20(pilot, train, low, high, r):
    fitted = cross_fitted_adjustment(pilot.trial, RidgeScorer(pilot.few, pilot.trial.y, train),
                                     rng=np.random.default_rng(1))
    assert low < fitted.variance_ratio[prognostic.HIGH].mean() < high
    if r is not None:
        # Between two runs of 20 divisions the mean r moves by about .01.
        assert fitted.partial_correlation.mean() == pytest.approx(r, abs=0.03)


def test_a_score_locked_on_actg175_discriminates_in_actg320_fitted_5e3(hiv):
    _, new, locked, log = hiv
    worth = prognostic.judge_score(new, locked, log.add("outcomes read", "ACTG320"))
    assert worth.concordance.estimate == pytest.approx(0.759, abs=0.005)
    assert worth.concordance.low > 0.7
    assert worth.score_z > 5
    # A strong covariate leaves the standard error of a log hazard ratio where it was.
    assert worth.adjusted.se == pytest.approx(worth.without.se, rel=0.01)


def test_a_score_locked_after_reading_is_refused(hiv):
    _, new, locked, _ = hiv
    late = (prognostic.AnalysisLog().add("outcomes read", "ACTG320")
            .add("score locked", "ACTG175", locked.digest))
    with pytest.raises(RefusedError, match="before the score was locked"):
        prognostic.judge_score(new, locked, late)


def test_the_controls_of_actg175_are_refused_fitted_5e2(hiv):
    old, new, _, _ = hiv
    cd4, before = (prognostic.columns(c)["cd4"][:, None] for c in (new, old))
    assert standardised_difference(cd4, before)[0] == pytest.approx(-2.7, abs=0.05)
    assert range_overlap(cd4, before)[0] == pytest.approx(0.22, abs=0.005)
    verdict = prognostic.judge_borrowing(new, old)
    with pytest.raises(RefusedError) as error:
        verdict.require()
    text = " ".join(error.value.faults)
    for part in ("cd4: standardised", "cd4: 19%", "effective sample size", "endpoint event"):
        assert part in text
