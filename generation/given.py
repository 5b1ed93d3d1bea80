"""A condition divided into what an engine meets itself and what redraws must meet.

Bounds on baseline variables and the arm go to the engine. Whatever else a condition holds
(values at visits and in windows, endpoints, or, not) is judged on whole patients drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from extraction.records import CohortSchema, InputError, conditions
from extraction.records.conditions import All, Condition, Exists, Not, Target, Test

Takes = Callable[[Target], bool]


@dataclass(frozen=True)
class Divided:
    """A condition in two parts, either of which may be missing.

    Attributes
    ----------
    own
        What the engine is told.
    rest
        What every patient drawn is judged by.
    """

    own: Condition | None
    rest: Condition | None


def divide(
    given: Any,
    schema: CohortSchema,
    computed: Collection[str] = (),
    takes: Takes | None = None,
    until_day: float | None = None,
) -> Divided:
    """Divide a condition.

    Parameters
    ----------
    given
        A condition or its dictionary form.
    computed
        Columns that are computed from others after the engine has drawn: never its own.
    takes
        Whether the engine restricts a target itself, besides baseline variables; the patients
        are judged by it all the same, since a visit that was drawn may fall to dropout.
    until_day
        Where follow-up is cut: nothing is known after it.

    Raises
    ------
    InputError
        With every part that no engine draws, or that contradicts another.
    """
    tree = conditions.parse(given, schema)
    if tree is given:  # a tree may have been made for another schema
        tree = conditions.parse(conditions.to_dict(tree), schema)
    bounds, rest = conditions.divide(tree, schema)
    faults = [fault for part in rest for fault in _undrawn(part, schema, until_day)]
    if faults:
        raise InputError(faults)
    tests = [Test(Target(name), bound) for name, bound in bounds.items()]
    own: list[Condition] = [test for test in tests if test.target.name not in computed]
    later = [test for test in tests if test.target.name in computed]
    if takes is not None:
        own += [part for part in rest if isinstance(part, Test) and takes(part.target)]
    return Divided(_both(own), _both([*later, *rest]))


def check_given(given: Any, schema: CohortSchema) -> None:
    """Refuse a condition that no model can be sampled under; None is let through.

    Raises
    ------
    InputError
        With every fault.
    """
    if given is not None:
        divide(given, schema)


def _both(parts: list[Condition]) -> Condition | None:
    return All(tuple(parts)) if parts else None


def _undrawn(
    condition: Condition, schema: CohortSchema, until_day: float | None
) -> Iterator[str]:
    """Say what of a condition synthetic patients do not have."""
    if isinstance(condition, Not):
        yield from _undrawn(condition.part, schema, until_day)
    elif isinstance(condition, All | conditions.Any):
        for part in condition.parts:
            yield from _undrawn(part, schema, until_day)
    elif isinstance(condition, Exists):
        yield (
            f"given: '{conditions.describe(condition)}': models draw no episodes; leave it out, "
            "or fit the model to the patients whom Cohort.where selects by it"
        )
    else:
        yield from _undrawn_test(condition, schema, until_day)


def _undrawn_test(test: Test, schema: CohortSchema, until_day: float | None) -> Iterator[str]:
    target = test.target
    role = schema.variable(target.name).role if target.name in schema else ""
    if role in ("identifier", "flag", "weight"):
        yield f"given: {target} is a {role} variable, which models do not draw; leave it out"
    opens = target.window[0] if target.window else None
    if target.visit is not None:
        opens = schema.visit(target.visit).low
    if until_day is not None and opens is not None and opens > until_day:
        yield (
            f"given: {target} lies after until_day={until_day:g}; follow patients for longer, or "
            "leave it out"
        )
