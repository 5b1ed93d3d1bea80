"""Flat tables read by a mapping: wide, by visit and long."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from extraction.records import Cohort, CohortSchema, InputError
from extraction.sources import read_source
from extraction.sources.mapping import draft_mapping, load_mapping
from extraction.sources.public import mapping_file, public_trial, public_trials
from tests.support.sources_support import WIDE_CSV, WIDE_MAPPING


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "trial.csv"
    path.write_text(WIDE_CSV, "utf-8")
    return path


@pytest.fixture
def cohort(table: Path) -> Cohort:
    return read_source("table", table, mapping=WIDE_MAPPING)


def test_labels_units_and_arms(cohort: Cohort) -> None:
    subjects = cohort.subjects
    assert subjects["sex"].tolist() == ["female", "male", "female", "male"]
    assert subjects["weight"].tolist() == pytest.approx([65.0, 80.0, 60.0, 85.0], abs=0.02)
    assert subjects["arm"].tolist() == ["Drug", "Placebo", "Drug", "Placebo"]
    assert cohort.schema.control_arm == "Placebo"


def test_wide_columns_become_dated_rows(cohort: Cohort) -> None:
    rows = cohort.observations
    assert rows["day"].value_counts().to_dict() == {0.0: 4, 28.0: 3}  # a blank cell is no row
    below = rows[rows["status"] == "below_limit"]
    assert below[["subject_id", "value", "text"]].to_numpy().tolist() == [["P01", 0.5, "<0.5"]]
    assert cohort.at_visit("crp", "Week 4").tolist()[2:] == [1.9, 6.5]


def test_events_and_end_of_observation(cohort: Cohort) -> None:
    rows = cohort.endpoint("death")
    assert rows["observed"].tolist() == [True, False, False, True]
    assert cohort.subjects["observed_until"].tolist() == [120, 200, 220, 30]


def test_the_source_is_named_and_hashed(cohort: Cohort) -> None:
    row = cohort.sources.iloc[0]
    assert (row["name"], row["kind"], len(row["sha256"])) == ("trial.csv", "table", 64)
    assert set(cohort.observations["source_id"]) == {"DEMO/table"}


def test_parquet_and_other_separators_read_alike(
    cohort: Cohort, tmp_path: Path, table: Path
) -> None:
    frame = pd.read_csv(table)
    frame.to_parquet(tmp_path / "trial.parquet")
    frame.to_csv(tmp_path / "semi.csv", sep=";", index=False, encoding="latin-1")
    semi = {**WIDE_MAPPING, "csv": {"separator": ";", "encoding": "latin-1"}}
    for again in (
        read_source("table", tmp_path / "trial.parquet", mapping=WIDE_MAPPING),
        read_source("table", tmp_path / "semi.csv", mapping=semi),
    ):
        pd.testing.assert_frame_equal(again.subjects, cohort.subjects)
        pd.testing.assert_frame_equal(again.observations, cohort.observations)


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_a_separator_is_found(cohort: Cohort, tmp_path: Path, table: Path, mark: str) -> None:
    pd.read_csv(table).to_csv(tmp_path / "other.csv", sep=mark, index=False)
    again = read_source("table", tmp_path / "other.csv", mapping=WIDE_MAPPING)
    pd.testing.assert_frame_equal(again.subjects, cohort.subjects)


def test_commas_inside_cells_do_not_pass_for_separators(tmp_path: Path) -> None:
    path = tmp_path / "semi.csv"
    path.write_text("id;crp, mg/L\n1;4,5\n2;6,25\n", "utf-8")
    mapping = {
        "study_id": "S",
        "subject": "id",
        "variables": [{"name": "crp", "column": "crp, mg/L", "kind": "continuous"}],
    }
    with pytest.raises(InputError, match=r"crp, mg/L: 2 row\(s\) hold a decimal comma"):
        read_source("table", path, mapping=mapping)


def test_a_row_a_visit(tmp_path: Path, cohort: Cohort) -> None:
    mapping = {k: v for k, v in WIDE_MAPPING.items() if k not in ("variables", "endpoints")} | {
        "layout": "visits",
        "day": "study_day",
        "visit": "visit",
        "variables": [
            {"name": "age", "kind": "continuous", "unit": "a"},
            {"name": "crp", "kind": "continuous", "unit": "mg/L", "role": "longitudinal"},
        ],
    }
    path = tmp_path / "visits.csv"
    path.write_text(
        "id,treatment,age,study_day,visit,crp\n"
        "P01,drug,61,0,Baseline,4.2\nP01,drug,61,27,Week 4,<0.5\n"
        "P02,placebo,55,0,Baseline,3.1\nP02,placebo,55,30,Week 4,\n"
    )
    read = read_source("table", path, mapping=mapping)
    assert len(read) == 2
    assert read.observations["day"].tolist() == [0.0, 27.0, 0.0]


_BY_VISIT = {
    "study_id": "VISITS",
    "layout": "visits",
    "subject": "id",
    "day": "day",
    "variables": [
        {"name": "age", "kind": "continuous", "unit": "a"},
        {"name": "crp", "kind": "continuous", "unit": "mg/L", "role": "longitudinal"},
    ],
    "endpoints": [{"name": "death", "time": "t", "event": "died"}],
}


def test_what_stands_in_one_row_of_a_subject_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "visits.csv"
    path.write_text("id,age,day,crp,t,died\n1,,0,4,,\n1,61,28,3,90,1\n2,55,0,2,80,0\n2,,28,2,,\n")
    read = read_source("table", path, mapping=_BY_VISIT)
    assert read.subjects["age"].tolist() == [61.0, 55.0]
    assert read.subjects["observed_until"].tolist() == [90.0, 80.0]
    assert read.endpoint("death")["observed"].tolist() == [True, False]


def test_an_endpoint_that_changes_from_row_to_row_is_told(tmp_path: Path) -> None:
    path = tmp_path / "intervals.csv"
    path.write_text("id,age,day,crp,t,died\n1,61,0,4,28,0\n1,61,28,3,90,1\n")
    with pytest.raises(InputError) as caught:
        read_source("table", path, mapping=_BY_VISIT)
    told = "\n".join(caught.value.faults)
    assert "column t: 1 subject(s)" in told and "column died: 1 subject(s)" in told


def test_a_row_a_value_with_units(tmp_path: Path) -> None:
    mapping = {
        "study_id": "LONG",
        "layout": "long",
        "subject": "id",
        "day": "day",
        "variable": "test",
        "value": "result",
        "unit": "unit",
        "variables": [
            {"name": "glucose", "kind": "continuous", "role": "longitudinal", "unit": "g/L",
             "test": "GLUC"},
            {"name": "ketones", "kind": "ordinal", "role": "longitudinal",
             "categories": ["neg", "pos"], "test": "KET"},
            {"name": "sex", "kind": "binary", "categories": ["F", "M"]},
        ],
    }  # fmt: skip
    path = tmp_path / "long.csv"
    path.write_text(
        "id,sex,day,test,result,unit\n"
        "1,F,0,GLUC,90,mg/dL\n1,F,7,GLUC,1.1,g/L\n1,F,7,KET,neg,\n2,M,0,GLUC,,mg/dL\n"
    )
    read = read_source("table", path, mapping=mapping)
    rows = read.observations
    assert rows[rows["variable"] == "glucose"]["value"].tolist()[:2] == pytest.approx([0.9, 1.1])
    assert rows["status"].tolist().count("not_done") == 1
    assert read.subjects["sex"].tolist() == ["F", "M"]


def test_a_draft_of_a_guessed_schema_can_be_read(table: Path) -> None:
    frame = pd.read_csv(table).drop(columns=["crp_0", "crp_4"])
    schema = CohortSchema.guess(frame, arm="treatment", time="days", event="status", subject="id")
    draft = yaml.safe_load(draft_mapping(schema, "DEMO"))
    draft["endpoints"][0] |= {"observed": {"death": "event"}, "censored": ["alive"]}
    read = read_source("table", table, mapping=draft)
    assert len(read) == 4
    assert read.endpoint("status")["observed"].sum() == 2


@pytest.mark.parametrize("words", [("yes", "no"), ("1", "0"), ("event", "censored"), ("y", "n")])
def test_a_draft_reads_the_table_it_was_guessed_from(
    tmp_path: Path, words: tuple[str, str]
) -> None:
    frame = pd.DataFrame({"id": [f"A{i}" for i in range(30)], "time": range(1, 31)})
    frame["died"] = [words[i % 3 > 0] for i in range(30)]
    frame.to_csv(tmp_path / "trial.csv", index=False)
    schema = CohortSchema.guess(frame, time="time", event="died", subject="id")
    (tmp_path / "draft.yaml").write_text(draft_mapping(schema, "DEMO"), "utf-8")
    read = read_source("table", tmp_path / "trial.csv", mapping=tmp_path / "draft.yaml")
    assert read.endpoint("died")["observed"].sum() == 10


def test_a_word_that_is_not_listed_is_told_with_those_that_are(table: Path) -> None:
    strange = table.read_text("utf-8").replace("alive", "lost")
    table.write_text(strange, "utf-8")
    with pytest.raises(InputError, match=r"the mapping does not list \(.*alive.*\); add it"):
        read_source("table", table, mapping=WIDE_MAPPING)


def test_shipped_mappings_load() -> None:
    for name in ("actg320", "actg175"):
        mapping = load_mapping(mapping_file(name))
        assert mapping.source is not None and mapping.source.licence


def test_public_trials_are_named() -> None:
    assert public_trials() == ["actg175", "actg320", "cdisc_pilot"]
    with pytest.raises(InputError, match="did you mean actg320"):
        public_trial("actg32")


def test_public_trials_are_the_same_each_time() -> None:
    assert public_trial("actg320").digest() == public_trial("actg320").digest()


def test_actg175_treatment_arms() -> None:
    counts = public_trial("actg175").subjects["arm"].value_counts()
    assert counts.to_dict() == {"ZDV": 532, "ZDV + ddI": 522, "ZDV + ddC": 524, "ddI": 561}


def test_stacked_trials_keep_both_sources() -> None:
    shared = ["age", "cd4", "karnof", "sex", "race", "ivdrug"]
    trials = [public_trial(name) for name in ("actg175", "actg320")]
    arms = tuple(arm for trial in trials for arm in trial.schema.arms)
    schema = (
        trials[0]
        .schema.keep(shared)
        .replace(
            study_id="HIV", arms=arms, control_arm=None, allocation=None, endpoints=(), visits=()
        )
    )
    both = Cohort.concat([trial.with_schema(schema) for trial in trials])
    assert len(both) == 2139 + 1151
    assert both.sources["source_id"].tolist() == ["ACTG175/table", "ACTG320/table"]


def test_a_draft_of_a_table_without_identifier_is_read_as_it_is(tmp_path):
    frame = pd.DataFrame({"age": [40.5, 51.0, 62.5] * 10, "sex": ["F", "M", "F"] * 10})
    frame.to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "m.yaml").write_text(draft_mapping(CohortSchema.guess(frame)), "utf-8")
    cohort = read_source("table", tmp_path / "t.csv", mapping=tmp_path / "m.yaml")
    assert list(cohort.subject_ids[:2]) == ["01", "02"]
    visits = "study_id: T\nlayout: visits\nday: age\n"
    (tmp_path / "v.yaml").write_text(visits, "utf-8")
    with pytest.raises(InputError, match="layout visits needs the column subject"):
        read_source("table", tmp_path / "t.csv", mapping=tmp_path / "v.yaml")
