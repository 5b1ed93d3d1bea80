"""Cohorts and requests that no one would wish for: a clear error, or a stated fallback."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from extraction.records import Cohort, CohortSchema, InputError, Variable
from generation import fit
from generation.assembly import impossible_rows
from generation.engine import Model
from tests.support.generation_support import CONSTRAINTS, constrained_trial, simulated_trial

ENGINES = ("twin", "mixture", "cart")
QUICK: dict[str, dict[str, Any]] = {"twin": {"epochs": 6, "members": 1}}
N = 40

pytestmark = pytest.mark.parametrize("engine", ENGINES)


def quick(cohort: Cohort, engine: str) -> Model:
    return fit(cohort, engine, seed=1, **QUICK.get(engine, {}))


@cache
def plain() -> Cohort:
    return simulated_trial(N, seed=5)


def with_subjects(**columns: Any) -> Cohort:
    cohort = plain()
    return Cohort.build(
        cohort.schema, cohort.subjects.assign(**columns),
        observations=cohort.observations, events=cohort.events,
    )


def table(**columns: Any) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    time = np.ceil(rng.exponential(100, N))
    return pd.DataFrame({
        "age": np.round(rng.normal(60, 9, N)), "sex": rng.choice(["F", "M"], N),
        "arm": np.where(np.arange(N) % 2, "Active", "Placebo"),
        "time": time, "status": (rng.random(N) < 0.6).astype(int), **columns,
    })


def guessed(frame: pd.DataFrame, engine: str) -> tuple[Cohort, Model]:
    schema = CohortSchema.guess(frame, arm="arm", time="time", event="status")
    cohort = Cohort.from_table(frame, schema)
    return cohort, quick(cohort, engine)


def check(model: Model, n: int = 25) -> Cohort:
    sample = model.sample(n, seed=2)
    assert len(sample) == n
    assert impossible_rows(sample) == 0
    assert sample.validate() == []
    return sample


def test_constant_columns_stay_constant(engine: str) -> None:
    sample = check(quick(with_subjects(AGE=60.0, LAB=7.0, SEX="F", RACE="A"), engine))
    assert set(sample.subjects["LAB"].dropna()) <= {7.0}
    assert set(sample.subjects["SEX"]) == {"F"}


def test_a_column_that_is_never_known_stays_unknown(engine: str) -> None:
    sample = check(quick(with_subjects(LAB=float("nan"), RACE=None), engine))
    assert sample.subjects[["LAB", "RACE"]].isna().all(axis=None)


def test_a_cohort_in_which_nothing_varies(engine: str) -> None:
    cohort = simulated_trial(30, seed=5, visits=False, events=False)
    same = cohort.subjects.assign(
        AGE=60.0, LAB=float("nan"), SEX="F", RACE="A", arm="Placebo", arm_actual="Placebo",
        observed_until=182.0, end_reason="COMPLETED",
    )
    sample = check(quick(Cohort.build(cohort.schema, same), engine))
    assert set(sample.subjects["AGE"]) == {60.0}


def test_one_patient_is_refused(engine: str) -> None:
    with pytest.raises(InputError, match=r"cohort: 1 patients; .* at least 20"):
        quick(plain().take(np.arange(N) == 0), engine)


@pytest.mark.parametrize("events", [0, 1])
def test_no_event_or_one(engine: str, events: int) -> None:
    cohort = plain()
    frame = cohort.events.assign(observed=np.arange(len(cohort.events)) < events)
    frame["cause"] = np.where(frame["observed"], "event", None)
    rare = Cohort.build(
        cohort.schema, cohort.subjects, observations=cohort.observations, events=frame
    )
    sample = check(quick(rare, engine), 60)
    assert sample.endpoint("event")["observed"].mean() < 0.25


def test_five_thousand_categories(engine: str) -> None:
    names = tuple(f"site {k}" for k in range(5000))
    cohort = plain()
    schema = cohort.schema.replace(variables=(
        *cohort.schema.variables, Variable(name="SITE", kind="categorical", categories=names),
    ))
    subjects = cohort.subjects.assign(SITE=[names[k * 7] for k in range(N)])
    wide = Cohort.build(
        schema, subjects, observations=cohort.observations, events=cohort.events
    )
    sample = check(quick(wide, engine))
    assert set(sample.subjects["SITE"].dropna()) <= set(names)


@pytest.mark.parametrize("where", ["subjects", "observations", "events"])
def test_infinities_are_refused_by_their_place(engine: str, where: str) -> None:
    cohort = plain()
    frames = {name: getattr(cohort, name) for name in ("subjects", "observations", "events")}
    column = {"subjects": "LAB", "observations": "value", "events": "day"}[where]
    values = frames[where][column].to_numpy(dtype=float).copy()
    values[3] = np.inf
    frames[where] = frames[where].assign(**{column: values})
    with pytest.raises(InputError, match=rf"{where}.{column}: 1 value.s. are not finite"):
        quick(Cohort.build(cohort.schema, **frames), engine)
    if where == "subjects":
        with pytest.raises(InputError, match="column age holds infinite"):
            guessed(table(age=[np.inf, *range(N - 1)]), engine)


def test_contradictory_constraints_are_refused_together(engine: str) -> None:
    cohort = plain()
    wrong = (
        {"kind": "order", "columns": ("AGE", "LAB")},
        {"kind": "order", "columns": ("LAB", "AGE"), "strict": True},
        {"kind": "sum", "total": "LAB", "parts": ("AGE", "HEIGHT")},
        {"kind": "order", "columns": ("SEX", "AGE")},
    )
    with pytest.raises(InputError) as caught:
        quick(cohort.with_schema(cohort.schema.replace(constraints=wrong)), engine)
    assert "column HEIGHT is not in the schema" in str(caught.value)
    assert "column SEX is binary; numbers are needed" in str(caught.value)
    with pytest.raises(InputError, match="run in a circle: AGE, LAB"):
        cohort.schema.replace(constraints=wrong[:2])


def test_constraints_that_no_draw_meets_name_the_rarest(engine: str) -> None:
    cohort = constrained_trial(N, seed=1)
    swapped = {"kind": "order", "columns": ("DBP", "PART")}
    rules = (*(r for r in CONSTRAINTS if r["kind"] not in ("order", "none_after")), swapped)
    model = quick(cohort.with_schema(cohort.schema.replace(constraints=rules)), engine)
    assert model.card.metrics["constraint_rate"] == 0
    assert model.card.metrics["training patients violating DBP <= PART"] == N
    with pytest.raises(InputError, match=r"DBP <= PART is met by 0\.0% of draws"):
        model.sample(60)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"AGE": [300, 400]}, "no patient of this model"),
        ({"AGE": [70, 60]}, "AGE"),
        ({"arm": "Neither"}, "arm"),
        ({"NOTHING": 3}, "NOTHING"),
        ({"SEX": "X"}, "SEX"),
    ],
)
def test_conditions_that_cannot_be_met(engine: str, given: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        fitted(engine).sample(5, given)


@cache
def fitted(engine: str) -> Model:
    return quick(plain(), engine)


def test_duplicate_columns_are_refused(engine: str) -> None:
    frame = table()
    twice = pd.concat([frame, frame[["age"]]], axis=1)
    with pytest.raises(InputError, match="guess: column age appears more than once"):
        guessed(twice, engine)
    schema = CohortSchema.guess(frame, arm="arm", time="time", event="status")
    with pytest.raises(InputError, match="column age appears more than once"):
        quick(Cohort.from_table(twice, schema), engine)


def test_identifiers_and_dates_as_text_are_left_out(engine: str) -> None:
    days = pd.date_range("2020-01-01", periods=N).strftime("%Y-%m-%d")
    cohort, model = guessed(
        table(patient=[f"subject {k}" for k in range(N)], born=days), engine
    )
    assert not {"patient", "born"} & {v.name for v in cohort.schema.baseline}
    sample = check(model)
    text = sample.subjects.to_csv() + sample.events.to_csv()
    assert "subject " not in text
    assert "2020-" not in text


def test_a_number_that_tells_all_rows_apart_is_not_copied(engine: str) -> None:
    cohort, model = guessed(table(code=np.arange(N) * 1000.0 + 17), engine)
    sample = check(model, 60)
    if "code" in sample.subjects:
        assert not set(sample.subjects["code"]) >= set(cohort.subjects["code"])


@pytest.mark.parametrize("size", [1, 3])
def test_tiny_arms(engine: str, size: int) -> None:
    labels = np.where(np.arange(N) < size, "Active", "Placebo")
    model = quick(with_subjects(arm=labels, arm_actual=labels), engine)
    assert "Active" not in model.card.n_by_arm
    untold = model.card.n_train - sum(model.card.n_by_arm.values())
    assert untold == 0 or untold >= 5  # nor can the arm's size be reckoned from the others'
    sample = check(model, 60)
    assert set(sample.subjects["arm"].dropna()) <= {"Active", "Placebo"}
