"""A run folder with a small model of controls, and servers to ask it of."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from generation import fit
from serving.analyses.modelling import narrowed
from serving.api.config import ServiceConfig
from tests.support.records_support import small_cohort

ROOT = Path(__file__).parents[2]
NAME = "demo"


def make_run(runs: Path, patients: int = 300) -> Path:
    """Write `runs/demo` as `trialtwin run` would, as far as the service reads it."""
    cohort = small_cohort(patients, 1)
    names = [v.name for v in cohort.schema.variables]
    learnt = narrowed(cohort, names, [e.name for e in cohort.schema.endpoints])
    run = runs / NAME
    cohort.write(run / "stages" / "cohort" / "cohort")
    model = fit(learnt.controls(), engine="cart", seed=0)
    model.save(run / "stages" / "models" / "controls")
    return runs


def config_of(runs: Path, var: Path) -> ServiceConfig:
    return ServiceConfig(runs=runs, var=var, lease_seconds=2)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


SERVER = """
import sys
from pathlib import Path
from serving.api.config import ServiceConfig
import serving.api.app as app
import serving.jobs.controls as controls
import serving.server as server

runs, var, port, chunk, ui = sys.argv[1:]
controls.CHUNK_PATIENTS = int(chunk)
whole = app.build_app
app.build_app = lambda config: whole(config, ui=ui == "yes")
config = ServiceConfig(runs=Path(runs), var=Path(var), lease_seconds=2)
server.serve("127.0.0.1", int(port), config=config)
"""


@contextmanager
def server(
    runs: Path, var: Path, chunk: int = 5_000, ui: bool = False
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A server in a process of its own, and its address; killed at the end if it still runs."""
    port = free_port()
    command = [sys.executable, "-c", SERVER, str(runs), str(var), str(port), str(chunk)]
    with (var.parent / f"{var.name}-{port}.err").open("w+b") as said:
        process = subprocess.Popen(
            [*command, "yes" if ui else "no"], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=said,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        try:
            url = f"http://127.0.0.1:{port}"
            if not wait_for(url, process):
                said.seek(0)
                raise AssertionError(f"the server ended: {said.read().decode()[-2000:]}")
            yield process, url
        finally:
            process.kill()
            process.wait()


def wait_for(
    url: str, process: subprocess.Popen[bytes] | None = None, seconds: int = 120
) -> bool:
    """Wait until a server answers; False when it ended or stays silent."""
    for _ in range(10 * seconds):
        if process is not None and process.poll() is not None:
            return False
        try:
            return httpx2.get(f"{url}/healthz", timeout=5).status_code == 200
        except httpx2.TransportError:
            time.sleep(0.1)
    return False
