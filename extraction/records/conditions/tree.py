"""The nodes of a condition, their plain words, and their reduction to simple bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ..errors import InputError
from ..schema import CohortSchema

ARM = "arm"


@dataclass(frozen=True)
class Interval:
    """A range of numbers; sides are closed unless said otherwise, infinite where open-ended."""

    low: float = -np.inf
    high: float = np.inf
    low_closed: bool = True
    high_closed: bool = True

    def contains(self, values: np.ndarray) -> np.ndarray:
        """Return where values (any shape) lie inside; NaN never does."""
        above = values >= self.low if self.low_closed else values > self.low
        below = values <= self.high if self.high_closed else values < self.high
        return np.asarray(above & below)

    def intersect(self, other: Interval) -> Interval:
        """Return the common range (possibly empty, low above high)."""
        low, low_closed = max((self.low, not self.low_closed), (other.low, not other.low_closed))
        high, high_closed = min((self.high, self.high_closed), (other.high, other.high_closed))
        return Interval(low, high, not low_closed, high_closed)

    @property
    def empty(self) -> bool:
        """Whether no number can lie inside."""
        closed = self.low_closed and self.high_closed
        return self.low > self.high or (self.low == self.high and not closed)

    def __str__(self) -> str:
        if self.low == self.high:
            return f"= {self.low:g}"
        if np.isinf(self.high):
            return f"{'>=' if self.low_closed else '>'} {self.low:g}"
        if np.isinf(self.low):
            return f"{'<=' if self.high_closed else '<'} {self.high:g}"
        return f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Target:
    """What is tested: a variable, possibly at a visit, in a window, or as multiples of a limit.

    Parameters
    ----------
    visit
        Visit of the schema, for a longitudinal variable.
    window
        Closed range of days; met when any observation inside passes the test.
    limit
        "low" or "high": the value is divided by this limit of normal first.
    """

    name: str
    visit: str | None = None
    window: tuple[float, float] | None = None
    limit: str | None = None

    def __str__(self) -> str:
        text = f"{self.name}@{self.visit}" if self.visit else self.name
        if self.window:
            text += f" within days {self.window[0]:g} to {self.window[1]:g}"
        if self.limit:
            text += f" in multiples of its {'upper' if self.limit == 'high' else 'lower'} limit"
        return text


@dataclass(frozen=True)
class Test:
    """A target lies in an interval or is one of some categories."""

    target: Target
    check: Interval | frozenset[str]


@dataclass(frozen=True)
class Exists:
    """The subject has an episode of a kind, optionally of a term, within a window of days."""

    kind: str
    term: str | None = None
    window: tuple[float, float] | None = None
    assertion: str = "present"


@dataclass(frozen=True)
class All:
    """Every part is met."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class Any:
    """At least one part is met."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class Not:
    """The part is not met."""

    part: Condition


Condition: TypeAlias = Test | Exists | All | Any | Not
Bound: TypeAlias = Interval | frozenset[str]


def describe(condition: Condition) -> str:
    """Return the condition in plain words."""
    match condition:
        case Test(target, check):
            if isinstance(check, Interval):
                return f"{target} {check}"
            return f"{target} is {' or '.join(sorted(check))}"
        case Exists(kind, term, window, assertion):
            what = kind.replace("_", " ") + (f" of {term}" if term else "")
            when = f" within days {window[0]:g} to {window[1]:g}" if window else ""
            return f"has {assertion} {what}{when}"
        case Not(part):
            return f"not ({describe(part)})"
        case All(parts):
            return " and ".join(_bracketed(p) for p in parts) or "everyone"
        case Any(parts):
            return " or ".join(_bracketed(p) for p in parts) or "no one"


def _bracketed(condition: Condition) -> str:
    text = describe(condition)
    return f"({text})" if isinstance(condition, All | Any) else text


def to_dict(condition: Condition) -> dict[str, object]:
    """Return a JSON-able form that `parse` reads back to an equal condition."""
    match condition:
        case Test(target, check):
            return {"test": _target_dict(target) | _check_dict(check)}
        case Exists(kind, term, window, assertion):
            body = {"kind": kind, "term": term, "window": window and list(window)}
            return {"exists": {k: v for k, v in body.items() if v} | {"assertion": assertion}}
        case Not(part):
            return {"not": to_dict(part)}
        case All(parts):
            return {"all": [to_dict(p) for p in parts]}
        case Any(parts):
            return {"any": [to_dict(p) for p in parts]}


def _target_dict(target: Target) -> dict[str, object]:
    fields = {
        "name": target.name,
        "visit": target.visit,
        "window": list(target.window) if target.window else None,
        "limit": target.limit,
    }
    return {k: v for k, v in fields.items() if v is not None}


def _check_dict(check: Bound) -> dict[str, object]:
    if isinstance(check, frozenset):
        return {"in": sorted(check)}
    sides: dict[str, object] = {}
    if np.isfinite(check.low):
        sides[">=" if check.low_closed else ">"] = check.low
    if np.isfinite(check.high):
        sides["<=" if check.high_closed else "<"] = check.high
    return sides


def divide(
    condition: Condition, schema: CohortSchema
) -> tuple[dict[str, Bound], tuple[Condition, ...]]:
    """Divide a conjunction into bounds over the arm and baseline variables, and the rest.

    Returns
    -------
    dict
        ``{"AGE": Interval(65, 80), "SEX": frozenset({"F"})}``; the arm stands under ``arm``.
    tuple
        The parts that are no such bound: or, not, exists, values over time, endpoints.

    Raises
    ------
    InputError
        For parts that contradict each other: all faults at once.
    """
    found: dict[str, Bound] = {}
    later: dict[str, Bound] = {}
    rest: list[Condition] = []
    faults: list[str] = []
    baseline = {v.name for v in schema.baseline} | {ARM}
    for part in _conjuncts(condition):
        if isinstance(part, Test) and part.target in {Target(name) for name in baseline}:
            _narrow(found, part, faults)
            continue
        rest.append(part)
        if isinstance(part, Test) and part.target.window is None:  # in a window any value serves
            _narrow(later, part, faults)
    if faults:
        raise InputError(faults)
    return found, tuple(rest)


def bounds(condition: Condition, schema: CohortSchema) -> dict[str, Bound]:
    """Reduce a conjunction over the arm and baseline variables to one bound a variable.

    Returns
    -------
    dict
        As the first part of `divide`.

    Raises
    ------
    InputError
        For or/not/exists, longitudinal targets, endpoints and contradictions: all at once.
    """
    found, rest = divide(condition, schema)
    faults = [
        f"conditions: '{describe(part)}' is no bound on one baseline variable or the arm, which "
        "are all that is taken here; Model.sample and Cohort.where take any condition"
        for part in rest
    ]
    if faults:
        raise InputError(faults)
    return found


def _conjuncts(condition: Condition) -> list[Condition]:
    if isinstance(condition, All):
        return [leaf for part in condition.parts for leaf in _conjuncts(part)]
    return [condition]


def _narrow(found: dict[str, Bound], test: Test, faults: list[str]) -> None:
    name, check = str(test.target), test.check
    before = found.get(name)
    if isinstance(before, Interval) and isinstance(check, Interval):
        check = before.intersect(check)
    elif isinstance(before, frozenset) and isinstance(check, frozenset):
        check = before & check
    if check == frozenset() or (isinstance(check, Interval) and check.empty):
        faults.append(f"conditions: {name}: the conditions contradict each other")
    found[name] = check
