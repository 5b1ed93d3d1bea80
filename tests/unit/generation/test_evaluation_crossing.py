"""Pooled cross-validation of engines and paired differences."""

from __future__ import annotations

import json

import numpy as np
import pytest

from extraction.records import InputError
from generation.evaluation import cross_evaluate, evaluate
from generation.evaluation.crossing import compared, cross_fit, judge
from tests.support.evaluation_support import cohort


@pytest.fixture(scope="module")
def real():
    return cohort(120, 7)


@pytest.fixture(scope="module")
def evaluations(real):
    fits = [cross_fit(real, "cart", 3, seed, options={}) for seed in (0, 0)]
    return judge(real, fits, 3, 0)


def test_every_patient_is_held_out_once(evaluations):
    sizes = evaluations[0].sizes
    assert sizes["holdout"] == 120
    assert sizes["train"] == sizes["compared"] == 80
    assert evaluations[0].folds == 3


def test_an_engine_does_not_differ_from_itself(evaluations):
    differences = compared(evaluations).differences
    assert {d.metric for d in differences} == {m.name for m in evaluations[0].metrics}
    assert all(d.value == 0 for d in differences)
    assert {d.finding for d in differences} == {"no difference shown"}


def test_a_comparison_reads_in_one_line_and_knows_its_engines(evaluations):
    found = compared(evaluations)
    told = repr(found)
    assert told.startswith("Comparison(cart, cart: ") and "no difference shown" in told
    with pytest.raises(InputError, match="did you mean cart"):
        found["carts"]


def test_the_same_seed_gives_the_same_report(real, evaluations):
    told = []
    again = cross_evaluate(real, "cart", folds=3, progress=lambda _, done: told.append(done))
    assert told == sorted(told) and told[-1] == 1.0
    assert json.dumps(again.to_dict()) == json.dumps(evaluations[0].to_dict())


def test_a_condition_narrows_the_real_side(real):
    women = cross_evaluate(real, "cart", folds=3, given={"SEX": "F"})
    assert women.sizes["holdout"] == int((real.mask({"SEX": "F"}) == 1).sum())


def test_too_few_patients_are_refused(real):
    with pytest.raises(InputError, match="needed"):
        cross_evaluate(real, "cart", folds=3, given={"AGE": [99, 110]})


def test_shared_and_few_patients_are_named_together(real):
    few = real.take(np.arange(120) < 5)
    with pytest.raises(InputError) as caught:
        evaluate(few, real, real)
    assert len(caught.value.faults) == 2
