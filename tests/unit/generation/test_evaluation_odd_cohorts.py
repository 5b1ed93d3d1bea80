"""Odd cohorts are judged without a fault: nothing to tell them apart, hardly an event."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from extraction.records import Cohort, CohortSchema
from generation.evaluation import evaluate
from generation.evaluation.views import views

N = 30
Make = Callable[[np.random.Generator], dict[str, object]]


def one_event(rng: np.random.Generator) -> dict[str, object]:
    return {"a": rng.normal(size=N), "t": rng.uniform(1, 9, N), "d": [1] + [0] * (N - 1)}


def no_time(rng: np.random.Generator) -> dict[str, object]:
    return {"a": rng.normal(size=N), "t": np.zeros(N), "d": np.zeros(N, dtype=int)}


def all_alike(rng: np.random.Generator) -> dict[str, object]:
    return {"a": np.ones(N), "b": ["x"] * N}


def hardly_known(rng: np.random.Generator) -> dict[str, object]:
    known = rng.random(N) < 0.1
    return {"a": np.where(known, rng.normal(size=N), np.nan), "b": rng.choice(["u", "v"], N)}


def arm_of_two(rng: np.random.Generator) -> dict[str, object]:
    return {"g": ["A"] * (N - 2) + ["B"] * 2, **one_event(rng)}


@pytest.mark.parametrize("make", [one_event, no_time, all_alike, hardly_known, arm_of_two])
def test_an_odd_cohort_is_judged(make: Make) -> None:
    frames = [
        pd.DataFrame(make(np.random.default_rng(k))).assign(
            subject_id=[f"{k}-{i}" for i in range(N)]
        )
        for k in range(3)
    ]
    together = pd.concat(frames, ignore_index=True)
    names = {"time": "t", "event": "d"} if "t" in together else {}
    arm = {"arm": "g"} if "g" in together else {}
    schema = CohortSchema.guess(together, subject="subject_id", **names, **arm)
    sides = [Cohort.from_table(frame, schema) for frame in frames]
    found = evaluate(*sides)
    assert json.dumps(found.to_dict(), allow_nan=False)
    assert json.dumps(views([sides[0]], sides[2], found), allow_nan=False)
    assert found["two_sample_auc"].verdict != "within real-against-real"
