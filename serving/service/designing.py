"""Choosing a design: the smallest that meets a goal, and what its eligibility criteria do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from extraction.records import InputError
from extraction.records.errors import Faults

from .trial_options import patients_of, worker_faults

if TYPE_CHECKING:
    import pandas as pd

    from simulation.operating_characteristics import Goal


@dataclass(frozen=True)
class SearchRequest:
    """What is asked of `trialtwin design-search`.

    Attributes
    ----------
    design, population
        As of `trialtwin simulate`.
    power, scenario
        Least probability of rejecting something, under which truth (None: the first given).
    type_one
        Most under no effect: a limit beside a power; without one, the goal of a search for the
        largest value.
    expected_n
        Most expected patients under the scenario: a limit.
    over, between, step
        "n", "events" or a dotted path, with its ends and step.
    most, seed, execution, workers
        Most replicates of a try, seed, and where chunks run.
    """

    design: Path
    population: str | None = None
    power: float | None = None
    scenario: str | None = None
    type_one: float | None = None
    expected_n: float | None = None
    over: str = "n"
    between: tuple[float, float] | None = None
    step: float | None = None
    most: int = 50_000
    seed: int = 0
    execution: Literal["serial", "processes", "ray"] = "serial"
    workers: int | None = None


def search_trial(
    request: SearchRequest, tell: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """Find the smallest size (or another parameter) of a trial that meets a goal.

    `tell` is told of each try when it ends.

    Raises
    ------
    InputError
        With every fault of the file and of the request.
    """
    from simulation.operating_characteristics import Effort, search_design
    from simulation.trial import TrialDesign

    faults = Faults()
    for fault in worker_faults(request.execution, request.workers):
        faults.add(fault)
    with faults.catch():
        goal, limits = _goals(request)
    with faults.catch():
        design = TrialDesign.read(request.design)
    faults.raise_if_any()
    found = search_design(
        design,
        patients_of(design, request.population, request.seed)[0],
        goal=goal,
        limits=limits,
        over=request.over,
        seek="largest" if request.power is None else "smallest",
        between=request.between,
        step=request.step,
        effort=Effort(first=min(1000, request.most), most=request.most, tell=tell),
        seed=request.seed,
        execution=request.execution,
        workers=request.workers,
    )
    return {
        "design": design.name,
        "over": found.over,
        "value": found.value,
        "patients": found.patients,
        "decided": found.decided,
        "not_met_at": found.fails,
        "met_at": found.meets,
        "root": _plain(found.root),
        "root_se": _plain(found.root_se),
        "formula": None
        if found.formula is None
        else {"name": found.formula.name, "value": found.formula.value},
        "limits": {
            limit.told(): verdict for limit, verdict in zip(limits, found.limits, strict=False)
        },
        "reason": found.reason,
        "path": _rows(found.path),
    }


def _goals(request: SearchRequest) -> tuple[Goal, tuple[Goal, ...]]:
    from simulation.operating_characteristics import Goal
    from simulation.trial.design import NO_EFFECT

    shares = {"--power": request.power, "--type-one": request.type_one}
    faults = [
        f"{name}: {value:g} came; give a probability between 0 and 1"
        for name, value in shares.items()
        if value is not None and not 0 < value < 1
    ]
    if request.power is None and request.type_one is None:
        faults.append("power, type_one: neither came; give --power, or --type-one alone")
    if request.scenario is not None and request.power is None and request.expected_n is None:
        faults.append(
            "--scenario: of --power and --expected-n; the type I error is that under no effect, "
            "leave it out"
        )
    if faults:
        raise InputError(faults)
    limits = []
    if request.expected_n is not None:
        limits.append(Goal(figure="n", scenario=request.scenario, at_most=request.expected_n))
    error = (
        None
        if request.type_one is None
        else Goal(scenario=NO_EFFECT, at_most=request.type_one)
    )
    if request.power is None:
        assert error is not None
        return error, tuple(limits)
    wanted = Goal(scenario=request.scenario, at_least=request.power)
    return wanted, (*([] if error is None else [error]), *limits)


def judge_criteria(
    design: Path,
    population: str | None = None,
    replicates: int = 2000,
    seed: int = 0,
    *,
    scenario: str | None = None,
    execution: str = "serial",
    workers: int | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> dict[str, Any]:
    """Tell what each eligibility criterion does to power, recruitment and who is left out.

    Raises
    ------
    InputError
        With every fault of the file and of the request.
    """
    from simulation.operating_characteristics import effect_of_criteria
    from simulation.trial import TrialDesign

    faults = Faults()
    for fault in worker_faults(execution, workers):
        faults.add(fault)
    with faults.catch():
        plan = TrialDesign.read(design)
    faults.raise_if_any()
    found = effect_of_criteria(
        plan,
        patients_of(plan, population, seed)[0],
        replicates,
        scenario=scenario,
        seed=seed,
        progress=progress,
        execution=execution,
        workers=workers,
    )
    return {
        "design": plan.name,
        "time_unit": plan.time_unit,
        "criteria": list(found.criteria),
        "candidates": found.candidates,
        "designs": _rows(found.designs),
        "shares": _rows(found.shares),
        "left_out": _rows(found.left_out),
    }


def _plain(value: float) -> float | None:
    return None if value != value else value


def _rows(frame: pd.DataFrame) -> list[Mapping[str, Any]]:
    """Rows for JSON; what is not a number becomes null."""
    return [
        {str(k): _plain(v) if isinstance(v, float) else v for k, v in row.items()}
        for row in frame.to_dict("records")
    ]
