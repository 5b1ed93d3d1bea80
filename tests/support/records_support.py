"""A small cohort with every table filled, for tests of the data model."""

from __future__ import annotations

import numpy as np
import pandas as pd

from extraction.records import Cohort, CohortSchema, Endpoint, Variable, VisitWindow


def small_schema() -> CohortSchema:
    return CohortSchema(
        study_id="TEST",
        variables=(
            Variable(name="AGE", kind="continuous", unit="a", low=18, high=110),
            Variable(name="SEX", kind="binary", categories=("F", "M")),
            Variable(name="GRADE", kind="ordinal", categories=("low", "mid", "high")),
            Variable(name="ITT", kind="binary", role="flag", categories=("N", "Y")),
            Variable(
                name="ALT",
                kind="continuous",
                role="longitudinal",
                unit="U/L",
                low=0,
                reference_high=40,
            ),
            Variable(name="ECOG", kind="ordinal", role="longitudinal", categories=("0", "1", "2")),
        ),
        endpoints=(Endpoint(name="death", causes=("cancer", "other")),),
        visits=(
            VisitWindow(name="Week 4", day=28, low=21, high=35),
            VisitWindow(name="Week 8", day=56, low=49, high=63),
        ),
        arms=("Placebo", "Active"),
        control_arm="Placebo",
        allocation={"Placebo": 1, "Active": 1},
    )


def small_cohort(n: int = 40, seed: int = 0) -> Cohort:
    rng = np.random.default_rng(seed)
    ids = [f"P{i:03d}" for i in range(n)]
    subjects = pd.DataFrame(
        {
            "subject_id": ids,
            "arm": np.where(np.arange(n) % 2, "Active", "Placebo"),
            "AGE": np.where(
                rng.random(n) < 0.1, np.nan, rng.normal(70, 8, n).clip(20, 100).round(1)
            ),
            "SEX": rng.choice(["F", "M"], n),
            "GRADE": rng.choice(["low", "mid", "high"], n),
            "ITT": "Y",
            "observed_until": 60.0,
            "end_reason": "completed",
        }
    )
    observations = pd.DataFrame(
        {
            "subject_id": np.repeat(ids, 2),
            "day": np.tile([27.0, 57.0], n),
            "visit": np.tile(["Week 4", "Week 8"], n),
            "variable": "ALT",
            "value": rng.lognormal(3.3, 0.5, 2 * n).round(1),
            "unit": "U/L",
            "source_id": "lb",
        }
    )
    status = pd.DataFrame(
        {
            "subject_id": ids,
            "day": 28.0,
            "visit": "Week 4",
            "variable": "ECOG",
            "text": rng.choice(["0", "1", "2"], n),
            "source_id": "lb",
        }
    )
    episodes = pd.DataFrame(
        {
            "subject_id": ids[::3],
            "kind": "adverse_event",
            "term": "PRURITUS",
            "start": 10.0,
            "severity": "mild",
            "serious": False,
        }
    )
    events = pd.DataFrame(
        {
            "subject_id": ids,
            "endpoint": "death",
            "day": rng.exponential(50, n).round(0) + 1,
            "observed": np.arange(n) % 4 == 0,
        }
    )
    events["cause"] = np.where(events["observed"], "cancer", None)
    sources = pd.DataFrame({"source_id": ["lb"], "kind": "file", "name": "lb.xpt", "sha256": "0"})
    return Cohort.build(
        small_schema(),
        subjects,
        observations=pd.concat([observations, status]),
        episodes=episodes,
        events=events,
        sources=sources,
    )
