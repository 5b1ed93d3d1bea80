"""TabularARGN (mostlyai-engine 2.7.3) with its defaults; visits as a sequence under the patient.

For visits two models are fitted, as its authors do for two tables: one of the patients, and one of
their visits given the patient. The time since the last visit stands for the day.
"""

from __future__ import annotations

import warnings
from typing import Any

import job
import pandas as pd
import torch

warnings.filterwarnings("ignore")
from mostlyai.engine import TabularARGN  # noqa: E402

torch.set_num_threads(1)


def fit(tables: job.Tables, task: dict[str, Any]) -> Any:
    static = tables["static"]
    people = TabularARGN(random_state=task["seed"], device="cpu")
    people.fit(static.drop(columns=job.KEY))
    if "visits" not in tables:
        return people, None, static
    visits = tables["visits"].sort_values([job.KEY, job.DAY], kind="stable")
    gap = visits.groupby(job.KEY)[job.DAY].diff().fillna(visits[job.DAY])
    rows = visits.assign(**{job.DAY: gap})
    course = TabularARGN(
        random_state=task["seed"],
        device="cpu",
        tgt_context_key=job.KEY,
        ctx_primary_key=job.KEY,
        ctx_data=static,
    )
    course.fit(rows)
    return people, course, static


def sample(fitted: Any, n: int, task: dict[str, Any]) -> job.Tables:
    people, course, static = fitted
    drawn = people.sample(n_samples=n)[[c for c in static.columns if c != job.KEY]]
    drawn = drawn.reset_index(drop=True)
    if course is None:
        return {"static": drawn}
    drawn.insert(0, job.KEY, [f"S{i:06d}" for i in range(n)])
    rows = course.sample(ctx_data=drawn)
    day = rows.groupby(job.KEY)[job.DAY].cumsum()
    return {"static": drawn, "visits": rows.assign(**{job.DAY: pd.to_numeric(day)})}


job.run(fit, sample)
