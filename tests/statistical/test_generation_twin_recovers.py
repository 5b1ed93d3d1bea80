"""The twin gives back what a simulated trial was made of.

Tolerance: z = 3.9 standard errors of the training trial and of the synthetic patients
together (two-sided false-alarm rate 1 in 10,000 for an unbiased generator).
"""

from functools import cache

import numpy as np
import pytest

from extraction.records import Cohort
from generation import fit
from tests.support.generation_support import simulated_trial

Z = 3.9
HAZARD_RATIO, LAG_ONE = 0.5, 0.8


@cache
def synthetic() -> Cohort:
    trial = simulated_trial(800, seed=17, hazard_ratio=HAZARD_RATIO, lag_one=LAG_ONE)
    return fit(trial, seed=1, epochs=60).sample(6000, seed=1)


def _log_hazard_ratio(arm: np.ndarray, day: np.ndarray, event: np.ndarray) -> tuple[float, float]:
    """Log ratio of exponential rates and its standard error."""
    rate, variance = [], 0.0
    for name in ("Active", "Placebo"):
        mine = arm == name
        rate.append(np.log(event[mine].sum() / day[mine].sum()))
        variance += 1 / event[mine].sum()
    return rate[0] - rate[1], float(np.sqrt(variance))


def _effect(cohort: Cohort, arm: np.ndarray) -> tuple[float, float]:
    rows = cohort.endpoint("event")
    return _log_hazard_ratio(arm, rows["day"].to_numpy(), rows["observed"].to_numpy())


def _lag_one(now: np.ndarray, before: np.ndarray) -> tuple[float, float]:
    """Fisher's z of the correlation of successive scores and its standard error."""
    both = np.isfinite(now) & np.isfinite(before)
    z = np.arctanh(np.corrcoef(now[both], before[both])[0, 1])
    return float(z), float(1 / np.sqrt(both.sum() - 3))


def test_the_hazard_ratio_is_recovered() -> None:
    arm = synthetic().subjects["arm"].to_numpy()
    estimate, error = _effect(synthetic(), arm)
    trained = _effect(simulated_trial(800, seed=17), simulated_trial(800, seed=17).subjects["arm"])
    allowed = Z * np.hypot(error, trained[1])
    assert abs(estimate - np.log(HAZARD_RATIO)) < allowed
    shuffled = np.random.default_rng(1).permutation(arm)
    assert abs(_effect(synthetic(), shuffled)[0] - np.log(HAZARD_RATIO)) > allowed


@pytest.mark.parametrize(("now", "before"), [("Week 8", "Baseline"), ("Week 24", "Week 16")])
def test_a_patient_resembles_himself_at_the_last_visit(now: str, before: str) -> None:
    scores = [synthetic().at_visit("SCORE", visit).to_numpy() for visit in (now, before)]
    estimate, error = _lag_one(*scores)
    real = simulated_trial(800, seed=17)
    trained = _lag_one(*(real.at_visit("SCORE", visit).to_numpy() for visit in (now, before)))
    allowed = Z * np.hypot(error, trained[1])
    assert abs(estimate - np.arctanh(LAG_ONE)) < allowed
    strangers = np.random.default_rng(2).permutation(scores[1])
    assert abs(_lag_one(scores[0], strangers)[0] - np.arctanh(LAG_ONE)) > allowed


def test_the_event_free_share_is_that_of_the_training_patients() -> None:
    real = simulated_trial(800, seed=17)
    for day in (60.0, 150.0):
        shares = []
        for cohort in (real, synthetic()):
            rows = cohort.endpoint("event")
            followed = (rows["observed"] & (rows["day"] <= day)) | (rows["day"] > day)
            shares.append(float((rows["day"] > day)[followed].mean()))
        allowed = Z * np.sqrt(shares[0] * (1 - shares[0]) * (1 / 800 + 1 / 6000))
        assert abs(shares[0] - shares[1]) < allowed


def test_the_arm_is_independent_of_baseline() -> None:
    subjects = synthetic().subjects
    active = (subjects["arm"] == "Active").to_numpy()
    age = subjects["AGE"].to_numpy()
    error = age.std() * np.sqrt(1 / active.sum() + 1 / (~active).sum())
    assert abs(age[active].mean() - age[~active].mean()) < Z * error
