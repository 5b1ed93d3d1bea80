"""Narrow: from a look on, only members of a subgroup are recruited."""

from typing import Any

import numpy as np

from simulation.trial.design import Enrolment, TrialDesign
from simulation.trial.enrol import Enrolled, screen
from simulation.trial.outcomes.base import NEVER, Booleans, Floats, Indices
from simulation.trial.population import Place, Population


def narrow(
    design: TrialDesign,
    enrolment: Enrolment,
    population: Population,
    enrolled: Enrolled,
    which: Booleans,
    earlier: Booleans,
    where: dict[str, Any],
) -> tuple[Enrolled, Booleans]:
    """Recruit the rest of some replicates from a subgroup.

    Candidates keep their numbers and arrival times: the subgroup's members among those who come
    after the last patient so far are the trial's next patients.

    Parameters
    ----------
    enrolled
        Patients as they would have come, (R, N).
    which
        Replicates (R,) that are narrowed.
    earlier
        Patients (R, N) randomised before, the first of each replicate.
    where
        Condition on the baseline: the subgroup.

    Returns
    -------
    Patients of each replicate, and who of them (R, N) came before anything was narrowed.
    """
    rows = np.flatnonzero(which)
    place = enrolled.place
    shape = enrolled.entry.shape
    both = [where] if design.eligibility is None else [design.eligibility, where]
    inside = screen(
        design.model_copy(update={"eligibility": {"all": both}}),
        enrolment, population, place.stream, place.replicates[rows, 0], shape[1],
        "design.hypotheses: the subgroup",
    )
    old = np.broadcast_to(place.patients, shape)[rows]
    new = np.broadcast_to(inside.place.patients, (len(rows), shape[1]))
    kept = earlier[rows]
    last = np.where(kept, old, -1).max(axis=1, keepdims=True)
    fits = np.concatenate([kept, (new > last) & np.isfinite(inside.entry)], axis=1)
    taken = np.argsort(~fits, axis=1, kind="stable")[:, : shape[1]]
    found = np.take_along_axis(fits, taken, axis=1)

    def merged(whole: Any, before: Any, after: Any) -> Any:
        out = np.array(np.broadcast_to(whole, shape))
        joined = np.concatenate([before, after], axis=1)
        out[rows] = np.take_along_axis(joined, taken, axis=1)
        return out

    candidates: Indices = merged(place.patients, old, new)
    entry: Floats = merged(enrolled.entry, enrolled.entry[rows], inside.entry)
    entry[rows] = np.where(found, entry[rows], NEVER)
    site = None
    if enrolled.site is not None and inside.site is not None:
        site = merged(enrolled.site, enrolled.site[rows], inside.site)
    screened = enrolled.screened.copy()
    screened[rows] = np.where(found, candidates[rows], -1).max(axis=1) + 1.0
    there = Place(place.stream, place.replicates, candidates)
    of_all = earlier | ~which[:, None]
    return Enrolled(there, population.baseline(there), entry, site, screened), of_all
