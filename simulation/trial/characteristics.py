"""Operating characteristics: what a design does over many replicates, with Monte Carlo errors."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any, final

import numpy as np
from scipy.stats import norm

from extraction.records.errors import InputError, nearest
from simulation.execution.results import digest
from simulation.trial.design import NO_EFFECT, Scenario, TrialDesign
from simulation.trial.rules.base import EFFICACY, FUTILITY

Arrays = dict[str, np.ndarray[Any, Any]]
_WIDTH = float(norm.ppf(0.975))


@final
@dataclass(frozen=True)
class Measured:
    """A simulated figure and its Monte Carlo standard error."""

    value: float
    se: float


@final
@dataclass(frozen=True)
class Tested:
    """What becomes of one hypothesis in one scenario.

    Attributes
    ----------
    rejection
        Probability that it is rejected.
    truth
        True effect on the estimate's scale where the scenario gives one figure for all patients;
        None otherwise (effects of subgroups, or that change with time).
    bias, rmse
        Of the estimate at the stop against the truth; stopping early biases it by design.
    coverage
        Share of naive 95 % intervals at the stop that hold the truth.
    mean
        Mean of the estimates at the stop.
    no_estimate
        Share of replicates without one.
    """

    name: str
    rejection: Measured
    truth: float | None
    mean: Measured
    bias: Measured | None
    rmse: Measured | None
    coverage: Measured | None
    no_estimate: float


@final
@dataclass(frozen=True)
class ScenarioResult:
    """What the design does under one truth.

    Attributes
    ----------
    any_rejection, all_rejections
        Probability of rejecting at least one hypothesis, and all: under no effect the first is
        the familywise type I error.
    efficacy, futility
        Probability of stopping for each at each look.
    n, analysed, screened, duration
        Means at the stop: patients randomised, in the analysis, candidates screened, and time.
    """

    name: str
    hypotheses: tuple[Tested, ...]
    any_rejection: Measured
    all_rejections: Measured
    efficacy: tuple[Measured, ...]
    futility: tuple[Measured, ...]
    n: Measured
    analysed: Measured
    screened: Measured
    duration: Measured


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
        One per truth, no effect first.
    table
        Per replicate and scenario, as `simulation.trial.replicate` returns it.
    """

    design: TrialDesign
    population: Mapping[str, Any]
    replicates: int
    seed: int
    scenarios: tuple[ScenarioResult, ...]
    table: Arrays

    def __repr__(self) -> str:
        told = "; ".join(
            f"{s.name}: rejected {s.any_rejection.value:.3f} (SE {s.any_rejection.se:.3f}), "
            f"expected n {s.n.value:.0f}"
            for s in self.scenarios
        )
        return f"OperatingCharacteristics({self.design.name}, {self.replicates} replicates; {told})"

    def scenario(self, name: str) -> ScenarioResult:
        """Return a scenario by name; InputError if it was not simulated."""
        for scenario in self.scenarios:
            if scenario.name == name:
                return scenario
        known = [s.name for s in self.scenarios]
        raise InputError(
            f"scenario: {name!r} was not simulated; simulated were {', '.join(known)}"
            f"{nearest(name, known)}"
        )

    @property
    def type_one_error(self) -> Measured:
        """Probability of rejecting at least one hypothesis under no effect."""
        return self.scenario(NO_EFFECT).any_rejection

    @property
    def power(self) -> Measured:
        """Probability of rejecting at least one hypothesis under the first scenario given."""
        return self.scenarios[min(1, len(self.scenarios) - 1)].any_rejection

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
        if self.design.enrolment.at_once and self.design.rule.looks.count > 1:
            said.append(
                "all patients are there at once: those randomised while outcomes of a look are "
                "awaited are not simulated and come on top of the expected number"
            )
        return said

    def digest(self) -> str:
        """SHA-256 of all replicates; the same for any backend, chunk size and workers."""
        return digest(self.table)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the replicates themselves, JSON-able."""
        design = self.design
        return {
            "design": design.model_dump(mode="json"),
            "estimands": [asdict(design.estimand(tested)) for tested in design.tested],
            "population": dict(self.population),
            "limits": self.limits,
            "replicates": self.replicates,
            "seed": self.seed,
            "looks": {
                "information_rates": list(design.rule.looks.rates),
                "sizes": list(design.sizes) if design.rule.looks.by == "patients" else None,
                "critical": list(design.rule.critical(design.rule.alpha)),
            },
            "scenarios": [asdict(scenario) for scenario in self.scenarios],
            "digest": self.digest(),
        }


def summarise(
    design: TrialDesign, population: Mapping[str, Any], seed: int, table: Arrays
) -> OperatingCharacteristics:
    """Sum up the replicates of every scenario."""
    scenarios = tuple(
        _scenario(design, truth, {name: values[:, place] for name, values in table.items()})
        for place, truth in enumerate(design.truths)
    )
    return OperatingCharacteristics(design, population, len(table["stage"]), seed, scenarios, table)


def _scenario(design: TrialDesign, truth: Scenario, table: Arrays) -> ScenarioResult:
    rejected, stage, reason = table["rejected"], table["stage"], table["reason"]
    looks = range(design.rule.looks.count)
    return ScenarioResult(
        name=truth.name,
        hypotheses=tuple(
            _tested(design, truth, h, {k: table[k][:, h] for k in ("rejected", "estimate", "se")})
            for h in range(rejected.shape[1])
        ),
        any_rejection=share(np.asarray(rejected.any(axis=1))),
        all_rejections=share(np.asarray(rejected.all(axis=1))),
        efficacy=tuple(share((reason == EFFICACY) & (stage == k)) for k in looks),
        futility=tuple(share((reason == FUTILITY) & (stage == k)) for k in looks),
        **{name: mean(table[name]) for name in ("n", "analysed", "screened", "duration")},
    )


def _tested(design: TrialDesign, truth: Scenario, number: int, table: Arrays) -> Tested:
    tested = design.tested[number]
    estimate, se = table["estimate"], table["se"]
    there = np.isfinite(estimate)
    known = true_effect(design, truth, number)
    found: dict[str, Any] = {"bias": None, "rmse": None, "coverage": None}
    if known is not None and there.sum() > 1:
        error = estimate[there] - known
        squared = mean(error**2)
        root = sqrt(squared.value)
        found = {
            "bias": mean(error),
            "rmse": Measured(root, squared.se / (2 * root) if root else 0.0),
            "coverage": share(np.abs(error) <= _WIDTH * se[there]),
        }
    return Tested(
        name=tested.name,
        rejection=share(table["rejected"]),
        truth=known,
        mean=mean(estimate[there]),
        no_estimate=float(1 - there.mean()),
        **found,
    )


def true_effect(design: TrialDesign, truth: Scenario, number: int) -> float | None:
    """Effect of a scenario on the estimate's scale, where one figure says it.

    A conditional ratio differs from a marginal one where covariates matter; the figure is the
    one that the scenario states.
    """
    tested = design.tested[number]
    arm = design.arms[tested.arm].name
    effects = [e for e in truth.effects if (e.arm, e.endpoint) == (arm, tested.endpoint.name)]
    if not effects:
        return 0.0
    size = getattr(effects[-1], effects[-1].field)
    if effects[-1].where is not None:
        return None
    if isinstance(size, tuple):
        return float(size[-1]) if effects[-1].field == "shift" else None
    if effects[-1].field == "shift":
        return float(size)
    return float(np.log(size)) if tested.analysis.ratio else None


def share(hits: np.ndarray[Any, Any]) -> Measured:
    """Share of hits; none or all of n give the standard error of one hit in n, never 0."""
    value, n = float(hits.mean()), len(hits)
    clear = min(max(value, 1 / n), 1 - 1 / n)
    return Measured(value, sqrt(clear * (1 - clear) / n))


def mean(values: np.ndarray[Any, Any]) -> Measured:
    """Mean of finite values and its standard error."""
    held = values[np.isfinite(values)]
    if len(held) < 2:
        return Measured(float("nan"), float("nan"))
    return Measured(float(held.mean()), float(held.std(ddof=1)) / sqrt(len(held)))
