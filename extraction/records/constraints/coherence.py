"""Whether the constraints of a schema fit its variables and each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations as pairs
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from ..errors import nearest
from .determined import Grade, Grouping
from .kinds import (
    ColumnRule,
    Combinations,
    ComputedRule,
    Derived,
    NoneAfter,
    NumberRule,
    Order,
    Rule,
    Sum,
    VisitOrder,
)
from .union import Constraint

if TYPE_CHECKING:
    from ..schema import CohortSchema, Variable

Range = tuple[float, float]
_COLUMN_ROLES = ("baseline", "stratum", "flag", "weight", "longitudinal")


def constraint_faults(schema: CohortSchema) -> list[str]:
    """Every fault of a schema's constraints: unknown columns, kinds, contradictions."""
    known = {v.name: v for v in schema.variables}
    faults = _repeated(schema.constraints)
    for rule in schema.constraints:
        faults += [f"constraint {rule.title}: {text}" for text in _own_faults(rule, schema, known)]
    if faults:
        return faults
    computed = [r for r in schema.constraints if isinstance(r, ComputedRule)]
    orders = [r for r in schema.constraints if isinstance(r, Order)]
    return [
        *_targets(computed),
        *_cycle("computed columns", _computed_edges(computed)),
        *_cycle("order constraints", [(a, b) for r in orders for a, b in pairwise(r.columns)]),
        *_disjoint_orders(orders, known),
        *(
            text for rule in computed if isinstance(rule, NumberRule)
            for text in _disjoint_computed(rule, known)
        ),
        *_empty_combinations([r for r in schema.constraints if isinstance(r, Combinations)]),
    ]


def computed_in_turn(constraints: Sequence[Constraint]) -> list[ComputedRule]:
    """Constraints that compute a column, each after those that compute its inputs."""
    left = [r for r in constraints if isinstance(r, ComputedRule)]
    turn: list[ComputedRule] = []
    while left:
        waiting = {r.target_column for r in left}
        ready = [r for r in left if not waiting & set(r.inputs)]
        turn += ready
        left = [r for r in left if r not in ready]
    return turn


def _repeated(constraints: Sequence[Rule]) -> list[str]:
    titles = [r.title for r in constraints]
    return [
        f"constraint {title} is declared more than once; name each apart"
        for title in sorted({t for t in titles if titles.count(t) > 1})
    ]


def _own_faults(
    rule: Rule, schema: CohortSchema, known: Mapping[str, Variable]
) -> Iterable[str]:
    """Faults of one constraint by itself."""
    if isinstance(rule, NoneAfter):
        yield from _endpoint_faults(rule, schema)
    elif isinstance(rule, VisitOrder):
        if len(schema.visits) < 2:
            yield "the schema plans fewer than two visits; leave it out"
    elif isinstance(rule, ColumnRule):
        yield from _column_faults(rule, known)


def _endpoint_faults(rule: NoneAfter, schema: CohortSchema) -> Iterable[str]:
    causes = {e.name: e.causes for e in schema.endpoints}
    if rule.endpoint not in causes:
        yield f"endpoint {rule.endpoint} is not in the schema{nearest(rule.endpoint, causes)}"
        return
    for cause in set(rule.causes or ()) - set(causes[rule.endpoint]):
        yield f"cause {cause} is none of {', '.join(causes[rule.endpoint])}"


def _column_faults(rule: ColumnRule, known: Mapping[str, Variable]) -> Iterable[str]:
    columns = rule.columns_used
    for name in sorted({c for c in columns if columns.count(c) > 1}):
        yield f"column {name} is named more than once"
    found = [known[c] for c in columns if c in known]
    for name in columns:
        if name not in known:
            yield f"column {name} is not in the schema{nearest(name, known)}"
    for variable in found:
        if variable.role not in _COLUMN_ROLES:
            yield (
                f"column {variable.name} has role {variable.role}; "
                "a baseline or longitudinal variable is needed"
            )
        elif variable.numeric == _of_categories(rule, variable.name):
            need = "categories" if variable.numeric else "numbers"
            yield f"column {variable.name} is {variable.kind}; {need} are needed"
    if len({v.role == "longitudinal" for v in found}) > 1:
        yield "it mixes static and longitudinal columns; use columns of one sort"
    yield from _category_faults(_levels_used(rule), known)


def _of_categories(rule: ColumnRule, column: str) -> bool:
    """Whether a constraint takes a column to be one of categories."""
    if isinstance(rule, Grade):
        return column == rule.target
    return isinstance(rule, Combinations | Grouping)


def _levels_used(rule: ColumnRule) -> dict[str, set[str]]:
    """Categories that a constraint names, by column."""
    if isinstance(rule, Grade | Grouping):
        return {name: set(levels) for name, levels in rule.levels_used.items()}
    if isinstance(rule, Combinations):
        return {name: {row[k] for row in rule.allowed} for k, name in enumerate(rule.columns)}
    return {}


def _category_faults(
    used: Mapping[str, set[str]], known: Mapping[str, Variable]
) -> Iterable[str]:
    for name, levels in used.items():
        allowed = set((known[name].categories if name in known else None) or ())
        unknown = levels - allowed
        if allowed and unknown:
            yield (
                f"{len(unknown)} value(s) of column {name} are no category of it; "
                f"allowed: {', '.join(sorted(allowed))}"
            )


def _targets(computed: Sequence[ComputedRule]) -> list[str]:
    targets = [r.target_column for r in computed]
    return [
        f"constraints: column {name} is computed by more than one; keep one of them"
        for name in sorted({t for t in targets if targets.count(t) > 1})
    ]


def _computed_edges(computed: Sequence[ComputedRule]) -> list[tuple[str, str]]:
    return [(name, r.target_column) for r in computed for name in r.inputs]


def _cycle(what: str, edges: Sequence[tuple[str, str]]) -> list[str]:
    """Tell of columns that come before themselves."""
    left = set(edges)
    while True:
        inner = {(a, b) for a, b in left if any(b == c for c, _ in left)}
        inner = {(a, b) for a, b in inner if any(a == d for _, d in inner)}
        if inner == left:
            break
        left = inner
    names = sorted({name for edge in left for name in edge})
    return [f"constraints: {what} run in a circle: {', '.join(names)}"] if names else []


def _range(variable: Variable) -> Range:
    low = -np.inf if variable.low is None else variable.low
    high = np.inf if variable.high is None else variable.high
    return low, high


def _disjoint_orders(orders: Sequence[Order], known: Mapping[str, Variable]) -> list[str]:
    """Tell of columns that must rise although their ranges fall."""
    lowest = {name: _range(known[name])[0] for r in orders for name in r.columns}
    edges = [(a, b, r) for r in orders for a, b in pairwise(r.columns)]
    for _ in lowest:  # a bound travels at most once through every column
        for a, b, _rule in edges:
            lowest[b] = max(lowest[b], lowest[a])
    faults = []
    for a, b, rule in edges:
        high = _range(known[b])[1]
        if lowest[a] > high or (rule.strict and lowest[a] == high):
            faults.append(
                f"constraint {rule.title}: {a} is at least {lowest[a]:g} and {b} at most "
                f"{high:g} by their plausible ranges; no row can meet it"
            )
    return faults


def _disjoint_computed(rule: NumberRule, known: Mapping[str, Variable]) -> Iterable[str]:
    """Tell of a target whose plausible range its inputs cannot reach."""
    low, high = _reach(rule, {name: _range(known[name]) for name in rule.inputs})
    bottom, top = _range(known[rule.target_column])
    room = float(np.max(rule.slack(np.array([v for v in (low, high) if np.isfinite(v)] or [0.0]))))
    if low - room > top or high + room < bottom:
        yield (
            f"constraint {rule.title}: its parts give {low:g} to {high:g} and "
            f"{rule.target_column} is {bottom:g} to {top:g} by its plausible range; "
            "no row can meet it"
        )


def _reach(rule: NumberRule, ranges: Mapping[str, Range]) -> Range:
    """Smallest and largest value that a computed column can take; infinite where unknown."""
    if isinstance(rule, Sum):
        return sum(r[0] for r in ranges.values()), sum(r[1] for r in ranges.values())
    if not isinstance(rule, Derived) or any(low <= 0 for low, _ in ranges.values()):
        return -np.inf, np.inf
    low = prod(ranges[c][0] for c in rule.numerator)
    high = prod(ranges[c][1] for c in rule.numerator)
    low /= prod(ranges[c][1] for c in rule.denominator) ** rule.power
    high /= prod(ranges[c][0] for c in rule.denominator) ** rule.power
    ends = sorted((rule.factor * low, rule.factor * high))
    return ends[0], ends[1]


def _empty_combinations(rules: Sequence[Combinations]) -> list[str]:
    """Tell of two lists of combinations that have no row in common."""
    faults = []
    for one, two in pairs(rules, 2):
        shared = [c for c in one.columns if c in two.columns]
        left, right = (
            {tuple(row[r.columns.index(c)] for c in shared) for row in r.allowed}
            for r in (one, two)
        )
        if shared and not left & right:
            faults.append(
                f"constraints {one.title} and {two.title}: no combination of "
                f"{' and '.join(shared)} is allowed by both"
            )
    return faults
