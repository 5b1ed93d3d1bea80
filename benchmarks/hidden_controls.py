"""Hide real randomised controls, use others instead, and judge the rule that says when not to.

First ACTG320's and the pilot's controls, group of sites by group: the answer of every method beside
the randomised one, and the verdict. Then a drift grid by resampling real patients: what the
stopping rule lets through. The conflict limit is calibrated on one seed and judged on the next.

    python -m benchmarks.hidden_controls                       # as in docs/evidence
    python -m benchmarks.hidden_controls --replicates 100      # quick
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

import argparse
import resource
from collections.abc import Iterable

from benchmarks.hidden_controls_grid import CHUNK, SETTINGS, run_grid
from benchmarks.hidden_controls_methods import OWN_ONLY
from benchmarks.hidden_controls_real import all_hidden, historical
from benchmarks.hidden_controls_report import (
    CAP,
    SHIPPED,
    gains,
    grid_tables,
    hidden_tables,
    historical_table,
)

SEED = 20261122


def show(lines: Iterable[str]) -> None:
    """Print lines as they come."""
    for line in lines:
        print(line, flush=True)


def real(seed: int) -> None:
    """Part 1: real controls hidden."""
    print("1. Real randomised controls hidden, by groups of sites")
    show(hidden_tables(all_hidden(seed)))
    show(historical_table(historical(seed)))


def grid(replicates: int, seed: int, workers: int) -> None:
    """Part 2: the drift grid, calibrated on one seed and judged on the next."""
    print("\n2. Drift grid: real patients resampled")
    for name in SETTINGS:
        first = run_grid(name, replicates, seed, workers)
        methods = first.methods("hybrid")
        print(f"\n== {name}, seed {seed}, the rule as shipped")
        show(grid_tables(first, "external", SHIPPED))
        show(grid_tables(first, "hybrid", SHIPPED))
        show(gains(first, "external", dict.fromkeys(first.methods("external"), SHIPPED)))
        show(gains(first, "hybrid", dict.fromkeys(methods, SHIPPED)))
        limits = {m: SHIPPED if m == OWN_ONLY else first.limit(m).least_p for m in methods}
        print(f"\n   limits calibrated on seed {seed} to the cap {CAP:g}: "
              + ", ".join(f"{m} {p}" for m, p in limits.items() if m != OWN_ONLY))
        second = run_grid(name, replicates, seed + 1, workers)
        print(f"\n== {name}, seed {seed + 1}, fresh replicates")
        print("   the rule as shipped:")
        show(gains(second, "hybrid", dict.fromkeys(methods, SHIPPED)))
        print("   the calibrated limits:")
        show(gains(second, "hybrid", limits))
        for least in sorted({p for m, p in limits.items() if p and m != OWN_ONLY} - {SHIPPED}):
            show(grid_tables(second, "hybrid", least))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicates", type=int, default=1500,
                        help=f"for each drift: at most {CHUNK}, or a multiple of it")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--part", choices=("real", "grid", "all"), default="all")
    options = parser.parse_args()
    if options.part != "grid":
        real(options.seed)
    if options.part != "real":
        grid(options.replicates, options.seed, options.workers)
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(f"\n{sum(u.ru_utime + u.ru_stime for u in used):.0f} CPU-seconds")


if __name__ == "__main__":
    main()
