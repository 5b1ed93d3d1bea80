"""Replay: one replicate of a simulation alone, patient by patient."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import pandas as pd

from extraction.records.errors import InputError, nearest
from generation.randomness import Stream
from simulation.trial.conduct import as_population
from simulation.trial.design import NO_EFFECT, Scenario, TrialDesign
from simulation.trial.design.lacking import population_faults
from simulation.trial.enrol import Enrolled
from simulation.trial.external import Outside
from simulation.trial.outcomes.base import Observed, Response
from simulation.trial.population import Population, receive
from simulation.trial.present import Drawn, strata_of
from simulation.trial.replicate import STREAM, Chunk, Seen
from simulation.trial.rules.base import EFFICACY, END, FUTILITY

_NUMBERS: Final = 2**32
"""Replicates that draws can be keyed by (`generation.randomness`)."""
REASONS = {EFFICACY: "efficacy", FUTILITY: "futility", END: "the last look"}


@final
@dataclass(frozen=True)
class Replay:
    """One replicate under one truth.

    Attributes
    ----------
    scenario, replicate, seed
        Which one.
    patients
        A row for each patient randomised by the stop, in order: number, entry (since the first
        site opened), arm, stratum and site (its name) where there are any, baseline, leaves (since
        randomisation; missing for who stays), each outcome as it would come, and for each look
        whether the patient counts and what it sees of him.
    looks
        A row for each look and hypothesis: time, patients that count, estimate, se, z,
        information, and whether the trial goes on.
    row
        The replicate's row of `OperatingCharacteristics.table`, arrays (H,) or numbers.
    time_unit
        Of all times.
    """

    scenario: str
    replicate: int
    seed: int
    patients: pd.DataFrame
    looks: pd.DataFrame
    row: dict[str, Any]
    time_unit: str = "day"

    @property
    def told(self) -> str:
        """How it ended, in words."""
        stage, reason = int(self.row["stage"]), REASONS[int(self.row["reason"])]
        rejected = int(np.sum(self.row["rejected"]))
        return (
            f"replicate {self.replicate} under {self.scenario}: stopped at look {stage + 1} "
            f"({reason}) after {self.row['duration']:.4g} {self.time_unit}s with "
            f"{self.row['n']:.0f} patients; {rejected} of {len(self.row['rejected'])} hypotheses "
            "rejected"
        )


def replay(
    design: TrialDesign,
    population: Any = None,
    seed: int = 0,
    replicate: int = 0,
    scenario: str | None = None,
) -> Replay:
    """Run one replicate alone; draws are keyed, so that it is the one of any larger run.

    Parameters
    ----------
    design, population, seed
        As in `simulation.trial.simulate`.
    replicate
        Its number, from 0.
    scenario
        Under which truth; None: the first scenario given.

    Returns
    -------
    Replay

    Raises
    ------
    InputError
        If there is no such scenario, the number is no replicate's, or the population lacks what the
        design asks for; all faults at once.
    """
    people = as_population(design, population, seed)
    faults = population_faults(design, people)
    if not 0 <= replicate < _NUMBERS:
        faults.append(
            f"replicate: {replicate} came; replicates are counted from 0, below {_NUMBERS}"
        )
    names = [truth.name for truth in design.truths]
    wanted = scenario or next((name for name in names if name != NO_EFFECT), NO_EFFECT)
    if wanted not in names:
        faults.append(
            f"scenario: {wanted!r} is none of the design's; there are {', '.join(names)}"
            f"{nearest(wanted, names)}"
        )
    if faults:
        raise InputError(faults)
    truth = design.truths[names.index(wanted)]
    with tempfile.TemporaryDirectory(prefix="replay-") as folder:
        # As a worker gets it: what travels may differ from what was built.
        return _replay(design, receive(*people.send(Path(folder))), seed, replicate, truth)


def _replay(
    design: TrialDesign, people: Population, seed: int, replicate: int, truth: Scenario
) -> Replay:
    numbers = np.arange(replicate, replicate + 1)
    enrolment = truth.enrolment or design.enrolment
    drawn = Drawn.draw(design, enrolment, people, Stream(seed, STREAM), numbers)
    outside = Outside.draw(design, people, seed, numbers)
    seen: list[Seen] = []
    ended = Chunk(design, people, drawn, truth, outside).run(seen.append)
    row = {
        name: np.asarray(values[0]) if values.ndim > 1 else values[0].item()
        for name, values in ended.items()
    }
    looks = pd.DataFrame([line for look in seen for line in _look(design, look)])
    sites = np.array([site.name for site in enrolment.sites], dtype=object)
    patients = _patients(design, people, drawn.at_once, seen, sites)
    return Replay(truth.name, replicate, seed, patients, looks, row, design.time_unit)


def _look(design: TrialDesign, seen: Seen) -> list[dict[str, Any]]:
    return [
        {
            "look": seen.look + 1,
            "time": float(seen.cut[0, 0]),
            "counted": int(seen.counted[0].sum()),
            "hypothesis": tested.name,
            "estimate": float(fit.estimate[0]),
            "se": float(fit.se[0]),
            "z": float(fit.z[0]),
            "information": float(fit.information[0]),
            "goes_on": bool(seen.running[0]),
        }
        for tested, fit in zip(design.tested, seen.fits, strict=True)
    ]


def _patients(
    design: TrialDesign, people: Population, at_once: bool, seen: list[Seen], sites: Any
) -> pd.DataFrame:
    last, enrolled = seen[-1], seen[-1].enrolled
    arms = np.array([arm.name for arm in design.arms], dtype=object)
    stratum = strata_of(design.strata, people, enrolled)
    columns: dict[str, Any] = {
        "patient": np.arange(enrolled.entry.shape[1]),
        "entry": enrolled.entry[0],
        "arm": arms[last.arm[0]],
    }
    if stratum is not None:
        columns["stratum"] = stratum[0]
    if enrolled.site is not None:
        columns["site"] = sites[enrolled.site[0]]
    columns |= _baseline(people, enrolled)
    columns["leaves"] = _finite(last.leaves[0])
    stops = last.responses[design.endpoints[0].name].stops
    if stops is not None:
        columns["stops"] = _finite(stops[0])
    for endpoint in design.endpoints:
        columns |= _outcome(endpoint, last.responses[endpoint.name])
    for look in seen:
        columns[f"look {look.look + 1}: counts"] = look.counted[0]
        for endpoint in design.endpoints:
            columns |= _at_look(endpoint, look.observed[endpoint.name], look.look + 1)
    there = last.counted[0] if at_once else enrolled.entry[0] < last.cut[0, 0]
    found: pd.DataFrame = pd.DataFrame(columns)[there].reset_index(drop=True)
    return found


def _baseline(people: Population, enrolled: Enrolled) -> dict[str, Any]:
    held = {}
    for variable in people.baseline_schema.variables:
        values = enrolled.baseline.values.get(variable.name)
        if values is None:
            continue
        if variable.numeric:
            held[variable.name] = values[0]
            continue
        levels = np.array([*(variable.categories or ()), None], dtype=object)
        held[variable.name] = levels[np.nan_to_num(values[0], nan=len(levels) - 1).astype(int)]
    return held


def _outcome(endpoint: Any, response: Response) -> dict[str, Any]:
    if response.time is not None:
        return {endpoint.name: _finite(response.time[0])}
    assert response.values is not None
    if endpoint.kind == "count":
        counted = (response.values[:, 0] <= endpoint.follow_up).sum(axis=0)
        return {endpoint.name: counted.astype(np.float64)}
    return _by_visit(endpoint, response.values, "")


def _at_look(endpoint: Any, observed: Observed, look: int) -> dict[str, Any]:
    before = f"look {look}: "
    if observed.time is not None and observed.event is not None:
        known = observed.included[0]
        held = {"time": observed.time, "event": observed.event, "competing": observed.other}
        return {
            f"{before}{endpoint.name} {name}": np.where(known, values[0], np.nan)
            for name, values in held.items()
            if values is not None
        }
    assert observed.values is not None
    values = np.where(observed.included, observed.values, np.nan)
    return _by_visit(endpoint, values, before)


def _by_visit(endpoint: Any, values: Any, before: str) -> dict[str, Any]:
    visits = getattr(endpoint, "visits", ())
    if len(visits) < 2:
        return {f"{before}{endpoint.name}": values[-1, 0]}
    return {
        f"{before}{endpoint.name} at {when:g}": column[0]
        for when, column in zip(visits, values, strict=True)
    }


def _finite(values: Any) -> Any:
    return np.where(np.isfinite(values), values, np.nan)
