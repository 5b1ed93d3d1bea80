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
        What is settled in hindsight (population flags, weights, the actual arm, derived rows) is
        left out of a history that was cut short.
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
    if until_day is None or day >= np.fmax(last, one.episodes["stop_high"].max()):
        return Timeline(one, day)
    history = replace(
        one,
        subjects=_foreseeable(one, day),
        observations=one.observations[one.observations["day"] <= day].reset_index(drop=True),
        # A derived row is dated by the value it repeats: an LOCF row for week 24 with an early day
        # would tell that the subject is going to leave.
        derived=one.derived.iloc[:0],
        episodes=_known(one.episodes, day),
        events=_censored(one.events, day),
    )
    return Timeline(history, day)


def _foreseeable(one: Cohort, day: float) -> pd.DataFrame:
    """Blank what is settled only later: completer flags, weights, the arm actually received."""
    subjects = one.subjects
    hindsight = {
        v.name: np.nan if v.numeric else None
        for v in one.schema.static
        if v.role in ("flag", "weight")
    }
    return subjects.assign(
        arm_actual=None,
        observed_until=np.fmin(subjects["observed_until"], day),
        end_reason=subjects["end_reason"].where(subjects["observed_until"] <= day, None),
        **hindsight,
    )


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
    """Keep episodes that had surely begun; an end or outcome that lies ahead is not known yet.

    An episode without a start had begun by its end. Conditions without any date are history
    taken at entry; other undated episodes may lie ahead and are left out.
    """
    undated = np.where(episodes["kind"] == "condition", -np.inf, np.inf)
    begun = episodes["start_high"].fillna(episodes["start"]).fillna(episodes["stop_high"])
    kept = episodes[begun.fillna(pd.Series(undated, episodes.index)) <= day].reset_index(drop=True)
    end = kept["stop_high"].fillna(kept["stop"])
    surely_ahead = kept["stop_low"].fillna(kept["stop"]) > day
    kept.loc[end > day, "ongoing"] = None  # perhaps over, perhaps not: a partial date
    kept.loc[surely_ahead, "ongoing"] = True
    kept.loc[end.isna() | (end > day), "outcome"] = None
    kept.loc[end > day, ["stop", "stop_low", "stop_high"]] = np.nan
    return kept


def _censored(events: pd.DataFrame, day: float) -> pd.DataFrame:
    """Censor what lies ahead at `day`; before day 0 no follow-up has begun."""
    out = events[np.full(len(events), day >= 0)].reset_index(drop=True)
    later = (out["day"] > day).to_numpy()
    out.loc[later, "day"] = day
    out.loc[later, "observed"] = False
    out.loc[later, "cause"] = None
    return out
