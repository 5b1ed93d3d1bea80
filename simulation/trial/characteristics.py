"""Operating characteristics: what a design does over many replicates, with Monte Carlo errors."""

from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any, final

import numpy as np

from extraction.records.errors import InputError
from simulation.execution.results import digest
from simulation.trial.design import TrialDesign

Arrays = dict[str, np.ndarray[Any, Any]]


@final
@dataclass(frozen=True)
class Measured:
    """A simulated figure and its Monte Carlo standard error."""

    value: float
    se: float


@final
@dataclass(frozen=True)
class Scenario:
    """What the design does under one true effect.

    Attributes
    ----------
    effect
        True shift on the treated, in the endpoint's unit.
    rejection
        Probability of rejecting: type I error at effect 0, else power.
    expected_n
        Patients whose outcome is due by the stop; those randomised while it was awaited (at a
        fast enrolment all of them) come on top.
    expected_information
        Information at the stop over that at the last look, had the trial gone on.
    stopping
        Probability of stopping for efficacy at each look.
    bias
        Mean of estimate minus effect, in the endpoint's unit; positive at early stops by design.
    no_estimate
        Share of replicates without an estimate (an arm with fewer than two completers).
    """

    effect: float
    rejection: Measured
    expected_n: Measured
    expected_information: Measured
    stopping: tuple[Measured, ...]
    bias: Measured
    no_estimate: float


@final
@dataclass(frozen=True)
class OperatingCharacteristics:
    """Result of `simulate`.

    Attributes
    ----------
    design
        What was simulated.
    population
        What the patients were drawn from.
    replicates, seed
        How often, and the seed.
    scenarios
        One per effect, the null first.
    table
        Per replicate and effect: stage, rejected, estimate, se, n, completers, information.
    """

    design: TrialDesign
    population: dict[str, Any]
    replicates: int
    seed: int
    scenarios: tuple[Scenario, ...]
    table: Arrays

    def __repr__(self) -> str:
        told = "; ".join(
            f"effect {s.effect:g}: rejected {s.rejection.value:.3f} (SE {s.rejection.se:.3f}), "
            f"expected n {s.expected_n.value:.0f}"
            for s in self.scenarios
        )
        return f"OperatingCharacteristics({self.design.name}, {self.replicates} replicates; {told})"

    def scenario(self, effect: float) -> Scenario:
        """Return the scenario of an effect; InputError if it was not simulated."""
        for scenario in self.scenarios:
            if scenario.effect == effect:
                return scenario
        known = ", ".join(str(s.effect) for s in self.scenarios)
        raise InputError(f"effect: {effect} was not simulated; simulated were {known}")

    @property
    def power(self) -> Measured:
        """Probability of rejecting under the design's assumed effect."""
        return self.scenario(self.design.effect).rejection

    @property
    def type_one_error(self) -> Measured:
        """Probability of rejecting under no effect."""
        return self.scenario(0.0).rejection

    @property
    def limits(self) -> list[str]:
        """What the Monte Carlo errors leave out, in words."""
        said = ["dropout and outcomes after it are assumed, not observed"]
        if self.population.get("kind") == "twins":
            behind = self.population["origin"].get("n_train", "the real")
            said.append(
                f"Monte Carlo errors leave out the uncertainty of the {self.population['rows']} "
                f"twins and of {behind} patients behind them"
            )
        if len(self.design.sizes) > 1:
            said.append(
                "a look counts patients whose visit is due: patients randomised while it is "
                "awaited are not simulated and come on top of the expected number"
            )
        return said

    def digest(self) -> str:
        """SHA-256 of all replicates; the same for any backend, chunk size and workers."""
        return digest(self.table)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the replicates themselves, JSON-able."""
        sequential = self.design.sequential
        return {
            "design": self.design.model_dump(mode="json"),
            "estimand": asdict(self.design.estimand),
            "missing_outcomes": "completers; missing at random given the covariates",
            "population": self.population,
            "limits": self.limits,
            "replicates": self.replicates,
            "seed": self.seed,
            "looks": {
                "information_rates": list(sequential.rates),
                "sizes": list(self.design.sizes),
                "critical": list(sequential.critical),
            },
            "scenarios": [asdict(scenario) for scenario in self.scenarios],
            "digest": self.digest(),
        }


def summarise(
    design: TrialDesign, population: dict[str, Any], seed: int, table: Arrays
) -> OperatingCharacteristics:
    """Sum up the replicates of every effect."""
    scenarios = tuple(
        _scenario(effect, {name: values[:, place] for name, values in table.items()}, design)
        for place, effect in enumerate(design.effects)
    )
    replicates = len(table["rejected"])
    return OperatingCharacteristics(design, population, replicates, seed, scenarios, table)


def _scenario(effect: float, table: Arrays, design: TrialDesign) -> Scenario:
    rejected, stage = table["rejected"], table["stage"]
    has_estimate = np.isfinite(table["estimate"])
    full = table["full_information"]
    informed = full > 0
    return Scenario(
        effect=effect,
        rejection=_share(rejected),
        expected_n=_mean(table["n"].astype(np.float64)),
        expected_information=_mean(table["information"][informed] / full[informed]),
        stopping=tuple(_share(rejected & (stage == k)) for k in range(len(design.sizes))),
        bias=_mean(table["estimate"][has_estimate] - effect),
        no_estimate=float(1 - has_estimate.mean()),
    )


def _share(hits: np.ndarray[Any, Any]) -> Measured:
    """Share of hits; none or all of n give the standard error of one hit in n, never 0."""
    share, n = float(hits.mean()), len(hits)
    clear = min(max(share, 1 / n), 1 - 1 / n)
    return Measured(share, sqrt(clear * (1 - clear) / n))


def _mean(values: np.ndarray[Any, Any]) -> Measured:
    if len(values) < 2:
        return Measured(float("nan"), float("nan"))
    return Measured(float(values.mean()), float(values.std(ddof=1)) / sqrt(len(values)))
