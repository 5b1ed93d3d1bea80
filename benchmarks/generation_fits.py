"""Fits of engines and peers on fixed splits, each in a process of its own, kept on disk.

A fit is found again by what it depends on: the training patients, the engine, the hash of the
engine's code (of the runner, for a peer), its options, the split and the seed. Everything lies
under ``var/benchmarks/fits``; a fit is whole once its ``cost.json`` is there.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.generation_effects import EFFECTS
from benchmarks.generation_tables import cohort_of, plain_tables, read_tables, write_tables
from benchmarks.peers.install import HERE, interpreter
from extraction.records import Cohort, CohortSchema
from generation.randomness import integer_seed

ROOT = Path(__file__).parents[1]
STORE = ROOT / "var" / "benchmarks"
FOLDS = 5
LOCKED = -1
"""Number of the split that trains on the three quarters and holds the locked one out."""
SYNTHESES = 50
"""Synthetic training sets drawn from one fit for the hazard ratios."""
RATE_ROWS = 5000
"""Static rows whose sampling is timed."""
PEERS: dict[str, tuple[str, str]] = {
    "sdv-gaussian-copula": ("", "run_sdv.py"),
    "sdv-tvae": ("", "run_sdv.py"),
    "arf": ("arf", "run_arf.py"),
    "sdv-ctgan": ("", "run_sdv.py"),
    "sdv-copulagan": ("", "run_sdv.py"),
    "tabular-argn": ("tabular-argn", "run_tabular_argn.py"),
    "sdv-par": ("", "run_sdv.py"),
}
"""Peers by name: environment ("" is the project's own) and runner, quick ones first."""
VISIT_PEERS = ("sdv-par", "tabular-argn")
_NOT_ENGINE = ("evaluation", "narratives", "privacy", "synthesis.py")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class NotFitted(RuntimeError):
    """A fit that could not be had: it failed, ran out of its time, or was not asked for."""


@dataclass(frozen=True)
class Job:
    """One fit: which patients are trained on, by what, and how."""

    data: str
    engine: str
    split: int
    seed: int = 0
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def peer(self) -> bool:
        """Whether the engine is not ours."""
        return self.engine in PEERS

    def folder(self, train: Cohort) -> Path:
        """Where the fit lies."""
        told = {**asdict(self), "train": self._read(train), "code": code_digest(self.engine)}
        if not self.peer:
            told["effect"] = repr(EFFECTS.get(self.data))
        key = hashlib.blake2b(json.dumps(told, sort_keys=True).encode(), digest_size=8)
        return STORE / "fits" / self.data / f"{self.engine}-{self.split}-{key.hexdigest()}"

    def _read(self, train: Cohort) -> str:
        """Hash of what the engine reads: the cohort, or, for a peer, its plain tables."""
        if not self.peer:
            return train.digest()
        digest = hashlib.blake2b(digest_size=16)
        for name, table in plain_tables(train).items():
            digest.update(f"{name} {list(table.columns)}".encode())
            digest.update(table.to_csv(index=False, float_format="%.12g").encode())
        return digest.hexdigest()


@dataclass(frozen=True)
class Fitted:
    """A fit that is on disk."""

    job: Job
    folder: Path
    cost: dict[str, float]

    def sample(self, schema: CohortSchema) -> Cohort:
        """Its synthetic patients, as many as the training and held-out ones together."""
        if self.job.peer:
            return cohort_of(schema, read_tables(self.folder))
        return Cohort.read(self.folder / "sample")

    def effects(self) -> dict[str, list[float]] | None:
        """Log hazard ratios and errors of the syntheses, None where none was asked for."""
        path = self.folder / "effects.json"
        return json.loads(path.read_text("utf-8")) if path.exists() else None


def split(cohort: Cohort, number: int, seed: int = 0) -> tuple[Cohort, Cohort]:
    """Training four fifths and held-out fifth of one of the five splits."""
    fold = cohort.folds(FOLDS, seed)
    return cohort.take(fold != number), cohort.take(fold == number)


@cache
def code_digest(engine: str) -> str:
    """Hash of the code that a fit depends on."""
    if engine in PEERS:
        environment, runner = PEERS[engine]
        names = [runner, "job.py", *([f"{environment}.txt"] if environment else [])]
        files = [HERE / name for name in names]
        versions = "" if environment else _sdv_versions()
    else:
        files = [
            p
            for room in ("generation", "extraction/records")
            for p in sorted((ROOT / room).rglob("*.py"))
            if not set(_NOT_ENGINE) & set(p.relative_to(ROOT / room).parts)
            and (engine in ("twin",) or "twin_model" not in p.parts)
            and (engine in ("mixture",) or "mixture" not in p.parts)
        ]
        versions = ""
    digest = hashlib.blake2b(versions.encode(), digest_size=8)
    for path in files:
        digest.update(meaning(path))
    return digest.hexdigest()


def meaning(path: Path) -> bytes:
    """A file's bytes; of Python, its syntax without comments and docstrings."""
    text = path.read_text("utf-8")
    if path.suffix != ".py":
        return text.encode()
    tree = ast.parse(text)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        first = body[0] if isinstance(body, list) and body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            node.body[0] = ast.copy_location(ast.Pass(), first)  # type: ignore[attr-defined]
    return ast.dump(tree).encode()


def _sdv_versions() -> str:
    from importlib.metadata import version

    return " ".join(version(p) for p in ("sdv", "ctgan", "copulas", "deepecho", "rdt"))


def fitted(job: Job, train: Cohort, n: int, cap: float | None = None, refit: bool = True) -> Fitted:
    """The fit of a job, made now where it is not on disk.

    Parameters
    ----------
    n
        Synthetic patients to keep.
    cap
        CPU-seconds after which a fit is given up.
    refit
        False only looks on disk.

    Raises
    ------
    NotFitted
        With the reason, which is kept: a fit that failed is not tried again until its code or
        its data change.
    """
    folder = job.folder(train)
    failed = folder / "failed.txt"
    if failed.exists():
        raise NotFitted(failed.read_text("utf-8"))
    if not (folder / "cost.json").exists():
        if not refit:
            raise NotFitted("not run yet")
        _make(job, train, n, folder, cap)
    return Fitted(job, folder, json.loads((folder / "cost.json").read_text("utf-8")))


def _make(job: Job, train: Cohort, n: int, folder: Path, cap: float | None) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    work = folder.with_name(f"{folder.name}.work")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    told = {
        "data": job.data,
        "engine": job.engine,
        "options": job.options,
        "n": n,
        "seed": integer_seed(job.seed, "benchmark-fit", job.split),
        "folder": str(work / "train"),
        "out": str(work / "out"),
        "syntheses": SYNTHESES,
        "rate": 0 if train.schema.longitudinal else RATE_ROWS,
    }
    if job.peer:
        environment, runner = PEERS[job.engine]
        write_tables(plain_tables(train), work / "train")
        command = [str(interpreter(environment)), str(HERE / runner)]
    else:
        train.write(work / "train")
        command = [sys.executable, "-m", "benchmarks.generation_worker"]
    path = work / "job.json"
    path.write_text(json.dumps(told), "utf-8")
    reason = run_alone([*command, str(path)], cap)
    if not reason and not (work / "out" / "cost.json").exists():
        reason = "ended without a result"
    if reason:
        (work / "out").mkdir(exist_ok=True)
        (work / "out" / "failed.txt").write_text(reason, "utf-8")
    (work / "out").rename(folder)
    shutil.rmtree(work)
    if reason:
        raise NotFitted(reason)


def run_alone(command: list[str], cap: float | None) -> str:
    """Run on one thread; the words of what went wrong, "" where nothing did."""
    import resource

    def limited() -> None:
        if cap is not None:
            resource.setrlimit(resource.RLIMIT_CPU, (int(cap), int(cap) + 10))

    environment = {**os.environ, **dict.fromkeys(_THREADS, "1"), "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        command,
        check=False,
        cwd=ROOT,
        env=environment,
        preexec_fn=limited,
        capture_output=True,
        text=True,
    )
    if done.returncode == 0:
        return ""
    if done.returncode in (-24, -9) and cap is not None:
        return f"given up after {cap:g} CPU-seconds"
    words = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    return words[-1][:300]
