"""Boundaries: of several, the ones whose trial of equal power costs least."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Unpack, final

import pandas as pd

from extraction.records.errors import InputError
from simulation.operating_characteristics.batches import Running, batches
from simulation.operating_characteristics.figures import (
    MEANS,
    Values,
    measure,
    paired_difference,
    replicate_values,
    scenario_name,
)
from simulation.operating_characteristics.goals import DEFAULT_EFFORT, Effort, Goal
from simulation.operating_characteristics.search import Found, search_design
from simulation.operating_characteristics.starting import resized
from simulation.operating_characteristics.vary import varied
from simulation.trial.design import TrialDesign


@final
@dataclass(frozen=True)
class Boundaries:
    """Candidates side by side, the least costly first.

    Attributes
    ----------
    frame
        One row for each candidate that meets the goal: its size, the figure at that size and its
        standard error, the paired difference to the first row and that one's standard error, and
        whether all limits were met beyond Monte Carlo error (`limits`: met, open, not met).
    best
        Name of the first candidate none of whose limits is "not met"; None if there is none.
    found
        The search of each candidate, by name.
    """

    frame: pd.DataFrame
    best: str | None
    found: Mapping[str, Found]


def compare_boundaries(
    design: TrialDesign,
    population: Any = None,
    *,
    candidates: Mapping[str, Mapping[str, Any]],
    goal: Goal,
    least: Literal["n", "analysed", "screened", "duration"] = "n",
    over: str = "n",
    limits: Sequence[Goal] = (),
    effort: Effort = DEFAULT_EFFORT,
    seed: int = 0,
    **running: Unpack[Running],
) -> Boundaries:
    """Find each candidate's size for a goal, and compare what they then cost on average.

    Parameters
    ----------
    design, population, goal, over, limits, effort, seed, running
        As in `search_design`.
    candidates
        By name, what each changes by dotted path: `{"pocock": {"rule.boundary": "pocock"}}`.
    least
        Mean that is to be small, under the goal's scenario.

    Returns
    -------
    Boundaries

    Raises
    ------
    InputError
        If there is no candidate, one is refused, or `least` is no mean.
    """
    faults = [] if candidates else ["candidates: none came; give at least one"]
    if least not in MEANS:
        faults.append(f"least: {least!r} is no mean; there are {', '.join(MEANS)}")
    if faults:
        raise InputError(faults)
    truth = scenario_name(design, goal.scenario)
    tried = {name: varied(design, population, changes) for name, changes in candidates.items()}
    found: dict[str, Found] = {}
    costs: dict[str, Values] = {}
    for name, (plan, people) in tried.items():
        whom = design.population if people is None else people
        found[name] = search_design(
            plan, whom, goal=goal, over=over, limits=limits, effort=effort, seed=seed, **running
        )
        value = found[name].value
        if value is not None:
            sized, patients = resized(plan, whom, over, value)
            with batches(sized, patients, seed, running) as held:
                table = held.run(sized, 0, effort.most)
            costs[name] = replicate_values(sized, table, least, truth)
    order = sorted(costs, key=lambda name: float(costs[name].mean()))
    rows = [_row(name, order[0], found[name], costs, over, least) for name in order]
    best = next((row["candidate"] for row in rows if row["limits"] != "not met"), None)
    return Boundaries(pd.DataFrame(rows), best, found)


def _row(
    name: str, first: str, found: Found, costs: Mapping[str, Values], over: str, least: str
) -> dict[str, Any]:
    now, gap = measure(costs[name]), paired_difference(costs[name], costs[first])
    worst = next((v for v in ("not met", "open") if v in found.limits), "met")
    return {
        "candidate": name,
        f"{over} needed": found.value,
        f"mean {least}": now.value,
        "se": now.se,
        "difference": gap.value,
        "difference se": gap.se,
        "limits": worst,
    }
