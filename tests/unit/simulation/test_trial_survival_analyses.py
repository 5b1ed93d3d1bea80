"""Time-to-event analyses of simulated trials: interface, direction, what they refuse."""

from typing import Any

import numpy as np
import pytest

from extraction.records.errors import InputError
from generation.randomness import Stream
from simulation.analysis.cox import cox
from simulation.analysis.logrank import Weight, logrank
from simulation.analysis.maxcombo import max_combo
from simulation.analysis.survival import restricted_mean_difference
from simulation.trial import ParametricPopulation, TrialDesign, simulate
from simulation.trial.analyses import LookData
from simulation.trial.analyses.cox import Cox
from simulation.trial.analyses.landmark import Landmark
from simulation.trial.analyses.log_rank import LogRank, Weighting
from simulation.trial.analyses.max_combo import MaxCombo
from simulation.trial.analyses.rmst import RestrictedMean
from simulation.trial.outcomes.base import Observed

STREAM = Stream(9, "survival analyses")
SHAPE = (4, 90)
GRID = (np.arange(4)[:, None], np.arange(90)[None, :])
ARM = (STREAM.uniform(*GRID, 1) * 3).astype(np.int64)
INCLUDED = STREAM.uniform(*GRID, 2) < 0.9
TIME = np.ceil(-12 * np.log(STREAM.uniform(*GRID, 3)))
EVENT = (STREAM.uniform(*GRID, 4) < 0.8).astype(float)
STRATA = (STREAM.uniform(*GRID, 5) * 3).astype(np.int64)
X = STREAM.normal(*GRID, 6)
DATA = LookData(Observed(INCLUDED, time=TIME, event=EVENT), ARM, X[None], STRATA)
BARE = LookData(DATA.observed, ARM, np.empty((0, *SHAPE)))


def trials() -> Any:
    """Times, events, arms and the rest of patients in arms 0 and 2 of each replicate."""
    for r in range(SHAPE[0]):
        k = np.flatnonzero(INCLUDED[r] & (ARM[r] != 1))
        yield r, TIME[r, k], EVENT[r, k], (ARM[r, k] == 2).astype(float), STRATA[r, k], X[r, k]


def test_log_rank_with_strata_and_weights_is_that_of_single_trials() -> None:
    late = LogRank(weighting=Weighting(kind="fleming_harrington", gamma=1))
    plain, weighted = LogRank().fit(DATA, 2, 0), late.fit(DATA, 2, 0)
    for r, time, event, arm, strata, _ in trials():
        one = logrank(time, event, arm, strata)
        two = logrank(time, event, arm, strata, weight=Weight(gamma=1))
        assert (plain.z[r], plain.estimate[r]) == pytest.approx((one.z, one.log_ratio), rel=1e-10)
        assert weighted.z[r] == pytest.approx(two.z, rel=1e-10)
        assert plain.information[r] == event.sum()


def test_max_combo_is_that_of_single_trials() -> None:
    fit = MaxCombo().fit(BARE, 2, 0)
    for r, time, event, arm, _, _ in trials():
        one = max_combo(time, event, arm)
        assert fit.z[r] == pytest.approx(one.extra["z"], abs=1e-9)
        assert fit.estimate[r] == pytest.approx(np.log(one.estimate), rel=1e-9)


@pytest.mark.parametrize("robust", [False, True])
def test_cox_with_covariates_and_strata_is_that_of_single_trials(robust: bool) -> None:
    fit = Cox(covariates=("x",), strata=("s",), robust=robust).fit(DATA, 2, 0)
    for r, time, event, arm, strata, x in trials():
        one = cox(time, event, {"arm": arm, "x": x}, strata, robust=robust)
        assert fit.estimate[r] == pytest.approx(one.coefficients[0], rel=1e-9)
        assert fit.z[r] == pytest.approx(one.z[0], rel=1e-9)
        assert fit.information[r] == event.sum()


def test_cox_without_a_maximum_is_the_log_rank_test() -> None:
    seen = Observed(INCLUDED, time=TIME, event=EVENT * (ARM == 0))
    data = LookData(seen, ARM, X[None], STRATA)
    fit, peer = Cox(covariates=("x",)).fit(data, 2, 0), LogRank().fit(data, 2, 0)
    assert fit.z == pytest.approx(peer.z, rel=1e-12)
    assert (fit.z < 0).all()
    none = LookData(Observed(INCLUDED, time=TIME, event=0 * EVENT), ARM, X[None])
    assert np.isnan(Cox().fit(none, 2, 0).estimate).all()


def test_curves_are_those_of_single_trials_and_say_nothing_too_early() -> None:
    fit = RestrictedMean(horizon=15).fit(BARE, 2, 0)
    for r, time, event, arm, _, _ in trials():
        one = restricted_mean_difference(time, event, arm, 15)
        assert (fit.estimate[r], fit.se[r]) == pytest.approx((one.estimate, one.se), rel=1e-9)
        assert fit.information[r] == pytest.approx(one.se**-2, rel=1e-9)
    early = Landmark(at=1000).fit(BARE, 2, 0)
    assert (early.z == 0).all()
    assert (early.information == 0).all()


def test_only_some_patients_may_be_compared() -> None:
    few = X > -0.5
    part = LookData(Observed(INCLUDED & few, time=TIME, event=EVENT), ARM, X[None], STRATA)
    for analysis in (LogRank(), Cox(), MaxCombo(), RestrictedMean(horizon=9), Landmark(at=9)):
        assert np.array_equal(analysis.fit(DATA, 2, 0, few).z, analysis.fit(part, 2, 0).z)


PLANS: tuple[dict[str, Any], ...] = (
    {"kind": "log_rank", "strata": ["region"]},
    {"kind": "log_rank", "weighting": {"kind": "modest", "until": 6}},
    {"kind": "max_combo", "strata": ["region"]},
    {"kind": "cox", "covariates": ["risk"], "strata": ["region"]},
    {"kind": "rmst", "horizon": 15},
    {"kind": "landmark", "at": 12},
)


def _design(analysis: dict[str, Any]) -> TrialDesign:
    effect = {"arm": "A", "endpoint": "OS", "hazard_ratio": 0.4}
    return TrialDesign.parse(
        {
            "time_unit": "month",
            "arms": [{"name": "C", "control": True}, {"name": "A"}],
            "n": 160,
            "strata": ["region"],
            "enrolment": {"duration": 6},
            "endpoints": [{"kind": "time_to_event", "name": "OS"}],
            "hypotheses": [{"endpoint": "OS", "analysis": analysis}],
            "rule": {"kind": "fixed", "looks": {"by": "time", "at": [24]}},
            "scenarios": [{"name": "planned", "effects": [effect]}],
        }
    )


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: "-".join(map(str, plan)))
def test_every_analysis_finds_a_benefit_in_a_simulated_trial(plan: dict[str, Any]) -> None:
    people = ParametricPopulation(
        covariates=(
            {"kind": "normal", "name": "risk"},
            {"kind": "category", "name": "region", "categories": ("E", "W"), "shares": (0.5, 0.5)},
        ),
        outcomes={
            "OS": {"kind": "time_to_event", "median": 12, "log_hazard_ratios": {"risk": 0.4}}
        },
    )
    result = simulate(_design(plan), people, 60)
    assert result.power.value > 0.7
    assert result.type_one_error.value < 0.15


FAULTS = (
    ({"kind": "log_rank", "covariates": ["risk"]}, "does not use them"),
    ({"kind": "rmst", "horizon": 5, "strata": ["region"]}, "does not use them"),
    ({"kind": "rmst", "horizon": -1}, "horizon"),
    ({"kind": "max_combo", "tests": []}, "tests"),
    ({"kind": "log_rank", "weighting": {"kind": "gehan", "gamma": 1}}, "fleming_harrington only"),
    ({"kind": "log_rank", "weighting": {"kind": "modest"}}, "modest needs one"),
)


@pytest.mark.parametrize(("plan", "message"), FAULTS)
def test_plans_that_cannot_be_meant_are_refused(plan: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        _design(plan)
