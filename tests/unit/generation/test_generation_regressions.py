import numpy as np
import pytest

from generation.twin_model.course_fitting import Counting, fit_poisson
from generation.twin_model.ridge import fit_binary, fit_logistic, fit_ridge, softmax


def _data(n: int = 120) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(n, 6))
    return x, x @ np.array([2.0, 0.5, 0, 0, 0, 0]) + rng.normal(size=n) + 3


def test_free_columns_alone_are_least_squares() -> None:
    x, y = _data()
    ridge = fit_ridge(x, y, np.ones(6, dtype=bool))
    design = np.column_stack([np.ones(len(x)), x])
    assert ridge.predict(x) == pytest.approx(design @ np.linalg.lstsq(design, y, rcond=None)[0])


def test_penalised_columns_shrink_and_free_ones_do_not() -> None:
    x, y = _data()
    noise = np.random.default_rng(2).normal(size=(len(x), 80))
    free = np.arange(86) < 1
    ridge = fit_ridge(np.column_stack([x, noise]), y, free)
    assert ridge.weights[0] == pytest.approx(2.0, abs=0.4)
    assert np.abs(ridge.weights[6:]).max() < 0.2


def test_constant_and_repeated_columns_do_no_harm() -> None:
    x, y = _data()
    wide = np.column_stack([x, np.ones(len(x)), x[:, :1]])
    ridge = fit_ridge(wide, y, np.arange(8) < 2)
    assert np.isfinite(ridge.weights).all()
    assert np.corrcoef(ridge.predict(wide), y)[0, 1] > 0.85


def test_logistic_probabilities_agree_with_scikit_learn() -> None:
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(3)
    x = rng.normal(size=(400, 3))
    x = (x - x.mean(0)) / x.std(0)
    code = (x[:, 0] + rng.normal(size=400) > 0.3).astype(int) + (x[:, 1] > 1)
    ours = softmax(fit_logistic(x, code, 3, penalty=1.0).predict(x))
    theirs = LogisticRegression(C=1.0, max_iter=1000).fit(x, code).predict_proba(x)
    assert ours == pytest.approx(theirs, abs=0.02)


def test_nearly_separated_classes_still_find_their_penalised_optimum() -> None:
    rng = np.random.default_rng(11)
    rare = rng.random(900) < 0.03
    x = np.column_stack([rare, rare & (rng.random(900) < 0.9), rng.normal(size=900)]).astype(float)
    y = (~rare | (rng.random(900) < 0.05)).astype(float)
    penalty = np.array([0.01, 0.01, 1.0])
    slopes, intercept = fit_binary(x, y, penalty)
    scale = x.std(axis=0)
    left = y - 1 / (1 + np.exp(-(x @ slopes + intercept)))
    gradient = ((x - x.mean(axis=0)) / scale).T @ left - penalty * slopes * scale
    assert np.abs(gradient).max() < 1e-2


def test_counting_process_regression_finds_its_optimum_with_a_strong_rare_marker() -> None:
    rng = np.random.default_rng(12)
    n = 1500
    x = np.column_stack([rng.random(n) < 0.02, rng.normal(size=n)]).astype(float)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    exposure = np.full((n, 1), 0.02)
    chance = 1 - np.exp(-0.02 * np.exp(0.8 * x[:, 0] + 0.7 * x[:, 1]))
    event = rng.random(n) < chance
    rows = Counting(x, exposure, event, np.zeros(n, dtype=np.int64), np.arange(n))
    beta, shift = fit_poisson(rows, np.array([0.1, 0.1]))
    mean = np.exp(x @ beta) * 0.02 * np.exp(shift[0])
    assert np.abs(x.T @ (event - mean) - 0.1 * beta).max() < 1e-2


def test_counting_process_regression_finds_its_optimum_with_few_events_a_piece() -> None:
    rng = np.random.default_rng(13)
    n, pieces = 60, 4
    x = rng.normal(size=(n, 2))
    exposure, piece = rng.random((n, pieces)) / 10, rng.integers(0, pieces, n)
    event = rng.random(n) < 0.15
    penalty = np.array([0.5, 0.5])
    beta, shift = fit_poisson(Counting(x, exposure, event, piece, np.arange(n)), penalty)
    mean = np.exp(x @ beta) * (exposure @ np.exp(shift))
    assert np.abs(x.T @ (event - mean) - penalty * beta).max() < 1e-3


def test_fully_separated_classes_end_somewhere_finite() -> None:
    x = np.column_stack([np.arange(40) >= 20, np.zeros(40), np.arange(40)]).astype(float)
    y = (np.arange(40) >= 20).astype(float)
    slopes, intercept = fit_binary(x, y, 0.01)
    assert np.isfinite([*slopes, intercept]).all()
    assert ((x @ slopes + intercept > 0) == (y > 0)).all()
