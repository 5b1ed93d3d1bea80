"""Conditions of the twin against the exact answers of the mixture.

The truth is a mixture whose every conditional is a finite sum. A twin learns 1,500 of its
patients and is asked for random regions. Allowed: z = 3.9 standard errors of the training
patients in the region and of the draws (false-alarm rate 1 in 10,000 a comparison), and a model
error stated here: .03 of probability, .15 of a standard deviation of a mean.
"""

from functools import cache

import numpy as np
import pandas as pd
import pytest

from extraction.records import Cohort, CohortSchema, Variable
from generation import fit
from generation.engine import Model
from generation.mixture.model import MixtureModel

Z, MODEL_SHARE, MODEL_DEVIATIONS = 3.9, 0.03, 0.15
N, DRAWS = 1500, 1500
NUMBERS = ("AGE", "LAB", "BMI")


@cache
def truth() -> MixtureModel:
    """A mixture fitted to patients of three kinds."""
    rng = np.random.default_rng(3)
    n = 1200
    kind = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    subjects = pd.DataFrame({
        "subject_id": [f"P{k}" for k in range(n)],
        "AGE": np.round(np.array([45.0, 60.0, 72.0])[kind] + rng.normal(0, 6, n)),
        "LAB": np.round(np.array([3.0, 6.0, 4.0])[kind] * rng.gamma(9.0, 1 / 9.0, n), 2),
        "BMI": np.round(np.array([24.0, 31.0, 26.0])[kind] + rng.normal(0, 3, n), 1),
        "SEX": np.where(rng.random(n) < np.array([0.3, 0.6, 0.5])[kind], "F", "M"),
        "STAGE": rng.permuted(np.array(["I", "II", "III"]))[kind],
    })
    numbers = tuple(Variable(name=name, kind="continuous") for name in NUMBERS)
    schema = CohortSchema(variables=(
        *numbers,
        Variable(name="SEX", kind="binary", categories=("F", "M")),
        Variable(name="STAGE", kind="categorical", categories=("I", "II", "III")),
    ))
    fitted = fit(Cohort.build(schema, subjects), "mixture", seed=1, classes=4)
    assert isinstance(fitted, MixtureModel)
    return fitted


@cache
def patients() -> Cohort:
    return truth().sample(N, seed=5)


@cache
def twin() -> Model:
    return fit(patients(), "twin", seed=2, members=1)


def random_region(seed: int) -> dict[str, object]:
    """Conditions on a random subset of the columns that a good share of patients meets."""
    rng = np.random.default_rng(seed)
    given: dict[str, object] = {}
    for name in NUMBERS:
        if rng.random() < 0.5:
            low = float(rng.choice([0.0, 0.15, 0.45, 0.6]))
            values = patients().subjects[name].to_numpy(dtype=float)
            given[name] = np.round(np.quantile(values, [low, low + 0.4]), 1).tolist()
    if rng.random() < 0.4 or not given:
        given["SEX"] = str(rng.choice(["F", "M"]))
    return given


def compare(model: Model, seed: int) -> list[tuple[str, float, float, float, float]]:
    """What, the model's answer, the exact one, its standard error and the model error."""
    given = random_region(seed)
    exact = truth().region_probability(given)
    made, report = model.sample_with_report(DRAWS, given, seed=seed)
    spread = np.sqrt(exact * (1 - exact) * (1 / N + 1 / DRAWS))
    rows = [("share", report.region_probability, exact, float(spread), MODEL_SHARE)]
    for name in NUMBERS:
        drawn = made.subjects[name].to_numpy(dtype=float)
        drawn = drawn[np.isfinite(drawn)]
        effective = 1 / (N * exact) + 1 / (DRAWS * report.effective_sample_size)
        whole = float(patients().subjects[name].std())
        rows.append((
            name, float(drawn.mean()), truth().conditional_mean(given, name),
            float(drawn.std() * np.sqrt(effective)), MODEL_DEVIATIONS * whole,
        ))
    return rows


@pytest.mark.parametrize("seed", range(8))
def test_the_twins_conditions_are_those_of_the_exact_model(seed: int) -> None:
    for what, answer, exact, error, model_error in compare(twin(), seed):
        assert abs(answer - exact) < Z * error + model_error, what


@pytest.mark.parametrize("seed", range(8))
def test_the_mixtures_own_draws_need_no_model_error(seed: int) -> None:
    """Only Monte Carlo error: the draws are from the exact conditional."""
    given = random_region(seed)
    made, report = truth().sample_with_report(6000, given, seed=seed)
    assert report.effective_sample_size == 1.0
    assert report.region_probability == pytest.approx(truth().region_probability(given))
    for name in NUMBERS:
        drawn = made.subjects[name].to_numpy(dtype=float)
        error = drawn.std() / np.sqrt(len(drawn))
        allowed = Z * error + 0.01 * drawn.std()  # a bin's mean is summed over 64 places
        assert abs(drawn.mean() - truth().conditional_mean(given, name)) < allowed


def test_ignoring_the_condition_would_be_seen() -> None:
    """The planted error: a model that answers every question for everybody."""
    seen = 0
    for seed in range(8):
        given = random_region(seed)
        for name in NUMBERS:
            everybody = truth().conditional_mean(None, name)
            exact = truth().conditional_mean(given, name)
            whole = float(patients().subjects[name].std())
            error = whole * np.sqrt(1 / (N * truth().region_probability(given)) + 1 / DRAWS)
            seen += abs(everybody - exact) > Z * error + MODEL_DEVIATIONS * whole
    assert seen >= 8
