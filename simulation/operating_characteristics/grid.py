"""Grids: type I error over nuisance parameters, and figures over two assumptions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Unpack, final

import numpy as np
import pandas as pd

from extraction.records.errors import InputError
from simulation.operating_characteristics.batches import (
    Progress,
    Running,
    number_faults,
    together,
)
from simulation.operating_characteristics.figures import Asked, asked_figure, measured
from simulation.operating_characteristics.vary import cells, variations
from simulation.trial.design import TrialDesign


@final
@dataclass(frozen=True)
class NullGrid:
    """Type I error over a grid of null hypotheses; of several hypotheses the familywise error.

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
        Told after each chunk.

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
    asked = (asked_figure(null, "type_one_error"),)
    (frame,) = _over(null, population, over, asked, replicates, seed, running, progress)
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
    """A figure over two parameters; see `surfaces`."""
    found = surfaces(
        design,
        population,
        over=over,
        figures=(figure,),
        scenario=scenario,
        replicates=replicates,
        seed=seed,
        progress=progress,
        **running,
    )
    return found[figure]


def surfaces(
    design: TrialDesign,
    population: Any = None,
    *,
    over: Mapping[str, Sequence[Any]],
    figures: Sequence[str] = ("power",),
    scenario: str | None = None,
    replicates: int = 10_000,
    seed: int = 0,
    progress: Progress | None = None,
    **running: Unpack[Running],
) -> dict[str, pd.DataFrame]:
    """Figures over two parameters, all of the same replicates.

    Parameters
    ----------
    design, population, replicates, seed, running
        As in `simulation.trial.simulate`; all cells share their random numbers.
    over
        Values of exactly two parameters, by dotted path as in `vary.varied`.
    figures, scenario
        What is measured (`figures.asked_figure`), under which truth (None: the first given).
    progress
        Told after each chunk.

    Returns
    -------
    dict
        By figure, one row for each cell: both parameters, value, se.

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
    asked = [asked_figure(design, figure, scenario) for figure in figures]
    found = _over(design, population, over, asked, replicates, seed, running, progress)
    return dict(zip(figures, found, strict=True))


def _over(
    design: TrialDesign,
    population: Any,
    over: Mapping[str, Sequence[Any]],
    figures: Sequence[Asked],
    replicates: int,
    seed: int,
    running: Running,
    progress: Progress | None,
) -> list[pd.DataFrame]:
    """Simulate every cell in one pool. All cells are checked before the first is run."""
    trials = variations(design, population, over)
    rows: list[list[dict[str, Any]]] = [[] for _ in figures]
    tables = together(trials, replicates, seed, running, progress)
    for cell, (changed, _), table in zip(cells(over), trials, tables, strict=True):
        for asked, held in zip(figures, rows, strict=True):
            now = measured(changed, table, asked.figure, asked.scenario)
            held.append({**cell, "value": now.value, "se": now.se})
    return [pd.DataFrame(held) for held in rows]


def exact_interval(
    hits: np.ndarray[Any, Any], n: int, level: float
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Exact two-sided limits of binomial shares (Clopper and Pearson 1934)."""
    from scipy.stats import beta

    tail = (1 - level) / 2
    low = np.where(hits > 0, beta.ppf(tail, np.maximum(hits, 1), n - hits + 1), 0.0)
    high = np.where(hits < n, beta.ppf(1 - tail, hits + 1, np.maximum(n - hits, 1)), 1.0)
    return low, high
