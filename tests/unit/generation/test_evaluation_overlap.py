"""Patients on both real sides: the same person, or the same number in two tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from extraction.records import Cohort, CohortSchema, InputError
from generation.evaluation import evaluate
from generation.evaluation.overlap import apart, shared_patients


def cohort(seed: int, *, first: int = 1, measured: bool = True, n: int = 60) -> Cohort:
    rng = np.random.default_rng(seed)
    columns = {
        "subject_id": [str(first + i) for i in range(n)],
        "arm": rng.choice(["A", "B"], n),
        "sex": rng.choice(["F", "M"], n),
        "days": rng.integers(1, 400, n).astype(float),
        "died": rng.integers(0, 2, n).astype(float),
    }
    if measured:
        columns["age"] = rng.normal(60, 10, n).round(1)
    frame = pd.DataFrame(columns)
    schema = CohortSchema.guess(frame, arm="arm", time="days", event="died", subject="subject_id")
    return Cohort.from_table(frame, schema)


@pytest.mark.parametrize("measured", [True, False])
def test_numbers_shared_by_two_tables_are_not_patients(measured: bool) -> None:
    train, holdout = cohort(1, measured=measured), cohort(2, measured=measured)
    assert shared_patients(train, holdout) == 0
    other = apart(train, holdout)
    assert (train.positions(other.subjects) == -1).all()
    assert other.events["subject_id"].isin(other.subject_ids).all()
    assert len(Cohort.concat([train, other])) == 120


def test_the_same_patients_are_counted() -> None:
    train = cohort(1)
    assert shared_patients(train, train) == 60
    some = cohort(2).take(np.arange(60) < 40)
    both = Cohort.concat([some, train.take(np.arange(60) >= 57)])
    assert shared_patients(train, both) == 3


def test_few_columns_tell_the_same_patients_when_all_agree() -> None:
    few = cohort(1, measured=False, n=12)
    assert shared_patients(few, few) == 12


def test_other_names_are_left_as_they_are() -> None:
    train, holdout = cohort(1), cohort(2, first=100)
    assert apart(train, holdout) is holdout and shared_patients(train, holdout) == 0


def test_names_already_taken_are_avoided() -> None:
    train, holdout = cohort(1, n=11), cohort(2, n=11)
    names = train.subject_ids.copy()
    names[0] = "holdout-3"
    other = apart(train.renamed(names), holdout)
    assert not set(other.subject_ids) & set(names)


def test_numbered_tables_are_judged_and_shared_patients_refused() -> None:
    train, holdout, made = cohort(1), cohort(2), cohort(3)
    assert evaluate(made, train, holdout).sizes["holdout"] == 60
    with pytest.raises(InputError, match="60 patients are in train as well"):
        evaluate(made, train, train)
