"""Guess which columns of a flat table are the arm and times to events, by names and values.

Proposals only: whoever knows the trial confirms them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

import pandas as pd

from .flat import CENSORED_WORDS, YES_WORDS, as_category

_ARM: Final = (
    *("arm", "armcd", "arms", "trt", "trtp", "trta", "trt01p", "trt01a", "tx", "rx", "treatment"),
    *("treat", "randomised", "randomized", "allocation", "regimen", "group"),
)
"""Words for the arm, the surest first."""
_NOT_ARM: Final = {
    "prior",
    "previous",
    "concomitant",
    "day",
    "date",
    "time",
    "age",
    "risk",
    "blood",
}
_TIME: Final = {
    *(
        "time",
        "days",
        "day",
        "weeks",
        "months",
        "years",
        "futime",
        "fu",
        "followup",
        "follow",
        "up",
    ),
    *("surv", "survival", "duration", "tte", "stime", "t"),
}
_EVENT: Final = {
    *("event", "status", "stat", "died", "dead", "death", "censor", "cens", "censored", "delta"),
    *(
        "fail",
        "failed",
        "failure",
        "relapse",
        "relapsed",
        "progressed",
        "fustat",
        "ind",
        "indicator",
    ),
}
_REVERSED: Final = {"cnsr"}
"""ADaM's indicator, in which 1 means censored."""
_EITHER: Final = {"os", "pfs", "dfs", "efs", "ttp", "rfs"}
"""Endpoints whose name alone may be the time or the event."""
_INDICATOR: Final = frozenset(
    {*YES_WORDS, *CENSORED_WORDS, "2", "dead", "died", "death", "relapse"}
)
_MOST_ARMS: Final = 6
_FEWEST_TIMES: Final = 10


class Roles(NamedTuple):
    """What columns may mean.

    Attributes
    ----------
    arm
        The column of the arm; None where none is called so.
    pairs
        Time and event columns of each endpoint.
    hints
        About "arm" or "endpoint", in words: what was taken and why, what to say where nothing was
        found; names of columns, never values.
    """

    arm: str | None
    pairs: tuple[tuple[str, str], ...]
    hints: tuple[tuple[str, str], ...]


def propose_roles(frame: pd.DataFrame, taken: Sequence[str] = ()) -> Roles:
    """Propose the arm's column and pairs of time and event.

    Parameters
    ----------
    frame
        One row a subject.
    taken
        Columns whose meaning is known.

    Returns
    -------
    Roles
        The arm has two to six values and a name for it (arm, trt, treatment, rx, group, ...).
        An event has two values such as 0 and 1, a time positive numbers of more than ten values;
        what is left of both names must agree (`os_time` and `os_event`), or both are the only ones.
    """
    columns = [str(c) for c in frame.columns if str(c) not in taken]
    arms = _arms(frame, columns)
    arm = arms[0] if arms else None
    left = [c for c in columns if c != arm]
    pairs, doubts = _pairs(frame, left)
    paired = {column for pair in pairs for column in pair}
    hints = [
        ("arm", _arm_hint(frame, arms, [c for c in left if c not in paired])),
        *(("endpoint", hint) for hint in (*_pair_hints(pairs, doubts), *doubts)),
    ]
    return Roles(arm, pairs, tuple(hints))


def _words(name: str) -> list[str]:
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return [word.casefold() for word in re.split(r"[^A-Za-z0-9]+", apart) if word]


def _levels(values: pd.Series) -> set[str]:
    known = values.dropna()
    return {str(as_category(v)).casefold() for v in known.unique()[: _FEWEST_TIMES + 1]}


def _arms(frame: pd.DataFrame, columns: list[str]) -> list[str]:
    """Columns called so with few values, the surest first."""
    found = []
    for column in columns:
        words = _words(column)
        ranks = [_ARM.index(word) for word in words if word in _ARM]
        loose = words and words[-1] == "group" and len(words) > 1 and len(ranks) == 1
        if not ranks or loose or _NOT_ARM & set(words):
            continue
        if 2 <= len(_levels(frame[column])) <= _MOST_ARMS:
            found.append((min(ranks), column))
    return [column for _, column in sorted(found, key=lambda held: held[0])]


def _arm_hint(frame: pd.DataFrame, arms: list[str], left: list[str]) -> str:
    if arms:
        others = f"; {', '.join(arms[1:])} may be it too" if arms[1:] else ""
        return f"PROPOSED arm: column {arms[0]}, by its name and few values{others}; confirm it"
    few = [c for c in left if 2 <= len(_levels(frame[c])) <= _MOST_ARMS]
    among = f" (columns with 2 to {_MOST_ARMS} values: {', '.join(few[:12])})" if few else ""
    return f"no column is called arm, treatment or the like: if there are arms, give --arm{among}"


def _pairs(
    frame: pd.DataFrame, columns: list[str]
) -> tuple[tuple[tuple[str, str], ...], list[str]]:
    """Pairs whose names agree; and doubts about what has no partner."""
    events = {c: _stem(c, _EVENT) for c in columns if _is_event(frame[c], c)}
    times = {c: _stem(c, _TIME) for c in columns if _is_time(frame[c], c) and c not in events}
    pairs, free = [], dict(times)
    for event, stem in events.items():
        fitting = [time for time, other in free.items() if other == stem]
        if not fitting and len(events) == len(times) == 1:
            fitting = list(times)
        if len(fitting) == 1:
            pairs.append((fitting[0], event))
            del free[fitting[0]]
    paired = {event for _, event in pairs}
    doubts = [
        f"column {c} looks like an event without a time of its own; give --time and --event"
        for c in events
        if c not in paired
    ]
    doubts += [
        f"column {c} looks like ADaM's censoring indicator, in which 0 is the event: it is not "
        "taken; make it an endpoint with 0 under observed and 1 under censored"
        for c in columns
        if _REVERSED & set(_words(c))
    ]
    return tuple(pairs), doubts


def _stem(name: str, role: set[str]) -> frozenset[str]:
    return frozenset(_words(name)) - role


def _is_event(values: pd.Series, name: str) -> bool:
    words = set(_words(name))
    if not words & (_EVENT | _EITHER) or words & _REVERSED:
        return False
    levels = _levels(values)
    return len(levels) == 2 and levels <= _INDICATOR


def _is_time(values: pd.Series, name: str) -> bool:
    if not set(_words(name)) & (_TIME | _EITHER) or not pd.api.types.is_numeric_dtype(values):
        return False
    known = values.dropna()
    return bool(known.nunique() > _FEWEST_TIMES and (known >= 0).all())


def _pair_hints(pairs: Sequence[tuple[str, str]], doubts: Sequence[str]) -> list[str]:
    if not pairs and not doubts:
        return [
            "no pair of time and event is known by its names: if there is one, give --time and "
            "--event"
        ]
    return [
        f"PROPOSED endpoint: time {time} (read as days), event {event}, by their names and values; "
        "confirm which word means the event"
        for time, event in pairs
    ]
