"""One subject's history up to a day: what a digital twin is conditioned on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from .cohort import Cohort
from .errors import InputError


@dataclass(frozen=True, eq=False)
class Timeline:
    """What was known of one subject at the end of a day; nothing later is in it.

    Parameters
    ----------
    cohort
        Of one subject: rows up to `until_day`; an endpoint not yet reached is censored there.
    until_day
        Last day of the history, days from index.
    """

    cohort: Cohort
    until_day: float

    @property
    def subject_id(self) -> str:
        """The subject's identifier."""
        return str(self.cohort.subject_ids[0])

    @property
    def arm(self) -> str | None:
        """The subject's planned arm."""
        arm = self.cohort.subjects["arm"].iloc[0]
        return None if arm is None else str(arm)


def timeline(cohort: Cohort, subject_id: str, until_day: float | None = None) -> Timeline:
    """Cut one subject's history at the end of `until_day` (the last known day by default)."""
    one = cohort.select([subject_id])
    if len(one) != 1:
        raise InputError(
            "timeline: this subject id is used in more than one study; select the study first"
        )
    last = last_known_day(one)
    day = last if until_day is None else float(until_day)
    if np.isnan(day):
        raise InputError("timeline: the subject has no dated facts; give until_day")
    subjects = one.subjects.assign(
        observed_until=np.fmin(one.subjects["observed_until"], day),
        end_reason=one.subjects["end_reason"].where(one.subjects["observed_until"] <= day, None),
    )
    history = replace(
        one,
        subjects=subjects,
        observations=one.observations[one.observations["day"] <= day].reset_index(drop=True),
        derived=one.derived[one.derived["day"] <= day].reset_index(drop=True),
        episodes=_known(one.episodes, day),
        events=_censored(one.events, day),
    )
    return Timeline(history, day)


def last_known_day(one: Cohort) -> float:
    """Return the last day on which anything is known, NaN when nothing is dated."""
    days = pd.concat(
        [
            one.subjects["observed_until"],
            one.observations["day"],
            one.episodes["start"],
            one.events["day"],
        ]
    )
    return float(days.max()) if days.notna().any() else float("nan")


def _known(episodes: pd.DataFrame, day: float) -> pd.DataFrame:
    """Keep episodes that had surely begun; an end that lies ahead is not known yet."""
    begun = episodes["start_high"].fillna(episodes["start"]).fillna(-np.inf) <= day
    kept = episodes[begun].reset_index(drop=True)
    ahead = kept["stop_high"].fillna(kept["stop"]) > day
    kept.loc[ahead, ["stop", "stop_low", "stop_high"]] = np.nan
    kept.loc[ahead, "ongoing"] = True
    kept.loc[ahead, "outcome"] = None
    return kept


def _censored(events: pd.DataFrame, day: float) -> pd.DataFrame:
    later = (events["day"] > day).to_numpy()
    out = events.reset_index(drop=True).copy()
    out.loc[later, "day"] = day
    out.loc[later, "observed"] = False
    out.loc[later, "cause"] = None
    return out
