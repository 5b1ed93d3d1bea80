"""Probabilities of being best and of equivalence, against closed forms and adaptive quadrature."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import betaln
from scipy.stats import beta, norm

from simulation.analysis import best_arm
from simulation.analysis.best_arm import (
    BetaPosteriors,
    NormalPosteriors,
    Posteriors,
    probability_best_batch,
    probability_equivalent_batch,
)

ALL = np.ones((1, 2), dtype=bool)


def _beta_below(a: float, b: float, c: int, d: float) -> float:
    """P(X < Y) for X ~ Beta(a, b), Y ~ Beta(c, d), c whole: a finite sum."""
    k = np.arange(c)
    terms = betaln(a + k, b + d) - np.log(d + k) - betaln(1 + k, d) - betaln(a, b)
    return float(np.exp(terms).sum())


@pytest.mark.parametrize(
    ("first", "second"),
    [((1, 1), (1, 1)), ((1, 101), (5, 97)), ((26, 76), (31, 71)), ((401, 1201), (20, 90)),
     ((2, 3), (60, 40))],
)
def test_two_probabilities_exact(first: tuple[int, int], second: tuple[int, int]) -> None:
    shapes = np.array([first, second], dtype=np.float64).T[:, None, :]
    held = BetaPosteriors(shapes[0], shapes[1])
    best = probability_best_batch(held, ALL)
    assert best[0, 0] == pytest.approx(_beta_below(*first, *second), abs=1e-8)
    assert best.sum() == pytest.approx(1.0, abs=1e-8)


@pytest.mark.parametrize("width", [0.2, 0.5, 1.0, 2.0, 5.0])
def test_two_means_exact(width: float) -> None:
    held = NormalPosteriors(np.array([[0.3, 1.0]]), np.array([[1.0, width]]))
    spread = np.hypot(1.0, width)
    assert probability_best_batch(held, ALL)[0, 0] == pytest.approx(
        norm.cdf(0.7 / spread), abs=1e-8
    )
    within = norm.cdf((0.5 - 0.7) / spread) - norm.cdf((-0.5 - 0.7) / spread)
    assert probability_equivalent_batch(held, ALL, 0.5)[0] == pytest.approx(within, abs=1e-8)


def test_three_arms_and_one_dropped_fitted_1e_8() -> None:
    """Against scipy's adaptive quadrature."""
    a, b = np.array([101.0, 81, 121]), np.array([301.0, 321, 281])
    laws, d = beta(a, b), 0.05

    def integral(arm: int, others: list[int], width: float | None) -> float:
        def at(x: float) -> float:
            high = 1.0 if width is None else laws.cdf(x + width)
            terms = np.broadcast_to(high - laws.cdf(x), (3,))
            return float(laws.pdf(x)[arm] * terms[others].prod())

        return float(quad(at, 0.08, 0.5, points=[0.2, 0.25, 0.3], epsabs=1e-11, limit=200)[0])

    held = BetaPosteriors(np.tile(a, (2, 1)), np.tile(b, (2, 1)))
    active = np.array([[True, True, True], [True, False, True]])
    best = probability_best_batch(held, active)
    near = probability_equivalent_batch(held, active, d)
    for row, left in enumerate(([0, 1, 2], [0, 2])):
        others = {arm: [k for k in left if k != arm] for arm in left}
        for arm in left:
            assert best[row, arm] == pytest.approx(integral(arm, others[arm], None), abs=1e-8)
        alike = sum(integral(arm, others[arm], d) for arm in left)
        assert near[row] == pytest.approx(alike, abs=1e-8)
    assert best[1, 1] == 0


@pytest.mark.parametrize("kind", ["beta", "beta, prior of 1.5", "normal"])
def test_polynomials_hold_what_the_function_says_fitted_1e_9(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows wide enough for polynomials, judged by 128 nodes of the functions themselves."""
    rng = np.random.default_rng(5)
    a, b = rng.integers(1, 400, size=(2, 200, 3)).astype(np.float64)
    prior = 0.5 if "1.5" in kind else 0.0
    held: Posteriors = BetaPosteriors(a + prior, b + prior)
    if kind == "normal":
        held = NormalPosteriors(a / 400, 0.1 + b / 4000)
    active = np.ones((200, 3), dtype=bool)
    for asked in (
        lambda: probability_best_batch(held, active),
        lambda: probability_equivalent_batch(held, active, 0.05),
    ):
        quick = asked()
        with monkeypatch.context() as patch:
            patch.setattr(best_arm, "_NARROW", 0.0)
            exact = asked()
        assert (quick != exact).any()
        assert np.abs(quick - exact).max() < 1e-9
