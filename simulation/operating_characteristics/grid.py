"""Grids: type I error over nuisance parameters, and figures over two assumptions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Unpack, final

import numpy as np
import pandas as pd

from extraction.records.errors import InputError
from simulation.operating_characteristics.batches import Running, batches, number_faults
from simulation.operating_characteristics.figures import (
    check_figure,
    measure,
    replicate_values,
    scenario_name,
)
from simulation.operating_characteristics.vary import cells, varied
from simulation.trial.design import TrialDesign
from simulation.trial.design.scenarios import NO_EFFECT

Progress = Callable[[str, float], None]


@final
@dataclass(frozen=True)
class NullGrid:
    """Type I error (familywise) over a grid of null hypotheses.

    Attributes
    ----------
    frame
        One row for each cell: the parameters, value, se, low and high (exact binomial, jointly at
        the level for all cells by Bonferroni's division).
    maximum
        Largest simulated value; of several noisy figures the largest is too high on average.
    where
        Its parameters.
    low, high
        Interval of the largest true type I error of the cells, at least at the level.
    level
        Joint confidence level.
    """

    frame: pd.DataFrame
    maximum: float
    where: Mapping[str, Any]
    low: float
    high: float
    level: float


def null_grid(
    design: TrialDesign,
    population: Any = None,
    *,
    over: Mapping[str, Sequence[Any]],
    replicates: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
    progress: Progress | None = None,
    **running: Unpack[Running],
) -> NullGrid:
    """Type I error under no effect at every combination of nuisance parameters.

    Parameters
    ----------
    design, population, replicates, seed, running
        As in `simulation.trial.simulate`; all cells share their random numbers.
    over
        Values by dotted path, as in `vary.varied`: control rate, median, dropout, enrolment.
    level
        Joint confidence of the intervals, in (0, 1).
    progress
        Told after each cell.

    Returns
    -------
    NullGrid

    Raises
    ------
    InputError
        If a path leads nowhere or a cell is no possible trial.
    """
    faults = number_faults(replicates=replicates)
    if not 0 < level < 1:
        faults.append(f"level: {level} came; it must lie between 0 and 1")
    if faults:
        raise InputError(faults)
    null = TrialDesign.parse(design.model_dump(mode="json") | {"scenarios": ()})
    grid = cells(over)
    found = _over(
        null, population, grid, "any_rejection", NO_EFFECT, replicates, seed, running, progress
    )
    frame = pd.DataFrame(found)
    hits = np.round(frame["value"].to_numpy() * replicates)
    low, high = exact_interval(hits, replicates, 1 - (1 - level) / len(grid))
    frame["low"], frame["high"] = low, high
    top = int(np.argmax(hits))
    return NullGrid(
        frame, float(frame["value"][top]), grid[top], float(low.max()), float(high.max()), level
    )


def surface(
    design: TrialDesign,
    population: Any = None,
    *,
    over: Mapping[str, Sequence[Any]],
    figure: str = "any_rejection",
    scenario: str | None = None,
    replicates: int = 10_000,
    seed: int = 0,
    progress: Progress | None = None,
    **running: Unpack[Running],
) -> pd.DataFrame:
    """A figure over two parameters.

    Parameters
    ----------
    design, population, replicates, seed, running
        As in `simulation.trial.simulate`; all cells share their random numbers.
    over
        Values of exactly two parameters, by dotted path as in `vary.varied`.
    figure, scenario
        What is measured (`figures.figure_names`), under which truth (None: the first given).
    progress
        Told after each cell.

    Returns
    -------
    DataFrame
        One row for each cell: both parameters, value, se.

    Raises
    ------
    InputError
        If there are not two parameters, a path leads nowhere or a cell is no possible trial.
    """
    faults = number_faults(replicates=replicates)
    if len(over) != 2:
        faults.append(f"over: {len(over)} parameters came; a surface has two")
    if faults:
        raise InputError(faults)
    check_figure(design, figure)
    truth = scenario_name(design, scenario)
    grid = cells(over)
    return pd.DataFrame(
        _over(design, population, grid, figure, truth, replicates, seed, running, progress)
    )


def _over(
    design: TrialDesign,
    population: Any,
    grid: list[dict[str, Any]],
    figure: str,
    scenario: str,
    replicates: int,
    seed: int,
    running: Running,
    progress: Progress | None,
) -> list[dict[str, Any]]:
    """Simulate every cell. All cells are checked before the first is run."""
    trials = [varied(design, population, cell) for cell in grid]
    rows = []
    for cell, (changed, people) in zip(grid, trials, strict=True):
        with batches(changed, people, seed, running) as held:
            table = held.run(changed, 0, replicates)
        now = measure(replicate_values(changed, table, figure, scenario))
        rows.append({**cell, "value": now.value, "se": now.se})
        if progress is not None:
            progress(f"{len(rows)} of {len(grid)} cells", len(rows) / len(grid))
    return rows


def exact_interval(
    hits: np.ndarray[Any, Any], n: int, level: float
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Exact two-sided limits of binomial shares (Clopper and Pearson 1934)."""
    from scipy.stats import beta

    tail = (1 - level) / 2
    low = np.where(hits > 0, beta.ppf(tail, np.maximum(hits, 1), n - hits + 1), 0.0)
    high = np.where(hits < n, beta.ppf(1 - tail, hits + 1, np.maximum(n - hits, 1)), 1.0)
    return low, high
