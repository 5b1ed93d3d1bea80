"""How simulated trials scale: peak memory over replicates, and time over workers.

Run: python -m benchmarks.trials_scaling memory [REPLICATES ...]
     python -m benchmarks.trials_scaling workers [small|survival [REPLICATES [ROUNDS]]]

Every run is a process of its own, so that its peak memory is its own. On a machine that others
use, fewer CPU-seconds come in a second: each line has the load, the CPU-seconds, and beside the
whole run's rate that of its fastest tenth in a row, which comes nearest to an idle machine's.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from statistics import median
from typing import Any

from simulation import TrialDesign, simulate
from simulation.trial import ParametricPopulation

ARMS = [{"name": "Placebo", "control": True}, {"name": "Active"}]
SMALL: dict[str, Any] = {
    "name": "60 patients, a mean, two looks",
    "arms": ARMS,
    "endpoints": [{"kind": "continuous", "name": "ADAS", "visits": [168]}],
    "n": 60,
    "rule": {"kind": "group_sequential", "looks": {"number": 2}},
    "scenarios": [
        {"name": "planned", "effects": [{"arm": "Active", "endpoint": "ADAS", "shift": 0.8}]}
    ],
}
SURVIVAL: dict[str, Any] = {  # that of benchmarks.trials
    "name": "490 patients, survival, three looks",
    "time_unit": "month",
    "arms": ARMS,
    "n": 490,
    "enrolment": {"duration": 12},
    "endpoints": [{"kind": "time_to_event", "name": "OS"}],
    "rule": {"kind": "group_sequential", "looks": {"by": "events", "at": [112, 223, 335]}},
    "scenarios": [
        {"name": "planned", "effects": [{"arm": "Active", "endpoint": "OS", "hazard_ratio": 0.7}]}
    ],
}
DESIGNS = {"small": SMALL, "survival": SURVIVAL}
PEOPLE: dict[str, Any] = {
    "ADAS": {"kind": "continuous"},
    "OS": {"kind": "time_to_event", "median": 12},
}
CHUNK = 1000


def one(which: str, replicates: int, execution: str, workers: int) -> dict[str, Any]:
    """Simulate, keeping the replicates in a folder; what it took, and the digest."""
    design = TrialDesign.parse(DESIGNS[which])
    outcomes = {endpoint.name: PEOPLE[endpoint.name] for endpoint in design.endpoints}
    people = ParametricPopulation(outcomes=outcomes)
    times: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        began, load = time.perf_counter(), os.getloadavg()[0]
        found = simulate(
            design,
            people,
            replicates,
            execution=execution,
            workers=workers,
            chunk_size=CHUNK,
            folder=folder,
            progress=lambda *_: times.append(time.perf_counter()),
        )
        seconds = time.perf_counter() - began
        size = os.path.getsize(os.path.join(folder, "replicates.parquet"))
    own, others = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return {
        "replicates": replicates,
        "execution": execution,
        "workers": workers,
        "seconds": seconds,
        "fastest": fastest(times),
        "cpu_driver": own.ru_utime + own.ru_stime,
        "cpu_workers": others.ru_utime + others.ru_stime,
        "peak_mib": own.ru_maxrss / 1024,
        "peak_worker_mib": others.ru_maxrss / 1024,
        "file_mib": size / 2**20,
        "load": load,
        "digest": found.digest(),
        "power": found.power.value,
        "type_one_error": found.type_one_error.value,
    }


def fastest(times: list[float]) -> float:
    """Replicates a second of the fastest tenth in a row of a run's chunks."""
    tenth = max(1, len(times) // 10)
    return tenth * CHUNK / min(b - a for a, b in zip(times, times[tenth:], strict=False))


def run(which: str, replicates: int, execution: str, workers: int) -> dict[str, Any]:
    """Carry out one run in a process of its own and print its line."""
    command = [sys.executable, "-m", "benchmarks.trials_scaling", "one"]
    done = subprocess.run(
        [*command, which, str(replicates), execution, str(workers)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    told: dict[str, Any] = json.loads(done.stdout)
    print(
        f"{told['replicates']:>9,} replicates  {execution:<9} {workers} worker(s)  "
        f"{told['seconds']:7.1f} s  {replicates / told['seconds']:7.0f} replicates/s, "
        f"fastest tenth {told['fastest']:7.0f}  "
        f"CPU driver {told['cpu_driver']:6.1f} s workers {told['cpu_workers']:6.1f} s  "
        f"peak {told['peak_mib']:4.0f} MiB, of a worker {told['peak_worker_mib']:4.0f} MiB  "
        f"file {told['file_mib']:6.1f} MiB  load {told['load']:.1f}  {told['digest'][:12]}",
        flush=True,
    )
    return told


def memory(sizes: list[int]) -> None:
    """Peak memory over replicates, serially and over two workers; digests must agree."""
    print(SMALL["name"])
    for replicates in sizes:
        told = [run("small", replicates, "serial", 1), run("small", replicates, "processes", 2)]
        if len({t["digest"] for t in told}) > 1:
            raise SystemExit("two different digests")
        print(
            f"          power {told[0]['power']:.4f}, type I error "
            f"{told[0]['type_one_error']:.4f}; one digest"
        )


def workers(which: str, replicates: int, rounds: int) -> None:
    """One worker against two, in turns, and the ratios of their speeds."""
    told = [[run(which, replicates, "processes", k) for k in (1, 2)] for _ in range(rounds)]
    whole = [single["seconds"] / double["seconds"] for single, double in told]
    one_worker, two_workers = (max(pair[k]["fastest"] for pair in told) for k in (0, 1))
    print(
        f"two workers against one: whole runs {', '.join(f'{r:.2f}' for r in whole)} times as fast "
        f"(median {median(whole):.2f}); fastest tenths {two_workers / one_worker:.2f}"
    )


def main() -> None:
    what, *rest = sys.argv[1:] or ["memory"]
    if what == "one":
        print(json.dumps(one(rest[0], int(rest[1]), rest[2], int(rest[3]))))
    elif what == "workers":
        which, replicates, rounds = [*rest, *["survival", "200000", "3"][len(rest) :]]
        print(DESIGNS[which]["name"])
        workers(which, int(replicates), int(rounds))
    else:
        memory([int(n) for n in rest] or [10_000, 100_000, 1_000_000])


if __name__ == "__main__":
    main()
