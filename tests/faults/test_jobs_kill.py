"""kill -9 of a real server in the middle of a job: the next server ends it with the same bytes."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

import serving.jobs.controls as job_controls
from serving.jobs.controls import RESULT, run
from serving.registry import Registry
from serving.service.control_requests import ControlsRequest
from tests.support.server_support import NAME, make_run, server

PATIENCE_SECONDS = 300


def job_of(url: str, job: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx2.get(f"{url}/v1/jobs/{job}", timeout=30).json()
    return found


def killed_and_resumed(
    folder: Path, n: int, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """Outcome without a fault, the job after a kill, and the chunks finished before the kill."""
    runs, var = make_run(folder / "runs"), folder / "var"
    monkeypatch.setattr(job_controls, "CHUNK_PATIENTS", chunk)
    asked = {"model": NAME, "n": n, "seed": 5, "given": {"AGE": [65, None]}}
    plain = run(ControlsRequest.model_validate(asked), Registry.discover(runs), folder / "plain")

    with server(runs, var, chunk) as (process, url):
        job = httpx2.post(f"{url}/v1/jobs", json={"request": asked}, timeout=30).json()["id"]
        chunks = var / "jobs" / job / "chunks"
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(list(chunks.glob("chunk-*.parquet"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    kept = sorted(file.name for file in chunks.glob("chunk-*.parquet"))
    assert not (chunks.parent / RESULT).exists(), "the job ended before it could be killed"

    with server(runs, var, chunk) as (_, url):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while job_of(url, job)["state"] in ("queued", "running") and time.monotonic() < deadline:
            time.sleep(0.1)
        after = job_of(url, job)
        data = httpx2.get(f"{url}/v1/jobs/{job}/result?format=parquet", timeout=60).content
    assert hashlib.sha256(data).hexdigest() == after["sha256"]
    return plain, after, kept


def test_a_killed_server_ends_its_job_with_the_same_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, after, kept = killed_and_resumed(tmp_path, 6_000, 200, monkeypatch)
    assert len(kept) >= 2
    assert after["state"] == "done"
    assert (after["digest"], after["sha256"]) == (plain["digest"], plain["sha256"])


@pytest.mark.long
def test_a_killed_server_ends_a_job_of_50_000_patients_with_the_same_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, after, kept = killed_and_resumed(tmp_path, 50_000, 5_000, monkeypatch)
    assert len(kept) >= 2
    assert after["n"] == 50_000
    assert (after["digest"], after["sha256"]) == (plain["digest"], plain["sha256"])
