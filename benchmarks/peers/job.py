"""What every runner shares: read the tables, fit, measure, sample, write. Knows no Trialtwin.

    python RUNNER JOB.json

The job names ``folder`` (with static.parquet and, for visits, visits.parquet), ``out``, ``n``,
``seed``, ``engine`` and ``rate`` (rows whose sampling is timed, 0 for none). Numbers are float64
with NaN for missing, every other column is text with None. The runner writes the same tables to
``out``, and ``cost.json`` last.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

KEY = "subject_id"
DAY = "day"
Tables = dict[str, pd.DataFrame]


def cpu_seconds() -> float:
    """CPU-seconds of this process, its threads and its finished children."""
    use = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in use)


def peak_mib() -> float:
    """Largest resident memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run(
    fit: Callable[[Tables, dict[str, Any]], Any],
    sample: Callable[[Any, int, dict[str, Any]], Tables],
) -> None:
    """Run the job named on the command line; heavy imports belong above this call."""
    job = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    folder, out = Path(job["folder"]), Path(job["out"])
    tables = {p.stem: pd.read_parquet(p) for p in sorted(folder.glob("*.parquet"))}
    before, start, clock = peak_mib(), cpu_seconds(), time.perf_counter()
    model = fit(tables, job)
    cost = {
        "fit_cpu": cpu_seconds() - start,
        "fit_wall": time.perf_counter() - clock,
        "before_mib": before,
        "peak_mib": peak_mib(),
    }
    start = cpu_seconds()
    drawn = sample(model, int(job["n"]), job)
    cost |= {"sample_cpu": cpu_seconds() - start, "sampled": len(drawn["static"])}
    if job["rate"]:
        start = cpu_seconds()
        sample(model, int(job["rate"]), job)
        cost["rows_per_cpu_second"] = job["rate"] / (cpu_seconds() - start)
    out.mkdir(parents=True, exist_ok=True)
    for name, table in drawn.items():
        plain(table).to_parquet(out / f"{name}.parquet", index=False)
    (out / "cost.json").write_text(json.dumps(cost), "utf-8")


def plain(table: pd.DataFrame) -> pd.DataFrame:
    """Numbers as float64, everything else as text with None."""
    columns = {}
    for name in table.columns:
        values = table[name]
        if pd.api.types.is_numeric_dtype(values):
            columns[name] = pd.to_numeric(values, errors="coerce").astype("float64")
        else:
            text = values.astype(object)
            columns[name] = text.where(text.notna(), None).map(
                lambda v: None if v is None else str(v)
            )
    return pd.DataFrame(columns)


def numeric(table: pd.DataFrame) -> list[str]:
    """Names of the numeric columns."""
    return [c for c in table.columns if pd.api.types.is_numeric_dtype(table[c])]
