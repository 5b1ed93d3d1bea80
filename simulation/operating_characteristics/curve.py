"""Figures over the size of the effect: one run, every size on the same patients."""

from collections.abc import Sequence
from typing import Any, Final, Unpack

import numpy as np
import pandas as pd

from extraction.records.errors import InputError
from simulation.operating_characteristics.batches import (
    Progress,
    Running,
    number_faults,
    together,
)
from simulation.operating_characteristics.figures import (
    asked_figure,
    measured,
    scenario_name,
    truth_named,
)
from simulation.trial.design import TrialDesign

FACTORS: Final = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
"""Sizes of the effect, as multiples of the scenario's."""


def power_curve(
    design: TrialDesign,
    population: Any = None,
    *,
    factors: Sequence[float] = FACTORS,
    figures: Sequence[str] = (),
    scenario: str | None = None,
    replicates: int = 10_000,
    seed: int = 0,
    progress: Progress | None = None,
    **running: Unpack[Running],
) -> pd.DataFrame:
    """Power, expected patients and duration at multiples of a scenario's effects.

    Shifts are multiplied; ratios are multiplied on the log scale. No effect is always there.

    Parameters
    ----------
    design, population, replicates, seed, running
        As in `simulation.trial.simulate`.
    factors
        Multiples, above 0.
    figures
        What else is measured, by `figures.asked_figure`.
    scenario
        Whose effects are scaled; None: the first given.
    progress
        Told after each chunk.

    Returns
    -------
    DataFrame
        One row for each size, rising: factor, size (the effect where the scenario has a single
        one with one figure, else missing), power, n, duration and the further figures, each with
        its `_se`.

    Raises
    ------
    InputError
        If the scenario has no effect to scale, a factor is not above 0, or the design has no such
        figure under it.
    """
    truth = truth_named(design, scenario_name(design, scenario))
    faults = number_faults(replicates=replicates)
    if truth.null:
        faults.append(f"scenario: {truth.name!r} has no effect to scale; name one that has")
    if not all(0 < factor < np.inf for factor in factors) or not factors:
        faults.append("factors: give one or more numbers above 0")
    if "type_one_error" in figures:
        faults.append("figures: type_one_error has no size of the effect; take a surface for it")
    if faults:
        raise InputError(faults)
    asked = {figure: asked_figure(design, figure, truth.name).figure for figure in figures}
    columns = {"power": "any_rejection", "n": "n", "duration": "duration"} | asked
    effects = truth.model_dump(mode="json")
    sizes = sorted(set(factors))
    scaled = [
        effects | {"name": f"{size:g}", "effects": [_scaled(e, size) for e in effects["effects"]]}
        for size in sizes
    ]
    null = effects | {"name": "0", "effects": []}
    plan = TrialDesign.parse(
        design.model_dump(mode="json", exclude={"population"}) | {"scenarios": [null, *scaled]}
    )
    people = population if population is not None else design.population
    (table,) = together([(plan, people)], replicates, seed, running, progress)
    rows = []
    for factor in (0.0, *sizes):
        row: dict[str, Any] = {"factor": factor, "size": _single(truth.effects, factor)}
        for name, figure in columns.items():
            now = measured(plan, table, figure, f"{factor:g}")
            row |= {name: now.value, f"{name}_se": now.se}
        rows.append(row)
    return pd.DataFrame(rows)


def _scaled(effect: dict[str, Any], factor: float) -> dict[str, Any]:
    """An effect, as configuration, at a multiple of its size."""
    name = next(
        n for n in ("shift", "odds_ratio", "rate_ratio", "hazard_ratio") if effect[n] is not None
    )
    size = effect[name]
    if name == "shift":
        shifts = [v * factor for v in size] if isinstance(size, list | tuple) else size * factor
        return effect | {name: shifts}
    if isinstance(size, list | tuple):
        return effect | {name: [step | {"ratio": step["ratio"] ** factor} for step in size]}
    return effect | {name: size**factor}


def _single(effects: Sequence[Any], factor: float) -> float:
    """Size of a lone effect given by one figure; NaN otherwise."""
    if len(effects) != 1:
        return float("nan")
    size = getattr(effects[0], effects[0].field)
    if isinstance(size, tuple):
        return float("nan")
    return float(size * factor if effects[0].field == "shift" else size**factor)
