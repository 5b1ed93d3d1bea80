"""One fit of one of our engines in a process of its own: ``python -m ... JOB.json``."""

from __future__ import annotations

import json
import sys
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.generation_effects import EFFECTS, log_hazard_ratios
from benchmarks.peers.job import cpu_seconds, peak_mib
from extraction.records import Cohort
from generation.randomness import integer_seed

_HEAVY = {"twin": ("torch", "pytorch_lightning"), "sdv": ("torch", "sdv.single_table")}
"""Imported before the clock starts, by what an engine's name begins with."""


def warm(engine: str) -> None:
    """Import what the engine will need, so that importing is not counted as fitting."""
    for start, modules in _HEAVY.items():
        if engine.startswith(start):
            for module in modules:
                import_module(module)
    from generation.registry import engine_class

    engine_class(engine)


def work(job: dict[str, Any]) -> None:
    """Fit, measure, sample, and draw the syntheses of the hazard ratios."""
    from generation import fit

    out = Path(job["out"])
    out.mkdir(parents=True)
    train = Cohort.read(job["folder"])
    warm(job["engine"])
    import time

    before, start, clock = peak_mib(), cpu_seconds(), time.perf_counter()
    model = fit(train, job["engine"], seed=job["seed"], **job["options"])
    cost = {
        "fit_cpu": cpu_seconds() - start,
        "fit_wall": time.perf_counter() - clock,
        "before_mib": before,
        "peak_mib": peak_mib(),
    }
    drawing = integer_seed(job["seed"], "benchmark-sample", 0)
    start = cpu_seconds()
    sample = model.sample(job["n"], seed=drawing)
    cost |= {"sample_cpu": cpu_seconds() - start, "sampled": len(sample)}
    sample.write(out / "sample")
    if job["rate"]:
        start = cpu_seconds()
        model.sample(job["rate"], seed=drawing)
        cost["rows_per_cpu_second"] = job["rate"] / (cpu_seconds() - start)
    effect = EFFECTS.get(job["data"])
    if effect is not None and job["syntheses"]:
        start = cpu_seconds()
        b, se = [], []
        for k in range(job["syntheses"]):
            seed = integer_seed(job["seed"], "benchmark-synthesis", k)
            one, error = log_hazard_ratios([model.sample(len(train), seed=seed)], effect)
            b += one.tolist()
            se += error.tolist()
        found = {"synthetic": b, "synthetic_se": se}
        (out / "effects.json").write_text(json.dumps(found), "utf-8")
        cost["syntheses_cpu"] = cpu_seconds() - start
    (out / "cost.json").write_text(json.dumps(cost), "utf-8")


if __name__ == "__main__" and len(sys.argv) > 1:
    warnings.simplefilter("ignore")
    work(json.loads(Path(sys.argv[1]).read_text("utf-8")))
