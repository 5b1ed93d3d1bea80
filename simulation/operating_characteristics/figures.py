"""Figures by name: of each replicate, and over all with a Monte Carlo standard error."""

from typing import Any

import numpy as np

from extraction.records.errors import InputError, nearest
from simulation.trial.characteristics import Arrays, Measured, mean, share
from simulation.trial.design import TrialDesign
from simulation.trial.rules.base import EFFICACY, FUTILITY

Values = np.ndarray[Any, Any]
MEANS = ("n", "analysed", "screened", "duration")
SHARES = ("any_rejection", "all_rejections", "efficacy", "futility")


def figure_names(design: TrialDesign) -> tuple[str, ...]:
    """Names of a design's figures: the trial's, then rejection and estimate of each hypothesis."""
    tested = [f"{what} {t.name}" for t in design.tested for what in ("rejection", "estimate")]
    return (*SHARES, *MEANS, *tested)


def scenario_name(design: TrialDesign, name: str | None) -> str:
    """Name of a scenario; the first one given, or else no effect, where none is named.

    Raises
    ------
    InputError
        If the design has no such scenario.
    """
    names = [truth.name for truth in design.truths]
    if name is None:
        return names[min(1, len(names) - 1)]
    if name not in names:
        raise InputError(
            f"scenario: {name!r} is none of the design's; there are {', '.join(names)}"
            f"{nearest(name, names)}"
        )
    return name


def check_figure(design: TrialDesign, figure: str) -> None:
    """Refuse a figure that the design does not have."""
    known = figure_names(design)
    if figure not in known:
        raise InputError(
            f"figure: {figure!r} is none; there are {', '.join(known)}{nearest(figure, known)}"
        )


def replicate_values(design: TrialDesign, table: Arrays, figure: str, scenario: str) -> Values:
    """A figure in each replicate, (R,): truth values for shares, numbers for means."""
    place = [truth.name for truth in design.truths].index(scenario)
    if figure in MEANS:
        return np.asarray(table[figure][:, place])
    if figure in ("efficacy", "futility"):
        reason = EFFICACY if figure == "efficacy" else FUTILITY
        return np.asarray(table["reason"][:, place] == reason)
    rejected = table["rejected"][:, place]
    if figure == "any_rejection":
        return np.asarray(rejected.any(axis=1))
    if figure == "all_rejections":
        return np.asarray(rejected.all(axis=1))
    what, _, name = figure.partition(" ")
    number = [tested.name for tested in design.tested].index(name)
    held = rejected if what == "rejection" else table["estimate"][:, place]
    return np.asarray(held[:, number])


def measure(values: Values) -> Measured:
    """Share of truth values, or mean of numbers, with its Monte Carlo standard error."""
    return share(values) if values.dtype == bool else mean(values)


def paired_difference(values: Values, against: Values) -> Measured:
    """Mean of the differences within replicates, and its standard error."""
    return mean(values.astype(np.float64) - against.astype(np.float64))
