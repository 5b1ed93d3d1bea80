"""Columns that others determine are found, computed, and can be conditioned on."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

from extraction.records import Cohort, CohortSchema, InputError, Variable
from generation import fit, load_model
from generation.twin_model.derived import Rule, find_rules
from generation.twin_model.model import TwinModel


def _raw(n: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    weight, height = np.round(rng.normal(75, 12, n), 1), np.round(rng.normal(170, 9, n))
    kappa, lambda_ = np.round(rng.lognormal(0, 0.5, (2, n)), 2)
    total = np.round(kappa + lambda_, 2)
    left, right = np.round(rng.normal(20, 4, (2, n)), 1)
    return {
        "WEIGHT": weight, "HEIGHT": height, "KAPPA": kappa, "LAMBDA": lambda_,
        "BMI": np.round(1e4 * weight / height**2, 1),
        "LEFT": left, "RIGHT": right, "TOTAL": np.round(left + right, 1),
        "POUNDS": np.round(2.2046 * weight, 1),
        "GROUP": np.digitize(total, np.quantile(total, [0.25, 0.5, 0.75]).round(1)).astype(float),
        "TALL": np.where(height >= 180, "yes", "no").astype(object),
        "SCORE": np.round(rng.normal(0, 1, n), 2),
        "SEX": rng.choice(["F", "M"], n).astype(object),
    }


def test_determined_columns_are_found_and_only_they() -> None:
    rules = {rule.target: rule for rule in find_rules(_raw(400))}
    assert set(rules) == {"BMI", "TOTAL", "POUNDS", "GROUP", "TALL"}
    assert rules["BMI"].inputs == ("WEIGHT", "HEIGHT")
    assert rules["BMI"].scale == 1e4
    assert rules["TALL"].cuts == (180.0,)
    assert rules["TALL"].levels == ("no", "yes")
    computed = set(rules) & {name for rule in rules.values() for name in rule.inputs}
    assert not computed


@pytest.mark.parametrize("target", ["BMI", "TOTAL", "POUNDS", "GROUP", "TALL"])
def test_what_a_rule_computes_is_what_was_recorded(target: str) -> None:
    raw = _raw(400)
    rule = next(rule for rule in find_rules(raw) if rule.target == target)
    values = rule.compute({name: raw[name] for name in rule.inputs})
    slack = 0.1000001 if target in ("BMI", "POUNDS") else 1e-9  # one step of the recorded grid
    if target == "TALL":
        assert (values == raw[target]).all()
    else:
        assert np.abs(values - raw[target]).max() <= slack
    assert Rule.from_state(rule.state()) == rule
    missing = rule.compute({name: np.full(2, np.nan) for name in rule.inputs})
    assert pd.isna(pd.Series(missing)).all()


def test_a_few_exceptions_are_allowed_and_many_are_not() -> None:
    for wrong, found in ((3, True), (20, False)):
        raw = _raw(400)
        raw["BMI"][:wrong] += 5
        assert any(rule.target == "BMI" for rule in find_rules(raw)) is found


def test_a_column_that_is_missing_on_its_own_is_drawn() -> None:
    raw = _raw(400)
    raw["TOTAL"][:40] = np.nan
    assert all(rule.target != "TOTAL" for rule in find_rules(raw))


def test_noise_decides_nothing() -> None:
    rng = np.random.default_rng(5)
    raw = {f"X{k}": rng.normal(size=60) for k in range(12)}
    raw |= {f"C{k}": rng.choice(["a", "b", "c"], 60).astype(object) for k in range(4)}
    assert find_rules(raw) == ()


@cache
def model() -> TwinModel:
    raw = _raw(200, seed=2)
    names = ("WEIGHT", "HEIGHT", "BMI", "TALL", "SEX")
    schema = CohortSchema(study_id="BODY", variables=tuple(
        Variable(name=name, kind="binary", categories=tuple(sorted(set(raw[name]))))
        if raw[name].dtype == object else Variable(name=name, kind="continuous")
        for name in names
    ))
    ids = [f"P{k:04d}" for k in range(200)]
    table = pd.DataFrame({"subject_id": ids, **{name: raw[name] for name in names}})
    fitted = fit(Cohort.build(schema, table), seed=1, members=1, epochs=4)
    assert isinstance(fitted, TwinModel)
    return fitted


def _agree(people: pd.DataFrame) -> None:
    bmi = 1e4 * people["WEIGHT"] / people["HEIGHT"] ** 2
    assert (bmi - people["BMI"]).abs().max() <= 0.05 + 1e-6
    assert ((people["TALL"] == "yes") == (people["HEIGHT"] >= 180)).all()


def test_synthetic_patients_agree_with_themselves(tmp_path: object) -> None:
    assert model().baseline_columns == ("WEIGHT", "HEIGHT", "SEX")
    assert model().card.metrics["computed_columns"] == 2
    _agree(model().sample(300).subjects)
    again = load_model(model().save(f"{tmp_path}/body"))
    assert again.sample(20).digest() == model().sample(20).digest()


def test_a_condition_on_a_computed_column_is_met() -> None:
    given = {"BMI": [25, 30], "TALL": "no", "SEX": "F"}
    cohort, report = model().sample_with_report(150, given)
    people = cohort.subjects
    _agree(people)
    assert people["BMI"].between(25, 30).all()
    assert set(people["TALL"]) == {"no"}
    assert set(people["SEX"]) == {"F"}
    free = model().sample(3000, seed=9).subjects
    share = (free["BMI"].between(25, 30) & (free["TALL"] == "no") & (free["SEX"] == "F")).mean()
    # 256 patients stand behind the reported share; false-alarm rate 1 in 10,000 (z = 3.9).
    error = np.sqrt(share * (1 - share) * (1 / 256 + 1 / 3000))
    assert abs(report.region_probability - share) < 3.9 * error


def test_an_unmet_condition_on_a_computed_column_is_refused() -> None:
    with pytest.raises(InputError, match="BMI"):
        model().sample(5, {"BMI": [200, 300]}, gate=False)
