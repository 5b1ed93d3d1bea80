"""Which notes a cohort's records give, and what each one states."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, final

import numpy as np
import numpy.typing as npt
import pandas as pd

from extraction.records import Cohort
from generation.randomness import Stream, decision_id

from .measurements import Observed, concept_of

Floats = npt.NDArray[np.float64]

KINDS = ("admission", "visit", "adverse_event")
STREAM = "narratives"
# Days become whole minutes above this, so that days before index can key a draw too.
_INDEX_ORIGIN = 2**31
_MINUTES = 1440
_LONG_AGO = -1.0e6
_REPEAT_KEYS = [
    "position",
    "kind",
    "term",
    "dose",
    "dose_unit",
    "route",
    "frequency",
    "severity",
    "assertion",
    "start_low",
    "start_high",
    "start",
]
_EPISODE_FIELDS = [
    "kind",
    "term",
    "start",
    "stop",
    "begun",
    "ended",
    "dose",
    "dose_unit",
    "route",
    "frequency",
    "severity",
    "serious",
    "related",
    "assertion",
    "draw",
]


class Episode(NamedTuple):
    """An episode of the record.

    `start` and `stop` are exact days (NaN: unknown or partial), `begun` and `ended` the days by
    which it had surely begun and ended (NaN: unknown).
    """

    kind: str
    term: str
    start: float
    stop: float
    begun: float
    ended: float
    dose: float
    dose_unit: str | None
    route: str | None
    frequency: str | None
    severity: str | None
    serious: bool | None
    related: str | None
    assertion: str
    draw: float


@final
@dataclass
class NotePlan:
    """One note to be written.

    Parameters
    ----------
    position
        Row of the subject in the cohort.
    begun, ended
        Episodes that this note is the first to report, or the first to report as over.
    """

    position: int
    day: float
    kind: str
    visit: str | None = None
    observations: list[Observed] = field(default_factory=list)
    begun: list[Episode] = field(default_factory=list)
    ended: list[Episode] = field(default_factory=list)


def plan_notes(cohort: Cohort, seed: int) -> list[NotePlan]:
    """Notes of every subject, by subject, day and kind; nothing is told before it was known."""
    stream = Stream(seed, STREAM)
    patients = patient_numbers(cohort)
    observations = _observations(cohort, stream, patients)
    episodes = _episodes(cohort, stream, patients)
    events = episodes["kind"] == "adverse_event"
    grid = _grid(len(cohort), observations, episodes[~events])
    plans = {
        (position, day, kind): NotePlan(position, day, kind)
        for position, day, kind in grid.itertuples(index=False)
    }
    days = grid[["position", "day"]]
    by_day = {(position, day): plan for (position, day, _), plan in plans.items()}
    _add_observations(by_day, observations)
    _add_episodes(by_day, days, episodes[~events], events=False)
    _add_episodes(by_day, days, episodes[events], events=True)
    _add_event_notes(plans, days, episodes[events])
    return [plans[key] for key in sorted(plans, key=lambda k: (k[0], k[1], KINDS.index(k[2])))]


def patient_numbers(cohort: Cohort) -> npt.NDArray[np.int64]:
    """A stable number per subject from its keys, shape (n,)."""
    keys = cohort.subjects["study_id"] + "\x1f" + cohort.subjects["subject_id"]
    return np.array([decision_id(key) for key in keys], dtype=np.int64)


def day_index(days: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Whole number that keys the draws of a day (any order, shape as given)."""
    minutes = np.round(np.asarray(days, dtype=np.float64) * _MINUTES)
    return np.nan_to_num(minutes).astype(np.int64) + _INDEX_ORIGIN


def _observations(cohort: Cohort, stream: Stream, patients: npt.NDArray[np.int64]) -> pd.DataFrame:
    rows = cohort.observations
    names = rows["variable"].unique()
    known = {name for name in names if concept_of(name) is not None}
    kept = rows["variable"].isin(known) & rows["status"].eq("observed") & rows["value"].notna()
    rows = rows[kept]
    units = {v.name: v.unit for v in cohort.schema.variables if v.unit}
    position = cohort.positions(rows)
    decisions = rows["variable"].map({n: decision_id(f"observation:{n}") for n in known})
    repeat = rows.groupby(["study_id", "subject_id", "variable", "day"]).cumcount().to_numpy()
    draws = stream.uniform(
        replicate=repeat,
        patient=patients[position],
        decision=decisions.to_numpy(np.int64),
        index=day_index(rows["day"]),
    )
    return pd.DataFrame(
        {
            "position": position,
            "day": rows["day"].to_numpy(),
            "visit": rows["visit"].to_numpy(),
            "variable": rows["variable"].to_numpy(),
            "value": rows["value"].to_numpy(),
            "unit": rows["unit"].fillna(rows["variable"].map(units)).to_numpy(),
            "draw": draws,
        }
    )


def _episodes(cohort: Cohort, stream: Stream, patients: npt.NDArray[np.int64]) -> pd.DataFrame:
    """Distinct episodes; a record that repeats one at each visit counts once, with its end."""
    rows = cohort.episodes
    rows = rows[rows["kind"].ne("procedure") & rows["term"].notna()]
    rows = rows.assign(
        position=cohort.positions(rows),
        begun=rows["start_high"].fillna(rows["start"]).astype(float),
        ended=rows["stop_high"].fillna(rows["stop"]).astype(float),
        assertion=rows["assertion"].fillna("present"),
    )
    rows = rows.sort_values(["position", "ended"], kind="stable").drop_duplicates(_REPEAT_KEYS)
    keys = rows["kind"] + "\x1f" + rows["term"] + "\x1f" + rows["begun"].map("{:g}".format)
    draws = stream.uniform(
        patient=patients[rows["position"].to_numpy(np.int64)],
        decision=decision_id("episode"),
        index=np.array([decision_id(key) for key in keys], dtype=np.int64),
    )
    rows = rows.assign(draw=draws).sort_values(
        ["position", "begun", "kind", "term", "ended"], kind="stable", na_position="first"
    )
    return _without_nan(rows)[["position", *_EPISODE_FIELDS]].reset_index(drop=True)


def _without_nan(rows: pd.DataFrame) -> pd.DataFrame:
    texts = ["dose_unit", "route", "frequency", "severity", "related", "serious"]
    return rows.assign(**{c: rows[c].astype(object).where(rows[c].notna(), None) for c in texts})


def _grid(n: int, observations: pd.DataFrame, episodes: pd.DataFrame) -> pd.DataFrame:
    """Position, day and kind of each admission and visit note.

    The admission is the first day with a value, at the latest day 0. A day on which something
    began after the last visit gets its own note.
    """
    first = observations.groupby("position")["day"].min().reindex(range(n)).fillna(0.0)
    admission = pd.DataFrame({"position": np.arange(n), "day": np.minimum(first.to_numpy(), 0.0)})
    days = pd.concat([admission, observations[["position", "day"]]])
    last = days.groupby("position")["day"].max()
    late = episodes[episodes["begun"] > episodes["position"].map(last)]
    late = late[["position", "begun"]].set_axis(["position", "day"], axis=1)
    days = pd.concat([days, late]).drop_duplicates().sort_values(["position", "day"])
    opening = ~days["position"].duplicated()
    return days.assign(kind=np.where(opening, "admission", "visit")).reset_index(drop=True)


def _add_observations(
    by_day: dict[tuple[int, float], NotePlan], observations: pd.DataFrame
) -> None:
    fields = ["position", "day", "visit", "variable", "value", "unit", "draw"]
    for position, day, visit, variable, value, unit, draw in _rows(observations, fields):
        plan = by_day[position, day]
        plan.observations.append(Observed(variable, value, unit, draw))
        plan.visit = plan.visit or visit


def _rows(frame: pd.DataFrame, fields: Iterable[str]) -> Iterator[tuple[Any, ...]]:
    """Rows as tuples of plain Python values."""
    return zip(*(frame[name].tolist() for name in fields), strict=True)


def _note_days(days: pd.DataFrame, position: pd.Series[Any], when: pd.Series[Any]) -> Floats:
    """Day of the first note at or after `when`, NaN where there is none."""
    asked = pd.DataFrame(
        {"position": position.to_numpy(), "when": when.to_numpy(), "row": np.arange(len(when))}
    ).sort_values("when", kind="stable")
    found = pd.merge_asof(
        asked,
        days.sort_values("day", kind="stable"),
        left_on="when",
        right_on="day",
        by="position",
        direction="forward",
    )
    out = np.full(len(when), np.nan)
    out[found["row"].to_numpy()] = found["day"].to_numpy()
    return out


def _add_episodes(
    by_day: dict[tuple[int, float], NotePlan],
    days: pd.DataFrame,
    episodes: pd.DataFrame,
    *,
    events: bool,
) -> None:
    """Give each episode to the note that reports its start and the one that reports its end.

    Adverse events start in notes of their own; an unknown start lies before the first note.
    """
    begun = _note_days(days, episodes["position"], episodes["begun"].fillna(_LONG_AGO))
    dated = episodes["ended"].notna().to_numpy()
    ended = np.full(len(episodes), np.nan)
    ended[dated] = _note_days(days, episodes["position"][dated], episodes["ended"][dated])
    rows = _rows(episodes.assign(first=begun, last=ended), ["first", "last", "position"])
    for (first, last, position), values in zip(rows, _rows(episodes, _EPISODE_FIELDS), strict=True):
        episode = Episode(*values)
        if not events:
            by_day[position, first].begun.append(episode)
        if (last > first or (events and last == first)) and episode.assertion == "present":
            by_day[position, last].ended.append(episode)


def _add_event_notes(
    plans: dict[tuple[int, float, str], NotePlan], days: pd.DataFrame, events: pd.DataFrame
) -> None:
    """One note for the adverse events of a subject that began on one day.

    An event without a day of onset is told on the day it ended, else on the subject's last day.
    """
    last = days.groupby("position")["day"].max()
    day = events["begun"].fillna(events["ended"]).fillna(events["position"].map(last))
    rows = zip(events["position"].tolist(), day.tolist(), strict=True)
    for (position, when), values in zip(rows, _rows(events, _EPISODE_FIELDS), strict=True):
        key = (position, when, "adverse_event")
        plan = plans.setdefault(key, NotePlan(position, when, "adverse_event"))
        plan.begun.append(Episode(*values))
