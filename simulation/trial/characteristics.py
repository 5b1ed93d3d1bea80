"""Operating characteristics: what a design does over many replicates, with Monte Carlo errors."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol, final

import numpy as np

from extraction.records.errors import InputError, nearest
from simulation.trial.cautions import cautions
from simulation.trial.design import NO_EFFECT, Scenario, TrialDesign
from simulation.trial.design.external import external_limits
from simulation.trial.intercurrent import truth_of, unequal_nulls
from simulation.trial.moments import Measured, mean, share
from simulation.trial.results import Accuracy, Borrowed, Chosen, ScenarioResult, Tested
from simulation.trial.rules.group_sequential import Fixed, GroupSequentialRule

__all__ = [
    "Accuracy",
    "Arrays",
    "Borrowed",
    "Chosen",
    "Measured",
    "OperatingCharacteristics",
    "Replicates",
    "ScenarioResult",
    "Tested",
    "mean",
    "share",
    "true_effect",
]

Arrays = dict[str, np.ndarray[Any, Any]]


class Replicates(Protocol):
    """Where the replicates are."""

    def read(self, *names: str) -> Arrays:
        """Return arrays of all replicates: those named, or the whole table."""


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
    sha256
        Digest of all replicates.
    held
        Where the replicates are: on disk beyond some thousands, so that memory does not grow
        with them.
    """

    design: TrialDesign
    population: Mapping[str, Any]
    replicates: int
    seed: int
    scenarios: tuple[ScenarioResult, ...]
    sha256: str
    held: Replicates

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
    def table(self) -> Arrays:
        """Per replicate and scenario, as `simulation.trial.replicate` returns it.

        All of it is read into memory each time; `held.read("n", "duration")` reads some arrays.
        """
        return self.held.read()

    @property
    def familywise_error(self) -> Measured:
        """Probability of rejecting at least one hypothesis under no effect.

        Scenarios in which some hypotheses are true have their own, `ScenarioResult`'s.
        """
        return self.scenario(NO_EFFECT).any_rejection

    @property
    def type_one_errors(self) -> dict[str, Measured]:
        """Type I error of each hypothesis by name: its rejection under no effect."""
        return {tested.name: tested.rejection for tested in self.scenario(NO_EFFECT).hypotheses}

    @property
    def type_one_error(self) -> Measured:
        """Type I error of the only hypothesis: its rejection under no effect.

        Raises
        ------
        InputError
            If several are tested: each has its own, and together they have a familywise error.
        """
        errors = list(self.type_one_errors.values())
        if len(errors) > 1:
            raise InputError(
                f"type_one_error: {len(errors)} hypotheses are tested; take type_one_errors, of "
                "each, or familywise_error, of all together"
            )
        return errors[0]

    @property
    def power(self) -> Measured:
        """Probability of rejecting at least one hypothesis under the first scenario given."""
        return self.scenarios[min(1, len(self.scenarios) - 1)].any_rejection

    @property
    def limits(self) -> list[str]:
        """What the Monte Carlo errors leave out, in words."""
        said = ["dropout and outcomes after it are assumed, not observed"]
        kind = self.population.get("kind")
        if kind == "fresh_twins":
            behind = self.population["origin"].get("n_train", "the real")
            said.append(
                "patients are drawn anew from the model: Monte Carlo errors leave out the "
                f"uncertainty of the model and of {behind} patients behind it"
            )
        if kind == "twins":
            behind = self.population["origin"].get("n_train", "the real")
            said.append(
                f"Monte Carlo errors leave out the uncertainty of the {self.population['rows']} "
                f"twins and of {behind} patients behind them; more replicates do not lessen the "
                "twins' own error, more twins do, and patients drawn anew have none"
            )
        if self.design.enrolment.at_once and self.design.rule.looks.count > 1:
            said.append(
                "all patients are there at once: those randomised while outcomes of a look are "
                "awaited are not simulated and come on top of the expected number"
            )
        said += external_limits(self.design) + self._short() + self._full_shares()
        return said + unequal_nulls(self.design) + cautions(self.design, self.population)

    def _full_shares(self) -> list[str]:
        """Say where hypotheses together have more than alpha, so that one false rejection may."""
        rule, held = self.design.rule, sum(tested.share for tested in self.design.tested)
        weighed = isinstance(rule, GroupSequentialRule) and rule.graph is not None
        if not isinstance(rule, Fixed | GroupSequentialRule) or weighed or held <= 1 + 1e-9:
            return []
        return [
            f"the {len(self.design.tested)} hypotheses have {held:g} times alpha together: "
            "rejecting at least one of them is not held to alpha; only rejecting all (co-primary "
            "endpoints) is; give shares or a graph to control the familywise error"
        ]

    def _short(self) -> list[str]:
        """Say in which scenarios looks come without the patients or events that are planned."""
        told = {
            "patients": "recruitment ended short of the patients planned ({n:.0f} in the mean of "
            "all); looks took those who came",
            "events": "a look came without the events that it waits for, at the latest time or "
            "since nobody was left to have one; it took those that had come",
            "time": f"the last look came before all {self.design.n} patients were randomised "
            "({n:.0f} in the mean of all); it took those who had come",
        }[self.design.rule.looks.by]
        return [
            f"{s.name}: in {s.short.value:.1%} of replicates {told.format(n=s.n.value)}"
            for s in self.scenarios
            if s.short.value > 0
        ]

    def digest(self) -> str:
        """SHA-256 of all replicates; the same for any backend, chunk size and workers."""
        return self.sha256

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


def true_effect(design: TrialDesign, truth: Scenario, number: int) -> float | None:
    """Effect of a scenario on the estimate's scale, where one figure says it.

    A conditional ratio differs from a marginal one where covariates matter; the figure is the
    one that the scenario states, and what stopping of treatment leaves of it.
    """
    stated = _stated(design, truth, number)
    return None if stated is None else truth_of(design, truth, design.tested[number], stated)


def _stated(design: TrialDesign, truth: Scenario, number: int) -> float | None:
    """Effect of a scenario on who takes the treatment, where one figure says it."""
    tested = design.tested[number]
    if tested.analysis.competing:
        # Effects are on hazards of causes; incidence follows from all of them together.
        return 0.0 if truth.null else None
    arm = design.arms[tested.arm].name
    effects = [e for e in truth.effects if (e.arm, e.endpoint) == (arm, tested.endpoint.name)]
    if not effects:
        return 0.0
    size = getattr(effects[-1], effects[-1].field)
    own = None if tested.subgroup is None else tested.subgroup.where
    if effects[-1].where not in (None, own):
        return None
    if isinstance(size, tuple):
        return float(size[-1]) if effects[-1].field == "shift" else None
    if effects[-1].field == "shift":
        return float(size)
    if size == 1:
        return 0.0
    return float(np.log(size)) if tested.analysis.stated else None
