"""What a stage of a study is, and what it is given when it runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from extraction.records.errors import TrialtwinError
from serving.study import HistoricalScoreStudy, TrialStudy

AnyStudy = TrialStudy | HistoricalScoreStudy
Progress = Callable[[str, float], None]
RESULT = "result.json"


@dataclass(frozen=True)
class Stage:
    """One step of a study.

    Parameters
    ----------
    name
        Names its folder under ``stages/``.
    title
        What it does, for people.
    function
        "module:function", called with a `Job`; returns the figures of ``result.json``.
    after
        Stages whose output it reads.
    settings
        Fields of the study that its outcome depends on (the seed always counts).
    code
        Source files and packages its outcome depends on, as paths from the top of the source.
    reads_data
        Whether it reads the study's source data.
    """

    name: str
    title: str
    function: str
    after: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    reads_data: bool = False

    def carry_out(self, job: Job) -> dict[str, Any]:
        """Import the stage's function and run it."""
        module, _, name = self.function.partition(":")
        result: dict[str, Any] = getattr(import_module(module), name)(job)
        return result


@dataclass(frozen=True)
class Job:
    """What a stage gets: the study, where to read and write, and how to report.

    Parameters
    ----------
    study
        The checked configuration.
    base
        Folder that relative paths of the configuration count from.
    run_folder
        Folder of the run; earlier stages are under ``stages/``.
    folder
        Empty folder for this stage's files; takes its place only when the stage ends well.
    exports
        Empty folder for files that are meant to be handed on.
    scratch
        Folder that outlives a killed run, for finished chunks.
    tell
        Called with what is being done and the fraction done.
    execution, workers
        Where chunks run; neither changes a result.
    """

    study: AnyStudy
    base: Path
    run_folder: Path
    folder: Path
    exports: Path
    scratch: Path
    tell: Progress
    execution: str = "serial"
    workers: int | None = None

    @property
    def seed(self) -> int:
        """Seed of the study."""
        return self.study.seed

    @cached_property
    def trial(self) -> TrialStudy:
        """The study as one of `kind: trial`."""
        if not isinstance(self.study, TrialStudy):
            raise TypeError(f"a stage of a trial study was given a study of {self.study.kind}")
        return self.study

    @cached_property
    def historical(self) -> HistoricalScoreStudy:
        """The study as one of `kind: historical_score`."""
        if not isinstance(self.study, HistoricalScoreStudy):
            raise TypeError(f"a historical score's stage was given a study of {self.study.kind}")
        return self.study

    def stage(self, name: str) -> Path:
        """Folder of an earlier stage."""
        return self.run_folder / "stages" / name

    def result(self, name: str) -> dict[str, Any]:
        """Figures of an earlier stage."""
        return read_result(self.run_folder, name)


def read_result(run_folder: Path, stage: str) -> dict[str, Any]:
    """Read the figures of a finished stage."""
    path = run_folder / "stages" / stage / RESULT
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        raise TrialtwinError(f"stage {stage}: no readable {RESULT}; run the study again") from None
    return found


def canonical_json(values: Mapping[str, Any] | list[Any]) -> str:
    """JSON with sorted keys; NaN is refused, so that every reader can read it."""
    return json.dumps(values, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
