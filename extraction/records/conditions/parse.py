"""From the dictionary form to a checked tree, with every fault named at once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np

from ..errors import Faults, nearest
from ..schema import CohortSchema, Variable
from ..tables import ASSERTIONS, EPISODE_KINDS
from .endpoints import endpoint_columns, endpoint_variable
from .tree import ARM, All, Any, Condition, Exists, Interval, Not, Target, Test

_COMPARISON = re.compile(r"\s*(>=|<=|!=|=|>|<)\s*(.+?)\s*")
_SIDES = (">=", ">", "<=", "<")
_NODES = ("all", "any", "not", "exists", "test")


def parse(given: object, schema: CohortSchema) -> Condition:
    """Check a condition against a schema and return it as a tree.

    Parameters
    ----------
    given
        None (everyone), a tree, or a dictionary: ``{name: check, ...}`` means "and".
        Checks: ``[low, high]``, a number, ``">=30"``, a category, a list of categories.
        Names: variables, ``arm``, ``variable@visit``, and of an endpoint ``<endpoint>_time`` (day
        of the event; unknown where censoring hides it), ``<endpoint>_event`` (1 seen, 0 not) and,
        with several causes, ``<endpoint>_cause``.
        Trees: ``{"all": [...]}``, ``{"any": [...]}``, ``{"not": {...}}``,
        ``{"exists": {"kind": "adverse_event", "term": "PRURITUS", "window": [0, 30]}}`` and
        ``{"test": {"name": "ALT", "limit": "high", "window": [0, 90], ">": 3}}``.

    Raises
    ------
    InputError
        With every fault of the condition.

    Examples
    --------
    >>> from extraction.records import CohortSchema, Variable
    >>> schema = CohortSchema(variables=(Variable(name="AGE", kind="continuous"),))
    >>> parse({"AGE": [65, None]}, schema)
    All(parts=(Test(target=Target(name='AGE', visit=None, window=None, limit=None), \
check=Interval(low=65.0, high=inf, low_closed=True, high_closed=True)),))
    """
    if given is None:
        return All(())
    if isinstance(given, Test | Exists | All | Any | Not):
        return given
    faults = Faults("conditions")
    tree = _node(given, schema, faults)
    faults.raise_if_any()
    return tree


def _node(given: object, schema: CohortSchema, faults: Faults) -> Condition:
    if not isinstance(given, Mapping):
        faults.add("a mapping of names to checks is needed, e.g. {'AGE': [65, 80]}")
        return All(())
    parts: list[Condition] = []
    for key, value in given.items():
        if key in _NODES and key not in schema:
            parts.append(_branch(str(key), value, schema, faults))
        else:
            parts.append(_named(str(key), value, schema, faults))
    return parts[0] if len(parts) == 1 and set(given) <= set(_NODES) else All(tuple(parts))


def _branch(key: str, value: object, schema: CohortSchema, faults: Faults) -> Condition:
    if key == "not":
        return Not(_node(value, schema, faults))
    if key == "exists":
        return _exists(value, faults)
    if key == "test":
        return _test(value, schema, faults)
    if not isinstance(value, Sequence) or isinstance(value, str):
        faults.add(f"{key}: a list of conditions is needed")
        return All(())
    parts = tuple(_node(v, schema, faults) for v in value)
    return All(parts) if key == "all" else Any(parts)


def _exists(value: object, faults: Faults) -> Condition:
    fields = dict(value) if isinstance(value, Mapping) else {}
    for name in sorted(set(fields) - {"kind", "term", "window", "assertion"}):
        faults.add(f"exists: field {name} is not known; use kind, term, window, assertion")
    kind, assertion = fields.get("kind"), fields.get("assertion", "present")
    if kind not in EPISODE_KINDS:
        faults.add(f"exists: kind must be one of {', '.join(EPISODE_KINDS)}")
    if assertion not in ASSERTIONS:
        faults.add(f"exists: assertion must be one of {', '.join(ASSERTIONS)}")
    term = fields.get("term")
    window = _window(fields.get("window"), "exists", faults)
    return Exists(str(kind), None if term is None else str(term), window, str(assertion))


def _test(value: object, schema: CohortSchema, faults: Faults) -> Condition:
    fields = dict(value) if isinstance(value, Mapping) else {}
    name = str(fields.pop("name", ""))
    visit, limit = fields.pop("visit", None), fields.pop("limit", None)
    window = _window(fields.pop("window", None), name, faults)
    if limit not in (None, "low", "high"):
        faults.add(f"{name}: limit must be low or high")
    target = Target(name, None if visit is None else str(visit), window, limit)
    variable = _variable(target, schema, faults)
    if "in" in fields and variable is not None:
        return Test(target, _categories(fields["in"], variable, faults))
    for side in sorted(set(fields) - set(_SIDES)):
        faults.add(f"{name}: check {side} is not known; use in, {', '.join(_SIDES)}")
    if variable is not None and not variable.numeric:
        faults.add(f"{name} holds categories; use in with a list of them")
    interval = Interval()
    for side in _SIDES:
        if side in fields:
            interval = interval.intersect(_compared(name, side, fields[side], faults))
    return Test(target, interval)


def _named(key: str, value: object, schema: CohortSchema, faults: Faults) -> Condition:
    name, _, visit = key.partition("@") if key not in schema else (key, "", "")
    target = Target(name, visit or None)
    variable = _variable(target, schema, faults)
    if variable is None:
        return All(())
    if variable.numeric:
        if isinstance(value, bool) and name in endpoint_columns(schema):
            value = float(value)  # "<endpoint>_event": True
        return _numeric(target, value, faults)
    match = _COMPARISON.fullmatch(value) if isinstance(value, str) else None
    if match and value not in (variable.categories or ()):
        return _compared_category(target, variable, match.groups(), faults)
    return Test(target, _categories(value, variable, faults))


def _variable(target: Target, schema: CohortSchema, faults: Faults) -> Variable | None:
    if target.name == ARM:
        return Variable(name=ARM, kind="categorical", role="arm", categories=schema.arms)
    if target.name not in schema and (column := endpoint_variable(target.name, schema)):
        if target.visit is not None or target.window is not None:
            faults.add(f"{target.name} is one day a patient; name it without visit or window")
        return column
    if target.name not in schema:
        names = [*(v.name for v in schema.variables), *endpoint_columns(schema)]
        faults.add(f"variable {target.name} is not known{nearest(target.name, names)}")
        return None
    variable = schema.variable(target.name)
    if target.visit is not None:
        with faults.catch():
            schema.visit(target.visit)
    placed = target.visit is not None or target.window is not None
    if placed and variable.role != "longitudinal":
        faults.add(f"{target.name} does not change over time; name it without visit or window")
    if variable.role == "longitudinal" and not placed:
        visits = ", ".join(v.name for v in schema.visits)
        faults.add(
            f"{target.name} changes over time; name a visit, as in {target.name}@<visit>, "
            f"out of: {visits}"
        )
    limit = {"low": variable.reference_low, "high": variable.reference_high}
    if target.limit in limit and limit[target.limit] is None:
        faults.add(f"{target.name} has no reference_{target.limit} in the schema")
    return variable


def _numeric(target: Target, value: object, faults: Faults) -> Condition:
    name = str(target)
    if _is_number(value):
        return Test(target, Interval(float(cast(float, value)), float(cast(float, value))))
    if isinstance(value, str) and (match := _COMPARISON.fullmatch(value)):
        side, number = match.groups()
        if side == "!=":
            return Not(Test(target, _compared(name, "=", number, faults)))
        return Test(target, _compared(name, side, number, faults))
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 2:
        low, high = value
        if all(side is None or _is_number(side) for side in (low, high)):
            interval = Interval(
                -np.inf if low is None else float(low), np.inf if high is None else float(high)
            )
            if interval.empty:
                faults.add(f"{name}: the interval is empty; its first number must be the smaller")
            return Test(target, interval)
    faults.add(f"{name}: use [low, high], a number, or a comparison such as '>=30'")
    return All(())


def _compared(name: str, side: str, number: object, faults: Faults) -> Interval:
    try:
        value = float(cast(float, number))
        if not np.isfinite(value):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        faults.add(f"{name}: {side} needs a finite number")
        return Interval()
    return {
        ">=": Interval(low=value),
        ">": Interval(low=value, low_closed=False),
        "<=": Interval(high=value),
        "<": Interval(high=value, high_closed=False),
        "=": Interval(value, value),
    }[side]


def _compared_category(
    target: Target, variable: Variable, match: tuple[str, ...], faults: Faults
) -> Condition:
    side, category = match
    chosen = _categories(category, variable, faults)
    known = variable.categories or ()
    if side == "!=":
        return Not(Test(target, chosen))
    if side == "=":
        return Test(target, chosen)
    if variable.kind != "ordinal":
        faults.add(f"{target}: {side} needs an ordered variable; it is {variable.kind}")
        return All(())
    place = known.index(category) if category in known else 0
    span = {
        ">=": known[place:],
        ">": known[place + 1 :],
        "<=": known[: place + 1],
        "<": known[:place],
    }[side]
    return Test(target, frozenset(span))


def _categories(value: object, variable: Variable, faults: Faults) -> frozenset[str]:
    listed = isinstance(value, Sequence | set | frozenset) and not isinstance(value, str)
    chosen = [_word(v) for v in (cast(Sequence[object], value) if listed else [value])]
    known = variable.categories or ()
    if variable.numeric:
        faults.add(f"{variable.name} holds numbers; use [low, high] or a comparison, not in")
        return frozenset(chosen)
    for category in chosen:
        if category not in known:
            hint = nearest(category, known)
            faults.add(f"{variable.name}: {category!r} is not one of {', '.join(known)}{hint}")
    return frozenset(chosen)


def _window(value: object, name: str, faults: Faults) -> tuple[float, float] | None:
    if value is None:
        return None
    if (
        isinstance(value, Sequence)
        and len(value) == 2
        and all(_is_number(v) for v in value)
        and value[0] <= value[1]
    ):
        return float(value[0]), float(value[1])
    faults.add(f"{name}: window needs two days, the first not after the second, as in [0, 30]")
    return None


def _word(value: object) -> str:
    """How a value is named as a category: 1.0 is "1", True is "true"."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{float(cast(float, value)):.12g}" if _is_number(value) else str(value)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        return False
    try:
        return bool(np.isfinite(float(value)))
    except OverflowError:  # a whole number beyond the floats
        return False
