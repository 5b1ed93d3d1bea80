"""Rules between categories are learnt from real patients and broken ones are found."""

from __future__ import annotations

import numpy as np
import pytest

from generation.evaluation.combinations import combinations, excluded_pairs, has_excluded_pair
from generation.evaluation.reference import Fold, Reference
from generation.evaluation.tables import Layout, Table

LAYOUT = Layout((), ("sex", "pregnant"), (("F", "M"), ("no", "yes")))


def patients(n: int, seed: int, rule: bool) -> Table:
    """Half men; a third is pregnant, never men where the rule holds."""
    rng = np.random.default_rng(seed)
    sex = rng.integers(0, 2, n)
    pregnant = rng.random(n) < 1 / 3
    codes = np.column_stack([sex, np.where(rule & (sex == 1), 0, pregnant)])
    return Table(LAYOUT, np.empty((n, 0)), codes.astype(np.int64))


def reference() -> Reference:
    fold = Fold(np.arange(600), np.arange(600, 900), 600, 600)
    return Reference(patients(900, 0, rule=True), (fold,), 0)


def test_the_rule_is_learnt():
    excluded = excluded_pairs(patients(200, 1, rule=True))
    assert excluded.sum() == 2  # (M, yes) and its mirror image
    assert not has_excluded_pair(patients(100, 2, rule=True), excluded).any()


def test_rare_pairs_are_no_rule():
    assert not excluded_pairs(patients(20, 1, rule=True)).any()


def test_pregnant_men_are_found():
    metric = combinations(reference(), [patients(600, 3, rule=False)])[0]
    assert metric.verdict == "worse"
    assert metric.value == pytest.approx(1 / 6, abs=4 * np.sqrt(5 / 36 / 600))
    assert metric.details["pairs"][0]["columns"] == ["sex", "pregnant"]


def test_those_who_keep_the_rule_pass():
    metric = combinations(reference(), [patients(600, 4, rule=True)])[0]
    assert metric.value == 0
    assert metric.low == 0 < metric.high < 0.01  # none of 600 does not mean never
    assert metric.verdict == "within real-against-real"


def test_no_metric_without_a_rule():
    free = Reference(patients(900, 5, rule=False), reference().folds, 0)
    assert combinations(free, [patients(600, 6, rule=False)]) == []
