"""The same trial over every backend and two chunk sizes: one digest, and the time of each.

Run: python -m benchmarks.execution [REPLICATES]
"""

import os
import sys
import time
from typing import Any

from simulation import TrialDesign, simulate
from simulation.execution import ray_backend
from simulation.trial import ParametricPopulation

RUNS: tuple[dict[str, Any], ...] = (
    {"execution": "serial"},
    {"execution": "processes", "workers": 2},
    {"execution": "ray", "workers": 2},
)
CHUNK_SIZES = (250, 1000)


def main() -> None:
    replicates = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    design = TrialDesign(
        arms=({"name": "Placebo", "control": True}, {"name": "Active"}),
        endpoints=({"kind": "continuous", "name": "ADAS", "visits": (168,)},),
        hypotheses=(
            {"endpoint": "ADAS", "analysis": {"kind": "ancova", "covariates": ("score",)}},
        ),
        n=172,
        rule={"kind": "group_sequential", "looks": {"number": 3}},
        scenarios=(
            {
                "name": "planned",
                "effects": ({"arm": "Active", "endpoint": "ADAS", "shift": 0.5},),
            },
        ),
    )
    population = ParametricPopulation(
        covariates=({"kind": "normal", "name": "score"},),
        outcomes={"ADAS": {"kind": "continuous", "correlations": {"score": 0.4}}},
        leaving_rate=0.0017,
    )
    begin = time.perf_counter()
    ray_backend.start(2)
    print(f"{replicates} replicates of 172 patients, 3 looks; {os.cpu_count()} CPUs seen")
    print(f"ray start, once a session: {time.perf_counter() - begin:.1f} s")
    digests = set()
    for chunk_size in CHUNK_SIZES:
        for run in RUNS:
            begin = time.perf_counter()
            result = simulate(design, population, replicates, chunk_size=chunk_size, **run)
            seconds = time.perf_counter() - begin
            digests.add(result.digest())
            print(
                f"{run['execution']:<10} workers {run.get('workers', 1)}  chunks of {chunk_size:>4}"
                f"  {seconds:6.2f} s  {replicates / seconds:8.0f} trials/s  {result.digest()[:16]}"
            )
    ray_backend.stop()
    if len(digests) > 1:
        raise SystemExit(f"{len(digests)} different digests")
    print("one digest for all")


if __name__ == "__main__":
    main()
