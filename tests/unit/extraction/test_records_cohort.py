"""The cohort: canonical form, storage, timelines, flat tables."""

from __future__ import annotations

import json
from itertools import permutations

import numpy as np
import pandas as pd
import pytest

from extraction.records import Cohort, CohortSchema, Endpoint, InputError, Variable
from tests.support.records_support import small_cohort, small_schema


def test_row_order_does_not_matter():
    cohort = small_cohort()
    shuffled = {
        name: getattr(cohort, name).sample(frac=1, random_state=1)
        for name in ("subjects", "observations", "episodes", "events")
    }
    again = Cohort.build(cohort.schema, sources=cohort.sources, **shuffled)
    assert again.digest() == cohort.digest()


def test_the_order_of_undated_repeats_does_not_matter():
    drugs = pd.DataFrame(
        {
            "subject_id": "P1",
            "kind": "medication",
            "term": "ASPIRIN",
            "dose": [100.0, np.nan, 75.0, 75.0],
            "ongoing": [True, None, False, None],
            "route": ["oral", None, "oral", "oral"],
        }
    )
    digests = {
        _one_subject(episodes=drugs.iloc[list(rows)]).digest() for rows in permutations(range(4))
    }
    assert len(digests) == 1


def test_write_and_read_give_the_same_cohort(tmp_path):
    cohort = small_cohort()
    folder = cohort.write(tmp_path / "cohort")
    assert Cohort.read(folder).digest() == cohort.digest()
    cohort.write(folder)  # replacing is allowed and whole
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cohort"]


def test_a_strange_folder_is_never_overwritten(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(InputError, match="holds other files"):
        small_cohort().write(tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "x"


def test_every_damaged_file_is_named_at_once(tmp_path):
    folder = small_cohort().write(tmp_path / "cohort")
    events = folder / "events.parquet"
    events.write_bytes(events.read_bytes()[:100])
    (folder / "episodes.parquet").unlink()
    with pytest.raises(InputError) as caught:
        Cohort.read(folder)
    assert len(caught.value.faults) == 2
    assert "events.parquet is damaged" in str(caught.value)
    assert "episodes.parquet is missing" in str(caught.value)


def test_a_newer_schema_version_is_refused(tmp_path):
    folder = small_cohort().write(tmp_path / "cohort")
    head = json.loads((folder / "cohort.json").read_text())
    head["schema_version"] = 99
    (folder / "cohort.json").write_text(json.dumps(head))
    with pytest.raises(InputError, match="newer Trialtwin"):
        Cohort.read(folder)


def test_an_older_folder_migrates(tmp_path, monkeypatch):
    from extraction.records import storage

    folder = small_cohort().write(tmp_path / "cohort")
    head = json.loads((folder / "cohort.json").read_text())
    head["schema_version"] = 0
    head["schema"]["study_id"] = "OLD"
    (folder / "cohort.json").write_text(json.dumps(head))

    def renamed(old):
        return {**old, "schema": {**old["schema"], "study_id": "TEST"}}

    monkeypatch.setattr(storage, "MIGRATIONS", {0: renamed})
    assert Cohort.read(folder).digest() == small_cohort().digest()


def test_all_faults_of_a_cohort_at_once_and_no_value_in_them():
    cohort = small_cohort()
    subjects = cohort.subjects.copy()
    subjects.loc[0, "AGE"] = 777.0
    subjects.loc[1, "SEX"] = "hermaphrodite"
    subjects.loc[2, "arm"] = "Secret arm"
    subjects.loc[3, "subject_id"] = subjects.loc[4, "subject_id"]
    with pytest.raises(InputError) as caught:
        Cohort.build(cohort.schema, subjects)
    text = str(caught.value)
    assert len(caught.value.faults) == 4
    for secret in ("777", "hermaphrodite", "Secret arm"):
        assert secret not in text
    for place in ("subjects.AGE", "subjects.SEX", "subjects.arm", "repeat a subject"):
        assert place in text


def test_flat_table_round_trip_with_visits_and_causes():
    cohort = small_cohort()
    table = cohort.to_table()
    assert {"ALT@Week 4", "ECOG@Week 4", "death_time", "death_cause"} <= set(table)
    again = Cohort.from_table(table, cohort.schema)
    pd.testing.assert_frame_equal(again.to_table(), table)


def test_at_visit_takes_the_nearest_observation_inside_the_window():
    cohort = small_cohort(4)
    extra = cohort.observations.iloc[[0]].assign(day=28.0, value=99.0)
    more = Cohort.build(
        cohort.schema,
        cohort.subjects,
        pd.concat([cohort.observations, extra]),
        sources=cohort.sources,
    )
    assert more.at_visit("ALT", "Week 4").iloc[0] == 99.0


def test_timeline_knows_nothing_of_later():
    cohort = small_cohort()
    who = cohort.events.loc[cohort.events["day"] > 30, "subject_id"].iloc[0]
    line = cohort.timeline(who, until_day=30)
    assert line.cohort.observations["day"].max() <= 30
    event = line.cohort.events.iloc[0]
    assert event["day"] == 30 and not event["observed"] and event["cause"] is None
    assert line.cohort.subjects["end_reason"].iloc[0] is None


def _one_subject(**tables: pd.DataFrame) -> Cohort:
    subjects = pd.DataFrame(
        {
            "subject_id": ["P1"],
            "arm": "Active",
            "arm_actual": "Placebo",  # never had the planned dose: known at the end only
            "AGE": 70.0,
            "ITT": "N",
            "observed_until": 60.0,
            "end_reason": "left",
        }
    )
    return Cohort.build(small_schema(), subjects, **tables)


def test_timeline_leaves_out_what_is_settled_in_hindsight():
    carried = pd.DataFrame(
        {"subject_id": ["P1"], "day": 5.0, "visit": "Week 8", "variable": "ALT", "value": 30.0}
    )
    cohort = _one_subject(derived=carried)
    cut = cohort.timeline("P1", until_day=30).cohort
    assert cut.subjects["ITT"].iloc[0] is None
    assert cut.subjects["arm_actual"].iloc[0] is None
    assert cut.subjects["AGE"].iloc[0] == 70.0
    assert cut.derived.empty  # a value carried to week 8 tells on day 30 that the subject left
    assert cut.validate() == []
    whole = cohort.timeline("P1").cohort
    assert whole.subjects["ITT"].iloc[0] == "N" and len(whole.derived) == 1


def test_timeline_keeps_episodes_that_had_surely_begun():
    nan = np.nan
    episodes = pd.DataFrame(
        [
            {"term": "undated history", "kind": "condition", "start": nan},
            {"term": "undated event", "kind": "adverse_event", "start": nan},
            {"term": "begun by its end", "kind": "medication", "start": nan, "stop": 20.0},
            {"term": "end ahead", "kind": "adverse_event", "start": 10.0, "stop": 40.0},
            {"term": "end in that month", "kind": "adverse_event", "start": 10.0, "stop": nan},
            {"term": "never ends", "kind": "adverse_event", "start": 10.0, "stop": nan},
        ]
    ).assign(subject_id="P1", outcome="told later", ongoing=None)
    episodes["stop_low"] = [nan, nan, nan, nan, 25.0, nan]
    episodes["stop_high"] = [nan, nan, nan, nan, 45.0, nan]
    episodes.loc[3, "ongoing"] = False
    known = _one_subject(episodes=episodes).timeline("P1", until_day=30).cohort.episodes
    known = known.set_index("term")
    assert "undated event" not in known.index and len(known) == 5
    assert known.loc["end ahead", "ongoing"] is True
    assert known.loc["end in that month", "ongoing"] is None
    assert known["stop_high"].notna().sum() == 1
    assert known["outcome"].notna().tolist().count(True) == 1


def test_timeline_before_day_0_has_no_follow_up():
    cohort = small_cohort()
    line = cohort.timeline("P000", until_day=-5)
    assert line.cohort.events.empty and line.cohort.validate() == []


def test_folds_are_balanced_and_keyed_by_subject():
    cohort = small_cohort(60)
    folds = cohort.folds(5, seed=3)
    assert np.bincount(folds).tolist() == [12] * 5
    arms = pd.crosstab(cohort.subjects["arm"], folds)
    assert (arms == 6).all().all()
    same = small_cohort(60).folds(5, seed=3)
    assert (folds == same).all() and (folds != cohort.folds(5, seed=4)).any()


def test_split_parts_are_disjoint_and_whole():
    cohort = small_cohort(40)
    first, second = cohort.split(0.75, seed=1)
    assert len(first) == 30 and len(second) == 10
    assert set(first.subject_ids) | set(second.subject_ids) == set(cohort.subject_ids)


def test_merge_fills_gaps_and_keeps_what_was_there():
    cohort = small_cohort(6)
    schema = CohortSchema(
        study_id="TEST",
        variables=(
            Variable(name="AGE", kind="continuous"),
            Variable(name="BMI", kind="continuous"),
        ),
    )
    other = Cohort.build(
        schema, pd.DataFrame({"subject_id": cohort.subject_ids, "AGE": 50.0, "BMI": 22.5})
    )
    merged = cohort.merge(other)
    known = cohort.subjects["AGE"].notna()
    assert (merged.subjects["AGE"][known] == cohort.subjects["AGE"][known]).all()
    assert (merged.subjects["AGE"][~known] == 50.0).all()
    assert (merged.subjects["BMI"] == 22.5).all()


def test_concat_stacks_subjects():
    cohort = small_cohort()
    first, second = cohort.split(0.5)
    assert Cohort.concat([first, second]).digest() == cohort.digest()


@pytest.mark.parametrize(
    ("codes", "events"),
    [
        ([0, 1, 1], 2),
        ([1, 2, 2], 2),
        (["alive", "dead", "dead"], 2),
        ([False, True, True], 2),
        ([0, 1, 2], 2),
    ],
)
def test_guess_reads_event_codes(codes, events):
    frame = pd.DataFrame({"t": [5, 6, 7], "status": codes, "x": [1.5, 2.5, 4.0]})
    schema = CohortSchema.guess(frame, time="t", event="status")
    cohort = Cohort.from_table(frame, schema)
    assert int(cohort.endpoint("status")["observed"].sum()) == events


def test_guess_names_missing_columns_together():
    with pytest.raises(InputError) as caught:
        CohortSchema.guess(pd.DataFrame({"time": [1]}), arm="arms", time="tme", event=None)
    assert len(caught.value.faults) == 3


def test_schema_faults_come_together_without_values():
    with pytest.raises(ValueError, match="appears more than once") as caught:
        CohortSchema(
            arms=("A", "A"),
            control_arm="C",
            allocation={"B": 0},
            endpoints=(Endpoint(name="e"), Endpoint(name="e")),
        )
    for fault in ("arm A appears", "control_arm C", "allocation names arm B", "must be above 0"):
        assert fault in str(caught.value)


def test_empty_cohort_is_refused():
    with pytest.raises(InputError, match="at least one subject"):
        Cohort.build(small_schema(), pd.DataFrame({"subject_id": []}))


def _with_alt_unit(cohort: Cohort, unit: str) -> Cohort:
    variables = tuple(
        v.model_copy(update={"unit": unit}) if v.name == "ALT" else v
        for v in cohort.schema.variables
    )
    return cohort.with_schema(cohort.schema.replace(variables=variables))


def test_units_and_sources_are_never_mixed_up():
    cohort = small_cohort()
    other = Cohort.build(
        cohort.schema,
        cohort.subjects.assign(study_id="OTHER"),
        sources=cohort.sources.assign(sha256="1"),  # the same id, another file
    )
    with pytest.raises(InputError, match="source id lb"):
        Cohort.concat([cohort, other])
    with pytest.raises(InputError, match="ALT is continuous in U/L"):
        cohort.merge(_with_alt_unit(cohort, "ukat/L"))
    with pytest.raises(InputError, match="ALT is continuous in U/L"):
        Cohort.concat([cohort, _with_alt_unit(other, "ukat/L")])


def test_a_seed_may_come_out_of_numpy():
    cohort = small_cohort()
    assert (cohort.folds(4, np.int64(3)) == cohort.folds(4, 3)).all()


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        ({"time": [1.0, 2.0], "event": [1.0, np.nan]}, "time but no word on the event"),
        ({"time": [1.0, np.nan], "event": [0, 1]}, "event without a time"),
        ({"time": [1.0, 2.0], "event": [0, 7]}, "neither event nor censored"),
    ],
)
def test_a_doubtful_event_is_never_read_as_censored(columns, fault):
    schema = CohortSchema(endpoints=(Endpoint(name="e", time_column="time", event_column="event"),))
    with pytest.raises(InputError, match=fault):
        Cohort.from_table(pd.DataFrame(columns), schema)


def test_an_event_of_unknown_cause_is_told():
    schema = CohortSchema(endpoints=(Endpoint(name="e", causes=("cancer", "other")),))
    frame = pd.DataFrame({"e_time": [1.0, 2.0], "e_event": [1.0, 0.0], "e_cause": [None, None]})
    with pytest.raises(InputError, match="hold no known cause"):
        Cohort.from_table(frame, schema)


def test_a_code_keeps_its_meaning_where_nobody_had_the_event():
    schema = CohortSchema.guess(pd.DataFrame({"t": [1, 2], "s": [1, 2]}), time="t", event="s")
    cohort = Cohort.from_table(pd.DataFrame({"t": [3, 4], "s": [1, 1]}), schema)
    assert not cohort.endpoint("s")["observed"].any()


def test_remarks_are_not_taken_for_subjects():
    frame = pd.DataFrame(
        {
            "remark": [f"seen by {i % 20}" for i in range(40)],
            "nothing": [None] * 40,
            "patient": [f"p{i}" for i in range(40)],
            "x": np.linspace(0, 1, 40),
        }
    )
    cohort = Cohort.from_table(frame, CohortSchema.guess(frame))
    assert sorted(cohort.subject_ids) == sorted(frame["patient"])
    assert [v.name for v in cohort.schema.variables] == ["patient", "x"]
    numbered = frame.drop(columns="patient")
    assert len(Cohort.from_table(numbered, CohortSchema.guess(numbered))) == 40


def test_a_value_at_a_visit_needs_a_longitudinal_variable():
    with pytest.raises(InputError, match="AGE is a baseline variable"):
        small_cohort().at_visit("AGE", "Week 4")
