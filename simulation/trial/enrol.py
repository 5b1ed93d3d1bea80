"""Enrol: candidates arrive, the eligible are randomised in order until the trial is full."""

from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np

from extraction.records import conditions
from extraction.records.errors import InputError
from generation.randomness import Stream, decision_id
from simulation.trial.design import TrialDesign
from simulation.trial.design.enrolment import Enrolment
from simulation.trial.outcomes.base import NEVER, Booleans, Floats, Indices, rows_of
from simulation.trial.population import Baseline, Place, Population

_GAP: Final = decision_id("trial.gap")
_SITE: Final = decision_id("trial.site")
_ENTRY: Final = decision_id("trial.entry")
_MOST: Final = 100
"""Candidates screened for each patient wanted, before a trial counts as not recruiting."""


@final
@dataclass(frozen=True)
class Enrolled:
    """Patients of each replicate in the order of randomisation, (R, N).

    Attributes
    ----------
    place
        Who they are, for keyed draws.
    baseline
        Their baseline.
    entry
        Time of randomisation since the first site opened; infinite where nobody was found.
    site
        Number of the site, or None.
    screened
        Candidates screened until the last patient, (R,).
    """

    place: Place
    baseline: Baseline
    entry: Floats
    site: Indices | None
    screened: Floats

    def rows(self, which: Booleans) -> "Enrolled":
        """The patients of some replicates."""
        return Enrolled(
            self.place.rows(which),
            self.baseline.rows_of(which),
            rows_of(self.entry, which),
            rows_of(self.site, which),
            self.screened[which],
        )


def enrol(
    design: TrialDesign,
    enrolment: Enrolment,
    population: Population,
    stream: Stream,
    replicates: Indices,
    n: int,
) -> Enrolled:
    """Screen candidates until n are eligible, or until recruitment closes.

    Raises
    ------
    InputError
        If in some replicate nobody is randomised; each is judged alone, so that the answer is the
        same for any chunks.
    """
    found = screen(design, enrolment, population, stream, replicates, n)
    empty = ~np.isfinite(found.entry).any(axis=1)
    if empty.any():
        raise InputError(
            f"design.enrolment: in replicate {int(replicates[empty][0])} nobody is randomised "
            "before recruitment ends, so this trial cannot recruit; let it recruit longer or faster"
        )
    return found


def screen(
    design: TrialDesign,
    enrolment: Enrolment,
    population: Population,
    stream: Stream,
    replicates: Indices,
    n: int,
    sought: str = "design.eligibility",
) -> Enrolled:
    """Screen as `enrol` does, and leave replicates empty in which nobody is found.

    `sought` is what says who is eligible, for a fault.

    Raises
    ------
    InputError
        If no candidate of any of the replicates is eligible.
    """
    condition = (
        None
        if design.eligibility is None
        else conditions.parse(design.eligibility, population.baseline_schema)
    )
    count = n if condition is None else 2 * n
    while True:
        place = Place(stream, replicates[:, None], np.arange(count)[None, :])
        baseline = population.baseline(place)
        arrival, site = arrivals(enrolment, place, count)
        eligible: Booleans = np.isfinite(arrival)
        if condition is not None:
            eligible = eligible & population.meets(condition, baseline)
        # Replicate by replicate: one that is full or at its end must not end the others' search.
        full, over = eligible.sum(axis=1) >= n, ~np.isfinite(arrival).all(axis=1)
        if (full | over).all() or count >= _MOST * n:
            break
        count = min(4 * count, _MOST * n)
    if condition is not None and not eligible.any():
        raise InputError(
            f"{sought}: none of {eligible.size} candidates is eligible, so this trial "
            "cannot recruit; widen the criteria or change the population"
        )
    if condition is None:
        return _complete(enrolment, place, baseline, arrival, site, np.full(len(arrival), n * 1.0))
    return _chosen(enrolment, place, baseline, arrival, site, eligible, n)


def _chosen(
    enrolment: Enrolment,
    place: Place,
    baseline: Baseline,
    arrival: Floats,
    site: Indices | None,
    eligible: Booleans,
    n: int,
) -> Enrolled:
    """Keep the first n eligible candidates of each replicate."""
    first = np.argsort(~eligible, axis=1, kind="stable")[:, :n]
    found = np.take_along_axis(eligible, first, axis=1)
    entry = np.where(found, np.take_along_axis(arrival, first, axis=1), NEVER)
    screened = np.where(found, first, -1).max(axis=1) + 1.0
    kept = Place(place.stream, place.replicates, first)
    sites = None if site is None else np.take_along_axis(site, first, axis=1)
    return _complete(enrolment, kept, baseline.take(first), entry, sites, screened)


def _complete(
    enrolment: Enrolment,
    place: Place,
    baseline: Baseline,
    entry: Floats,
    site: Indices | None,
    screened: Floats,
) -> Enrolled:
    if enrolment.duration is not None:
        entry = np.where(np.isfinite(entry), _within(enrolment, place, entry.shape[1]), NEVER)
    if enrolment.longest is not None:
        entry = np.where(entry <= enrolment.longest, entry, NEVER)
    return Enrolled(place, baseline, entry, site, screened)


def _within(enrolment: Enrolment, place: Place, n: int) -> Floats:
    """Entry times within a duration: equally spaced, or sorted uniforms."""
    assert enrolment.duration is not None
    if enrolment.process == "even":
        return (np.arange(n)[None, :] + 0.5) / n * enrolment.duration
    order = Place(place.stream, place.replicates, np.arange(n)[None, :])
    entry = order.uniform(_ENTRY)
    entry.sort(axis=1)
    return entry * enrolment.duration


def arrivals(enrolment: Enrolment, place: Place, count: int) -> tuple[Floats, Indices | None]:
    """Arrival times (R, M) of candidates, and their sites."""
    shape = (place.replicates.shape[0], count)
    if enrolment.sites:
        return _sites(enrolment, place)
    if not enrolment.ramp:
        return np.zeros(shape), None
    if enrolment.process == "even":
        spent = np.broadcast_to(np.arange(count) + 0.5, shape)
    else:
        spent = np.cumsum(-np.log(place.uniform(_GAP)), axis=1)
    return _ramp(enrolment, spent), None


def _ramp(enrolment: Enrolment, spent: Floats) -> Floats:
    """Times at which the cumulative screening rate reaches given numbers."""
    starts = np.array([step.start for step in enrolment.ramp])
    rates = np.array([step.rate for step in enrolment.ramp])
    knots = np.concatenate([[0.0], np.cumsum(rates[:-1] * np.diff(starts))])
    piece = np.searchsorted(knots, spent, side="right") - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        time = starts[piece] + (spent - knots[piece]) / rates[piece]
    return np.where(rates[piece] > 0, time, NEVER)


def _sites(enrolment: Enrolment, place: Place) -> tuple[Floats, Indices]:
    from simulation.kernels.enrolment import site_arrivals

    held = enrolment.sites
    gaps = (
        -np.log(place.uniform(_GAP))
        if enrolment.process == "poisson"
        else np.ones(place.uniform(_GAP).shape)
    )
    found: Any = site_arrivals(
        gaps,
        place.uniform(_SITE),
        np.array([site.opens for site in held]),
        np.array([site.rate for site in held]),
        np.array([-1 if site.cap is None else site.cap for site in held], dtype=np.int64),
    )
    return found[0], found[1]
