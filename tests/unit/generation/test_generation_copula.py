"""The Gaussian copula from which the baseline net's logits start."""

import numpy as np
import pytest
from scipy.special import ndtri

from extraction.records import Cohort, CohortSchema, Variable
from generation import fit
from generation.assembly import to_arrays
from generation.twin_model.columns import BaselineColumns
from generation.twin_model.copula import Copula

NAMES = ("A", "B", "C")
RHO = 0.7


def _cohort(n: int, seed: int = 0) -> Cohort:
    """A and B are normal with correlation .7 and have unlike scales; C stands alone."""
    import pandas as pd

    rng = np.random.default_rng(seed)
    a = rng.normal(size=n)
    b = np.exp(RHO * a + np.sqrt(1 - RHO**2) * rng.normal(size=n))
    schema = CohortSchema(
        study_id="PAIR", variables=tuple(Variable(name=v, kind="continuous") for v in NAMES)
    )
    return Cohort.build(schema, pd.DataFrame({
        "subject_id": [f"P{k:05d}" for k in range(n)], "A": 50 + 10 * a, "B": b,
        "C": np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n)),
    }))


def _parts(cohort: Cohort) -> tuple[BaselineColumns, Copula, np.ndarray, np.ndarray]:
    arrays = to_arrays(cohort)
    columns = BaselineColumns.fit(cohort.schema, arrays, (), True)
    encoded, copula = columns.encode(arrays), Copula.of(columns)
    inputs = np.concatenate([columns.inputs(encoded, c) for c in range(3)], axis=1)
    return columns, copula, copula.fit(columns, encoded), inputs


def test_correlations_are_found_on_any_scale_and_shrunk_on_few_patients() -> None:
    many = _parts(_cohort(4000))[2]
    # Standard error of a correlation of .7 at n = 4,000: (1 - .49) / sqrt(4000) = .008.
    assert many[0, 1] == pytest.approx(RHO, abs=0.05)
    assert np.abs(many[2, :2]).max() < 0.08
    few = _parts(_cohort(40, seed=3))[2]
    assert 0.0 < few[0, 1] < RHO + 0.2
    assert np.linalg.eigvalsh(few).min() > 0


def test_three_patients_with_both_columns_tell_nothing() -> None:
    cohort = _cohort(60, seed=4)
    table = cohort.subjects.copy()
    table.loc[3:, "A"] = np.where(np.arange(57) < 30, np.nan, table.loc[3:, "A"])
    table.loc[3:, "B"] = np.where(np.arange(57) < 30, table.loc[3:, "B"], np.nan)
    found = _parts(Cohort.build(cohort.schema, table))[2]
    assert found[0, 1] == pytest.approx(0.0, abs=1e-9)


def test_nothing_observed_changes_nothing_and_missing_keeps_its_mass() -> None:
    _, copula, correlation, inputs = _parts(_cohort(400))
    for j in range(3):
        assert copula.tilt(correlation, np.zeros_like(inputs), j) == pytest.approx(0.0, abs=1e-9)
        tilted = np.exp(copula.tilt(correlation, inputs, j) + copula.log_share[copula.owner == j])
        assert tilted.sum(axis=1) == pytest.approx(1.0)


def test_the_tilt_is_the_conditional_normal_law() -> None:
    columns, copula, _, inputs = _parts(_cohort(4000))
    correlation = np.array([[1.0, RHO, 0.0], [RHO, 1.0, 0.0], [0.0, 0.0, 1.0]])
    only_a = inputs.copy()
    only_a[:, columns.input_slices[0].stop :] = 0.0
    mine = copula.owner == 1
    share = np.exp(copula.tilt(correlation, only_a, 1) + copula.log_share[mine])
    mean = share @ copula.score[mine]
    a = ndtri(np.clip((inputs[:, 0] + 1) / 2, 0.01, 0.99))
    # Bins are coarse at the ends: the middle half of the patients is compared.
    middle = np.abs(a) < 0.7
    assert mean[middle] == pytest.approx(RHO * a[middle], abs=0.06)


def test_training_starts_from_the_same_tilt_as_drawing() -> None:
    import torch

    from generation.twin_model.training_module import CopulaStart

    _, copula, correlation, inputs = _parts(_cohort(400))
    inputs[::3, : copula.places[1]] = 0.0  # a third without A
    start = CopulaStart(copula, correlation)(torch.from_numpy(inputs)).numpy()
    drawn = np.concatenate([copula.tilt(correlation, inputs, j) for j in range(3)], axis=1)
    # Columns that are observed themselves are not drawn, and differ by rounding of their peak.
    hidden = np.repeat(inputs[:, copula.places + 3] < 0.5, np.bincount(copula.owner), axis=1)
    assert start[hidden] == pytest.approx(drawn[hidden], abs=1e-4)


def test_a_plain_correlation_survives_in_a_small_sample() -> None:
    cohort = _cohort(90, seed=5)
    real = np.corrcoef(cohort.subjects["A"], np.log(cohort.subjects["B"]))[0, 1]
    drawn = fit(cohort, seed=1, members=2, epochs=30).sample(3000).subjects
    found = np.corrcoef(drawn["A"], np.log(drawn["B"].clip(lower=1e-3)))[0, 1]
    assert found > 0.65 * real
