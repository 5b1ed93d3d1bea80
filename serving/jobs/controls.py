"""The job that samples a large synthetic control arm in chunks of a fixed grid."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from extraction.records.errors import InputError
from extraction.records.files import write_atomically
from serving.jobs.store import Job
from serving.jobs.worker import BusyError, CarryOut, Progress
from serving.registry import Registry
from serving.service.control_requests import ControlsRequest, control_arm, gate, told
from serving.service.control_table import control_table, parquet_bytes, without_empty
from simulation.execution import concatenate, digest, map_chunks
from simulation.execution.manifest import locked

if TYPE_CHECKING:
    from generation.engine import Model

KIND = "controls"
CHUNK_PATIENTS = 5_000
"""Patients in a chunk: what is lost at most when a server is killed."""

RESULT = "controls.parquet"
ESS = "_ess"


def carry_out(registry: Registry) -> CarryOut:
    """Return the function that carries out jobs on a registry's models."""

    def carry(job: Job, folder: Path, progress: Progress) -> dict[str, Any]:
        if job.kind != KIND:
            raise InputError(f"job: kind {job.kind!r} is not known; use {KIND!r}")
        return run(ControlsRequest(**job.request), registry, folder, progress)

    return carry


def run(
    request: ControlsRequest, registry: Registry, folder: Path, progress: Progress | None = None
) -> dict[str, Any]:
    """Sample a control arm in chunks, resuming from the folder, and write one Parquet file.

    Returns
    -------
    dict
        What goes with the rows (n, n_train, n_region, ess, digest, notice), the file's name and
        its SHA-256.
    """
    verdict = gate(request, registry)
    entry = registry.find(request.model)
    model = registry.model(request.model)
    payload = {
        "given": request.given,
        "arm": control_arm(request, model),
        "seed": request.seed,
        "model_sha256": entry.fingerprint(),
    }
    _free(folder / "chunks")
    chunks_done = map_chunks(
        "serving.jobs.controls:sample_chunk", payload, request.n, CHUNK_PATIENTS,
        folder=folder / "chunks", progress=progress,
        paths={"model": str(entry.model_folder.resolve())},
    )
    parts = [pd.DataFrame(part) for part in chunks_done]
    table = pd.DataFrame(concatenate([part.drop(columns=ESS) for part in parts]))
    ess = sum(float(part[ESS].iloc[0]) for part in parts)
    about = {
        "n": request.n, "n_train": verdict.n_train, "n_region": verdict.n_region,
        "ess": round(ess, 2), "digest": digest(table), "notice": told(request, registry, verdict),
    }
    data = parquet_bytes(without_empty(table), about)
    write_atomically(folder / RESULT, data)
    return {**about, "file": RESULT, "sha256": hashlib.sha256(data).hexdigest()}


def sample_chunk(payload: dict[str, Any], start: int, stop: int) -> pd.DataFrame:
    """Sample the patients start to stop - 1 of a job.

    They are the patients that one call for all of them would give. The effective number of the
    chunk's patients goes along in the column :data:`ESS`.
    """
    model = _model(payload["paths"]["model"], payload["model_sha256"])
    cohort, report = model.sample_with_report(
        stop - start, payload["given"], arm=payload["arm"], seed=payload["seed"], first=start,
        gate=False,  # the real patients were counted when the job began
    )
    table = control_table(cohort, model.card.n_train)
    return table.assign(**{ESS: report.effective_sample_size * (stop - start)})


@lru_cache(maxsize=2)
def _model(folder: str, sha256: str) -> Model:
    """Load a model once a worker; the job's hash must be the file's."""
    from generation import load_model

    if hashlib.sha256((Path(folder) / "model.json").read_bytes()).hexdigest() != sha256:
        raise InputError("model: it was changed while the job ran; submit the job again")
    return load_model(folder)


def _free(folder: Path) -> None:
    """Refuse to begin while another driver still holds the chunks."""
    try:
        with locked(folder):
            return
    except InputError:
        raise BusyError from None
