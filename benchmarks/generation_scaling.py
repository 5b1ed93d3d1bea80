"""How time and memory of an engine grow with patients, columns and visits, on simulated trials.

    python -m benchmarks.generation_scaling --most 2000         # and the plot of what is stored
    python -m benchmarks.generation_scaling --only large        # 100,000 patients x 50 columns

Each point is a fit and a sample of as many patients, in a process of its own on one thread.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.generation_fits import ROOT, STORE, run_alone
from extraction.records import Cohort, CohortSchema, Endpoint, Variable, VisitWindow
from generation.randomness import generator

SIZES = {
    "patients": ((250, 500, 1000, 2000, 4000, 8000), "patients (12 columns)"),
    "columns": ((6, 12, 25, 50), "columns (1,000 patients)"),
    "visits": ((2, 4, 8, 16), "visits (300 patients, 2 laboratory values)"),
}
"""What grows, through which values, and its words on the axis."""
LARGE = (100_000, 50)
STORED = STORE / "scaling.json"
PLOT = ROOT / "docs" / "images" / "generation-scaling.svg"


def simulated(n: int, columns: int, visits: int = 0) -> Cohort:
    """A randomised trial with correlated mixed columns, an endpoint and, if wished, visits.

    Parameters
    ----------
    columns
        Columns in all: half numbers, the rest binary or of four levels, with arm, time and event.
    visits
        Planned monthly visits with two laboratory values.
    """
    rng = generator(0, "benchmark-scaling", n, columns, visits)
    baseline = columns - 3
    factor = rng.standard_normal((n, 3))
    values = factor @ rng.standard_normal((3, baseline)) + rng.standard_normal((n, baseline))
    table: dict[str, Any] = {"id": [f"P{i:06d}" for i in range(n)]}
    table["arm"] = np.where(np.arange(n) % 2 == 0, "control", "active")
    for j in range(baseline):
        x = values[:, j]
        if j % 2 == 0:
            table[f"x{j}"] = np.where(rng.random(n) < 0.05, np.nan, np.round(x, 3))
        else:
            cuts = np.quantile(x, [0.5] if j % 4 == 1 else [0.2, 0.5, 0.8])
            table[f"x{j}"] = np.array(["a", "b", "c", "d"])[np.searchsorted(cuts, x)]
    rate = np.exp(-6 + 0.5 * factor[:, 0] - 0.4 * (np.arange(n) % 2))
    event, censoring = rng.exponential(1 / rate), rng.uniform(100, 700, n)
    table |= {"time": np.ceil(np.minimum(event, censoring)), "event": (event <= censoring) * 1}
    frame = pd.DataFrame(table)
    schema = CohortSchema.guess(frame, arm="arm", time="time", event="event", subject="id")
    schema = schema.replace(study_id="SIMULATED", allocation={"control": 1.0, "active": 1.0})
    cohort = Cohort.from_table(frame, schema)
    return _with_visits(cohort, visits, factor, rng) if visits else cohort


def _with_visits(
    cohort: Cohort, visits: int, factor: np.ndarray[Any, Any], rng: np.random.Generator
) -> Cohort:
    labs = ("lab1", "lab2")
    schema = cohort.schema.replace(
        variables=(
            *cohort.schema.variables,
            *(Variable(name=lab, kind="continuous", role="longitudinal") for lab in labs),
        ),
        visits=tuple(
            VisitWindow(name=f"Month {k}", day=30.0 * k, low=30.0 * k - 10, high=30.0 * k + 10)
            for k in range(visits)
        ),
        endpoints=(Endpoint(name="event"),),
    )
    people = cohort.subjects
    n = len(people)
    rows = [
        pd.DataFrame(
            {
                "subject_id": people["subject_id"],
                "day": 30.0 * k,
                "visit": f"Month {k}",
                "variable": lab,
                "value": np.round(factor[:, i] + 0.05 * k + 0.4 * rng.standard_normal(n), 3),
                "status": "observed",
            }
        )[people["observed_until"].to_numpy() >= 30.0 * k]
        for k in range(visits)
        for i, lab in enumerate(labs)
    ]
    return Cohort.build(schema, people, observations=pd.concat(rows), events=cohort.events)


def measured(cohort: Cohort, engine: str, options: dict[str, Any]) -> dict[str, float]:
    """Cost of one fit and one sample as large, in a process of its own."""
    folder = Path(tempfile.mkdtemp(prefix="scaling-"))
    try:
        cohort.write(folder / "train")
        job = {
            "data": "simulated",
            "engine": engine,
            "options": options,
            "n": len(cohort),
            "seed": 1,
            "folder": str(folder / "train"),
            "out": str(folder / "out"),
            "syntheses": 0,
            "rate": 0,
        }
        path = folder / "job.json"
        path.write_text(json.dumps(job), "utf-8")
        reason = run_alone([sys.executable, "-m", "benchmarks.generation_worker", str(path)], None)
        if reason:
            raise RuntimeError(reason)
        return dict(json.loads((folder / "out" / "cost.json").read_text("utf-8")))
    finally:
        shutil.rmtree(folder)


def trial_of(kind: str, size: int) -> Cohort:
    """The simulated trial of one point of a curve."""
    if kind == "patients":
        return simulated(size, 12)
    if kind == "columns":
        return simulated(1000, size)
    return simulated(300, 8, size)


def plot(curves: dict[str, list[dict[str, float]]], path: Path, title: str) -> None:
    """CPU-seconds above, memory below, one column a kind of growth, on a white page."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    mpl.rcParams.update({"svg.hashsalt": "trialtwin", "font.size": 11})
    figure, axes = plt.subplots(2, len(curves), figsize=(3.6 * len(curves), 5.6), squeeze=False)
    for (kind, rows), (above, below) in zip(curves.items(), axes.T, strict=True):
        x = [row["size"] for row in rows]
        above.plot(x, [row["fit_cpu"] for row in rows], "o-", label="fit")
        above.plot(x, [row["sample_cpu"] for row in rows], "s--", label="sample as many")
        below.plot(x, [row["peak_mib"] for row in rows], "o-", color="tab:green", label="peak")
        below.plot(x, [row["before_mib"] for row in rows], ":", color="0.4", label="before the fit")
        above.set(xscale="log", yscale="log")
        below.set(xscale="log", ylim=(0, None), xlabel=SIZES[kind][1].replace(" (", "\n("))
        for axis in (above, below):
            axis.set_xticks(x, [f"{int(size):,}" for size in x])
            axis.minorticks_off()
            axis.grid(axis="y", color="0.9")
            axis.spines[["top", "right"]].set_visible(False)
    axes[0, 0].set_ylabel("CPU-seconds, one thread")
    axes[1, 0].set_ylabel("peak memory, MiB")
    for axis in axes[:, -1]:
        axis.legend(frameon=False, fontsize=9)
    figure.suptitle(title, fontsize=9)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"Date": None, "Description": title} if path.suffix == ".svg" else None
    figure.savefig(path, metadata=metadata, facecolor="white")


def _told(size: str, cost: dict[str, float]) -> str:
    return (
        f"  {size:>14}  fit {cost['fit_cpu']:.1f} CPU-s, sample {cost['sample_cpu']:.2f} CPU-s, "
        f"peak {cost['peak_mib']:.0f} MiB (before the fit {cost['before_mib']:.0f})"
    )


def _largest(curves: dict[str, list[dict[str, float]]]) -> float:
    return max(row["size"] for rows in curves.values() for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", default="twin")
    parser.add_argument("--only", nargs="*", choices=[*SIZES, "large"], default=list(SIZES))
    parser.add_argument("--options", type=json.loads, default={}, help="JSON: engine options")
    parser.add_argument("--most", type=int, default=10**9, help="largest size to run")
    parser.add_argument("--plot", type=Path, default=PLOT, help="SVG or PNG of the curves")
    options = parser.parse_args()
    stored = json.loads(STORED.read_text("utf-8")) if STORED.exists() else {}
    for kind in [k for k in options.only if k in SIZES]:
        print(f"{options.engine}: {SIZES[kind][1]}")
        rows = []
        for size in [s for s in SIZES[kind][0] if s <= options.most]:
            cost = measured(trial_of(kind, size), options.engine, options.options)
            rows.append({"size": size, **cost})
            print(_told(str(size), cost), flush=True)
        stored[f"{options.engine}:{kind}"] = rows
    if "large" in options.only:
        cost = measured(simulated(*LARGE), options.engine, options.options)
        print(f"{options.engine}: large\n{_told('x'.join(map(str, LARGE)), cost)}")
        if options.engine == "twin":
            stored["large_gib"] = cost["peak_mib"] / 1024
    STORED.parent.mkdir(parents=True, exist_ok=True)
    STORED.write_text(json.dumps(stored, indent=1), "utf-8")
    prefix = f"{options.engine}:"
    curves = {k: stored[prefix + k] for k in SIZES if prefix + k in stored}
    if curves and set(options.only) & set(SIZES):
        told = f"python -m benchmarks.generation_scaling --engine {options.engine}"
        plot(curves, options.plot, f"{told} --most {int(_largest(curves))}")


if __name__ == "__main__":
    main()
