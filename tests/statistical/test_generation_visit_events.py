"""Events follow the visits: a planted effect of a marker on a hazard comes back.

Patients have a marker that wanders from visit to visit; the hazard of death is multiplied by
exp(.8 z) between visits. Tolerance: z = 3.9 standard errors of the training patients and of the
synthetic ones together (two-sided false-alarm rate 1 in 10,000 for an unbiased generator).
"""

from functools import cache

import numpy as np
import pandas as pd

from extraction.records import Cohort, CohortSchema, Endpoint, Variable
from generation import fit
from generation.assembly import TrialArrays, impossible_rows, to_arrays

Z = 3.9
EFFECT, STAY, GAP, END = 0.8, 0.85, 60.0, 720.0


@cache
def trained() -> Cohort:
    """500 patients seen about every 60 days until death or day 720."""
    rng = np.random.default_rng(11)
    n = 500
    ids = np.array([f"P{k:04d}" for k in range(n)])
    z, day = rng.normal(size=n), np.zeros(n)
    death, left = np.full(n, np.inf), rng.exponential(1.0, n)
    rows = []
    while (day < END).any():
        alive = np.isfinite(day) & (day < END) & (day <= death)
        rows.append(pd.DataFrame({
            "subject_id": ids[alive], "day": day[alive], "variable": "MARK",
            "value": np.round(np.exp(3 + 0.5 * z[alive]), 2),
        }))
        wait = np.round(rng.normal(GAP, 6, n))
        rate = 0.0012 * np.exp(EFFECT * z)
        dies = alive & (left < rate * wait)
        death = np.where(dies, np.minimum(death, np.ceil(day + left / rate)), death)
        left = left - rate * wait
        day = np.where(alive & ~dies, day + wait, np.inf)
        z = STAY * z + np.sqrt(1 - STAY**2) * rng.normal(size=n)
    end = np.minimum(death, END)
    schema = CohortSchema(
        study_id="MARK",
        variables=(
            Variable(name="AGE", kind="continuous"),
            Variable(name="MARK", kind="continuous", role="longitudinal"),
        ),
        endpoints=(Endpoint(name="death"),),
    )
    subjects = pd.DataFrame({
        "subject_id": ids, "observed_until": end, "AGE": np.round(rng.normal(60, 8, n)),
    })
    died = death <= END
    events = pd.DataFrame({
        "subject_id": ids, "endpoint": "death", "day": end, "observed": died,
        "cause": np.where(died, "event", None),
    })
    return Cohort.build(
        schema, subjects, observations=pd.concat(rows, ignore_index=True), events=events
    )


@cache
def synthetic() -> Cohort:
    return fit(trained(), seed=3, epochs=5, members=1).sample(2500, seed=3)


def _rows(cohort: Cohort) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log marker, time at risk and death, one row a stretch between visits."""
    arrays: TrialArrays = to_arrays(cohort)
    end, died = arrays.events["death"]
    start = arrays.visit_day
    following = np.column_stack([start[:, 1:], np.full(len(start), np.nan)])
    stop = np.fmin(following, end[:, None])
    seen = np.isfinite(start) & (stop > start)
    event = (died == 1)[:, None] & (stop >= end[:, None])
    marker = np.log(arrays.values["MARK"].astype(np.float64))
    return marker[seen], (stop - start)[seen], event[seen].astype(np.float64)


def _effect(z: np.ndarray, time: np.ndarray, event: np.ndarray) -> tuple[float, float]:
    """Slope of an exponential regression on the standardised log marker, and its error."""
    x = np.column_stack([np.ones(len(z)), (z - 3) / 0.5])
    beta = np.array([np.log(event.sum() / time.sum()), 0.0])
    for _ in range(30):
        mean = np.exp(x @ beta) * time
        information = (x * mean[:, None]).T @ x
        beta = beta + np.linalg.solve(information, x.T @ (event - mean))
    return float(beta[1]), float(np.sqrt(np.linalg.inv(information)[1, 1]))


def test_the_effect_of_the_last_value_on_death_is_recovered() -> None:
    real, ours = _effect(*_rows(trained())), _effect(*_rows(synthetic()))
    assert abs(real[0] - EFFECT) < Z * real[1]
    allowed = Z * np.hypot(real[1], ours[1])
    assert abs(ours[0] - EFFECT) < allowed
    z, time, event = _rows(synthetic())
    strangers = np.random.default_rng(1).permutation(z)
    assert abs(_effect(strangers, time, event)[0] - EFFECT) > allowed


def test_as_many_die_as_among_the_training_patients() -> None:
    for day in (180.0, 360.0, 700.0):
        shares = []
        for cohort in (trained(), synthetic()):
            rows = cohort.endpoint("death")
            shares.append(float((rows["observed"] & (rows["day"] <= day)).mean()))
        spread = shares[0] * (1 - shares[0])
        assert abs(shares[0] - shares[1]) < Z * np.sqrt(spread * (1 / 500 + 1 / 2500))


def test_a_patient_stays_himself_and_nobody_is_seen_after_the_end() -> None:
    found = []
    for cohort in (trained(), synthetic()):
        marks = np.log(to_arrays(cohort).values["MARK"].astype(np.float64))
        now, last = marks[:, 1:].ravel(), marks[:, :-1].ravel()
        both = np.isfinite(now) & np.isfinite(last)
        patients = len(cohort)
        # Neighbouring pairs of one patient lean on each other: errors count patients.
        r = float(np.corrcoef(now[both], last[both])[0, 1])
        found.append((np.arctanh(r), 1 / np.sqrt(patients - 3)))
    assert abs(found[0][0] - found[1][0]) < Z * np.hypot(found[0][1], found[1][1])
    assert impossible_rows(synthetic()) == 0


def test_gaps_and_numbers_of_visits_are_those_of_the_training_patients() -> None:
    counts, gaps = [], []
    for cohort in (trained(), synthetic()):
        days = to_arrays(cohort).visit_day
        number = np.isfinite(days).sum(axis=1)
        counts.append((number.mean(), number.std() / np.sqrt(len(number))))
        wait = np.diff(days, axis=1)
        wait = wait[np.isfinite(wait)]
        gaps.append((wait.mean(), wait.std() / np.sqrt(len(wait)), np.quantile(wait, [0.1, 0.9])))
    assert abs(counts[0][0] - counts[1][0]) < Z * np.hypot(counts[0][1], counts[1][1])
    # Days are drawn on a grid and between smoothed quantiles: half a day is allowed besides.
    assert abs(gaps[0][0] - gaps[1][0]) < Z * np.hypot(gaps[0][1], gaps[1][1]) + 0.5
    assert np.abs(gaps[0][2] - gaps[1][2]).max() < 2.0
