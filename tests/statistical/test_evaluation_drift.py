"""Drift is found where something moved, and rarely where nothing did."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from extraction.records import Cohort
from generation.evaluation.drift import drift, shifts
from generation.evaluation.tables import tables
from tests.support.generation_support import simulated_trial


def describing(n_train: int, seed: int) -> Any:
    """A stand-in for a model that was fitted to `n_train` patients and repeats them."""
    train = simulated_trial(n_train, seed=seed, visits=False)

    def sample(n: int, seed: int) -> Cohort:
        rows = np.tile(np.arange(n_train), -(-n // n_train))[:n]
        frame = train.to_table().iloc[rows].reset_index(drop=True)
        frame["subject_id"] = [f"S-{k:06d}" for k in range(n)]
        return Cohort.from_table(frame, train.schema, study_id="SIM")

    return SimpleNamespace(card=SimpleNamespace(n_train=n_train), sample=sample)


def drawn_from(train: Cohort, seed: int) -> Cohort:
    """As many patients as `train` has, drawn from them with replacement."""
    rows = np.random.default_rng(seed).integers(0, len(train), len(train))
    frame = train.to_table().iloc[rows].reset_index(drop=True)
    frame["subject_id"] = [f"S-{k:06d}" for k in range(len(rows))]
    return Cohort.from_table(frame, train.schema, study_id="SIM")


def test_nothing_moved_is_rarely_called_moved() -> None:
    alarms = []
    for k in range(60):
        new = simulated_trial(150, seed=k, visits=False)
        old = drawn_from(simulated_trial(150, seed=k + 1000, visits=False), k)
        alarms.append(any(s.moved for s in shifts(*tables([new, old], real=[0]), 150)))
    assert np.mean(alarms) <= 0.05 + 3.3 * np.sqrt(0.05 * 0.95 / 60)


def test_what_moved_is_named_with_its_size() -> None:
    later = simulated_trial(200, seed=7, hazard_ratio=0.5, visits=False)
    frame = later.to_table()
    frame["AGE"] = frame["AGE"] + 8.0
    frame.loc[:120, "LAB"] = np.nan
    older = Cohort.from_table(frame, later.schema, study_id="SIM")
    found = drift(describing(300, 3), older, 1)
    shifts = {(s.column, s.measure): s for s in found.shifts}
    assert {"AGE", "LAB"} <= set(found.moved)
    age = shifts["AGE", "standardised mean difference"]
    assert age.low < 1.0 < age.high
    assert shifts["LAB", "difference of missing shares"].value > 0.3
    assert found.separation[1] > 0.5
    assert not any(subject in str(found.to_dict()) for subject in older.subject_ids)


def test_hazards_that_rose_are_found() -> None:
    later = simulated_trial(400, seed=8, hazard_ratio=2.0, visits=False)
    found = drift(describing(400, 4), later, 1)
    [event] = [s for s in found.shifts if s.measure == "log hazard ratio"]
    assert event.moved
    assert event.value > 0


def test_drawing_more_synthetic_patients_does_not_add_certainty() -> None:
    later = simulated_trial(150, seed=9, visits=False)
    few, many = (drift(describing(n, 5), later, 1) for n in (60, 600))
    spread = [
        next(s.high - s.low for s in f.shifts if s.column == "AGE") for f in (few, many)
    ]
    # Both sides: new patients, those behind the model, and the 600 and 2,400 drawn.
    expected = [
        2 * 1.96 * np.sqrt(1 / 150 + 1 / n + 1 / drawn) for n, drawn in ((60, 600), (600, 2400))
    ]
    assert spread == pytest.approx(expected, rel=0.01)
