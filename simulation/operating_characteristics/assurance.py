"""Assurance: probability of success when the effect itself is uncertain."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Unpack, final

import numpy as np
import pandas as pd

from extraction.records.errors import InputError
from generation.randomness import Stream, decision_id
from simulation.operating_characteristics.batches import (
    Running,
    batches,
    mapped,
    number_faults,
)
from simulation.operating_characteristics.figures import scenario_name
from simulation.trial.characteristics import Arrays, Measured, mean
from simulation.trial.design import TrialDesign
from simulation.trial.outcomes.effects import FIELDS
from simulation.trial.plan import Finite, Name, NotNegative, Stated
from simulation.trial.replicate import replicate

FUNCTION: Final = "simulation.operating_characteristics.assurance:trials_of_draws"
STREAM: Final = "simulation.operating_characteristics.assurance"


@final
class EffectPrior(Stated):
    """What is believed of an arm's effect: normal on the effect's scale.

    The scale is the shift itself for continuous outcomes and the log ratio for all others.
    """

    arm: Name
    endpoint: Name
    mean: Finite
    sd: NotNegative

    @classmethod
    def _where(cls) -> str:
        return "prior"

    def draw(self, seed: int, numbers: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Effects of draws by number; priors of different arms or endpoints are independent."""
        key = decision_id(f"{self.arm}\x1f{self.endpoint}")
        return self.mean + self.sd * Stream(seed, STREAM).normal(numbers, decision=key)


@final
@dataclass(frozen=True)
class Assurance:
    """Success averaged over a prior.

    Attributes
    ----------
    value
        Probability of rejecting at least one hypothesis; its error counts draws of the effect and
        replicates alike.
    draws, replicates
        Effects drawn, and trials of each.
    effects
        One row for each draw: the effect of each prior, and `success`, the share of its trials.
    """

    value: Measured
    draws: int
    replicates: int
    effects: pd.DataFrame

    def by_effect(self, column: str | None = None, groups: int = 5) -> pd.DataFrame:
        """Probability of success in equal groups of draws by the size of an effect.

        Returns
        -------
        DataFrame
            low, high, mean (of the effect), draws, success, se.
        """
        name = column or self.effects.columns[0]
        ordered = self.effects.sort_values(name, kind="stable").reset_index(drop=True)
        rows = []
        for part in np.array_split(np.arange(len(ordered)), min(groups, len(ordered))):
            size, won = (ordered[c].to_numpy()[part] for c in (name, "success"))
            now = mean(won)
            rows.append((size.min(), size.max(), size.mean(), len(part), won.mean(), now.se))
        return pd.DataFrame(rows, columns=["low", "high", "mean", "draws", "success", "se"])


def simulate_assurance(
    design: TrialDesign,
    priors: Sequence[EffectPrior],
    population: Any = None,
    draws: int = 500,
    replicates: int = 20,
    scenario: str | None = None,
    seed: int = 0,
    **running: Unpack[Running],
) -> Assurance:
    """Simulate trials whose effects are drawn from a prior.

    Each drawn effect gets replicates of its own, so that draws are independent and the standard
    error of the mean over draws holds all of the Monte Carlo error. Effects of a scenario that no
    prior names stay as they are.

    Parameters
    ----------
    design, population, seed
        As in `simulation.trial.simulate`.
    priors
        At most one for each arm and endpoint; they take the place of the scenario's effects there.
    draws, replicates
        Effects to draw (at least 2), and trials of each.
    scenario
        Truth that gives dropout, enrolment and the other effects; None: the first given.
    running
        As in `simulate`; a chunk holds chunk_size draws.

    Returns
    -------
    Assurance

    Raises
    ------
    InputError
        If a prior names what the design lacks, or a number is too small.
    """
    faults = number_faults(draws=draws - 1, replicates=replicates)
    faults += _prior_faults(design, priors)
    if faults:
        raise InputError(faults)
    truth = scenario_name(design, scenario)
    plan = design.model_dump(mode="json", exclude={"population"})
    base: dict[str, Any] = next(
        (s for s in plan["scenarios"] if s["name"] == truth), {"effects": []}
    )
    with batches(design, population, seed, running) as held:
        payload = {
            "design": plan,
            "scenario": {**base, "name": "drawn"},
            "priors": [prior.model_dump(mode="json") for prior in priors],
            "population": held.facts,
            "seed": seed,
            "replicates": replicates,
        }
        table = mapped(FUNCTION, payload, draws, held.paths, running)
    frame = pd.DataFrame(dict(table))
    return Assurance(mean(table["success"]), draws, replicates, frame)


def _prior_faults(design: TrialDesign, priors: Sequence[EffectPrior]) -> list[str]:
    named = [(prior.arm, prior.endpoint) for prior in priors]
    treated = [arm.name for arm in design.arms if not arm.control]
    known = [(arm, endpoint.name) for arm in treated for endpoint in design.endpoints]
    faults = [] if priors else ["priors: none came; give at least one"]
    faults += [
        f"priors: {pair} is no treated arm and endpoint" for pair in named if pair not in known
    ]
    if len(set(named)) < len(named):
        faults.append("priors: an arm and endpoint stand twice; give one prior for each")
    return faults


def trials_of_draws(payload: dict[str, Any], start: int, stop: int) -> Arrays:
    """Effects of the draws start to stop - 1, by prior, and the share of their trials that win."""
    priors = [EffectPrior(**values) for values in payload["priors"]]
    numbers = np.arange(start, stop)
    sizes = {f"{p.arm}: {p.endpoint}": p.draw(payload["seed"], numbers) for p in priors}
    won = np.array(
        [
            _share_won(payload, priors, [float(size[k]) for size in sizes.values()], int(number))
            for k, number in enumerate(numbers)
        ]
    )
    return {**sizes, "success": won}


def _share_won(
    payload: dict[str, Any], priors: list[EffectPrior], sizes: list[float], number: int
) -> float:
    """Share of a draw's own replicates that reject something."""
    design, scenario = payload["design"], payload["scenario"]
    taken = {(prior.arm, prior.endpoint) for prior in priors}
    kinds = {endpoint["name"]: endpoint["kind"] for endpoint in design["endpoints"]}
    effects = [e for e in scenario["effects"] if (e["arm"], e["endpoint"]) not in taken]
    for prior, size in zip(priors, sizes, strict=True):
        field = FIELDS[kinds[prior.endpoint]]
        value = size if field == "shift" else float(np.exp(size))
        effects.append({"arm": prior.arm, "endpoint": prior.endpoint, field: value})
    plan = {**design, "scenarios": [{**scenario, "effects": effects}]}
    first, count = number * payload["replicates"], payload["replicates"]
    table = replicate({**payload, "design": plan}, first, first + count)
    return float(table["rejected"][:, 1].any(axis=1).mean())
