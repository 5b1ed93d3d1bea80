"""An invented trial with every kind of endpoint, and a plan for it."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pandas as pd

from extraction.records import Cohort, CohortSchema, Endpoint, Variable, VisitWindow

ARMS = ("Placebo", "Low", "High")

PLAN: dict[str, Any] = {
    "study": "INVENTED",
    "title": "An invented trial",
    "treated": ["Low", "High"],
    "control": "Placebo",
    "endpoints": [
        {
            "kind": "continuous",
            "name": "score change",
            "variable": "SCORE",
            "visits": ["Week 4", "Week 8"],
            "change_from": "SCOREBL",
            "intercurrent_events": {"stopping": "hypothetical", "rescue": "treatment policy"},
        },
        {
            "kind": "time_to_event",
            "name": "relapse",
            "intercurrent_events": {"stopping": "treatment policy"},
        },
        {
            "kind": "binary",
            "name": "relapse by day 40",
            "condition": {"relapse_event": 1, "relapse_time": "<=40"},
            "higher_is_better": False,
            "intercurrent_events": {"stopping": "composite"},
        },
        {
            "kind": "count",
            "name": "adverse events",
            "episodes": "adverse_event",
            "intercurrent_events": {"stopping": "while on treatment"},
        },
    ],
    "covariates": ["SCOREBL"],
    "analyses": [
        {"name": "main", "endpoint": "score change", "role": "primary", "arm": "High"},
        {"name": "relapse", "endpoint": "relapse", "role": "secondary", "arm": "High"},
        {"name": "risk", "endpoint": "relapse by day 40", "role": "exploratory"},
        {"name": "rate", "endpoint": "adverse events", "role": "exploratory"},
    ],
    "multiplicity": {"procedure": "fixed_sequence"},
    "subgroups": [{"by": "SEX"}],
    "missing_data": [{"analysis": "main", "deltas": [0, -30], "imputations": 5}],
}


def plan(**changes: Any) -> dict[str, Any]:
    """The plan with some fields changed."""
    return {**copy.deepcopy(PLAN), **changes}


def invented(n: int = 150, seed: int = 7) -> Cohort:
    """Three arms, a score at two visits, relapses, stopping, adverse events."""
    rng = np.random.default_rng(seed)
    ids = np.array([f"P-{k:04d}" for k in range(n)])
    arm = np.arange(n) % 3
    first = rng.normal(20, 4, n).round(1)
    stop = np.where(rng.random(n) < 0.3, rng.integers(5, 60, n), 61)
    subjects = pd.DataFrame(
        {
            "subject_id": ids,
            "arm": np.array(ARMS)[arm],
            "SCOREBL": np.where(rng.random(n) < 0.05, np.nan, first),
            "SEX": np.where(rng.random(n) < 0.5, "F", "M"),
            "SITE": np.array(["North", "South", "West"])[rng.integers(0, 3, n)],
            "observed_until": 60.0,
        }
    )
    visits = [
        pd.DataFrame(
            {
                "subject_id": ids,
                "day": day + rng.integers(-2, 3, n),
                "visit": name,
                "variable": "SCORE",
                "value": (first + 0.4 * arm * week + rng.normal(0, 3, n)).round(1),
            }
        )
        for name, day, week in (("Week 4", 28.0, 1), ("Week 8", 56.0, 2))
    ]
    relapse = np.ceil(rng.exponential(60, n))
    events = [
        pd.DataFrame(
            {
                "subject_id": ids,
                "endpoint": "relapse",
                "day": np.minimum(relapse, 60.0),
                "observed": relapse <= 60,
                "cause": np.where(relapse <= 60, "event", None),
            }
        ),
        pd.DataFrame(
            {
                "subject_id": ids,
                "endpoint": "stopping",
                "day": np.minimum(stop, 60.0),
                "observed": stop <= 60,
                "cause": np.where(stop <= 60, "event", None),
            }
        ),
    ]
    whose = rng.integers(0, n, 2 * n)
    episodes = pd.DataFrame(
        {
            "subject_id": ids[whose],
            "kind": "adverse_event",
            "term": "HEADACHE",
            "start": rng.integers(-5, 60, 2 * n).astype(float),
        }
    )
    return Cohort.build(
        _schema(), subjects, pd.concat(visits), episodes=episodes, events=pd.concat(events)
    )


def _schema() -> CohortSchema:
    return CohortSchema(
        study_id="INVENTED",
        variables=(
            Variable(name="SCOREBL", kind="continuous"),
            Variable(name="SEX", kind="binary", categories=("F", "M")),
            Variable(
                name="SITE",
                kind="categorical",
                role="stratum",
                categories=("East", "North", "South", "West"),
            ),
            Variable(name="SCORE", kind="continuous", role="longitudinal"),
        ),
        endpoints=(Endpoint(name="relapse"), Endpoint(name="stopping")),
        visits=(
            VisitWindow(name="Week 4", day=28, low=21, high=35),
            VisitWindow(name="Week 8", day=56, low=49, high=60),
        ),
        arms=ARMS,
        control_arm="Placebo",
        allocation=dict.fromkeys(ARMS, 1.0),
    )
