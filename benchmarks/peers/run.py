"""Run the peers over the data sets, one process at a time, small sets first; results are kept.

    nice -n 10 python -m benchmarks.peers.run --splits 2 --cap 1200

What is on disk is not run again. All sets get their first split before any gets its second.
"""

from __future__ import annotations

import argparse
import time

from benchmarks.datasets import DATASETS, LONGITUDINAL
from benchmarks.generation_fits import LOCKED, PEERS, VISIT_PEERS, Job, NotFitted, fitted, split
from benchmarks.lockbox import development

ORDER = (
    "whas500",
    "cdisc_pilot_static",
    "gbsg2",
    "actg320",
    "colon",
    "pbcseq",
    "cdisc_pilot_visits",
    "nafld2",
    "actg175",
    "flchain",
    "support2",
)


def peers_of(data: str) -> tuple[str, ...]:
    """Peers that can learn a data set: those of sequences, or those of flat tables."""
    if data in LONGITUDINAL:
        return VISIT_PEERS
    return tuple(p for p in PEERS if p != "sdv-par")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="*", choices=ORDER, default=list(ORDER))
    parser.add_argument("--peers", nargs="*", choices=list(PEERS), default=list(PEERS))
    parser.add_argument("--splits", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cap", type=float, default=1200, help="CPU-seconds a fit may take")
    parser.add_argument("--locked", action="store_true", help="train on all three open quarters")
    options = parser.parse_args()
    for number in [LOCKED] if options.locked else range(options.splits):
        for data in options.data:
            whole = DATASETS[data]()
            cohort = development(whole)
            train = cohort if options.locked else split(cohort, number, options.seed)[0]
            n = len(whole) if options.locked else len(cohort)
            for peer in [p for p in peers_of(data) if p in options.peers]:
                clock = time.perf_counter()
                try:
                    job = Job(data, peer, number, options.seed)
                    done = fitted(job, train, n, options.cap)
                    told = f"fit {done.cost['fit_cpu']:.1f} CPU-s, {done.cost['peak_mib']:.0f} MiB"
                except NotFitted as reason:
                    told = f"none: {reason}"
                wall = time.perf_counter() - clock
                print(f"{data} split {number} {peer}: {told} ({wall:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
