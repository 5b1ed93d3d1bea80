"""Partial validation: where parts of a plan have faults, the others are judged all the same."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Annotated, Any, final

from pydantic import BaseModel, TypeAdapter, ValidationError

Place = tuple[str, ...]
"""Where something stands: names of fields, without numbers of entries and kinds of parts."""
Steps = tuple[str | int, ...]


@final
@dataclass(frozen=True)
class Check:
    """One question about several parts together.

    Attributes
    ----------
    needs
        Dotted places that must be without fault: `arms` all of them, `arms.name` the names alone.
    faults
        Says what is wrong.
    spoils
        Places that later checks cannot rely on where this one finds something.
    despite
        Places within `needs` whose faults do not matter to it.
    """

    needs: tuple[str, ...]
    faults: Callable[..., list[str]]
    spoils: tuple[str, ...] = ()
    despite: tuple[str, ...] = ()

    def possible(self, at_fault: Collection[Place]) -> bool:
        """Whether all that it needs is without fault."""
        spared = {_place(place) for place in self.despite}
        wrong = [place for place in at_fault if place not in spared]
        return not any(_overlap(_place(need), place) for need in self.needs for place in wrong)


def checked(
    checks: Iterable[Check], at_fault: Collection[Place], *given: Any
) -> tuple[list[str], set[Place]]:
    """Ask in turn whatever can be asked.

    Returns
    -------
    What is wrong, and the places at fault now.
    """
    faults: list[str] = []
    wrong = set(at_fault)
    for check in checks:
        if check.possible(wrong):
            found = check.faults(*given)
            faults += found
            wrong |= {_place(place) for place in check.spoils} if found else set()
    return faults, wrong


def salvaged(
    kind: type[BaseModel],
    values: Mapping[str, Any],
    error: ValidationError,
    lists: Collection[str] = (),
) -> tuple[Any, set[Place]]:
    """Build what can be built of a model in spite of faults, without the checks of the whole.

    What is at fault inside a field is left out where the rest of the field stands without it.

    Parameters
    ----------
    kind, values, error
        What was to be built, from what, and what pydantic says of it.
    lists
        Fields to whose entries nothing else refers: of these, entries at fault are left out.

    Returns
    -------
    The model, which lacks fields or has their defaults, and the places at fault.
    """
    wrong: set[Place] = set()
    broken: dict[str, list[Steps]] = {}
    for item in error.errors(include_input=False, include_url=False):
        if item["loc"]:
            steps = _steps(values, item["loc"])
            broken.setdefault(str(steps[0]), []).append(steps[1:])
            # An unknown field may stand for any other beside it.
            unknown = item["type"] == "extra_forbidden"
            wrong.add(_meant(kind, steps) if unknown else _named(steps))
    built: dict[str, Any] = {}
    for name in kind.model_fields.keys() & values.keys():
        held, apart = values[name], name in lists
        try:
            if name in broken:
                held = _without(_loose(held), broken[name], apart)
            built[name] = _adapter(kind, name).validate_python(held)
        except (ValidationError, LookupError, TypeError):
            wrong.add((name,))
        else:
            wrong -= {place for place in wrong if apart and place[0] == name}
    return kind.model_construct(**built), wrong


@cache
def _adapter(kind: type[BaseModel], name: str) -> TypeAdapter[Any]:
    field = kind.model_fields[name]
    held: Any = Annotated[field.annotation, field]
    return TypeAdapter(held)


def _steps(values: Any, loc: Sequence[str | int]) -> Steps:
    """Keys and numbers of entries down to a fault, without names of kinds that stand between."""
    held: Any = values
    steps: list[Any] = []
    step: Any
    for number, step in enumerate(loc):
        last = number == len(loc) - 1
        inside = isinstance(held, Mapping)
        if inside and not last and step in (held.get("kind"), held.get("family")):
            continue
        entry = isinstance(held, list | tuple) and isinstance(step, int) and step < len(held)
        if entry or (inside and step in held):
            held = held[step]
        elif not (inside and last):  # a field that is missing has a place all the same
            continue
        steps.append(step)
    return tuple(steps) or (loc[0],)


def _loose(value: Any) -> Any:
    """Copy lists and mappings, so that parts can be taken out."""
    if isinstance(value, Mapping):
        return {key: _loose(held) for key, held in value.items()}
    return [_loose(held) for held in value] if isinstance(value, list | tuple) else value


def _without(value: Any, faults: Sequence[Steps], apart: bool) -> Any:
    """Take out what is at fault; `LookupError` or `TypeError` where nothing is left without it."""
    if () in faults:
        raise LookupError  # the whole is at fault
    if apart:
        dropped = {steps[0] for steps in faults}
        return [held for number, held in enumerate(value) if number not in dropped]
    for *path, last in faults:
        inside = value
        for step in path:
            inside = inside[step]
        if isinstance(inside, list):
            raise LookupError  # the numbers of other entries would change
        inside.pop(last, None)
    return value


def _named(steps: Steps) -> Place:
    return tuple(step for step in steps if isinstance(step, str))


def _meant(kind: type[BaseModel], steps: Steps) -> Place:
    """Places that an unknown field may stand for."""
    place = _named(steps)
    if len(place) > 1:
        return place[:-1]
    return tuple(get_close_matches(place[0], kind.model_fields, n=1)) or place


def _place(dotted: str) -> Place:
    return tuple(dotted.split("."))


def _overlap(one: Place, other: Place) -> bool:
    least = min(len(one), len(other))
    return one[:least] == other[:least]
