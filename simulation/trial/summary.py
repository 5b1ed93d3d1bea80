"""Summary: scenario results from blocks of replicates, in memory that does not grow with them."""

from math import sqrt
from typing import Final, final

import numpy as np

from simulation.analysis.sequential.estimates import AfterStopping
from simulation.trial.adjusted import adjusts, estimates_of
from simulation.trial.adjusted_choice import adjusted_for_choice, chosen_in
from simulation.trial.analyses.borrowing import REASONS
from simulation.trial.characteristics import (
    Accuracy,
    Arrays,
    Borrowed,
    Chosen,
    ScenarioResult,
    Tested,
    true_effect,
)
from simulation.trial.design import Scenario, TrialDesign
from simulation.trial.further import COST, EVENTS, arm_words, decision_words, events_of, further
from simulation.trial.moments import HALF_WIDTH, Measured, Tally, tally
from simulation.trial.nulls import true_nulls
from simulation.trial.outcomes.base import Booleans, Floats
from simulation.trial.rules.base import EFFICACY, FUTILITY

_MEANS: Final = ("n", "analysed", "screened", "duration")


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
            short=found("short"),
            familywise_error=found("familywise_error")
            if (place, "familywise_error") in self._tallies
            else None,
            cost=None if self.design.costs is None else found(COST),
            decisions={words: found(words) for words in decision_words(self.design)},
            events=None if events_of(self.design) is None else found(EVENTS),
            arm_patients={name: found(words) for words, name in arm_words(self.design).items()},
        )

    def _tested(self, place: int, truth: Scenario, number: int) -> Tested:
        rejected, estimate = (
            self._tallies[place, f"{name} {number}"] for name in ("rejected", "estimate")
        )
        known = true_effect(self.design, truth, number)
        naive = self._accuracy(place, "", number, known)
        return Tested(
            name=self.design.tested[number].name,
            rejection=rejected.measured(),
            truth=known,
            mean=naive.mean,
            bias=naive.bias,
            rmse=naive.rmse,
            coverage=naive.coverage,
            no_estimate=1 - estimate.n / rejected.n,
            adjusted=None
            if not adjusts(self.design)
            else self._accuracy(place, "adjusted ", number, known),
            chosen=self._chosen(place, number, known),
            null=true_nulls(self.design, truth)[number],
            borrowing=self._borrowed(place, truth, number, known),
        )

    def _chosen(self, place: int, number: int, known: float | None) -> Chosen | None:
        if (place, f"chosen {number}") not in self._tallies:
            return None
        enough = self._tallies[place, f"chosen estimate {number}"].n > 1
        return Chosen(
            share=self._tallies[place, f"chosen {number}"].measured(),
            naive=self._accuracy(place, "chosen ", number, known) if enough else None,
            adjusted=self._accuracy(place, "mended ", number, known) if enough else None,
        )

    def _borrowed(
        self, place: int, truth: Scenario, number: int, known: float | None
    ) -> Borrowed | None:
        given = self.design.external_controls
        if given is None or not self.design.tested[number].analysis.external:
            return None

        def found(name: str) -> Measured:
            return self._tallies[place, f"{name} {number}"].measured()

        return Borrowed(
            drift=given.drift if truth.external_drift is None else truth.external_drift,
            stopped=found("stopped"),
            reasons={reason: found(f"stopped by {reason}") for reason in REASONS},
            ess=found("ess"),
            rejection=found("given rejected"),
            accuracy=self._accuracy(place, "given ", number, known),
        )

    def _accuracy(self, place: int, kind: str, number: int, known: float | None) -> Accuracy:
        estimate = self._tallies[place, f"{kind}estimate {number}"]
        if known is None or estimate.n < 2:
            return Accuracy(estimate.measured(), None, None, None)
        error, squared, covered = (
            self._tallies[place, f"{kind}{name} {number}"].measured()
            for name in ("error", "squared", "covered")
        )
        root = sqrt(squared.value)
        rmse = Measured(root, squared.se / (2 * root) if root else 0.0)
        return Accuracy(estimate.measured(), error, rmse, covered)


def _series(design: TrialDesign, truth: Scenario, table: Arrays) -> Arrays:
    """Every figure of each replicate of one scenario: truth values for shares, else numbers."""
    rejected, stage, reason = table["rejected"], table["stage"], table["reason"]
    series: Arrays = {name: table[name] for name in _MEANS}
    series["any_rejection"] = np.asarray(rejected.any(axis=1))
    series["all_rejections"] = np.asarray(rejected.all(axis=1))
    false = [number for number, null in enumerate(true_nulls(design, truth)) if null]
    if false:
        series["familywise_error"] = np.asarray(rejected[:, false].any(axis=1))
    series["short"] = _short(design, table)
    series |= further(design, table)
    for look in range(design.rule.looks.count):
        series[f"efficacy {look}"] = (reason == EFFICACY) & (stage == look)
        series[f"futility {look}"] = (reason == FUTILITY) & (stage == look)
    choice = adjusted_for_choice(design, table) if "narrowed" in table else None
    for number in range(rejected.shape[1]):
        estimate, se = table["estimate"][:, number], table["se"][:, number]
        series[f"rejected {number}"] = rejected[:, number]
        known = true_effect(design, truth, number)
        half = HALF_WIDTH * se
        series |= _fall("", number, known, estimate, (estimate - half, estimate + half))
        if "refused" in table and design.tested[number].analysis.external:
            series |= _verdict(table, number)
            given = np.where(table["refused"][:, number] == 0, estimate, np.nan)
            series |= _fall("given ", number, known, given, (given - half, given + half))
        if adjusts(design):
            found = estimates_of(design, table)
            limits = (found.low, found.high)
            series |= _fall("adjusted ", number, known, found.estimate, limits)
        if choice is not None:
            series |= _of_chosen(choice, number, known, table)
    return series


def _of_chosen(
    choice: AfterStopping, number: int, known: float | None, table: Arrays
) -> Arrays:
    """Estimates of a population where it was chosen, ordinary and given the choice."""
    goes = chosen_in(table)[:, number]
    naive, half = table["estimate"][goes, number], HALF_WIDTH * table["se"][goes, number]
    limits = (choice.low[goes], choice.high[goes])
    return {
        f"chosen {number}": goes,
        **_fall("chosen ", number, known, naive, (naive - half, naive + half)),
        **_fall("mended ", number, known, choice.estimate[goes], limits),
    }


def _short(design: TrialDesign, table: Arrays) -> Booleans:
    """Replicates (R,) that stopped at a look without what it was planned with."""
    looks, n, stage = design.rule.looks, table["n"], table["stage"]
    if looks.by == "events":
        return np.asarray(table["short"])
    if looks.by == "time":
        return np.asarray((stage == looks.count - 1) & (n < design.n))
    due = np.array(design.sizes)
    if design.rule.resizes:
        # Their last size is each replicate's own; the least that it can be is what is due.
        due[-1] = min(due[-1], getattr(design.rule, "minimum", None) or due[-1])
    return np.asarray(n < due[stage])


def _verdict(table: Arrays, number: int) -> Arrays:
    """What refuses external controls, and what comes of those that are not refused."""
    refused = table["refused"][:, number].astype(np.int64)
    on = refused == 0
    held: Arrays = {
        f"stopped {number}": ~on,
        f"ess {number}": table["external_ess"][on, number],
        f"given rejected {number}": table["rejected"][on, number],
    }
    for place, reason in enumerate(REASONS):
        held[f"stopped by {reason} {number}"] = (refused >> place) % 2 == 1
    return held


def _fall(
    kind: str,
    number: int,
    known: float | None,
    estimate: Floats,
    limits: tuple[Floats, Floats],
) -> Arrays:
    """Figures of estimates and intervals about the truth."""
    held: Arrays = {f"{kind}estimate {number}": estimate}
    if known is not None:
        there = np.isfinite(estimate)
        error = estimate[there] - known
        low, high = (limit[there] for limit in limits)
        held[f"{kind}error {number}"] = error
        held[f"{kind}squared {number}"] = error**2
        held[f"{kind}covered {number}"] = (low <= known) & (known <= high)
    return held
