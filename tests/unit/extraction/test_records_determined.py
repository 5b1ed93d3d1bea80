"""Columns of categories that others determine: grades, groups, and finding them in a table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extraction.records import Cohort, CohortSchema, InputError, Variable
from extraction.records.constraints import (
    Grade,
    Grouping,
    all_met,
    constraint_faults,
    find_determined,
)
from generation import fit

TENTHS = ("low", "middle", "high")


def table(n: int = 300, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    kappa, lam = np.round(rng.gamma(4.0, 0.4, (2, n)), 2)
    site = rng.choice(["701", "702", "703", "704"], n)
    return pd.DataFrame(
        {
            "kappa": kappa,
            "lambda": lam,
            "grp": np.array(TENTHS)[np.searchsorted([2.5, 3.5], np.round(kappa + lam, 9), "right")],
            "site": np.char.add("S", site),
            "region": np.where(np.isin(site, ["701", "702"]), "North", "South"),
            "sex": rng.choice(["f", "m"], n),
        }
    )


def test_a_level_begins_at_its_cut_and_a_missing_part_says_nothing() -> None:
    rule = Grade(target="g", columns=("a", "b"), cuts=(1.0, 2.0), levels=TENTHS)
    frame = pd.DataFrame({"a": [0.4, 0.7, 1.5, np.nan], "b": [0.5, 0.3, 0.5, 1.0]})
    assert rule.compute(frame).tolist() == ["low", "middle", "high", None]
    frame["g"] = ["low", "low", None, "high"]
    assert rule.holds(frame).tolist() == [True, False, True, True]


def test_a_category_outside_the_groups_says_nothing() -> None:
    rule = Grouping(target="region", column="site", groups={"1": "N", "2": "S"})
    frame = pd.DataFrame({"site": ["1", "2", "9", None], "region": ["N", "N", "N", "S"]})
    assert rule.compute(frame).tolist() == ["N", "S", None, None]
    assert rule.holds(frame).tolist() == [True, False, True, True]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"cuts": (1.0,), "levels": TENTHS}, "1 cuts part 2 levels"),
        ({"cuts": (2.0, 1.0), "levels": TENTHS}, "cuts must rise"),
    ],
)
def test_levels_and_cuts_must_fit(wrong: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Grade.model_validate({"target": "g", "columns": ("a",), **wrong})


def test_faults_name_columns_of_the_wrong_kind_and_unknown_levels() -> None:
    plain = CohortSchema(
        variables=(
            Variable(name="A", kind="continuous"),
            Variable(name="STATE", kind="categorical", categories=("x", "y")),
        )
    )
    bad = (
        Grade(target="A", columns=("STATE",), cuts=(1.0,), levels=("x", "y")),
        Grade(target="STATE", columns=("A",), cuts=(1.0,), levels=("x", "z")),
    )
    with pytest.raises(InputError) as error:
        plain.replace(constraints=bad)
    told = " ".join(error.value.faults)
    assert "column A is continuous" in told
    assert "column STATE is categorical" in told
    assert "1 value(s) of column STATE" in told
    fine = plain.replace(constraints=(bad[1].model_copy(update={"levels": ("x", "y")}),))
    assert constraint_faults(fine) == []


def test_a_guess_finds_grades_of_sums_and_groups() -> None:
    frame = table()
    rules = {r.title: r for r in CohortSchema.guess(frame).constraints}
    assert set(rules) == {"grp grades kappa + lambda", "region groups site"}
    grade = rules["grp grades kappa + lambda"]
    assert isinstance(grade, Grade)
    assert grade.levels == TENTHS
    assert grade.cuts == pytest.approx((2.5, 3.5), abs=0.02)
    group = rules["region groups site"]
    assert isinstance(group, Grouping)
    assert group.groups == {"S701": "North", "S702": "North", "S703": "South", "S704": "South"}


def test_one_row_against_it_or_few_rows_are_no_constraint() -> None:
    frame, columns = table(), {"grp": TENTHS, "site": (), "region": ("North", "South")}
    frame.loc[0, "region"] = "South" if frame.loc[0, "region"] == "North" else "North"
    frame.loc[0, "grp"] = "high" if frame.loc[0, "grp"] == "low" else "low"
    assert find_determined(frame, ["kappa", "lambda"], columns) == ()
    assert find_determined(table(45), ["kappa", "lambda"], columns) == ()


@given(st.integers(0, 2**32 - 1))
def test_unrelated_columns_determine_nothing(seed: int) -> None:
    frame = table(120, seed)
    frame["grp"] = np.random.default_rng(seed).permutation(frame["grp"])
    frame["region"] = np.random.default_rng(seed + 1).permutation(frame["region"])
    columns = {"grp": TENTHS, "site": (), "region": ("North", "South"), "sex": ("f", "m")}
    assert find_determined(frame, ["kappa", "lambda"], columns) == ()


def test_synthetic_patients_meet_what_was_found() -> None:
    frame = table()
    schema = CohortSchema.guess(frame)
    sample = fit(Cohort.from_table(frame, schema), engine="cart", seed=2).sample(200, seed=3)
    assert len(schema.constraints) == 2
    assert all_met(sample, schema.constraints).all()
    assert sample.subjects["grp"].isin(TENTHS).all()
