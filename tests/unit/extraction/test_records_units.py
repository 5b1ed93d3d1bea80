"""Units by UCUM, and exports."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from extraction.records import InputError
from extraction.records.exports import csv_text, to_csv
from extraction.records.units import convert, is_ucum, to_ucum
from tests.support.records_support import small_cohort


# Conversion factors: NIST SP 811 (2008), appendix B; glucose 180.156 g/mol (PubChem CID 5793).
@pytest.mark.parametrize(
    ("value", "unit", "wanted", "expected"),
    [
        (212.0, "[degF]", "Cel", 100.0),
        (1.0, "[lb_av]", "kg", 0.45359237),
        (1.0, "[in_i]", "cm", 2.54),
        (1.0, "mg/dL", "mg/L", 10.0),
        (5.0, "10*9/L", "10*3/uL", 5.0),
    ],
)
def test_conversions_follow_the_published_factors(value, unit, wanted, expected):
    assert convert(np.array([value]), unit, wanted)[0] == pytest.approx(expected, rel=1e-9)


def test_mass_and_amount_need_a_molar_mass():
    glucose = convert(np.array([100.0]), "mg/dL", "mmol/L", molar_mass=180.156)
    assert glucose[0] == pytest.approx(5.5507, rel=1e-4)
    with pytest.raises(InputError, match="cannot be converted"):
        convert(np.array([100.0]), "mg/dL", "mmol/L")


def test_there_and_back_is_the_same_and_missing_stays_missing():
    values = np.array([36.5, np.nan, 40.0])
    back = convert(convert(values, "Cel", "[degF]"), "[degF]", "Cel")
    np.testing.assert_allclose(back, values, rtol=1e-12)


def test_spellings():
    for written, code in {
        "mmHg": "mm[Hg]",
        "BEATS/MIN": "/min",
        "GI/L": "10*9/L",
        "F": "[degF]",
        "umol/L": "umol/L",
        "LB": "[lb_av]",
        "years": "a",
    }.items():
        assert to_ucum(written) == code
        assert is_ucum(to_ucum(written))
    assert is_ucum("{score}")
    assert not is_ucum("furlongs per fortnight")


def test_an_unknown_unit_is_named():
    with pytest.raises(InputError, match="not a UCUM code"):
        convert(np.array([1.0]), "blobs", "kg")


def test_csv_export_says_what_it_is(tmp_path):
    folder = to_csv(small_cohort(), tmp_path / "out", note="SYNTHETIC, behind 40 patients")
    readme = (folder / "README.txt").read_text()
    assert readme.startswith("SYNTHETIC") and small_cohort().digest() in readme
    assert {"subjects.csv", "table.csv", "dictionary.csv", "schema.json"} <= {
        p.name for p in folder.iterdir()
    }


def test_csv_export_replaces_an_export_and_nothing_else(tmp_path):
    out = to_csv(small_cohort(), tmp_path / "out", note="first")
    to_csv(small_cohort(), out, note="second")
    assert (out / "README.txt").read_text().startswith("second")
    (out / "thesis.txt").write_text("years of work")
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    (stranger / "table.csv").write_text("somebody's own")
    for folder in (out, stranger):
        with pytest.raises(InputError, match="holds other files"):
            to_csv(small_cohort(), folder, note="third")
    assert (out / "thesis.txt").read_text() == "years of work"
    assert (out / "README.txt").read_text().startswith("second")
    assert (stranger / "table.csv").read_text() == "somebody's own"
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["out", "stranger"]


def test_results_hold_no_formulas_for_spreadsheets() -> None:
    frame = pd.DataFrame(
        {
            "scenario": ["=1+1", "+x", "-x", "@x", "\tx", "plain", None],
            "=cmd": [-1.5, 2.0, 3.0, 4.0, 5.0, 6.0, -7.0],
        }
    )
    rows = csv_text(frame).splitlines()
    assert rows[0] == "scenario,'=cmd"
    assert rows[1] == "'=1+1,-1.5" and rows[4].startswith("'@x,") and rows[6] == "plain,6.0"
    assert all(not row.startswith(("=", "+", "-", "@", "\t")) for row in rows)
    assert frame["scenario"][0] == "=1+1"
