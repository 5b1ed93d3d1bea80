"""Simulated trials whose worker or driver is killed outright: the digest stays the same.

A killer acts at a named step of progress and never by the clock.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from simulation import simulate
from simulation.operating_characteristics import sweep
from simulation.trial import TrialDesign
from simulation.trial.moments import BLOCK
from simulation.trial.storage import FILE
from tests.support.trial_support import DESIGNS, PEOPLE

ROOT = Path(__file__).parents[2]
DESIGN = DESIGNS["looks"]

DRIVER = """
import sys, threading
from simulation import simulate
from simulation.operating_characteristics import sweep
from tests.support.trial_support import DESIGNS, PEOPLE

what, folder, execution, replicates, chunk, stop = sys.argv[1:]

def tell(step, _):
    print(step, flush=True)
    if step.startswith(stop + " of"):
        threading.Event().wait()

if __name__ == "__main__":
    run = dict(replicates=int(replicates), chunk_size=int(chunk), folder=folder,
               execution=execution, workers=2, progress=tell)
    if what == "sweep":
        sweep(DESIGNS, PEOPLE, **run)
    else:
        simulate(DESIGNS["looks"], PEOPLE, **run)
"""

Tell = Callable[[str, float], None]


def _killing(at: str, kill: Callable[[], None]) -> Tell:
    """Kill when progress comes to a step, once."""
    left = [kill]

    def tell(step: str, _: float) -> None:
        if step.startswith(f"{at} of") and left:
            left.pop()()

    return tell


def _kill_a_process() -> None:
    worker = multiprocessing.active_children()[0]
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)


def _ray_killer(ray: ModuleType) -> Callable[[], None]:
    """Kill the Ray worker that answers next; chunks wait in its queue or run in it."""

    def own_number() -> int:  # Ray takes Python functions only, not built-in ones
        return os.getpid()

    def kill() -> None:
        pid = ray.get(ray.remote(num_cpus=0)(own_number).remote())
        assert pid != os.getpid()
        os.kill(pid, signal.SIGKILL)

    return kill


def _killed_driver(
    tmp_path: Path, what: str, execution: str, replicates: int, chunk: int, stop: int
) -> Path:
    """Run a driver in a process of its own and kill it after so many chunks; its folder."""
    folder, script = tmp_path / f"{what}-{execution}-{chunk}", tmp_path / "driver.py"
    script.write_text(DRIVER)
    numbers = [str(number) for number in (replicates, chunk, stop)]
    with subprocess.Popen(
        [sys.executable, str(script), what, str(folder), execution, *numbers],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=ROOT,
    ) as driver:
        assert driver.stdout is not None
        for line in driver.stdout:
            if line.startswith(f"{stop} of"):
                break
        driver.send_signal(signal.SIGKILL)
        driver.stdout.read()  # ends when the last orphan that holds the pipe has ended
    assert driver.returncode == -signal.SIGKILL
    return folder


def _resumed(folder: Path, design: TrialDesign, replicates: int, chunk: int) -> tuple[str, str]:
    """Go on in a folder; the first step of progress, and the digest."""
    told: list[str] = []
    found = simulate(
        design,
        PEOPLE,
        replicates,
        chunk_size=chunk,
        folder=folder,
        progress=lambda step, _: told.append(step),
    )
    return told[0], found.digest()


def test_replicates_of_a_killed_worker_are_run_again() -> None:
    plain = simulate(DESIGN, PEOPLE, 60)
    killed = simulate(
        DESIGN,
        PEOPLE,
        60,
        execution="processes",
        workers=2,
        chunk_size=5,
        progress=_killing("3", _kill_a_process),
    )
    assert killed.to_dict() == plain.to_dict()


def test_ray_runs_replicates_of_a_killed_worker_again(ray_session: ModuleType) -> None:
    killed = simulate(
        DESIGN,
        PEOPLE,
        60,
        execution="ray",
        workers=2,
        chunk_size=5,
        progress=_killing("3", _ray_killer(ray_session)),
    )
    assert killed.digest() == simulate(DESIGN, PEOPLE, 60).digest()


@pytest.mark.parametrize("execution", ["serial", "processes"])
def test_a_simulation_goes_on_where_its_driver_was_killed(tmp_path: Path, execution: str) -> None:
    folder = _killed_driver(tmp_path, "simulate", execution, 60, 10, stop=3)
    (folder / f"{FILE}.part").write_bytes(b"PAR1")  # what a driver killed while writing leaves
    first, digest = _resumed(folder, DESIGN, 60, 10)
    assert first == "3 of 6 chunks"
    assert digest == simulate(DESIGN, PEOPLE, 60).digest()
    assert sorted(path.name for path in folder.iterdir()) == [".lock", "manifest.json", FILE]


def test_a_sweep_goes_on_where_its_driver_was_killed(tmp_path: Path) -> None:
    """Killed in the second of two trials: the first is read, the second goes on."""
    folder = _killed_driver(tmp_path, "sweep", "serial", 40, 10, stop=6)
    told: list[str] = []
    again = sweep(
        DESIGNS,
        PEOPLE,
        replicates=40,
        chunk_size=10,
        folder=folder,
        progress=lambda step, _: told.append(step),
    )
    assert told == ["2 of 4 chunks", "3 of 4 chunks", "4 of 4 chunks"]
    assert again.digest() == sweep(DESIGNS, PEOPLE, replicates=40).digest()


@pytest.mark.long
def test_one_digest_whatever_happens(tmp_path: Path, ray_session: ModuleType) -> None:
    """Beyond a block of sums: serial, processes, Ray, chunk sizes, killed workers and drivers."""
    n = 2 * BLOCK + 777
    plain = simulate(DESIGN, PEOPLE, n)
    runs = [
        {"chunk_size": 999},
        {"chunk_size": 4000},
        {"chunk_size": n},
        {"execution": "processes", "workers": 2},
        {"execution": "processes", "workers": 2, "progress": _killing("9", _kill_a_process)},
        {"execution": "ray", "workers": 2, "chunk_size": 500},
        {
            "execution": "ray",
            "workers": 2,
            "chunk_size": 500,
            "progress": _killing("9", _ray_killer(ray_session)),
        },
    ]
    for run in runs:
        other = simulate(DESIGN, PEOPLE, n, **run)  # type: ignore[arg-type]
        assert other.to_dict() == plain.to_dict(), run
    for execution in ("serial", "processes"):
        folder = _killed_driver(tmp_path, "simulate", execution, n, 500, stop=31)
        first, digest = _resumed(folder, DESIGN, n, 500)
        assert first == "31 of 42 chunks"
        assert digest == plain.digest()


CLUSTER = """
import os, sys, tempfile
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
from ray.cluster_utils import Cluster
from simulation import simulate
from simulation.execution import ray_backend
from tests.support.trial_support import DESIGNS, PEOPLE

if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="tt", dir="/tmp", ignore_cleanup_errors=True) as folder:
        size = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
        head = {**size, "include_dashboard": False, "temp_dir": folder}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        left = [cluster.add_node(**size)]
        os.environ["RAY_ADDRESS"] = cluster.address

        def lose(step, _):
            if step.startswith("9 of") and left:
                assert ray_backend.available() == 2
                cluster.remove_node(left.pop(), allow_graceful=False)

        found = simulate(DESIGNS["looks"], PEOPLE, int(sys.argv[1]), execution="ray",
                         chunk_size=500, progress=lose)
        print("digest", found.digest(), len(left))
        ray_backend.stop()
        cluster.shutdown()
"""


@pytest.mark.long
def test_a_cluster_loses_one_of_two_machines(tmp_path: Path) -> None:
    """Two Ray nodes, each with a process tree of its own; one is killed with its workers."""
    script, n = tmp_path / "cluster.py", 20_000
    script.write_text(CLUSTER)
    done = subprocess.run(
        [sys.executable, str(script), str(n)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        check=True,
    )
    told = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("digest ")]
    assert told == [[simulate(DESIGN, PEOPLE, n).digest(), "0"]]
