"""Vary a design and its population along dotted paths, for grids."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from extraction.records.errors import InputError, nearest
from simulation.trial.design import TrialDesign
from simulation.trial.population import ParametricPopulation, Population

_POPULATION = "population"


def varied(
    design: TrialDesign, population: Any, values: Mapping[str, Any]
) -> tuple[TrialDesign, Any]:
    """Put values in place of some of a design's and population's.

    Parameters
    ----------
    design, population
        What is varied. Paths into the population need one by formula (given, or the design's own).
    values
        By dotted path: `dropout.share`, `enrolment.ramp.0.rate`,
        `scenarios.planned.effects.0.shift`, `population.outcomes.OS.median`. A place in a list is
        its number or its `name`; a name with dots in it cannot be reached.

    Returns
    -------
    The design and the population, checked anew.

    Raises
    ------
    InputError
        If a path leads nowhere, or a value is refused where it is put.
    """
    source = population if population is not None else design.population
    plan = design.model_dump(mode="json", exclude={"population"})
    people = source.model_dump(mode="json") if isinstance(source, ParametricPopulation) else None
    faults = []
    for path, value in values.items():
        head, *rest = path.split(".")
        if head == _POPULATION and people is None:
            faults.append(f"{path}: the population is not one by formula, so it has no parameters")
            continue
        inside = head == _POPULATION
        faults += _put(people if inside else plan, rest if inside else [head, *rest], path, value)
    if faults:
        raise InputError(faults)
    new = source if people is None else ParametricPopulation(**people)
    return TrialDesign.parse(plan), new if isinstance(new, Population) else population


def cells(over: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Every combination of the values, the last parameter fastest.

    Raises
    ------
    InputError
        If there is no parameter, or one without values.
    """
    faults = [f"over.{name}: no values came; give at least one" for name in over if not over[name]]
    if not over:
        faults.append("over: no parameter came; name at least one")
    if faults:
        raise InputError(faults)
    return [dict(zip(over, values, strict=True)) for values in product(*over.values())]


def value_at(design: TrialDesign, population: Any, path: str) -> Any:
    """What stands at a dotted path of a design or its population, as configuration.

    Raises
    ------
    InputError
        If the path leads nowhere.
    """
    source = population if population is not None else design.population
    tree: Any = design.model_dump(mode="json", exclude={"population"})
    steps = path.split(".")
    if steps[0] == _POPULATION:
        if not isinstance(source, ParametricPopulation):
            raise InputError(
                f"{path}: the population is not one by formula, so it has no parameters"
            )
        tree, steps = source.model_dump(mode="json"), steps[1:]
    for step in steps:
        key, known = _key(tree, step)
        if key is None:
            raise InputError(f"{path}: {step!r} is nothing there; there are {known}")
        tree = tree[key]
    return tree


def _put(tree: Any, steps: list[str], path: str, value: Any) -> list[str]:
    """Put a value at the end of the steps; say where they lead nowhere."""
    for step in steps[:-1]:
        key, known = _key(tree, step)
        if key is None:
            return [f"{path}: {step!r} is nothing there; there are {known}"]
        tree = tree[key]
    key, known = _key(tree, steps[-1] if steps else "")
    if key is None:
        return [f"{path}: {steps[-1] if steps else ''!r} is nothing there; there are {known}"]
    tree[key] = value
    return []


def _key(tree: Any, step: str) -> tuple[Any, str]:
    """Key or place of a step, None if there is none; and what there is, in words."""
    if isinstance(tree, dict):
        return step if step in tree else None, (", ".join(tree) or "none") + nearest(step, tree)
    if not isinstance(tree, list):
        return None, "no parts (a single value, or nothing set)"
    names = [part.get("name") if isinstance(part, dict) else None for part in tree]
    if step in names:
        return names.index(step), ""
    if step.isdigit() and int(step) < len(tree):
        return int(step), ""
    return None, ", ".join(str(name or k) for k, name in enumerate(names)) or "none"
