"""Running a study from its configuration file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from serving.logs import log
from serving.pipeline import runner
from serving.pipeline.findings import findings
from serving.pipeline.progress import Reporter
from serving.pipeline.stage import AnyStudy
from serving.settings import settings
from serving.study import load_study


def _open(config: Path, folder: Path | None, seed: int | None) -> tuple[AnyStudy, Path]:
    study = load_study(config)
    if seed is not None:
        study = study.model_copy(update={"seed": seed})
    return study, folder or settings().runs / study.name


def plan_study(
    config: Path, folder: Path | None = None, seed: int | None = None
) -> list[dict[str, str]]:
    """Say of each stage whether it is cached or will run, and why; nothing is run.

    Parameters
    ----------
    config
        The study's YAML file.
    folder
        Folder of the run; by default ``runs/<name>``.
    seed
        Instead of the study's.
    """
    study, place = _open(config, folder, seed)
    return [dict(vars(p)) for p in runner.plan(study, config.parent, place)]


def run_study(
    config: Path,
    folder: Path | None = None,
    seed: int | None = None,
    *,
    execution: str = "serial",
    workers: int | None = None,
    reporter: Reporter | None = None,
) -> dict[str, Any]:
    """Run a study; cached stages are skipped, a killed run goes on where it was.

    Parameters
    ----------
    config, folder, seed
        As in `plan_study`.
    execution, workers
        Where the simulation's chunks run: "serial", "processes" or "ray"; never changes a result.
    reporter
        Told of progress.

    Returns
    -------
    dict
        ``folder, report, ran, cached, seconds, findings``.

    Raises
    ------
    InputError
        With every fault of the configuration or the data.
    """
    study, place = _open(config, folder, seed)
    log().info("run started", study=study.name, kind=study.kind, execution=execution)
    done = runner.run(
        study, config.parent, place, reporter=reporter, execution=execution, workers=workers
    )
    log().info("run finished", study=study.name, ran=list(done.ran), cached=list(done.cached))
    return {
        "folder": str(done.folder),
        "report": str(done.report) if done.report else None,
        "ran": list(done.ran),
        "cached": list(done.cached),
        "seconds": done.seconds,
        "findings": findings(done.folder),
    }
