"""From a cohort to estimates: Table 1, published figures, strategies, scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from extraction.records import Cohort, InputError
from extraction.sources import read_source
from serving.analyses.effects import observed
from serving.analyses.historical import numeric_columns, without_outcomes
from serving.analyses.modelling import narrowed
from serving.analyses.notes import _usual
from serving.analyses.published import carried_forward, checks
from serving.analyses.table_one import smd_numbers, smd_shares, table_one
from serving.study import TrialStudy, load_study
from tests.support.serving_support import toy_study, toy_table


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrialStudy, Cohort]:
    folder = tmp_path_factory.mktemp("toy")
    study = load_study(toy_study(folder))
    assert isinstance(study, TrialStudy)
    cohort = read_source("table", folder / "trial.csv", mapping=folder / "mapping.yaml")
    return study, cohort


def test_standardised_differences_by_hand() -> None:
    # a difference of 2 over a common standard deviation of 1
    assert smd_numbers(pd.Series([2.0, 3, 4]), pd.Series([0.0, 1, 2])) == pytest.approx(2.0)
    # .3 over the root of the mean of both binomial variances, .25 and .16
    assert smd_shares(0.5, 0.2) == pytest.approx(0.3 / np.sqrt(0.205))
    assert smd_shares(0.0, 0.0) == 0.0


def test_table_one_has_a_row_a_variable_or_level(toy: tuple[TrialStudy, Cohort]) -> None:
    rows = table_one(toy[1], ("AGE", "SEX"))
    assert [(r["variable"], r["level"]) for r in rows] == [
        ("AGE", None),
        ("SEX", "F"),
        ("SEX", "M"),
    ]
    assert rows[1]["smd"] == pytest.approx(rows[2]["smd"])
    frame = toy_table()
    shown = rows[0]["arms"]["Active"]
    assert shown["mean"] == pytest.approx(frame.loc[frame["arm"] == "A", "AGE"].mean())


def test_a_published_figure_is_compared_at_its_own_digits() -> None:
    found = checks({"n": 79.0, "d": -1.00601, "hr": 0.4319}, {"n": 79, "d": -1.006, "hr": 0.45}, 4)
    assert [row["agrees"] for row in found] == [True, True, False]


def test_an_unknown_published_figure_is_refused() -> None:
    with pytest.raises(InputError, match="'power' is not given"):
        checks({"n": 79.0}, {"power": 0.9}, 4)


def test_an_observed_outcome_goes_before_a_carried_one(toy: tuple[TrialStudy, Cohort]) -> None:
    cohort = toy[1]
    rows = cohort.observations.query("variable == 'SCORE' and visit == 'Week 8'")
    carried = rows.assign(visit="Week 24", status="derived", value=99.0)
    both = Cohort.build(
        cohort.schema,
        cohort.subjects,
        cohort.observations,
        carried,
        events=cohort.events,
        sources=cohort.sources,
    )
    last = carried_forward(both, "SCORE", "Week 24")
    seen = cohort.at_visit("SCORE", "Week 24")
    assert (last["carried"] == seen.isna()).all()
    assert (last["value"].where(~last["carried"]).dropna() == seen.dropna()).all()
    assert set(last["value"][last["carried"]]) == {99.0}


def test_the_strategies_differ_by_what_came_after_leaving(toy: tuple[TrialStudy, Cohort]) -> None:
    study, cohort = toy
    events = cohort.events.assign(day=np.where(cohort.events["observed"], 60.0, 182.0))
    late = Cohort.build(
        cohort.schema,
        cohort.subjects,
        cohort.observations.assign(),
        events=events,
        sources=cohort.sources,
    )
    kept = late.observations.copy()
    extra = kept[(kept["visit"] == "Week 8")].assign(day=168.0, visit="Week 24")
    gone = late.endpoint("leaving")["observed"].to_numpy(dtype=bool)
    extra = extra[extra["subject_id"].isin(late.subject_ids[gone])]
    both = Cohort.build(
        late.schema,
        late.subjects,
        pd.concat([kept, extra], ignore_index=True),
        events=events,
        sources=late.sources,
    )
    policy = observed(both, study.endpoint)
    inside = observed(both, study.endpoint, "hypothetical")
    assert len(policy.subjects) - len(inside.subjects) == gone.sum()
    assert policy.subjects["after_stopping"].sum() == gone.sum()
    assert not inside.subjects["after_stopping"].any()


def test_too_few_outcomes_are_refused(toy: tuple[TrialStudy, Cohort]) -> None:
    study, cohort = toy
    few = cohort.take(np.arange(len(cohort)) < 30)
    with pytest.raises(InputError, match="at least 20 in each of two arms"):
        observed(few, study.endpoint)


def test_without_outcomes_nothing_after_baseline_is_left(toy: tuple[TrialStudy, Cohort]) -> None:
    bare = without_outcomes(toy[1])
    assert len(bare.events) == len(bare.observations) == 0
    assert bare.subjects["observed_until"].isna().all() and bare.subjects["end_reason"].isna().all()
    assert list(bare.subject_ids) == list(toy[1].subject_ids)


def test_a_score_refuses_missing_values(toy: tuple[TrialStudy, Cohort]) -> None:
    cohort = toy[1]
    columns = numeric_columns(cohort, ["AGE", "SEX"])
    assert list(columns) == ["AGE", "SEX=M"]
    holes = cohort.subjects.assign(AGE=cohort.subjects["AGE"].where(cohort.subjects.index > 2))
    broken = Cohort.build(cohort.schema, holes)
    with pytest.raises(InputError, match="AGE is missing in 3 patient"):
        numeric_columns(broken, ["AGE"])


def test_models_learn_the_named_part_only(toy: tuple[TrialStudy, Cohort]) -> None:
    narrow = narrowed(toy[1], ["AGE", "SCORE"], ["leaving"])
    assert [v.name for v in narrow.schema.variables] == ["AGE", "SCORE"]
    assert set(narrow.controls().subjects["arm"]) == {"Control"}
    with pytest.raises(InputError, match="endpoint dying"):
        narrowed(toy[1], ["AGE"], ["dying"])


def test_toy_study_is_where_it_says(tmp_path: Path) -> None:
    assert load_study(toy_study(tmp_path)).name == "toy"


def test_an_attribute_of_a_shown_note_is_one_that_five_patients_have() -> None:
    """A dose that one patient has would show that patient's treatment."""
    rows = pd.DataFrame(
        {
            "study_id": "S",
            "subject_id": [f"P{k}" for k in range(6)] + ["P6"] * 9,
            "dose": [5.0] * 6 + [7.0] * 9,  # most rows are one patient's
            "route": ["ORAL"] * 4 + [None] * 11,
        }
    )
    assert _usual(rows, "dose") == 5.0
    assert _usual(rows, "route") is None
    assert _usual(rows.iloc[:0], "dose") is None
