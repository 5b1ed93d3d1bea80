"""The accountant equals opacus's, and a budget is never overdrawn."""

import math

import pytest

from extraction.records import InputError, RefusedError
from generation.privacy.accountant import (
    ORDERS,
    SEARCH_ORDERS,
    Mechanism,
    epsilon_of,
    exponential_curve,
    gaussian_curve,
    smallest_noise,
    total_curve,
)
from generation.privacy.ledger import PrivacyLedger, Release

DELTA = 1e-4


@pytest.mark.parametrize(
    "history",
    [
        [(1.1, 0.05, 300)],
        [(4.0, 1.0, 1), (2.5, 1.0, 12)],
        [(8.0, 1.0, 3), (1.3, 0.1, 200)],
        [(0.7, 0.02, 50)],
    ],
)
def test_epsilon_equals_the_accountant_of_opacus(history: list[tuple[float, float, int]]) -> None:
    from opacus.accountants import RDPAccountant

    theirs = RDPAccountant()
    theirs.history = list(history)
    ours = total_curve([Mechanism("gaussian", s, "x", q, k) for s, q, k in history])
    assert tuple(map(float, RDPAccountant.DEFAULT_ALPHAS)) == ORDERS
    assert epsilon_of(ours, DELTA) == pytest.approx(theirs.get_epsilon(delta=DELTA), rel=1e-9)


def test_noise_for_a_target_equals_that_of_opacus() -> None:
    """Their search stops within .01 of epsilon, ours within .1 % of the noise."""
    from opacus.accountants.utils import get_noise_multiplier

    theirs = get_noise_multiplier(
        target_epsilon=3.0, target_delta=DELTA, sample_rate=0.1, steps=200
    )
    ours = smallest_noise(
        3.0, DELTA, lambda noise: gaussian_curve(noise, 0.1, 200, SEARCH_ORDERS), SEARCH_ORDERS
    )
    assert ours == pytest.approx(theirs, rel=0.01)
    assert epsilon_of(gaussian_curve(ours, 0.1, 200), DELTA) <= 3.0


def test_a_choice_costs_less_than_its_pure_epsilon() -> None:
    assert epsilon_of(exponential_curve(0.5), 1e-9) < 1.5
    assert all(value <= 0.5 for value in exponential_curve(0.5))
    assert epsilon_of(total_curve([]), DELTA) == 0.0
    with pytest.raises(ValueError, match="too small"):
        smallest_noise(1.0, DELTA, lambda noise: exponential_curve(50.0))


def _release(epsilon: float, delta: float = 1e-5) -> Release:
    """A Gaussian release of the wanted epsilon."""
    noise = smallest_noise(epsilon, delta, gaussian_curve)
    return Release(
        mechanism="gaussian", what="counts", epsilon=epsilon, delta=delta,
        renyi=gaussian_curve(noise),
    )


def test_compositions_are_ordered_as_the_theory_says() -> None:
    ledger = PrivacyLedger(delta_budget=1e-3)
    assert ledger.total() == 0.0
    for _ in range(30):
        ledger = ledger.spend(_release(0.3))
    assert ledger.total(composition="basic") == pytest.approx(9.0)
    assert ledger.total(composition="advanced") < 9.0
    assert ledger.total(composition="renyi") < ledger.total(composition="advanced")
    assert ledger.total() == ledger.total(composition="renyi")
    assert math.isinf(ledger.total(1e-6, "basic"))
    assert math.isinf(ledger.total(1e-6, "advanced"))


def test_advanced_composition_by_hand() -> None:
    """k = 10 of (.1, 0): sum of e tanh(e/2) + sqrt(2 sum(e^2) ln(1/delta))."""
    ledger = PrivacyLedger(
        releases=tuple(
            Release(mechanism="laplace", what="x", epsilon=0.1, delta=0.0) for _ in range(10)
        )
    )
    by_hand = 10 * 0.1 * math.tanh(0.05) + math.sqrt(2 * 10 * 0.01 * math.log(1 / 1e-3))
    assert ledger.total(1e-3, "advanced") == pytest.approx(by_hand)
    assert math.isinf(ledger.total(1e-3, "renyi"))


def test_an_overdraft_is_refused_and_spends_nothing() -> None:
    ledger = PrivacyLedger(epsilon_budget=1.5, delta_budget=2e-5).spend(_release(1.0))
    with pytest.raises(RefusedError, match=r"budget is 1\.5"):
        ledger.spend(_release(1.4))
    assert len(ledger.releases) == 1
    assert PrivacyLedger.from_dict(ledger.to_dict()) == ledger
    with pytest.raises(InputError, match="not readable"):
        PrivacyLedger.from_dict({"releases": 3})
