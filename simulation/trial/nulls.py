"""Which hypotheses are true in a scenario: rejecting one of these is a false rejection.

A hypothesis says that an arm is no better than its comparator for those whom it is about. It is
true where nobody among them benefits, so that harm makes it true as well.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import inf, log
from typing import Any, Final

from simulation.trial.design import Scenario, Tested, TrialDesign
from simulation.trial.design.discontinuation import EVENT, ON_TREATMENT
from simulation.trial.intercurrent import stops_unequally

ALL, SOME, NONE, UNKNOWN = "all", "some", "none", "unknown"
_COMPARED: Final = ("<", ">", "=", "!")
_TREES: Final = frozenset({"all", "any", "not", "exists", "test"})
"""What makes a condition more than values by variable."""


def true_nulls(design: TrialDesign, truth: Scenario) -> tuple[bool | None, ...]:
    """Whether each tested hypothesis is true.

    Returns
    -------
    None where it is not plain: benefit for some and harm for others, or at different times; arms
    that differ without any effect, as they stop treatment at different rates; conditions of which
    it cannot be seen whether they are about the same patients.
    """
    return tuple(_null(design, truth, tested) for tested in design.tested)


def _null(design: TrialDesign, truth: Scenario, tested: Tested) -> bool | None:
    if stops_unequally(design, truth, tested) or _precluded(design, truth, tested):
        return None
    others = [k for k in range(len(design.arms)) if k != tested.arm]
    if not design.rule.every_arm:
        others = [design.control_number]
    low, high, plain = _benefit(design, truth, tested, tested.arm)
    rivals = [_benefit(design, truth, tested, k) for k in others]
    if high <= max(rival[0] for rival in rivals):
        return True
    plain &= all(rival[2] for rival in rivals)
    return False if plain and low >= max(rival[1] for rival in rivals) else None


def _precluded(design: TrialDesign, truth: Scenario, tested: Tested) -> bool:
    """Whether an incidence differs by what an arm does to the competing event."""
    if not tested.analysis.competing:
        return False
    arm, other = design.arms[tested.arm].name, tested.endpoint.competing
    return any((e.arm, e.endpoint) == (arm, other) and not e.none for e in truth.effects)


def _benefit(
    design: TrialDesign, truth: Scenario, tested: Tested, arm: int
) -> tuple[float, float, bool]:
    """Least and largest benefit of an arm, and whether it is plain on whom its effects act."""
    named = (design.arms[arm].name, tested.endpoint.name)
    conditions = [design.eligibility, None if tested.subgroup is None else tested.subgroup.where]
    about = [condition for condition in conditions if condition is not None]
    low, high, plain = inf, -inf, True
    for effect in reversed([e for e in truth.effects if (e.arm, e.endpoint) == named]):
        on = _shared(about, effect.where)
        if on == NONE:
            continue
        sizes = [tested.endpoint.sign * size for size in _sizes(design, tested, effect)]
        low, high = min(low, *sizes), max(high, *sizes)
        plain &= on != UNKNOWN
        if on == ALL:
            return low, high, plain
    return min(low, 0.0), max(high, 0.0), plain


def _sizes(design: TrialDesign, tested: Tested, effect: Any) -> Iterator[float]:
    """Shifts or log ratios that a comparison may see."""
    size = getattr(effect, effect.field)
    if effect.field == "shift":
        given = size if isinstance(size, tuple) else (size,)
        seen = design.strategies(tested.endpoint).get(EVENT) == ON_TREATMENT
        yield from (given if seen else given[-1:])
        return
    if not isinstance(size, tuple):
        yield log(size)
        return
    ends = (getattr(tested.analysis, "horizon", None), tested.endpoint.follow_up)
    end = min((e for e in ends if e is not None), default=inf)
    yield from (log(step.ratio) for step in size if step.start < end)


def _shared(about: Sequence[Mapping[str, Any]], where: Mapping[str, Any] | None) -> str:
    """On how many of those whom a hypothesis is about an effect acts."""
    if where is None or where in about:
        return ALL
    if not _TREES.isdisjoint(where):
        return UNKNOWN
    values: dict[str, list[Any]] = {}
    for condition in about:
        for name, value in condition.items():
            values.setdefault(name, []).append(value)
    if not _TREES.isdisjoint(values):
        return UNKNOWN
    found = {_inside(values.get(name, []), value) for name, value in where.items()}
    for answer in (NONE, UNKNOWN, SOME):
        if answer in found:
            return answer
    return ALL


def _inside(given: list[Any], value: Any) -> str:
    """How many of those with given values of a variable have one that is asked for."""
    if not given:
        return SOME
    answers = {_compared(held, value) for held in given}
    for answer in (ALL, NONE, UNKNOWN):
        if answer in answers:
            return answer
    return SOME


def _compared(held: Any, value: Any) -> str:
    if held == value:
        return ALL
    if _interval(held) and _interval(value):
        if held[0] > value[1] or held[1] < value[0]:
            return NONE
        return ALL if value[0] <= held[0] and held[1] <= value[1] else SOME
    if (one := _levels(held)) is None or (other := _levels(value)) is None:
        return UNKNOWN
    if not one & other:
        return NONE
    return ALL if one <= other else SOME


def _interval(value: Any) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) == 2
        and all(isinstance(end, int | float) for end in value)
    )


def _levels(value: Any) -> set[str] | None:
    """Categories; None where it is something else, such as a comparison or a tree."""
    levels = [value] if isinstance(value, str) else value
    if not isinstance(levels, list | tuple):
        return None
    if not all(isinstance(level, str) and not level.startswith(_COMPARED) for level in levels):
        return None
    return set(levels)
