"""Running a study: skip what is cached, write each stage whole, resume after a kill."""

from __future__ import annotations

import json
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from extraction.records.errors import InputError

from .cache import differences, digest_of, files_in, intact, listed, stage_key, versions
from .plan import stages_of
from .progress import Reporter, Silent
from .stage import RESULT, AnyStudy, Job, Stage, canonical_json

FORMAT = 1
MANIFEST = "manifest.json"
RUN = "run.json"
RESOLVED = "config.resolved.yaml"
REPORT = "report.html"
SCRATCH = ".scratch"
REPORTING = "report"
Entry = dict[str, Any]


@dataclass(frozen=True)
class Planned:
    """What a run would do with a stage: "cached" or "will run", and why."""

    stage: str
    title: str
    state: str
    why: str


@dataclass(frozen=True)
class Finished:
    """A run that ended well: its folder, which stages ran, and the seconds of each."""

    folder: Path
    ran: tuple[str, ...]
    cached: tuple[str, ...]
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def report(self) -> Path | None:
        """The report, where the study asks for one."""
        path = self.folder / REPORT
        return path if path.is_file() else None


def plan(study: AnyStudy, base: Path, folder: Path) -> list[Planned]:
    """Say of each stage whether it is cached or will run, and why; nothing is run or written.

    Parameters
    ----------
    study, base
        The configuration and the folder its relative paths count from.
    folder
        Folder of the run.
    """
    held = read_manifest(folder)["stages"]
    awaited: list[str] = []
    found = []
    for stage in stages_of(study):
        first = [name for name in stage.after if name in awaited]
        outputs = {name: held.get(name, {}).get("files", {}) for name in stage.after}
        why = _why(stage, study, base, folder, held.get(stage.name), outputs)
        if why is None and first:
            why = f"unless {', '.join(first)} come out as before"
        if why is not None:
            awaited.append(stage.name)
        state = "cached" if why is None else "will run"
        found.append(Planned(stage.name, stage.title, state, why or "nothing has changed"))
    return found


def _why(
    stage: Stage,
    study: AnyStudy,
    base: Path,
    folder: Path,
    entry: Entry | None,
    outputs: dict[str, dict[str, str]],
) -> str | None:
    """Why a stage must run; None when its cached output stands."""
    if entry is None:
        return "it has not been run"
    changed = differences(entry["key"], stage_key(stage, study, base, outputs))
    if changed:
        return f"changed: {', '.join(changed)}"
    return None if intact(folder, entry["files"]) else "its files are missing or were changed"


def run(
    study: AnyStudy,
    base: Path,
    folder: Path,
    *,
    reporter: Reporter | None = None,
    execution: str = "serial",
    workers: int | None = None,
) -> Finished:
    """Run a study's stages in order; those whose inputs are unchanged are skipped.

    Parameters
    ----------
    study, base
        The configuration and the folder its relative paths count from.
    folder
        Folder of the run; made where it is missing.
    reporter
        Told of progress.
    execution, workers
        Where chunks run ("serial", "processes", "ray"); neither changes a result.

    Raises
    ------
    InputError
        With every fault of the data or the configuration; stages that ended stay cached.
    """
    from simulation.execution.manifest import locked

    reporter = reporter or Silent()
    new = not folder.exists()
    try:
        with locked(folder):
            return _run(study, base, folder, reporter, execution, workers)
    except BaseException:
        if new and not (folder / MANIFEST).exists():
            shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        reporter.end()


def _run(
    study: AnyStudy,
    base: Path,
    folder: Path,
    reporter: Reporter,
    execution: str,
    workers: int | None,
) -> Finished:
    manifest = _fresh_manifest(study, read_manifest(folder))
    times = _read_json(folder / RUN)
    times |= {"started": _now(), "machine": _machine(), "execution": execution, "workers": workers}
    seconds: dict[str, float] = dict(times.get("seconds", {}))
    stages = stages_of(study)
    _clear(folder)
    reporter.begin([s.name for s in stages])
    ran, cached = [], []
    for stage in stages:
        held = manifest["stages"]
        outputs = {name: held[name]["files"] for name in stage.after}
        why = _why(stage, study, base, folder, held.get(stage.name), outputs)
        if why is None:
            cached.append(stage.name)
            reporter.skipped(stage.name)
            continue
        if stage.name == REPORTING:
            _settle(folder, study, manifest)  # the report reads the whole folder
        reporter.started(stage.name, stage.title)
        begun = time.perf_counter()
        key = stage_key(stage, study, base, outputs)
        scratch = folder / SCRATCH / f"{stage.name}-{digest_of(key)[:16]}"
        files = _carry_out(stage, study, base, folder, scratch, reporter, execution, workers)
        held[stage.name] = {"key": key, "files": files}
        _write(folder / MANIFEST, canonical_json(manifest))
        seconds[stage.name] = round(time.perf_counter() - begun, 2)
        ran.append(stage.name)
        reporter.finished(stage.name, seconds[stage.name])
    _settle(folder, study, manifest)
    _write(folder / RUN, canonical_json(times | {"finished": _now(), "seconds": seconds}))
    return Finished(folder, tuple(ran), tuple(cached), seconds)


def _settle(folder: Path, study: AnyStudy, manifest: dict[str, Any]) -> None:
    """Make the folder agree with the configuration: what it says, and no stage beside."""
    names = {s.name for s in stages_of(study)}
    for kind in ("stages", "exports"):
        for place in (folder / kind).glob("*/"):
            if place.name not in names:
                shutil.rmtree(place)
    _write(folder / RESOLVED, _resolved(study))
    _write(folder / MANIFEST, canonical_json(manifest))


def _carry_out(
    stage: Stage,
    study: AnyStudy,
    base: Path,
    folder: Path,
    scratch: Path,
    reporter: Reporter,
    execution: str,
    workers: int | None,
) -> dict[str, str]:
    """Run one stage in a folder of its own and move it into place when it ended well."""
    from generation.evaluation.running import one_thread

    with _workplace(folder) as place:
        job = Job(
            study,
            base,
            folder,
            place / "stage",
            place / "exports",
            scratch,
            lambda what, fraction: reporter.progress(stage.name, what, fraction),
            execution,
            workers,
        )
        job.folder.mkdir()
        job.exports.mkdir()
        with one_thread():  # the order of a threaded sum would change the last bits
            result = stage.carry_out(job)
        (job.folder / RESULT).write_text(canonical_json(result), "utf-8")
        target, exports = folder / "stages" / stage.name, folder / "exports" / stage.name
        _replace(job.folder, target)
        files = files_in(target)
        if any(job.exports.iterdir()):
            _replace(job.exports, exports)
            files += files_in(exports)
    shutil.rmtree(folder / SCRATCH, ignore_errors=True)
    if stage.name == REPORTING:
        files.append(folder / REPORT)
    return listed(folder, files)


@contextmanager
def _workplace(folder: Path) -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix=".stage-", dir=folder))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _clear(folder: Path) -> None:
    """Remove what a killed run left unfinished."""
    for stale in folder.glob(".stage-*"):
        shutil.rmtree(stale, ignore_errors=True)


def _replace(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        shutil.rmtree(target)
    os.replace(source, target)


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a run; empty where there is none."""
    found = _read_json(folder / MANIFEST)
    if found and found.get("format") != FORMAT:
        raise InputError(
            f"{MANIFEST}: format {found.get('format')}; this Trialtwin reads {FORMAT}; "
            "choose another folder"
        )
    return found or {"format": FORMAT, "stages": {}}


def _fresh_manifest(study: AnyStudy, held: dict[str, Any]) -> dict[str, Any]:
    names = {s.name for s in stages_of(study)}
    return {
        "format": FORMAT,
        "study": study.name,
        "kind": study.kind,
        "seed": study.seed,
        "versions": versions(),
        "stages": {k: v for k, v in held["stages"].items() if k in names},
    }


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        raise InputError(
            f"{path.name}: not readable as JSON; remove it or choose another folder"
        ) from None
    return found


def _write(path: Path, text: str) -> None:
    from extraction.records.files import write_atomically

    write_atomically(path, text.encode())


def _resolved(study: AnyStudy) -> str:
    head = "# The configuration with every default written out.\n"
    body = yaml.safe_dump(study.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    return head + str(body)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _machine() -> dict[str, Any]:
    return {
        "system": platform.system(),
        "processor": platform.machine(),
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
    }
