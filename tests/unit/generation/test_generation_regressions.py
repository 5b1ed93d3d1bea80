import numpy as np
import pytest

from generation.twin_model.ridge import fit_logistic, fit_ridge, softmax


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
