"""Estimates after a population was chosen: bias and coverage given the choice, and the regions.

Tolerance 4 standard errors (below 1 % false alarms over the figures of this file, Bonferroni);
seeds were fixed before the first run.
"""

from math import sqrt
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm, truncnorm

from simulation.analysis.sequential.selection import after_both, after_bounds
from simulation.trial.analyses.base import Fit
from simulation.trial.rules import Evidence, State
from simulation.trial.rules.enrichment import EnrichmentRule

TOLERANCE = 4.0
RULES: list[dict[str, Any]] = [
    {"selection": {"kind": "higher"}},
    {"selection": {"kind": "higher", "margin": 0.3, "futility": 0.2}, "boundary": "pocock"},
    {"selection": {"kind": "thresholds", "all": 0.5, "rest": 0.1, "subgroup": 0.4},
     "boundary": "pocock"},
    {"selection": {"kind": "thresholds"}, "boundary": "pocock", "intersection": "simes"},
    {"selection": {"kind": "higher"}, "boundary": "pocock", "intersection": "bonferroni"},
    {"selection": {"kind": "higher", "futility": -0.5}, "boundary": "pocock", "test": "naive"},
]


def _rule(**given: Any) -> EnrichmentRule:
    return EnrichmentRule.model_validate({"looks": {"number": 2}, **given})


def _first_look(rule: EnrichmentRule, part: Any, rest: Any, share: float) -> tuple[Any, Any]:
    """Who goes on with all, and with the subgroup alone, as the rule decides it."""
    whole = sqrt(share) * part + sqrt(1 - share) * rest
    one = np.ones(len(part))
    fits = tuple(
        Fit(z, one, z, 80 * size * one, one) for z, size in ((whole, 1.0), (part, share))
    )
    state = State.fresh(len(part), 2, (1, 1), 100)
    rule.decide(Evidence(0, fits, (1, 1)), state, (1.0, 1.0))
    assert state.narrowed is not None
    return state.running & ~state.narrowed, state.running & state.narrowed


@pytest.mark.parametrize("given", RULES)
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_the_bounds_are_where_the_rule_goes_on(given: dict[str, Any], share: float) -> None:
    rule = _rule(**given)
    part, rest = 2 * np.random.default_rng(3).standard_normal((2, 20_000))
    for goes, narrowed in zip(_first_look(rule, part, rest, share), (False, True), strict=True):
        low, high = rule.bounds(narrowed, rest[:, None], np.full((len(rest), 1), share))
        inside = (part >= low[:, 0]) & (part < high[:, 0])
        assert goes.any() and (inside == goes).all()


def test_without_a_choice_it_is_the_ordinary_estimate() -> None:
    """Exact: no bounds, or bounds that are always met."""
    estimate, one = np.array([-1.0, 0.2, 0.7]), np.ones(3)
    free = after_bounds(estimate, 9 * one, 4 * one, -np.inf * one, np.inf * one)
    far = after_bounds(estimate, 9 * one, 4 * one, -60 * one, 60 * one)
    parts = np.stack([estimate, estimate[::-1]], axis=1)
    total, first = np.tile([9.0, 7.0], (3, 1)), np.tile([4.0, 5.0], (3, 1))
    always = after_both(
        parts, total, first,
        lambda rows: lambda rest: (np.full_like(rest, -np.inf), np.full_like(rest, np.inf)),
    )
    mean = (parts * total).sum(axis=1) / 16
    expected = ((free, estimate, 1 / 3), (far, estimate, 1 / 3), (always, mean, 0.25))
    for found, middle, se in expected:
        assert found.estimate == pytest.approx(middle, abs=1e-9)
        assert found.low == pytest.approx(middle - 1.959964 * se, abs=1e-5)
        assert found.high == pytest.approx(middle + 1.959964 * se, abs=1e-5)
        assert found.p_value == pytest.approx(norm.sf(middle / se), abs=1e-6)


@pytest.mark.parametrize(("first", "later"), [(50.0, 50.0), (80.0, 20.0), (20.0, 80.0)])
def test_one_population_agrees_with_integrals(first: float, later: float) -> None:
    """Exact: scipy's truncated normal mean, and limits put into the conditional law by `quad`."""
    low, high, z, total = 0.1, 0.4, 0.12, first + later
    one = np.ones(1)
    found = after_bounds(z * one, total * one, first * one, low * one, high * one)
    spread = sqrt(later / (first * total))
    law = truncnorm((low - z) / spread, (high - z) / spread, z, spread)
    assert found.estimate[0] == pytest.approx(z + first / later * (z - law.mean()), abs=1e-9)

    def below(limit: float, effect: float) -> float:
        def density(t: float) -> float:
            seen = norm.cdf((high - t) / spread) - norm.cdf((low - t) / spread)
            return float(norm.pdf(t, effect, 1 / sqrt(total)) * seen)

        return float(quad(density, -2.0, limit, epsabs=1e-14, limit=200)[0])

    for limit, level in ((found.low[0], 0.975), (found.high[0], 0.025)):
        assert below(z, limit) / below(2.0, limit) == pytest.approx(level, abs=2e-4)


@pytest.mark.parametrize("given", RULES)
@pytest.mark.parametrize("effect", [(0.0, 0.0), (0.2, 0.05), (0.1, 0.3)])
def test_bias_and_coverage_given_the_choice(
    given: dict[str, Any], effect: tuple[float, float]
) -> None:
    """Simulated (8,000): two normal stages, the subgroup 40 % of the information."""
    rule, n = _rule(**given), 8_000
    first, later = np.array([40.0, 60.0]), np.array([50.0, 75.0])
    total, draws = first + later, np.random.default_rng(5).standard_normal((2, n, 2))
    begun = effect + draws[0] / np.sqrt(first)
    final = (first * begun + later * (effect + draws[1] / np.sqrt(later))) / total
    z = begun * np.sqrt(first)
    whole, part = _first_look(rule, z[:, 0], z[:, 1], 0.4)
    share = np.full((n, 1), 0.4)

    low, high = (b[:, 0] / sqrt(40.0) for b in rule.bounds(True, z[:, 1:], share))
    one = np.ones(n)
    alone = after_bounds(final[:, 0], 90 * one, 40 * one, low, high)
    _judge(alone, part, effect[0])

    rows = np.flatnonzero(whole)
    both = after_both(
        final[rows], np.tile(total, (len(rows), 1)), np.tile(first, (len(rows), 1)),
        lambda some: lambda rest: rule.bounds(False, rest, share[: len(some)]),
        getattr(rule.selection, "rest", None) or -np.inf,
    )
    _judge(both, np.ones(len(rows), dtype=bool), float((total * effect).sum() / total.sum()))


def _judge(found: Any, which: Any, truth: float) -> None:
    estimate, n = found.estimate[which], which.sum()
    if n < 100:
        return
    assert abs(estimate.mean() - truth) <= TOLERANCE * estimate.std() / sqrt(n)
    covers = (found.low[which] <= truth) & (truth <= found.high[which])
    assert abs(covers.mean() - 0.95) <= TOLERANCE * sqrt(0.95 * 0.05 / n)


def test_the_naive_estimate_is_biased() -> None:
    """Simulated (8,000): the same judgement fails what is not corrected; a planted error."""
    draws = np.random.default_rng(6).standard_normal((2, 8_000))
    begun, later = draws / sqrt(50.0)
    chosen, pooled = begun > 0.1, (begun + later) / 2
    assert pooled[chosen].mean() > TOLERANCE * pooled[chosen].std() / sqrt(chosen.sum())
    mended = after_bounds(
        pooled, *(np.full(8_000, v) for v in (100.0, 50.0, 0.1, np.inf))
    )
    _judge(mended, chosen, 0.0)


def test_nothing_after_the_choice_gives_no_estimate() -> None:
    one = np.ones(1)
    found = after_bounds(one, 5 * one, 5 * one, 0 * one, 9 * one)
    assert np.isnan([found.estimate, found.low, found.high, found.p_value]).all()
    impossible = after_both(
        np.ones((1, 2)), np.full((1, 2), 5.0), np.full((1, 2), 2.0),
        lambda rows: lambda rest: (np.full_like(rest, np.inf), np.full_like(rest, np.inf)),
    )
    assert np.isnan([impossible.estimate, impossible.low]).all()
