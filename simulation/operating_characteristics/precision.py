"""Precision: as many replicates as a wanted Monte Carlo standard error needs."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, inf
from typing import Any, Final, Unpack, final

import numpy as np

from extraction.records.errors import InputError
from simulation.operating_characteristics.batches import Running, batches, number_faults
from simulation.operating_characteristics.figures import (
    Values,
    check_figure,
    measure,
    replicate_values,
    scenario_name,
)
from simulation.trial.characteristics import Measured, OperatingCharacteristics
from simulation.trial.design import TrialDesign
from simulation.trial.storage import Recorder

_GROWTH: Final = 4
"""Most times by which a batch multiplies the replicates: early errors are themselves uncertain."""


@final
@dataclass(frozen=True)
class Precise:
    """A simulation that was run until a figure was precise.

    Attributes
    ----------
    result
        The same as one run of all its replicates.
    figure, scenario
        What had to be precise, and under which truth; of all truths, the one with the largest
        standard error.
    measured
        Its value and standard error.
    wanted
        Standard error asked for.
    reached
        Whether it came down to that; otherwise the most replicates allowed did not do.
    totals
        Replicates after each batch.
    """

    result: OperatingCharacteristics
    figure: str
    scenario: str
    measured: Measured
    wanted: float
    reached: bool
    totals: tuple[int, ...]


def simulate_to_precision(
    design: TrialDesign,
    population: Any = None,
    *,
    wanted: float,
    figure: str = "any_rejection",
    scenario: str | None = None,
    first: int = 1000,
    most: int = 1_000_000,
    seed: int = 0,
    progress: Callable[[str, float], None] | None = None,
    **running: Unpack[Running],
) -> Precise:
    """Simulate a design until a figure's Monte Carlo standard error is at most the wanted one.

    Batches end on the grid of chunks; the result is that of one `simulate` with the total number
    of replicates, byte for byte. Stopping by the standard error, not the figure, biases the figure
    by no more than the order of 1 / replicates.

    Parameters
    ----------
    design, population, seed, running
        As in `simulation.trial.simulate`.
    wanted
        Standard error, above 0, in the figure's unit.
    figure
        One of `figures.figure_names`: any_rejection, n, duration, "rejection A: y", ...
    scenario
        Under which truth; None: under every scenario, no effect too.
    first, most
        Replicates of the first batch (rounded up to whole chunks), and of all.
    progress
        Told after each batch how many replicates there are and the share of those needed.

    Returns
    -------
    Precise

    Raises
    ------
    InputError
        If an argument is wrong or the population lacks what the design asks for.
    """
    faults = number_faults(first=first, most=most)
    if not 0 < wanted < inf:
        faults.append(f"wanted: {wanted} came; a standard error must be above 0")
    if faults:
        raise InputError(faults)
    check_figure(design, figure)
    every = [truth.name for truth in design.truths]
    names = every if scenario is None else [scenario_name(design, scenario)]
    with batches(design, population, seed, running) as held:
        facts = held.about
        with Recorder(design, facts, seed) as recorder:
            # Of the one figure: 8 bytes a replicate and truth at most.
            values: dict[str, list[Values]] = {name: [] for name in names}
            worst = names[0]
            totals: list[int] = []
            now = Measured(inf, inf)
            while not totals or (now.se > wanted and totals[-1] < most):
                begin = recorder.rows
                totals.append(_next(totals, now, wanted, first, most, held.chunk))
                for part in held.parts(design, begin, totals[-1]):
                    recorder.add(part)
                    for name, column in values.items():
                        column.append(replicate_values(design, part, figure, name))
                worst, now = _worst(values, figure)
            if progress is not None:
                share = 1.0 if totals[-1] >= most else min(1.0, (wanted / now.se) ** 2)
                progress(f"{totals[-1]:,} replicates, standard error {now.se:.2g}", share)
            result = recorder.finish()
    done = now.se <= wanted
    return Precise(result, figure, worst, now, wanted, done, tuple(totals))


def _worst(values: dict[str, list[Values]], figure: str) -> tuple[str, Measured]:
    """The truth under which a figure's standard error is largest."""
    found = {name: measure(np.concatenate(parts)) for name, parts in values.items()}
    if not all(now.se >= 0 for now in found.values()):
        raise InputError(f"figure: {figure!r} has no value in these replicates")
    name = max(found, key=lambda held: found[held].se)
    return name, found[name]


def _next(
    totals: list[int], now: Measured, wanted: float, first: int, most: int, chunk: int
) -> int:
    """Replicates to have next: what the present error says, on the grid, within limits."""
    needed = first
    if totals:
        needed = min(ceil(totals[-1] * (now.se / wanted) ** 2), _GROWTH * totals[-1])
        needed = max(needed, totals[-1] + 1)
    return min(ceil(needed / chunk) * chunk, most)
