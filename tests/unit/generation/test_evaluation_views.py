"""Figures' data: nothing stands on fewer than five patients, no smallest or largest value."""

from __future__ import annotations

import json

import numpy as np
import pytest

from generation.evaluation import evaluate
from generation.evaluation.views import _bars, _enough, _histogram, _merged, views
from tests.support.evaluation_support import cohort


@pytest.fixture(scope="module")
def shown():
    synthetic, train, holdout = cohort(90, 1, "S"), cohort(90, 2, "T"), cohort(90, 3, "H")
    return holdout, views([synthetic], holdout, evaluate(synthetic, train, holdout))


def test_every_part_is_there_and_is_json(shown):
    _, found = shown
    assert json.loads(json.dumps(found, allow_nan=False))
    assert {k for k, v in found.items() if v} == {
        "sizes", "marginals", "correlations", "survival", "trajectories", "retention", "missing",
    }  # fmt: skip
    assert found["sizes"] == {"synthetic": 90, "real": 90}


def test_no_extreme_value_is_in_it(shown):
    holdout, found = shown
    numbers = set(_numbers(found))
    for name in ("AGE", "BMI"):
        values = holdout.subjects[name].dropna()
        assert not numbers & {values.min(), values.max()}


def test_a_bin_holds_five_patients():
    values = np.concatenate([np.zeros(30), np.linspace(0, 10, 12), [200.0]])
    found = _histogram(values, values)
    low, high = found["edges"][0], found["edges"][-1]
    counts = np.histogram(np.clip(values, low, high), found["edges"])[0]
    assert counts.min() >= 5 and high < 200


def test_edges_are_joined_to_the_end():
    edges = _merged(np.array([0.5] * 6 + [1.5] * 2 + [2.5]), np.array([0.0, 1.0, 2.0, 3.0]))
    assert edges.tolist() == [0.0, 3.0]


def test_rare_categories_are_told_as_other_or_not_at_all():
    real = np.repeat([0, 1, 2, 3], [20, 10, 3, 3])
    found = _bars(real, real, ("a", "b", "c", "d"))
    assert found["levels"] == ["a", "b", "other"]
    assert found["real"][2] == pytest.approx(1 / 6)
    few = np.repeat([0, 1, 2], [20, 10, 3])
    assert _bars(few, few, ("a", "b", "c"))["levels"] == ["a", "b"]


def test_shares_of_one_to_four_patients_are_blank():
    shares = _enough(np.array([0.0, 0.03, 0.05, 0.97, 1.0]), 100)
    assert np.isnan(shares).tolist() == [False, True, False, True, False]


def test_curves_end_while_ten_are_at_risk(shown):
    holdout, found = shown
    for arm in found["survival"][0]["arms"]:
        rows = holdout.endpoint("death")["day"].to_numpy()
        mine = rows[(holdout.subjects["arm"] == arm["arm"]).to_numpy()]
        assert (mine >= max(arm["days"])).sum() >= 10


def _numbers(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _numbers(part)
    elif isinstance(value, float):
        yield value
