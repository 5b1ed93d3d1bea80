"""Vary a design and its population along dotted paths, for grids."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from extraction.records.errors import Faults, InputError, nearest
from simulation.trial.design import TrialDesign
from simulation.trial.design.lacking import population_faults
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
        its number or its `name`. At each step the longest name that matches wins, so that names may
        have dots in them.

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
        head, _, rest = path.partition(".")
        if head == _POPULATION and people is None:
            faults.append(f"{path}: the population is not one by formula, so it has no parameters")
            continue
        inside = head == _POPULATION
        faults += _put(people if inside else plan, rest if inside else path, path, value)
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


def variations(
    design: TrialDesign, population: Any, over: Mapping[str, Sequence[Any]], option: str = ""
) -> list[tuple[TrialDesign, Any]]:
    """A design and its population at every combination of values, as `varied` and `cells`.

    Parameters
    ----------
    option
        What the values were given by, named before them in faults.

    Raises
    ------
    InputError
        With every fault of all combinations, once, each with the values that it comes from.
    """
    trials: list[tuple[TrialDesign, Any]] = []
    faults = Faults()
    before = f"{option} " if option else ""
    alone: dict[tuple[str, str], list[str]] = {}
    grid = cells(over)
    for path in over:
        with faults.catch():
            value_at(design, population, path)
    if faults:  # values of the paths that lead somewhere are judged all the same
        lost = {fault.partition(": ")[0] for fault in faults}
        found = {path: values for path, values in over.items() if path not in lost}
        grid = cells(found) if found else []
    for cell in grid:
        changed, wrong = _tried(design, population, cell)
        trials += changed
        for fault in wrong:
            blamed = []
            for path, value in cell.items():
                key = (path, str(value))
                if key not in alone:
                    alone[key] = _tried(design, population, {path: value})[1]
                blamed += [(path, value)] if fault in alone[key] else []
            told = ", ".join(f"{path}={value}" for path, value in blamed or cell.items())
            faults.add(f"{told}: {fault}")
    if faults:
        raise InputError(dict.fromkeys(f"{before}{fault}" for fault in faults))
    return trials


def _tried(
    design: TrialDesign, population: Any, values: Mapping[str, Any]
) -> tuple[list[tuple[TrialDesign, Any]], list[str]]:
    """A varied trial, or what is wrong with it."""
    try:
        trial = varied(design, population, values)
    except InputError as error:
        return [], list(error.faults)
    plan, people = trial
    source = people if people is not None else plan.population
    if isinstance(source, ParametricPopulation):
        return [trial], [f"design: {fault}" for fault in population_faults(plan, source)]
    return [trial], []


def value_at(design: TrialDesign, population: Any, path: str) -> Any:
    """What stands at a dotted path of a design or its population, as configuration.

    Raises
    ------
    InputError
        If the path leads nowhere.
    """
    source = population if population is not None else design.population
    tree: Any = design.model_dump(mode="json", exclude={"population"})
    head, _, rest = path.partition(".")
    if head == _POPULATION:
        if not isinstance(source, ParametricPopulation):
            raise InputError(
                f"{path}: the population is not one by formula, so it has no parameters"
            )
        tree = source.model_dump(mode="json")
    keys, lost = _keys(tree, rest if head == _POPULATION else path)
    if lost:
        raise InputError(f"{path}: {lost}")
    for key in keys:
        tree = tree[key]
    return tree


def _put(tree: Any, inside: str, path: str, value: Any) -> list[str]:
    """Put a value where a path leads; say where it leads nowhere."""
    keys, lost = _keys(tree, inside)
    if lost:
        return [f"{path}: {lost}"]
    for key in keys[:-1]:
        tree = tree[key]
    tree[keys[-1]] = value
    return []


def _keys(tree: Any, path: str) -> tuple[list[Any], str]:
    """Keys and places along a path, and where it is lost, in words ("" where it is not)."""
    keys: list[Any] = []
    rest: str | None = path
    while rest is not None:
        known = _known(tree)
        fitting = [name for name in known if rest == name or rest.startswith(f"{name}.")]
        if not fitting:
            step = rest.partition(".")[0]
            names = [name for name, key in known.items() if name != str(key) or key == name]
            told = ", ".join(names or known) or "no parts (a single value, or nothing set)"
            return keys, f"{step!r} is nothing there; there are {told}{nearest(step, names)}"
        name = max(fitting, key=len)
        keys.append(known[name])
        tree = tree[known[name]]
        rest = rest[len(name) + 1 :] if len(rest) > len(name) else None
    return keys, ""


def _known(tree: Any) -> dict[str, Any]:
    """Key or place by what a step may say: names of fields, numbers and names of entries."""
    if isinstance(tree, dict):
        return {str(key): key for key in tree}
    if not isinstance(tree, list):
        return {}
    names = [part.get("name") if isinstance(part, dict) else None for part in tree]
    held: dict[str, Any] = {str(place): place for place in range(len(tree))}
    # A name goes before a number, and of two entries with one name the first is meant.
    for place, name in reversed([*enumerate(names)]):
        held |= {} if name is None else {str(name): place}
    return dict(sorted(held.items(), key=lambda entry: entry[1]))
