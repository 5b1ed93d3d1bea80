"""Constraints: what meets them, which contradict, and which a table declares by itself."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from extraction.records import Cohort, CohortSchema, InputError, Variable
from extraction.records.constraints import (
    Combinations,
    Derived,
    NoneAfter,
    Order,
    Sum,
    all_met,
    computed_in_turn,
    find_computed,
    violations,
)
from tests.support.generation_support import constrained_trial


def number(name: str, low: float | None = None, high: float | None = None) -> Variable:
    return Variable(name=name, kind="continuous", low=low, high=high)


def schema(*constraints: dict[str, object], **ranges: tuple[float, float]) -> CohortSchema:
    return CohortSchema(
        variables=(
            *(number(name, *ranges.get(name, (None, None))) for name in "ABCD"),
            Variable(name="SEX", kind="binary", categories=("F", "M")),
            Variable(name="STATE", kind="categorical", categories=("x", "y", "z")),
        ),
    ).replace(constraints=constraints)


def test_order_skips_what_is_missing() -> None:
    rule = Order(columns=("A", "B", "C"))
    frame = pd.DataFrame({"A": [1, 1, np.nan, 3], "B": [1, np.nan, 2, 2], "C": [2, 0, 3, 4.0]})
    assert rule.holds(frame).tolist() == [True, False, True, False]
    assert Order(columns=("A", "B"), strict=True).holds(frame).tolist() == [
        False, True, True, False
    ]


def test_sums_and_formulas_are_computed_and_compared() -> None:
    frame = pd.DataFrame({"A": [80.0, 70.1], "B": [180.0, np.nan], "C": [24.7, 20.0]})
    bmi = Derived(
        target="C", numerator=("A",), denominator=("B",), power=2, factor=1e4, decimals=1
    )
    assert bmi.compute(frame)[0] == 24.7  # 80 kg at 1.80 m
    assert bmi.holds(frame).tolist() == [True, True]
    assert bmi.holds(frame.assign(C=26.0)).tolist() == [False, True]
    total = Sum(total="C", parts=("A", "B"))
    assert total.holds(frame.assign(C=260.0)).tolist() == [True, True]
    assert np.isnan(total.compute(frame)[1])


def test_combinations_allow_what_is_listed_or_unknown() -> None:
    rule = Combinations(columns=("SEX", "STATE"), allowed=(("F", "x"), ("M", "y")))
    frame = pd.DataFrame({"SEX": ["F", "F", None, "M"], "STATE": ["x", "y", "y", "y"]})
    assert rule.holds(frame).tolist() == [True, False, True, True]
    with pytest.raises(ValueError, match="1 combination"):
        Combinations(columns=("SEX", "STATE"), allowed=(("F", "x"), ("M",)))


def test_violations_are_counted_by_constraint_and_never_shown() -> None:
    cohort = constrained_trial(60, seed=4)
    broken = cohort.subjects.assign(SBP=cohort.subjects["DBP"] - 1, PREGNANT="Y")
    worse = Cohort.build(
        cohort.schema, broken, observations=cohort.observations, events=cohort.events
    )
    table = violations(worse).set_index("kind")
    assert table.loc["order", "violating"] == 60
    assert table.loc["combinations", "violating"] == (cohort.subjects["SEX"] == "M").sum()
    assert table.loc["visit_order", "violating"] == 0
    assert not all_met(worse).any()
    assert worse.summary()["constraints"][0].keys() == {
        "constraint", "kind", "checked", "violating"
    }
    assert "constraints" not in cohort.with_schema(
        cohort.schema.replace(constraints=())
    ).summary()


def test_nothing_after_an_end() -> None:
    cohort = constrained_trial(80, seed=4)
    rule = NoneAfter(endpoint="event")
    day = rule.day(cohort)
    late = cohort.observations.groupby("subject_id")["day"].max().reindex(cohort.subject_ids)
    until = cohort.subjects["observed_until"].to_numpy()
    expected = ~((late.to_numpy() > day) | (until > day))
    assert rule.met(cohort).tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        (({"kind": "order", "columns": ("A", "B")}, {"kind": "order", "columns": ("B", "A")}),
         "order constraints run in a circle: A, B"),
        (({"kind": "sum", "total": "A", "parts": ("B", "C")},
          {"kind": "derived", "target": "B", "numerator": ("A",)}),
         "computed columns run in a circle: A, B"),
        (({"kind": "sum", "total": "A", "parts": ("B", "C")},
          {"kind": "derived", "target": "A", "numerator": ("D",)}),
         "column A is computed by more than one"),
        (({"kind": "combinations", "columns": ("SEX", "STATE"), "allowed": (("F", "x"),)},
          {"kind": "combinations", "name": "other", "columns": ("STATE", "SEX"),
           "allowed": (("y", "F"),)}),
         "no combination of SEX and STATE is allowed by both"),
        (({"kind": "combinations", "columns": ("SEX", "STATE"), "allowed": (("Q", "x"),)},),
         "1 value.s. of column SEX are no category"),
        (({"kind": "none_after", "endpoint": "death"},), "endpoint death is not in the schema"),
        (({"kind": "visit_order"},), "fewer than two visits"),
        (({"kind": "order", "columns": ("A", "A")},), "column A is named more than once"),
    ],
)
def test_constraints_that_cannot_stand_are_refused(
    rules: tuple[dict[str, object], ...], told: str
) -> None:
    with pytest.raises(InputError, match=told):
        schema(*rules)


def test_ranges_that_no_row_can_meet_are_refused_through_a_chain() -> None:
    chain = ({"kind": "order", "columns": ("A", "B", "C")},)
    with pytest.raises(InputError, match="B is at least 10 and C at most 5"):
        schema(*chain, A=(10.0, 20.0), C=(0.0, 5.0))
    with pytest.raises(InputError, match="parts give 6 to 8 and A is 0 to 5"):
        schema({"kind": "sum", "total": "A", "parts": ("B", "C")},
               A=(0.0, 5.0), B=(3.0, 4.0), C=(3.0, 4.0))
    with pytest.raises(InputError, match="no row can meet it"):
        schema({"kind": "derived", "target": "A", "numerator": ("B",), "denominator": ("C",)},
               A=(0.0, 5.0), B=(30.0, 40.0), C=(1.0, 2.0))


def test_computed_columns_come_after_their_inputs() -> None:
    declared = schema(
        {"kind": "derived", "target": "C", "numerator": ("A",), "factor": 2},
        {"kind": "sum", "total": "A", "parts": ("B", "D")},
    )
    assert [r.target_column for r in computed_in_turn(declared.constraints)] == ["A", "C"]


def test_a_schema_keeps_its_constraints_in_json_and_drops_those_of_lost_columns() -> None:
    declared = schema({"kind": "order", "columns": ("A", "B")})
    text = declared.model_dump_json()
    assert CohortSchema.model_validate_json(text) == declared
    assert json.loads(text)["constraints"][0]["kind"] == "order"
    assert "constraints" not in schema().model_dump()
    assert declared.keep(["A", "C"]).constraints == ()
    assert declared.keep(["A", "B"]).constraints == declared.constraints


def computed_frame(n: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    weight, height = np.round(rng.normal(80, 12, n), 1), np.round(rng.normal(172, 9, n))
    frame = pd.DataFrame({
        "weight": weight, "height": height, "bmi": np.round(weight / (height / 100) ** 2, 1),
        "motor": rng.poisson(12, n), "other": rng.poisson(15, n),
        "noise": rng.normal(size=n),
    })
    frame["total"] = frame["motor"] + frame["other"]
    frame.loc[::7, "bmi"] = np.nan
    return frame


def test_a_table_tells_what_it_computes() -> None:
    found = {r.target_column: r for r in CohortSchema.guess(computed_frame()).constraints}
    assert set(found) == {"bmi", "total"}
    assert found["total"].parts == ("motor", "other")
    assert (found["bmi"].numerator, found["bmi"].denominator) == (("weight",), ("height",))
    assert (found["bmi"].power, found["bmi"].factor) == (2, 10_000)


def test_a_relation_that_one_row_breaks_or_few_rows_show_is_not_declared() -> None:
    frame = computed_frame()
    frame.loc[100, "total"] += 1
    assert {r.target_column for r in find_computed(frame, list(frame))} == {"bmi"}
    assert find_computed(computed_frame(45), list(frame)) == ()
