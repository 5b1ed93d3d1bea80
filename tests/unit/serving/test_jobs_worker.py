"""The worker and the job of a control arm: chunks, resuming, cancelling, faults."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from fastapi.testclient import TestClient

import serving.jobs.controls as job_controls
from extraction.records import InputError
from serving.api.app import build_app
from serving.jobs.controls import RESULT, run
from serving.jobs.store import Job, JobStore
from serving.jobs.tables import open_database
from serving.jobs.worker import BusyError, Worker
from serving.registry import Registry
from serving.service.control_requests import ControlsRequest, controls
from serving.service.control_table import control_table, without_empty
from simulation.execution.manifest import locked
from tests.support.server_support import NAME, config_of, make_run

REQUEST = ControlsRequest(model=NAME, n=50, seed=3)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("jobs") / "runs")


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_controls, "CHUNK_PATIENTS", 20)


@pytest.fixture
def registry(runs: Path) -> Registry:
    return Registry.discover(runs)


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    return JobStore(open_database(f"sqlite:///{tmp_path}/jobs.sqlite3"), lease_seconds=30)


def test_a_job_gives_the_patients_of_one_request(registry: Registry, tmp_path: Path) -> None:
    outcome = run(REQUEST, registry, tmp_path)
    table = pd.read_parquet(tmp_path / RESULT)
    assert table["subject_id"].tolist() == [f"S-{k:06d}" for k in range(1, 51)]
    assert set(table["arm"]) == {"Placebo"}
    assert (outcome["n"], outcome["n_train"], outcome["n_region"]) == (50, 150, 150)
    assert outcome["ess"] == pytest.approx(50)
    at_once = controls(REQUEST, registry)
    expected = without_empty(control_table(at_once.cohort, at_once.n_train))
    pd.testing.assert_frame_equal(table, expected)


def test_a_stopped_job_ends_with_the_same_bytes(registry: Registry, tmp_path: Path) -> None:
    whole = run(REQUEST, registry, tmp_path / "whole")

    def stop(what: str, fraction: float) -> None:
        if fraction > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(REQUEST, registry, tmp_path / "stopped", stop)
    assert not (tmp_path / "stopped" / RESULT).exists()
    told: list[float] = []
    after = run(REQUEST, registry, tmp_path / "stopped", lambda _, f: told.append(f))
    assert told[0] > 0.5  # the finished chunks were not sampled again
    assert after == whole


def test_a_refusal_is_the_same_as_at_once(registry: Registry, tmp_path: Path) -> None:
    few = REQUEST.model_copy(update={"given": {"AGE": [95, 99]}})
    with pytest.raises(InputError, match="20 are needed"):
        run(few, registry, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_still_held_is_tried_again_later(registry: Registry, tmp_path: Path) -> None:
    with locked(tmp_path / "chunks"), pytest.raises(BusyError):
        run(REQUEST, registry, tmp_path)


Carry = Callable[[Job, Path, Callable[[str, float], None]], dict[str, Any]]


def worked(store: JobStore, folder: Path, carry: Carry) -> Job:
    job = store.submit("controls", {"n": 1})
    assert Worker(store, folder, carry).work_once()
    found = store.get(job.id)
    assert found is not None
    return found


def test_an_input_error_fails_the_job_with_its_faults(store: JobStore, tmp_path: Path) -> None:
    def carry(*_: object) -> dict[str, Any]:
        raise InputError(["first", "second"])

    job = worked(store, tmp_path, carry)
    assert (job.state, job.faults) == ("failed", ("first", "second"))


def test_a_stray_error_fails_the_job_without_its_text(
    store: JobStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def carry(*_: object) -> dict[str, Any]:
        raise ValueError("patient Jane Roe")

    job = worked(store, tmp_path, carry)
    said = capsys.readouterr()
    assert job.state == "failed"
    assert "ValueError" in said.out
    assert "Jane" not in str(job.faults) + said.out + said.err


def test_a_busy_folder_puts_the_job_back(store: JobStore, tmp_path: Path) -> None:
    def carry(*_: object) -> dict[str, Any]:
        raise BusyError

    job = store.submit("controls", {"n": 1})
    assert not Worker(store, tmp_path, carry).work_once()
    found = store.get(job.id)
    assert found is not None
    assert found.state == "queued"


def test_cancelling_ends_a_running_job_at_its_next_chunk(store: JobStore, tmp_path: Path) -> None:
    def carry(job: Job, folder: Path, progress: Callable[[str, float], None]) -> dict[str, Any]:
        progress("1 of 3 chunks", 0.3)
        store.cancel(job.id)
        progress("2 of 3 chunks", 0.6)
        raise AssertionError("it went on")

    assert worked(store, tmp_path, carry).state == "cancelled"


def test_a_stopped_worker_puts_its_job_back(store: JobStore, tmp_path: Path) -> None:
    begun, stopped = threading.Event(), threading.Event()

    def carry(job: Job, folder: Path, progress: Callable[[str, float], None]) -> dict[str, Any]:
        begun.set()
        stopped.wait(60)
        progress("1 of 3 chunks", 0.3)
        raise AssertionError("it went on")

    job = store.submit("controls", {"n": 1})
    worker = Worker(store, tmp_path, carry)
    worker.start()
    assert begun.wait(60)
    stopper = threading.Thread(target=worker.stop)
    stopper.start()
    while not worker.stopping:
        pass
    stopped.set()
    stopper.join()
    found = store.get(job.id)
    assert found is not None
    assert found.state == "queued"


def test_a_job_over_http_from_queue_to_download(runs: Path, tmp_path: Path) -> None:
    body = {"request": {"model": NAME, "n": 45, "seed": 9, "given": {"SEX": "F"}}}
    config = config_of(runs, tmp_path)
    app = build_app(config, ui=False, worker=False)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        answer = client.post("/v1/jobs", json=body, headers={"Idempotency-Key": "k"})
        assert answer.status_code == 202
        place = answer.headers["location"]
        assert (
            client.post("/v1/jobs", json=body, headers={"Idempotency-Key": "k"}).headers["location"]
            == place
        )
        other = {"request": {**body["request"], "n": 46}}
        clash = client.post("/v1/jobs", json=other, headers={"Idempotency-Key": "k"})
        assert clash.status_code == 409
        assert client.get(f"{place}/result").status_code == 409
        desk = app.state.desk
        work = job_controls.carry_out(desk.registry)
        assert Worker(desk.store, config.job_folder, work).work_once()
        done = client.get(place).json()
        assert (done["state"], done["progress"], done["n"]) == ("done", 1.0, 45)
        assert done["n_region"] < done["n_train"] == 150
        for form in ("csv", "json", "parquet"):
            result = client.get(f"{place}/result?format={form}")
            assert result.headers["x-trialtwin-digest"] == done["digest"]
        assert len(client.get(f"{place}/result").json()["records"]) == 45
        assert set(pd.DataFrame(client.get(f"{place}/result").json()["records"])["SEX"]) == {"F"}
        assert [j["id"] for j in client.get("/v1/jobs").json()["jobs"]] == [done["id"]]
        assert client.delete(place).json()["state"] == "done"
        (config.job_folder / done["id"] / RESULT).unlink()
        assert client.get(f"{place}/result").status_code == 410


def test_a_job_that_would_be_refused_is_not_queued(runs: Path, tmp_path: Path) -> None:
    app = build_app(config_of(runs, tmp_path), ui=False, worker=False)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        few = {"model": NAME, "given": {"AGE": [95, 99]}}
        assert client.post("/v1/jobs", json={"request": few}).status_code == 409
        wrong = {"kind": "cure", "request": {"model": NAME, "n": 200_001}}
        assert len(client.post("/v1/jobs", json=wrong).json()["faults"]) == 2
        assert client.get("/v1/jobs").json() == {"jobs": []}
        assert client.get("/v1/jobs/none").status_code == 404
        assert client.delete("/v1/jobs/none").status_code == 404
