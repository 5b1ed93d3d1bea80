"""Tables about a simulated design: boundaries, spread, and every figure in one long table."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from simulation.operating_characteristics.grid import exact_interval
from simulation.trial.characteristics import (
    Accuracy,
    Measured,
    OperatingCharacteristics,
    ScenarioResult,
    Tested,
)
from simulation.trial.design import TrialDesign
from simulation.trial.rules.multi_arm import MultiArmRule

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
CLOSED = ("multi_arm", "enrichment")
"""Rules whose closed tests hold every intersection to the bounds of the whole alpha."""
_WIDTH = float(norm.ppf(0.975))


def boundaries(design: TrialDesign) -> list[dict[str, Any]]:
    """Boundaries of each share of alpha that the design begins with.

    Returns
    -------
    list of dict
        share, alpha (one-sided), hypotheses (names) and looks: look, at (patients, events or
        time), rate (of information), critical z and nominal one-sided p (None at a look that does
        not stop for efficacy), and lower (z for futility; None where there is none). Empty where
        probabilities decide.
    """
    rule: Any = design.rule
    if not np.isfinite(rule.critical(rule.alpha)).any():
        return []
    graph = getattr(rule, "graph", None)
    shares = [t.share for t in design.tested] if graph is None else list(graph.weights)
    if rule.kind in CLOSED:
        shares = [1.0] * len(design.tested)
    names = [tested.name for tested in design.tested]
    return [
        {
            "share": share,
            "alpha": share * rule.alpha,
            "hypotheses": [n for n, held in zip(names, shares, strict=True) if held == share],
            "looks": _looks(design, share * rule.alpha),
        }
        for share in sorted({s for s in shares if s > 0}, reverse=True)
    ]


def _looks(design: TrialDesign, alpha: float) -> list[dict[str, Any]]:
    rule: Any = design.rule
    looks = rule.looks
    at = design.sizes if looks.by == "patients" else looks.at
    lower = _lower(rule, alpha)
    rows = zip(at, looks.rates, rule.critical(alpha), lower, strict=True)
    return [
        {
            "look": k,
            "at": float(when),
            "rate": float(rate),
            "critical": float(z) if np.isfinite(z) else None,
            "p": float(norm.sf(z)) if np.isfinite(z) else None,
            # At the last look the trial ends in any case.
            "lower": float(low) if np.isfinite(low) and k < looks.count else None,
        }
        for k, (when, rate, z, low) in enumerate(rows, start=1)
    ]


def _lower(rule: Any, alpha: float) -> tuple[float, ...]:
    """Bound of z for futility at each look: of the trial, or of each treated arm."""
    none = -float("inf")
    if hasattr(rule, "lower"):
        return tuple(rule.lower(alpha))
    if isinstance(rule, MultiArmRule) and rule.futility is not None:
        return (*rule.futility, none)
    looks: int = rule.looks.count
    return (none,) * looks


def spread(found: OperatingCharacteristics) -> dict[str, dict[str, dict[str, float]]]:
    """Quantiles of patients and duration over the replicates, by scenario.

    Returns
    -------
    dict
        scenario -> n and duration -> q05, q25, q50, q75, q95.
    """
    whole = found.held.read("n", "duration")
    return {
        scenario.name: {
            name: {
                f"q{100 * q:02.0f}": float(value)
                for q, value in zip(QUANTILES, _quantiles(values[:, place]), strict=True)
            }
            for name, values in whole.items()
        }
        for place, scenario in enumerate(found.scenarios)
    }


def _quantiles(values: Any) -> Any:
    known = values[np.isfinite(values)]
    return np.quantile(known, QUANTILES) if len(known) else np.full(len(QUANTILES), np.nan)


def long_table(found: OperatingCharacteristics) -> pd.DataFrame:
    """Every figure of every scenario.

    Returns
    -------
    DataFrame
        scenario, figure, hypothesis or look (empty for figures of the whole trial), value, se, low
        and high: 95 % Monte Carlo limits, exact for probabilities of rejection and of stopping.
    """
    return pd.DataFrame(
        [row for scenario in found.scenarios for row in _figures(scenario, found.replicates)]
    )


def _figures(scenario: ScenarioResult, replicates: int) -> list[dict[str, Any]]:
    rows = []

    def add(figure: str, of: str, held: Measured | None, share: bool = False) -> None:
        if held is None:
            return
        low, high = held.value - _WIDTH * held.se, held.value + _WIDTH * held.se
        if share:
            low, high = monte_carlo_limits(held.value, replicates)
        rows.append(
            {
                "scenario": scenario.name,
                "figure": figure,
                "of": of,
                "value": held.value,
                "se": held.se,
                "low": low,
                "high": high,
            }
        )

    add("any_rejection", "", scenario.any_rejection, share=True)
    add("all_rejections", "", scenario.all_rejections, share=True)
    add("familywise_error", "", scenario.familywise_error, share=True)
    for name in ("n", "analysed", "screened", "duration", "cost", "events"):
        add(name, "", getattr(scenario, name))
    for name, held in scenario.arm_patients.items():
        add(f"patients on {name}", "", held)
    for name, look, held in _decisions(scenario):
        add(name, look, held, share=True)
    for tested in scenario.hypotheses:
        add("rejection", tested.name, tested.rejection, share=True)
        for figure, measured in _accuracies(tested):
            add(figure, tested.name, measured)
        add("chosen", tested.name, tested.chosen and tested.chosen.share, share=True)
        add("stopped", tested.name, tested.borrowing and tested.borrowing.stopped, share=True)
    return rows


def _accuracies(tested: Tested) -> Iterator[tuple[str, Measured | None]]:
    """How estimates fall about the truth: naive and adjusted, of all trials and of the choice."""
    kinds: dict[str, Tested | Accuracy | None] = {"": tested, "adjusted_": tested.adjusted}
    if tested.chosen is not None:
        kinds["chosen_naive_"] = tested.chosen.naive
        kinds["chosen_adjusted_"] = tested.chosen.adjusted
    borrowed = tested.borrowing
    if borrowed is not None:
        kinds["given_on_"] = borrowed.accuracy
        yield from (("given_on_rejection", borrowed.rejection), ("external_ess", borrowed.ess))
    for name in ("mean", "bias", "rmse", "coverage"):
        yield from ((f"{kind}{name}", getattr(held, name, None)) for kind, held in kinds.items())


def _decisions(scenario: ScenarioResult) -> list[tuple[str, str, Measured]]:
    """Probabilities of what is decided on the way and of the stops, with the look of each stop."""
    stops = [
        (name, f"look {look}", held)
        for name in ("efficacy", "futility")
        for look, held in enumerate(getattr(scenario, name), start=1)
    ]
    return [(words, "", held) for words, held in scenario.decisions.items()] + stops


def monte_carlo_limits(value: float, replicates: int, level: float = 0.95) -> tuple[float, float]:
    """Exact limits of a simulated probability (Clopper and Pearson 1934)."""
    hits = np.array([round(value * replicates)])
    low, high = exact_interval(hits, replicates, level)
    return float(low[0]), float(high[0])
