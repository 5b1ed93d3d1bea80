"""Summary: scenario results from blocks of replicates, in memory that does not grow with them."""

from math import sqrt
from typing import Any, Final, final

import numpy as np

from simulation.trial.characteristics import Arrays, ScenarioResult, Tested, true_effect
from simulation.trial.design import Scenario, TrialDesign
from simulation.trial.moments import Measured, Tally, tally
from simulation.trial.rules.base import EFFICACY, FUTILITY

_MEANS: Final = ("n", "analysed", "screened", "duration")
_HALF_WIDTH: Final = 1.959963984540054
"""97.5th percentile of the standard normal distribution."""


@final
class Summary:
    """Sums of the replicates so far, of every scenario.

    Parameters
    ----------
    design
        What is simulated.
    """

    def __init__(self, design: TrialDesign) -> None:
        self.design = design
        self._tallies: dict[tuple[int, str], Tally] = {}

    def add(self, block: Arrays) -> None:
        """Add the next block (`moments.BLOCK` replicates; the last may be shorter)."""
        for place, truth in enumerate(self.design.truths):
            table = {name: values[:, place] for name, values in block.items()}
            for name, values in _series(self.design, truth, table).items():
                now, before = tally(values), self._tallies.get((place, name))
                self._tallies[place, name] = now if before is None else before + now  # type: ignore[operator]

    def scenarios(self) -> tuple[ScenarioResult, ...]:
        """Return what the design does under each truth."""
        return tuple(self._scenario(place, truth) for place, truth in enumerate(self.design.truths))

    def _scenario(self, place: int, truth: Scenario) -> ScenarioResult:
        def found(name: str) -> Measured:
            return self._tallies[place, name].measured()

        looks = range(self.design.rule.looks.count)
        return ScenarioResult(
            name=truth.name,
            hypotheses=tuple(
                self._tested(place, truth, number) for number in range(len(self.design.tested))
            ),
            any_rejection=found("any_rejection"),
            all_rejections=found("all_rejections"),
            efficacy=tuple(found(f"efficacy {look}") for look in looks),
            futility=tuple(found(f"futility {look}") for look in looks),
            **{name: found(name) for name in _MEANS},
        )

    def _tested(self, place: int, truth: Scenario, number: int) -> Tested:
        rejected, estimate = (
            self._tallies[place, f"{name} {number}"] for name in ("rejected", "estimate")
        )
        known = true_effect(self.design, truth, number)
        found: dict[str, Any] = {"bias": None, "rmse": None, "coverage": None}
        if known is not None and estimate.n > 1:
            error, squared, covered = (
                self._tallies[place, f"{name} {number}"].measured()
                for name in ("error", "squared", "covered")
            )
            root = sqrt(squared.value)
            found = {
                "bias": error,
                "rmse": Measured(root, squared.se / (2 * root) if root else 0.0),
                "coverage": covered,
            }
        return Tested(
            name=self.design.tested[number].name,
            rejection=rejected.measured(),
            truth=known,
            mean=estimate.measured(),
            no_estimate=1 - estimate.n / rejected.n,
            **found,
        )


def _series(design: TrialDesign, truth: Scenario, table: Arrays) -> Arrays:
    """Every figure of each replicate of one scenario: truth values for shares, else numbers."""
    rejected, stage, reason = table["rejected"], table["stage"], table["reason"]
    series: Arrays = {name: table[name] for name in _MEANS}
    series["any_rejection"] = np.asarray(rejected.any(axis=1))
    series["all_rejections"] = np.asarray(rejected.all(axis=1))
    for look in range(design.rule.looks.count):
        series[f"efficacy {look}"] = (reason == EFFICACY) & (stage == look)
        series[f"futility {look}"] = (reason == FUTILITY) & (stage == look)
    for number in range(rejected.shape[1]):
        estimate = table["estimate"][:, number]
        series[f"rejected {number}"] = rejected[:, number]
        series[f"estimate {number}"] = estimate
        known = true_effect(design, truth, number)
        if known is not None:
            there = np.isfinite(estimate)
            error = estimate[there] - known
            series[f"error {number}"] = error
            series[f"squared {number}"] = error**2
            covered = np.abs(error) <= _HALF_WIDTH * table["se"][there, number]
            series[f"covered {number}"] = covered
    return series
