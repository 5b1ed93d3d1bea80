"""Engines judged by pooled 5-fold cross-validation, beside their controls.

Two data sets: the placebo arm of the CDISC pilot trial (baseline, ADAS-Cog visits, endpoints)
and ACTG320. `cart` is the baseline that every release must beat or tie.

    python benchmarks/synthetic_controls.py --json figures.json
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

import argparse
import json
import time
from pathlib import Path
from typing import Any

from extraction.records import Cohort, InputError
from extraction.sources.public import public_trial
from generation.evaluation.crossing import Comparison, CrossFit, compared, cross_fit, judge

ENGINES = ("twin", "sdv-gaussian-copula", "cart")
CONTROLS = ("real", "copy", "independent", "planted")


def pilot_placebo() -> Cohort:
    """The pilot's placebo arm with the ADAS-Cog total as its only visit variable."""
    trial = public_trial("cdisc_pilot")
    kept = [v.name for v in trial.schema.variables if v.role != "longitudinal" or v.name == "ADAS"]
    return trial.where({"arm": "Placebo"}).with_schema(trial.schema.keep(kept))


DATA = {"pilot-placebo": pilot_placebo, "actg320": lambda: public_trial("actg320")}


def fitted(cohort: Cohort, folds: int, seed: int) -> tuple[list[CrossFit], dict[str, float]]:
    """Every engine's fits and CPU-seconds; an engine that cannot be had is named and left out."""
    fits, seconds = [], {}
    for engine in ENGINES:
        start = time.process_time()
        try:
            fits.append(cross_fit(cohort, engine, folds, seed))
        except (InputError, ImportError) as error:
            print(f"  {engine}: left out: {error}")
            continue
        seconds[engine] = time.process_time() - start
    return fits, seconds


def table(found: Comparison) -> str:
    """One line a metric: controls, then each engine with its verdict."""
    names = [e.engine for e in found.evaluations]
    lines = [
        f"{'':30}" + "".join(f"{c:>12}" for c in CONTROLS) + "".join(f"{n:>30}" for n in names)
    ]
    for metric in found.evaluations[0].metrics:
        controls = [metric.controls.get(c) for c in CONTROLS]
        cells = "".join(f"{'' if c is None else format(c.value, '.3f'):>12}" for c in controls)
        engines = ""
        for evaluation in found.evaluations:
            if metric.name in evaluation:
                m = evaluation[metric.name]
                engines += f"{m.value:>8.3f} {m.verdict.replace('real-against-real', 'real'):<21}"
            else:
                engines += f"{'':30}"
        lines.append(f"{metric.name:30}{cells}{engines}")
    return "\n".join(lines)


def differences(found: Comparison) -> str:
    """Paired differences from the baseline engine."""
    return "\n".join(
        f"  {d.engine} - {d.baseline}: {d.metric:30} {d.value:+.3f} [{d.low:+.3f}, {d.high:+.3f}]"
        f"  {d.finding}"
        for d in found.differences
    )


def run(name: str, folds: int, seed: int) -> dict[str, Any]:
    """Fit, judge and print one data set."""
    cohort = DATA[name]()
    print(f"\n{name}: {len(cohort)} patients, {folds} folds, seed {seed}")
    fits, seconds = fitted(cohort, folds, seed)
    start = time.process_time()
    found = compared(judge(cohort, fits, folds, seed))
    seconds["judging"] = time.process_time() - start
    print(table(found))
    print("paired differences [95 %], the fits given:")
    print(differences(found))
    print("CPU-seconds: " + ", ".join(f"{k} {v:.1f}" for k, v in seconds.items()))
    return {**found.to_dict(), "patients": len(cohort), "cpu_seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", choices=[*DATA, "all"], default="all")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    options = parser.parse_args()
    names = list(DATA) if options.data == "all" else [options.data]
    figures = {name: run(name, options.folds, options.seed) for name in names}
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1, allow_nan=False), encoding="utf-8")


if __name__ == "__main__":
    main()
