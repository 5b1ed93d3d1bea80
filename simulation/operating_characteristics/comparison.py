"""Compare designs on the same patients: paired differences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Unpack, final

import numpy as np
import pandas as pd

from extraction.records.errors import InputError
from simulation.operating_characteristics.batches import Running, number_faults, together
from simulation.operating_characteristics.figures import (
    check_figure,
    measure,
    paired_difference,
    replicate_values,
)
from simulation.trial.characteristics import Arrays
from simulation.trial.design import TrialDesign

FIGURES = ("any_rejection", "n", "duration")


@final
@dataclass(frozen=True)
class Comparison:
    """Designs side by side.

    Attributes
    ----------
    against
        The design that differences are taken against.
    replicates, seed
        As simulated.
    frame
        One row for each design, scenario and figure: value, se; difference and difference_se
        (paired, within replicates), and unpaired_se, what the difference's error would be with
        patients of their own for each design.
    """

    against: str
    replicates: int
    seed: int
    frame: pd.DataFrame


def compare(
    designs: Mapping[str, TrialDesign],
    population: Any = None,
    replicates: int = 10_000,
    seed: int = 0,
    figures: Sequence[str] = FIGURES,
    **running: Unpack[Running],
) -> Comparison:
    """Simulate designs on common random numbers and compare each with the first.

    Parameters
    ----------
    designs
        By name, at least two; the scenarios that all of them have (by name) are compared.
    population, replicates, seed, running
        As in `simulation.trial.simulate`.
    figures
        Of `figures.figure_names`, known to every design.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        If fewer than two designs came, or one of them does not fit the population.
    """
    faults = number_faults(replicates=replicates)
    if len(designs) < 2:
        faults.append(f"designs: {len(designs)} came; two are needed to compare")
    if faults:
        raise InputError(faults)
    for design in designs.values():
        for figure in figures:
            check_figure(design, figure)
    trials = [(design, population) for design in designs.values()]
    found = together(trials, replicates, seed, running)
    tables: dict[str, Arrays] = dict(zip(designs, found, strict=True))
    first, *others = designs.values()
    shared = [
        truth.name
        for truth in first.truths
        if all(truth.name in [t.name for t in other.truths] for other in others)
    ]
    rows = [
        _row(designs, tables, name, scenario, figure)
        for scenario in shared
        for figure in figures
        for name in designs
    ]
    return Comparison(next(iter(designs)), replicates, seed, pd.DataFrame(rows))


def _row(
    designs: Mapping[str, TrialDesign],
    tables: Mapping[str, Arrays],
    name: str,
    scenario: str,
    figure: str,
) -> dict[str, Any]:
    base = next(iter(designs))
    here, there = (
        replicate_values(designs[which], tables[which], figure, scenario) for which in (name, base)
    )
    own, other, gap = measure(here), measure(there), paired_difference(here, there)
    return {
        "design": name,
        "scenario": scenario,
        "figure": figure,
        "value": own.value,
        "se": own.se,
        "difference": gap.value,
        "difference_se": gap.se,
        "unpaired_se": 0.0 if name == base else float(np.hypot(own.se, other.se)),
    }
