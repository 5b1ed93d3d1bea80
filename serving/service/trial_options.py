"""What `trialtwin simulate` is given: options that go together, assumptions, patients."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from extraction.records import Cohort, InputError
from extraction.records.errors import Faults

from .folders import check_out
from .models import find_model

if TYPE_CHECKING:
    from serving.service.trials import TrialRequest
    from simulation.trial import TrialDesign

_NOTHING_DRY = ("--curve", "--surface", "--nulls", "--folder")
"""Options that do nothing where nothing is simulated."""
_AROUND = (0.5, 0.75, 1.0, 1.25, 1.5)


def option_faults(request: TrialRequest) -> list[str]:
    """Say which options do not go together or cannot be met."""
    faults = [*_ignored(request), *worker_faults(request.execution, request.workers)]
    if request.credibility is not None and request.out is None:
        faults.append("--credibility: the report is a file; give --out FOLDER")
    if request.precision is not None and not 0 < request.precision < 1:
        faults.append(f"--precision: {request.precision} came; give a standard error such as 0.002")
    if request.precision is not None and request.resume is not None:
        faults.append("--resume: goes with a number of replicates, not with --precision")
    if request.surface and len(request.surface) != 2:
        faults.append(f"--surface: {len(request.surface)} assumptions came; give two")
    held = Faults()
    if request.out is not None:
        with held.catch():
            check_out(request.out)
    if request.population is not None and not _is_cohort(request.population):
        with held.catch():
            find_model(request.population)
    return [*faults, *held]


def _is_cohort(named: str) -> bool:
    return (Path(named) / "cohort.json").is_file()


def worker_faults(execution: str, workers: int | None) -> list[str]:
    """Say when workers are asked for where there is one."""
    if workers is None or workers == 1 or execution != "serial":
        return []
    return [
        f"--workers: {workers} came, and --execution serial has one; add --execution processes or "
        "ray"
    ]


def _ignored(request: TrialRequest) -> list[str]:
    """Say which options would do nothing beside the others."""
    faults = []
    if request.replay is not None:
        faults += [
            f"{option}: --replay shows one replicate alone; leave one of them out"
            for option, given in _of_many(request).items()
            if given
        ]
        return faults
    if request.dry_run:
        many = _of_many(request)
        faults += [
            f"{option}: --dry-run simulates nothing; leave one of them out"
            for option in _NOTHING_DRY
            if many[option]
        ]
    if request.precision is not None and request.replicates is not None:
        faults.append("--replicates: --precision decides their number; leave one of them out")
    shows = request.curve or bool(request.surface)
    if request.scenario is not None and not shows:
        faults.append(
            "--scenario: of --replay, --curve and --surface; all scenarios are simulated in any "
            "case, leave it out"
        )
    if request.figures and not shows:
        faults.append("--figure: of --curve and --surface; give one of them or leave it out")
    return faults


def _of_many(request: TrialRequest) -> dict[str, bool]:
    """Options about many replicates, and which of them came."""
    return {
        "--replicates": request.replicates is not None,
        "--precision": request.precision is not None,
        "--dry-run": request.dry_run,
        "--curve": request.curve,
        "--surface": bool(request.surface),
        "--figure": bool(request.figures),
        "--nulls": bool(request.nulls),
        "--credibility": request.credibility is not None,
        "--folder": request.resume is not None,
        "--execution": request.execution != "serial",
        "--workers": request.workers is not None and request.execution != "serial",
    }


def values_of(plan: TrialDesign, people: Any, option: str, told: str) -> dict[str, list[Any]]:
    """Parse PATH=VALUE,VALUE of an option; a PATH alone takes half to one and a half of what is."""
    import yaml

    from simulation.operating_characteristics.vary import value_at

    path, given, values = told.partition("=")
    where = f"{option} {path}"
    here = Faults(option)
    with here.catch():
        now = value_at(plan, people, path)
    here.raise_if_any()
    if given:
        try:
            held = [yaml.safe_load(value) for value in values.split(",")]
        except yaml.YAMLError:
            raise InputError(f"{where}: the values cannot be read; write PATH=1,2,3") from None
        if len(set(map(str, held))) < len(held) or None in held:
            raise InputError(f"{where}: {values!r} came; give different values, as PATH=1,2,3")
        return {path: held}
    if not isinstance(now, int | float) or isinstance(now, bool) or now == 0:
        raise InputError(f"{where}: it is no number to vary around; give values, as {path}=1,2,3")
    around = [now * factor for factor in _AROUND]
    return {path: [round(v) if isinstance(now, int) else float(f"{v:.6g}") for v in around]}


def patients_of(
    plan: TrialDesign, named: str | None, seed: int
) -> tuple[Any, dict[str, Any] | None]:
    """Open the model or cohort that is named, or that the design names; and a model's card.

    External controls from a model or a cohort of their own come with them.
    """
    from simulation.trial.conduct import with_external
    from simulation.trial.design.sources import CohortSource, ModelSource

    source = plan.population
    if named is not None:
        source = CohortSource(where=named) if _is_cohort(named) else ModelSource(model=named)
    people, card = _opened(plan, source, seed)
    outside = plan.external_controls and plan.external_controls.population
    if isinstance(outside, CohortSource | ModelSource):
        people = with_external(plan, people, _opened(plan, outside, seed)[0], seed)
    return people, card


def _opened(plan: TrialDesign, source: Any, seed: int) -> tuple[Any, dict[str, Any] | None]:
    """Open a model or a cohort; a population by formula stays with the design."""
    from simulation.trial import TwinPopulation
    from simulation.trial.design.sources import CohortSource, ModelSource
    from simulation.trial.population import FreshTwins, Population

    if isinstance(source, CohortSource):
        return Cohort.read(source.where), None
    if isinstance(source, ModelSource):
        from generation import load_model

        model = load_model(find_model(source.model))
        asked = (model, plan, source.twins, source.given, seed)
        people: Population = (
            FreshTwins.from_model(*asked, source.device)
            if source.fresh
            else TwinPopulation.from_model(*asked)
        )
        return people, model.card.model_dump(mode="json", by_alias=True)
    return None, None
