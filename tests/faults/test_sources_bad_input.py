"""Bad trial data: one error that lists every fault with file, column and count, never a value."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from extraction.records import InputError
from extraction.sources import read_source
from extraction.sources.mapping import load_mapping
from tests.support.sources_support import (
    WIDE_CSV,
    WIDE_MAPPING,
    Study,
    small_study,
    write_study,
)

# -- CDISC ----------------------------------------------------------------------------------------


def _set(name: str, column: str, value: Any, rows: int = 2) -> Callable[[Study], None]:
    def change(study: Study) -> None:
        frame = study[name]
        words = isinstance(value, str)
        cells = frame[column].astype(object)
        cells = cells.where(cells.isna(), cells.astype(str)) if words else cells
        cells.iloc[:rows] = value
        study[name] = frame.assign(**{column: cells if words else cells.astype(float)})

    return change


def _rename(name: str, old: str, new: str) -> Callable[[Study], None]:
    def change(study: Study) -> None:
        study[name] = study[name].rename(columns={old: new})

    return change


def _repeat_subject(study: Study) -> None:
    study["adsl"] = pd.concat([study["adsl"], study["adsl"].head(1)], ignore_index=True)


def _tall_weights(study: Study) -> None:
    frame = study["vs"]
    frame.loc[frame["VSTESTCD"] == "WEIGHT", "VSSTRESN"] *= 1000


def _mixed_units(study: Study) -> None:
    frame = study["vs"]
    frame.loc[frame.index[frame["VSTESTCD"] == "WEIGHT"][:3], "VSSTRESU"] = "cm"


def _backwards(study: Study) -> None:
    frame = study["ex"]
    frame.loc[frame.index[-1], "EXENDTC"] = "2001-01-01"


def _stranger(study: Study) -> None:
    study["ae"].loc[study["ae"].index[-3:], "USUBJID"] = "someone-else"


def _empty(study: Study) -> None:
    study["cm"] = study["cm"].head(0)


def _partial_index(study: Study) -> None:
    _set("adsl", "RFSTDTC", "2013-02", 1)(study)
    study["adsl"] = study["adsl"].drop(columns="TRTSDT")


CDISC_FAULTS = [
    (_rename("dm", "USUBJID", "USUBJD"), "dm.parquet: USUBJID: the column is missing; did you"),
    (_rename("vs", "VSSTRESN", "VSSTRSN"), "vs.parquet: VSSTRESN: the column is missing; did you"),
    (_repeat_subject, "adsl.parquet: USUBJID: 1 row(s) repeat a subject"),
    (_set("ae", "AESTDTC", "2013-02-30"), "ae.parquet: AESTDTC: 2 row(s) are no possible"),
    (_set("cm", "CMSTDTC", "05/11/2013", 3), "cm.parquet: CMSTDTC: 3 row(s) are no possible"),
    (_partial_index, "adsl.parquet: RFSTDTC: 1 subject(s) have no whole"),
    (_set("adsl", "AGE", 640.0), "adsl.parquet: AGE: 2 row(s) outside 0 to 120 a"),
    (_set("vs", "VSSTRESN", "tall"), "vs.parquet: VSSTRESN: 2 row(s) are not finite numbers"),
    (_set("ae", "AESTDY", 0.0), "ae.parquet: AESTDY: 2 row(s) are 0; CDISC has no study day 0"),
    (_set("ae", "AESER", "maybe"), "ae.parquet: AESER: 2 row(s) are neither Y nor N"),
    (_set("ae", "AESEV", "AWFUL"), "ae.parquet: AESEV: 2 row(s) hold none of mild"),
    (_set("lbch", "LBSTRESU", "blobs/L"), "lbch.parquet: LBSTRESU: 2 row(s) hold a unit"),
    (_set("adsl", "STUDYID", "OTHER"), "adsl.parquet: STUDYID: 2 studies"),
    (_tall_weights, "of WEIGHT outside 0.3 to 500"),
    (_mixed_units, "vs.parquet: VSSTRESU: 3 row(s) of WEIGHT are in cm, which cannot be"),
    (_backwards, "ex.parquet: EXENDTC: 1 row(s) end before they start"),
    (_stranger, "ae.parquet: USUBJID: 3 row(s) of subjects not in DM or ADSL"),
    (_empty, "cm.parquet: 0 rows"),
]  # fmt: skip
SECRETS = ("2013-02-30", "05/11/2013", "640", "tall", "maybe", "AWFUL", "someone-else", "01-701")


@pytest.mark.parametrize(("change", "message"), CDISC_FAULTS)
def test_one_fault(change: Callable[[Study], None], message: str, tmp_path: Path) -> None:
    study = small_study()
    change(study)
    with pytest.raises(InputError) as caught:
        read_source("cdisc", write_study(study, tmp_path / "study"))
    assert len(caught.value.faults) == 1
    assert message in str(caught.value)
    assert not [word for word in SECRETS if word in str(caught.value)]


def test_all_faults_of_a_study_at_once(tmp_path: Path) -> None:
    study = small_study()
    for change, _ in CDISC_FAULTS[2:]:
        change(study)
    folder = write_study(study, tmp_path / "study")
    (folder / "mh.parquet").write_bytes((folder / "mh.parquet").read_bytes()[:200])
    with pytest.raises(InputError) as caught:
        read_source("cdisc", folder, variables=("AGE", "WIEGHT"), control_arm="Sugar")
    told = "\n".join(caught.value.faults)
    for _, message in CDISC_FAULTS[2:]:
        if message.startswith(("vs.parquet: VSSTRESN", "of WEIGHT", "cm.parquet: CMSTDTC")):
            continue  # hidden here by another change to the same rows
        assert message in told
    assert "mh.parquet: not a whole Parquet file" in told
    assert "variables: WIEGHT is not in the data; did you mean WEIGHT" in told
    assert "arm Sugar is not in the data" in told
    assert not [word for word in SECRETS if word in told]


@pytest.mark.parametrize("kind", ["parquet", "xpt"])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.99])
def test_a_cut_file_is_never_read_short(kind: str, share: float, tmp_path: Path) -> None:
    folder = write_study(small_study(), tmp_path / "study", kind)
    path = folder / f"vs.{kind}"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match=f"vs.{kind}: .*(whole|cut|transport)"):
        read_source("cdisc", folder)


def test_a_transport_file_cut_between_records(tmp_path: Path) -> None:
    folder = write_study(small_study(), tmp_path / "study", "xpt")
    path = folder / "vs.xpt"
    path.write_bytes(path.read_bytes()[: -80 * 7])
    with pytest.raises(InputError, match=r"vs\.xpt: the transport file is cut"):
        read_source("cdisc", folder)


def test_neither_dm_nor_adsl(tmp_path: Path) -> None:
    study = {k: v for k, v in small_study().items() if k not in ("dm", "adsl")}
    study["adsll"] = study["vs"]
    with pytest.raises(InputError, match=r"DM or ADSL is needed .* found .*ae\.parquet.*did you"):
        read_source("cdisc", write_study(study, tmp_path / "study"))


def test_no_files_and_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        read_source("cdisc", tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"no \.xpt, \.parquet or \.csv file"):
        read_source("cdisc", tmp_path)


def test_the_same_dataset_twice(tmp_path: Path) -> None:
    folder = write_study(small_study(), tmp_path / "study")
    small_study()["vs"].to_csv(folder / "vs.csv", index=False)
    with pytest.raises(InputError, match=r"vs\.csv and vs\.parquet: the same dataset twice"):
        read_source("cdisc", folder)


def test_only_screen_failures(tmp_path: Path) -> None:
    people = small_study()["dm"]
    study = {"dm": people[people["ARM"] == "Screen Failure"]}
    with pytest.raises(InputError, match="every row is a screen failure"):
        read_source("cdisc", write_study(study, tmp_path / "study"))


# -- tables ---------------------------------------------------------------------------------------


def _read(tmp_path: Path, text: str, mapping: object = None, **options: Any) -> None:
    path = tmp_path / "trial.csv"
    path.write_text(text, "utf-8")
    read_source("table", path, mapping=mapping or WIDE_MAPPING, **options)


TABLE_FAULTS = [
    (WIDE_CSV.replace("age", "aeg"), "column age is missing; did you mean aeg"),
    (WIDE_CSV.replace("treatment", "treatmnet"), "column treatment (arm.column) is missing; did"),
    (WIDE_CSV.replace(",61,", ',"61,5",'), "column age: 1 row(s) hold a decimal comma"),
    (WIDE_CSV.replace(",61,", ",old,"), "column age: 1 row(s) are not finite numbers"),
    (WIDE_CSV.replace(",61,", ",610,"), "column age: 1 row(s) outside 18 to 100 a"),
    (WIDE_CSV.replace("143.3", "1433"), "column weight: 1 row(s) outside 30 to 250 kg"),
    (WIDE_CSV.replace("P02", "P01"), "column id: 1 row(s) repeat a subject"),
    (WIDE_CSV.replace("P02", ""), "column id: 1 row(s) have no subject"),
    (WIDE_CSV.replace(",placebo,55", ",sugar,55"), "column treatment: 1 row(s) hold a word"),
    (WIDE_CSV.replace(",M,", ",X,"), "column sex: 2 row(s) hold a word that the mapping does not"),
    (WIDE_CSV.replace("120,death", "-3,death"), "column days: 1 row(s) are negative"),
    (WIDE_CSV.replace("120,death", "120,"), "column status: 1 row(s) have a time or an event"),
    (WIDE_CSV.replace("120,death", "120,gone"), "column status: 1 row(s) hold a word"),
    (WIDE_CSV + "P05,drug,50\n", "1 row(s) have not 9 fields like the header (first at line"),
    (WIDE_CSV.replace("crp_4", "crp_0"), "column crp_0 appears twice"),
    (WIDE_CSV.splitlines()[0] + "\n", "0 rows"),
    ("", "the file is empty"),
    ("\n\n", "names no columns"),
]


@pytest.mark.parametrize(("text", "message"), TABLE_FAULTS)
def test_one_fault_of_a_table(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        _read(tmp_path, text)
    assert message in str(caught.value)
    told = str(caught.value)
    assert not [w for w in ("P01", "P02", "sugar", "old,", "610", "1433", "gone") if w in told]


def test_all_faults_of_a_table_at_once(tmp_path: Path) -> None:
    text = (
        WIDE_CSV.replace(",61,", ',"61,5",').replace(",M,", ",X,").replace("30,death", "-3,death")
    )
    with pytest.raises(InputError) as caught:
        _read(tmp_path, text)
    assert len(caught.value.faults) == 3


def test_wrong_encoding(tmp_path: Path) -> None:
    path = tmp_path / "trial.csv"
    path.write_bytes(WIDE_CSV.replace("P01", "Pé1").encode("latin-1"))
    with pytest.raises(InputError, match="not utf-8 text; save it as UTF-8 or name its encoding"):
        read_source("table", path, mapping=WIDE_MAPPING)
    latin = {**WIDE_MAPPING, "csv": {"encoding": "latin-1"}}
    assert len(read_source("table", path, mapping=latin)) == 4


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    path = tmp_path / "trial.csv"
    path.write_bytes(b"\xef\xbb\xbf" + WIDE_CSV.encode())
    assert len(read_source("table", path, mapping=WIDE_MAPPING)) == 4


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "trial.csv"
    path.write_bytes(bytes(range(256)) * 20)
    with pytest.raises(InputError, match=r"trial\.csv: "):
        read_source("table", path, mapping=WIDE_MAPPING)


def test_a_huge_file_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="bytes; the limit is 100"):
        _read(tmp_path, WIDE_CSV, max_bytes=100)


def test_other_kinds_and_missing_files(tmp_path: Path) -> None:
    (tmp_path / "trial.xlsx").write_bytes(b"PK")
    with pytest.raises(InputError, match=r"allowed are \.csv \.parquet \.xpt"):
        read_source("table", tmp_path / "trial.xlsx", mapping=WIDE_MAPPING)
    with pytest.raises(InputError, match="no such file") as caught:
        read_source("table", tmp_path / "none.csv", mapping=WIDE_MAPPING)
    assert str(caught.value).startswith(str(tmp_path / "none.csv"))


def test_infinite_numbers(tmp_path: Path) -> None:
    frame = pd.read_csv(pd.io.common.StringIO(WIDE_CSV))
    frame["age"] = [np.inf, 55.0, 47.0, 70.0]
    frame.to_parquet(tmp_path / "trial.parquet")
    with pytest.raises(InputError, match=r"column age: 1 row\(s\) are infinite"):
        read_source("table", tmp_path / "trial.parquet", mapping=WIDE_MAPPING)


# -- mappings -------------------------------------------------------------------------------------


def test_all_mistakes_of_a_mapping_at_once(tmp_path: Path) -> None:
    path = tmp_path / "mapping.yaml"
    path.write_text(
        "study_id: X\nsubjct: id\nlayout: tall\nvariables:\n"
        "  - {name: a, kind: number}\n"
        "  - {name: b, kind: binary, categories: [no, yes]}\n"
        "  - {name: c, kind: continuous, unit: blobs}\n"
    )
    with pytest.raises(InputError) as caught:
        _read(tmp_path, WIDE_CSV, mapping=path)
    told = str(caught.value)
    for place in ("subjct", "layout", "variables[0].kind", "variables[1].categories[0]"):
        assert f"mapping.yaml: {place}" in told
    assert "put it in quotes" in told
    assert "unit blobs is not a UCUM code" in told


def test_rules_and_shapes_of_a_mapping_are_told_together() -> None:
    number = {"kind": "continuous", "unit": "blobs", "low": 9, "high": 1, "labl": "x"}
    wrong = {
        "study_id": "X",
        "subject": "id",
        "arm": 3,
        "visits": "none",
        "variables": [
            {"name": "a", **number},
            {"name": "b", "kind": "binary", "categories": ["x", "y"], "labels": {"1": "z"}},
        ],
    }
    with pytest.raises(InputError) as caught:
        load_mapping(wrong)
    assert set(caught.value.faults) == {
        "mapping: arm: must be a mapping of names to values",
        "mapping: visits: must be a list",
        "mapping: variables[0].unit: unit blobs is not a UCUM code, e.g. kg, mm[Hg], 10*9/L",
        "mapping: variables[0].high: low is above high",
        "mapping: variables[0].labl: field labl is not known; did you mean label?",
        "mapping: variables[1].labels: labels lead to 1 word(s) that are no category",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("study_id: [", r"not YAML \(line"),
        ("- a list", r"mapping\.yaml: "),
        ("", r"mapping\.yaml: "),
        ("!!python/object/apply:os.getcwd []", "not YAML"),
    ],
)
def test_broken_mapping_files(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mapping.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        _read(tmp_path, WIDE_CSV, mapping=path)


def test_a_mapping_is_needed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a mapping is needed"):
        read_source("table", tmp_path / "trial.csv")
    with pytest.raises(InputError, match="no such mapping file"):
        read_source("table", tmp_path / "trial.csv", mapping=tmp_path / "none.yaml")
