"""Search: the smallest (or largest) value of a parameter at which a design does what is wanted.

A monotone root is sought on simulated figures. All tries share their random numbers, so that
differences between them are small against their errors; replicates are raised where a figure is
too near its limit to tell, and what cannot be told within the most replicates allowed is said.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil, floor, inf
from typing import Any, Final, Literal, Self, Unpack, final

import numpy as np
import pandas as pd

from extraction.records.errors import InputError
from simulation.operating_characteristics.batches import Running, batches, number_faults
from simulation.operating_characteristics.figures import (
    Values,
    check_figure,
    measure,
    replicate_values,
    scenario_name,
)
from simulation.operating_characteristics.goals import DEFAULT_EFFORT, Effort, Goal, Try, Verdict
from simulation.operating_characteristics.starting import SIZES, Formula, resized, size_by_formula
from simulation.trial.design import TrialDesign

_FACTOR: Final = 1.25
_GROWTH: Final = 2
_WIDER: Final = (1.0, 1.5, 2.25)


@final
@dataclass(frozen=True)
class Found:
    """Result of a search.

    Attributes
    ----------
    value
        The smallest (or largest) value of the grid whose figure meets the goal; None where none
        between the ends does.
    root, root_se
        Where the figure, fitted over all tries, crosses its limit, and its Monte Carlo standard
        error: that of the figure over its slope.
    decided
        Whether the value meets the goal, and its neighbour does not, beyond Monte Carlo error.
    fails, meets
        Nearest values that are decided: the goal is not met, and met. None where there is none.
    limits
        Verdict of each limit at the value.
    formula
        Where the search started, if by formula.
    path
        One row for each try, in order: value, replicates, each figure and its standard error, the
        patients (where n is not what is searched), and the verdict.
    patients
        Size of the design at the value; None where there is no value.
    reason
        In words, what is decided and what is not.
    """

    over: str
    value: float | None
    root: float
    root_se: float
    decided: bool
    fails: float | None
    meets: float | None
    limits: tuple[Verdict, ...]
    formula: Formula | None
    path: pd.DataFrame
    reason: str
    patients: int | None


def search_design(
    design: TrialDesign,
    population: Any = None,
    *,
    goal: Goal,
    over: str = "n",
    limits: Sequence[Goal] = (),
    seek: Literal["smallest", "largest"] = "smallest",
    between: tuple[float, float] | None = None,
    step: float | None = None,
    effort: Effort = DEFAULT_EFFORT,
    seed: int = 0,
    **running: Unpack[Running],
) -> Found:
    """Find the smallest value of a parameter at which a simulated figure meets a goal.

    Parameters
    ----------
    design, population, seed, running
        As in `simulation.trial.simulate`.
    goal
        What decides. It must become easier as the parameter rises (harder, for "largest").
    over
        "n", "events", or a dotted path as in `vary.varied` (`rule.alpha`, `rule.superiority`).
    limits
        What must hold besides, such as the type I error or the expected size: judged at the
        value found. A true figure that equals its limit is never decided.
    seek
        "largest" for a goal that becomes harder, such as the type I error over `rule.alpha`.
    between
        Ends of the search; may be left out for "n" and "events".
    step
        Values tried are multiples of it; none: one block of the allocation ratio for n, 1 for
        events. A dotted path needs it.
    effort
        Replicates of a try, how sure it must be, and who is told of it.

    Returns
    -------
    Found

    Raises
    ------
    InputError
        If an argument is wrong; all faults at once.
    """
    faults = number_faults(first=effort.first, most=effort.most)
    faults += _range_faults(over, between, step)
    if faults:
        raise InputError(faults)
    goals = (goal, *limits)
    for held in goals:
        check_figure(design, held.figure)
    named = tuple(g.model_copy(update={"scenario": scenario_name(design, g.scenario)})
                  for g in goals)
    formula = None
    if goal.figure == "any_rejection" and goal.at_least is not None and over in SIZES:
        where = named[0].scenario or ""
        formula = size_by_formula(design, population, over, where, goal.limit)
    tries = _Tries(design, population, over, named, effort, seed, running)
    grid = _Grid.of(design, over, between, step, 1 if seek == "smallest" else -1)
    start = formula.value if formula else _present(design, over, between)
    bracket = _bracketed(grid, tries, start)
    _decide_around(grid, tries, bracket[1])
    return _result(grid, tries, bracket, formula)


@final
@dataclass(frozen=True)
class _Grid:
    """Values by whole number, turned so that the goal becomes easier as the number rises."""

    step: float
    low: int
    high: int
    sign: int

    @classmethod
    def of(
        cls, design: TrialDesign, over: str, between: tuple[float, float] | None,
        step: float | None, sign: int,
    ) -> Self:
        parts = sum(arm.allocation for arm in design.arms)
        wide = step or (float(parts) if over == "n" else 1.0)
        looks = design.rule.looks
        # Fewer patients than the last look's events make no trial.
        events = max(looks.at or (0.0,)) if over == "n" and looks.by == "events" else 0.0
        least, largest = between or (max(4.0, 2.0 * parts, events), 1e6)
        ends = (ceil(least / wide - 1e-9), floor(largest / wide + 1e-9))
        if ends[0] > ends[1]:
            raise InputError(f"between: no multiple of {wide:g} lies there; choose a smaller step")
        return cls(wide, *(ends if sign > 0 else (-ends[1], -ends[0])), sign)

    def value(self, number: int) -> float:
        return round(self.sign * number * self.step, 12)

    def number(self, value: float) -> int:
        """The nearest number inside the ends."""
        return min(max(round(self.sign * value / self.step), self.low), self.high)


@final
@dataclass
class _Tries:
    """Simulated tries, each raised until it is decided or has the most replicates."""

    design: TrialDesign
    population: Any
    over: str
    goals: tuple[Goal, ...]
    effort: Effort
    seed: int
    running: Running
    done: dict[float, Try] = field(default_factory=dict)

    def at(self, value: float) -> Try:
        """Simulate a value, once."""
        if value not in self.done:
            self.done[value] = found = self._simulated(value)
            if self.effort.tell is not None:
                told = f"{found.replicates:,} replicates, {found.verdict}"
                self.effort.tell(f"{self.over} {value:g}: {told}")
        return self.done[value]

    def _simulated(self, value: float) -> Try:
        design, people = resized(self.design, self.population, self.over, value)
        most = self.effort.most
        values: list[list[Values]] = [[] for _ in self.goals]
        had, wanted = 0, min(self.effort.first, most)
        with batches(design, people, self.seed, self.running) as held:
            while True:
                table = held.run(design, had, wanted)
                for goal, column in zip(self.goals, values, strict=True):
                    now = replicate_values(design, table, goal.figure, goal.scenario or "")
                    column.append(now)
                had = wanted
                measured = tuple(measure(np.concatenate(column)) for column in values)
                if not measured[0].se >= 0:
                    raise InputError(f"goal: {self.goals[0].figure!r} has no value at {value:g}")
                verdict = self.goals[0].verdict(measured[0], self.effort.errors)
                if verdict != "open" or had >= most:
                    return Try(value, had, measured, verdict, design.n)
                wanted = min(_GROWTH * had, most)

    def slack(self, value: float) -> float:
        """Slack of the goal at a value, on a scale near a straight line."""
        return self.goals[0].scaled(self.at(value).measured[0].value)


def _range_faults(over: str, between: tuple[float, float] | None, step: float | None) -> list[str]:
    faults = []
    if over not in SIZES and (between is None or step is None):
        faults.append(f"over: {over!r} needs between and step")
    if step is not None and not 0 < step < inf:
        faults.append(f"step: {step} came; it must be above 0")
    if between is not None and not between[0] < between[1]:
        faults.append(f"between: {between} came; the first must be below the second")
    return faults


def _present(design: TrialDesign, over: str, between: tuple[float, float] | None) -> float:
    """The design's own value of a size, else the middle of the range."""
    if over == "n":
        return float(design.n)
    if over == "events" and design.rule.looks.at is not None:
        return design.rule.looks.at[-1]
    return sum(between) / 2 if between else 0.0


def _bracketed(grid: _Grid, tries: _Tries, start: float) -> tuple[int | None, int | None]:
    """Neighbouring numbers of which the first fails and the second meets, by estimate."""
    fails: int | None = None
    meets: int | None = None
    number, turn = grid.number(start), 0
    while True:
        if tries.slack(grid.value(number)) >= 0:
            meets = number
        else:
            fails = number
        if meets == grid.low or fails == grid.high:
            return fails, meets
        if fails is not None and meets is not None:
            if meets - fails == 1:
                return fails, meets
            number = _inside(grid, tries, fails, meets, interpolate=turn % 2 == 0)
            turn += 1
        else:
            number = _beyond(grid, number, up=meets is None)


def _decide_around(grid: _Grid, tries: _Tries, meets: int | None) -> None:
    """Try either side of the root, as far off as figures can be told from their limits."""
    root, spread = _root(tries, None if meets is None else grid.value(meets))
    away = (tries.effort.errors + 1) * spread
    if not np.isfinite(away):
        return
    for side in (-away, away):
        for further in _WIDER:
            number = grid.number(root + further * side)
            if abs(grid.value(number) - root - further * side) > grid.step:
                break
            if tries.at(grid.value(number)).verdict != "open":
                break


def _beyond(grid: _Grid, number: int, up: bool) -> int:
    """The next number outwards, a quarter away."""
    away = max(1, ceil(abs(number) * (_FACTOR - 1)))
    return min(max(number + (away if up else -away), grid.low), grid.high)


def _inside(grid: _Grid, tries: _Tries, fails: int, meets: int, interpolate: bool) -> int:
    """A number strictly between: where the line crosses, or the middle."""
    share = 0.5
    if interpolate:
        below, above = (tries.slack(grid.value(k)) for k in (fails, meets))
        share = -below / (above - below)
    number = fails + round(share * (meets - fails))
    return min(max(number, fails + 1), meets - 1)


def _result(
    grid: _Grid, tries: _Tries, bracket: tuple[int | None, int | None], formula: Formula | None
) -> Found:
    errors = tries.effort.errors
    fails, meets = bracket
    value = None if meets is None else grid.value(meets)
    done = {grid.number(v): tried for v, tried in tries.done.items()}
    met = [k for k, tried in done.items() if tried.verdict == "met"]
    missed = [k for k, tried in done.items() if tried.verdict == "not met"]
    surely = meets is not None and meets in met and (fails is None or fails in missed)
    last = None if meets is None else done[meets]
    limits = () if last is None else tuple(
        goal.verdict(now, errors)
        for goal, now in zip(tries.goals[1:], last.measured[1:], strict=True)
    )
    root, root_se = _root(tries, value)
    nearest = (grid.value(max(missed)) if missed else None, grid.value(min(met)) if met else None)
    return Found(
        tries.over, value, root, root_se, surely, *nearest, limits, formula, _path(tries),
        _reason(tries, value, surely, nearest, limits), None if last is None else last.patients,
    )


def _root(tries: _Tries, value: float | None) -> tuple[float, float]:
    """Where a line through all tries, weighted by replicates, crosses the limit; and its error."""
    goal, done = tries.goals[0], list(tries.done.values())
    if value is None or len(done) < 2:
        return float("nan"), float("nan")
    size = np.array([tried.value for tried in done])
    x = np.sqrt(size) if tries.over in SIZES else size
    slack = np.array([goal.scaled(tried.measured[0].value) for tried in done])
    near = np.exp(-0.5 * (slack / max(float(np.abs(slack).min()), 0.1)) ** 2)
    weight = np.sqrt(np.array([tried.replicates for tried in done]) * near)
    slope, start = np.polyfit(x, slack, 1, w=np.maximum(weight, 1e-9 * weight.max()))
    if slope == 0:
        return float("nan"), float("nan")
    at = -start / slope
    measured = tries.done[value].measured[0]
    step = 1e-4 * max(abs(goal.limit), 1e-6)
    unit = (goal.scaled(goal.limit + step) - goal.scaled(goal.limit - step)) / (2 * step)
    spread = abs(unit * measured.se / slope)
    if tries.over in SIZES:
        return float(at**2), float(2 * at * spread)
    return float(at), float(spread)


def _path(tries: _Tries) -> pd.DataFrame:
    rows = []
    for tried in tries.done.values():
        row: dict[str, Any] = {tries.over: tried.value, "replicates": tried.replicates}
        for goal, now in zip(tries.goals, tried.measured, strict=True):
            name = f"{goal.figure} | {goal.scenario}"
            row |= {name: now.value, f"{name} se": now.se}
        if tries.over != "n":
            row["patients"] = tried.patients
        rows.append({**row, "verdict": tried.verdict})
    return pd.DataFrame(rows)


def _reason(
    tries: _Tries, value: float | None, surely: bool,
    nearest: tuple[float | None, float | None], limits: tuple[Verdict, ...],
) -> str:
    goal, most = tries.goals[0].told(), tries.effort.most
    if value is None:
        return f"{goal}: no value of {tries.over} between the ends meets it"
    told = f"{goal}: {tries.over} = {value:g}"
    if tries.over == "events":
        told += f" with {tries.done[value].patients} patients"
    if not surely:
        sides = [
            f"{said} at {at:g}" for said, at in zip(("not met", "met"), nearest, strict=True)
            if at is not None
        ]
        told += f", not decided within {most} replicates; decided are: {', '.join(sides) or 'none'}"
    for limit, verdict in zip(tries.goals[1:], limits, strict=True):
        told += f"; {limit.told()}: {verdict}"
    return told
