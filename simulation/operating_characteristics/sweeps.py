"""Sweep: designs by assumptions, in one pool of workers, as one table."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, Unpack, final

import pandas as pd
from pydantic import Field

from extraction.records.errors import InputError
from extraction.records.exports import csv_text
from extraction.records.files import write_atomically
from simulation.execution.results import digest
from simulation.operating_characteristics.batches import Running
from simulation.operating_characteristics.vary import cells, varied
from simulation.trial.characteristics import OperatingCharacteristics
from simulation.trial.conduct import as_population
from simulation.trial.design import TrialDesign
from simulation.trial.plan import Filed, Name
from simulation.trial.storage import ReplicateFile
from simulation.trial.sweep import simulate_many

SUMMARY: Final = "summary.csv"
FIGURES: Final = {
    **{name: name for name in ("any_rejection", "all_rejections")},
    **{name: f"mean_{name}" for name in ("n", "analysed", "screened", "duration")},
}
"""Columns by figure; `n` alone would be the parameter of that name."""
_HEAD: Final = b"trial,design,"


@final
class SweepPlan(Filed):
    """What is swept over, as YAML gives it.

    Raises
    ------
    InputError
        With every fault.
    """

    EXAMPLE: ClassVar[str] = "examples/sweep.yaml"

    designs: tuple[Name, ...] = Field(min_length=1, description="YAML files, from this one's place")
    over: dict[str, tuple[Any, ...]] = Field(
        default_factory=dict, description="values by dotted path, as in `vary.varied`"
    )
    population: Name | None = Field(
        default=None, description="model, run or cohort in place of the designs' own"
    )
    replicates: int = Field(default=10_000, ge=1)
    seed: int = Field(default=0, ge=0, lt=2**31)


@final
@dataclass(frozen=True)
class Sweep:
    """Result of `sweep`.

    Attributes
    ----------
    frame
        One row for each trial and scenario: trial, design, the parameters by path, scenario;
        any_rejection, all_rejections, mean_n, mean_analysed, mean_screened and mean_duration, each
        with its `_se`; and the digest of the trial's replicates.
    replicates, seed
        Of each trial.
    """

    frame: pd.DataFrame
    replicates: int
    seed: int

    def digest(self) -> str:
        """SHA-256 of the table; the same for any backend, chunk size, workers and resume."""
        return digest(self.frame)


def sweep(
    designs: Mapping[str, TrialDesign],
    population: Any = None,
    *,
    over: Mapping[str, Sequence[Any]] | None = None,
    replicates: int = 10_000,
    seed: int = 0,
    folder: str | Path | None = None,
    progress: Callable[[str, float], None] | None = None,
    **running: Unpack[Running],
) -> Sweep:
    """Simulate every design at every combination of parameters, in one pool of workers.

    All trials share their random numbers, so that differences between them are paired.

    Parameters
    ----------
    designs
        By name.
    population, replicates, seed, running
        As in `simulation.trial.simulate`; one population for all designs, or one for each by name.
    over
        Values by dotted path, as in `vary.varied`; None: each design as it is.
    folder
        Where each trial keeps its replicates (`replicates.parquet`) and where `summary.csv` comes
        to lie. The same call goes on after any end; with designs or values added it does only
        those.
    progress
        Called as progress(what, fraction).

    Returns
    -------
    Sweep

    Raises
    ------
    InputError
        If a path leads nowhere or a trial is impossible: all faults of all trials, before any is
        run.
    """
    grid = cells(over) if over else [{}]
    places, trials, faults = _trials(designs, population, grid, seed)
    faults += _in_the_way(folder)
    if faults:
        raise InputError(faults)
    rows: list[dict[str, Any]] = []
    homes: list[str] = []
    for name, found in simulate_many(
        trials, replicates, seed, folder=folder, progress=progress, **running
    ):
        rows += _rows(name, *places[name], found)
        if isinstance(found.held, ReplicateFile):
            homes += [found.held.path.parent.name] * len(found.scenarios)
    frame = pd.DataFrame(rows)
    if folder is not None:
        text = csv_text(frame.assign(folder=homes))
        write_atomically(Path(folder) / SUMMARY, text.encode())
    return Sweep(frame, replicates, seed)


def _in_the_way(folder: str | Path | None) -> list[str]:
    """Say whether the summary would replace a file that no sweep has written."""
    held = None if folder is None else Path(folder) / SUMMARY
    if held is None or not held.exists():
        return []
    with held.open("rb") as file:
        ours = file.read(len(_HEAD)) == _HEAD
    return [] if ours else [f"{SUMMARY}: no sweep has written the one in {held.parent.name!r}; "
                            "choose another folder"]  # fmt: skip


def _trials(
    designs: Mapping[str, TrialDesign], population: Any, grid: list[dict[str, Any]], seed: int
) -> tuple[dict[str, tuple[str, dict[str, Any]]], dict[str, tuple[TrialDesign, Any]], list[str]]:
    """Vary every design; its place in the sweep, the trial, and what is wrong."""
    places, trials, faults = {}, {}, [] if designs else ["designs: none came; give at least one"]
    for label, design in designs.items():
        try:
            given = population[label] if isinstance(population, Mapping) else population
            people = as_population(design, given, seed)  # once: twins are drawn here
        except InputError as error:
            faults += [f"{label}: {fault}" for fault in error.faults]
            continue
        for cell in grid:
            told = [f"{path}={_plain(value)}" for path, value in cell.items()]
            name = ", ".join(told if cell and len(designs) == 1 else [label, *told])
            try:
                trials[name] = varied(design, people, cell)
            except InputError as error:
                faults += [f"{name}: {fault}" for fault in error.faults]
            places[name] = (label, cell)
    return places, trials, faults


def _rows(
    name: str, label: str, cell: Mapping[str, Any], found: OperatingCharacteristics
) -> list[dict[str, Any]]:
    rows = []
    for scenario in found.scenarios:
        row = {"trial": name, "design": label, **{p: _plain(v) for p, v in cell.items()}}
        row["scenario"] = scenario.name
        for figure, column in FIGURES.items():
            measured = getattr(scenario, figure)
            row |= {column: measured.value, f"{column}_se": measured.se}
        rows.append(row | {"digest": found.digest()})
    return rows


def _plain(value: Any) -> Any:
    """A number or text as it is; anything else as JSON, so that a table can hold it."""
    return value if isinstance(value, int | float | str) else json.dumps(value, sort_keys=True)
