"""Simulated trials whose truth is known, for the tests of the generative engines."""

from __future__ import annotations

import numpy as np
import pandas as pd

from extraction.records import Cohort, CohortSchema, Endpoint, Variable, VisitWindow

VISITS = (
    VisitWindow(name="Baseline", day=0, low=-7, high=0),
    VisitWindow(name="Week 8", day=56, low=42, high=70),
    VisitWindow(name="Week 16", day=112, low=98, high=126),
    VisitWindow(name="Week 24", day=168, low=154, high=182),
)
BASELINE = (
    Variable(name="AGE", kind="continuous", unit="a"),
    Variable(name="SEX", kind="binary", categories=("F", "M")),
    Variable(name="LAB", kind="continuous"),
    Variable(name="RACE", kind="categorical", categories=("A", "B", "C")),
)
SCORE = Variable(name="SCORE", kind="continuous", role="longitudinal")


def simulated_trial(
    n: int,
    seed: int = 0,
    hazard_ratio: float = 0.5,
    lag_one: float = 0.8,
    visits: bool = True,
    events: bool = True,
) -> Cohort:
    """A randomised trial with a known hazard ratio and lag-1 correlation of the score."""
    rng = np.random.default_rng(seed)
    ids = np.array([f"P{k:05d}" for k in range(n)])
    arm = np.where(rng.random(n) < 0.5, "Active", "Placebo")
    age = np.round(rng.normal(65, 8, n))
    lab = rng.gamma(3.0, 2.0, n)
    lab[rng.random(n) < 0.1] = np.nan
    schema = CohortSchema(
        study_id="SIM",
        variables=(*BASELINE, SCORE) if visits else BASELINE,
        endpoints=(Endpoint(name="event"),) if events else (),
        visits=VISITS if visits else (),
        arms=("Placebo", "Active"),
        control_arm="Placebo",
        allocation={"Placebo": 1.0, "Active": 1.0},
    )
    leaves = np.minimum(np.ceil(rng.exponential(900, n)), 182.0)
    hazard = np.where(arm == "Active", hazard_ratio, 1.0) * np.exp(0.02 * (age - 65)) / 150
    event = np.ceil(rng.exponential(1 / hazard))
    subjects = pd.DataFrame({
        "subject_id": ids, "arm": arm, "arm_actual": arm, "observed_until": leaves,
        "end_reason": np.where(leaves < 182, "LEFT", "COMPLETED"),
        "AGE": age, "SEX": rng.choice(["F", "M"], n), "LAB": lab,
        "RACE": rng.choice(["A", "B", "C"], n, p=[0.7, 0.28, 0.02]),
    })
    table = pd.DataFrame({
        "subject_id": ids, "endpoint": "event", "day": np.minimum(event, leaves),
        "observed": event <= leaves, "cause": np.where(event <= leaves, "event", None),
    })
    rows = _scores(rng, ids, leaves, lag_one) if visits else None
    return Cohort.build(schema, subjects, observations=rows, events=table if events else None)


def _scores(
    rng: np.random.Generator, ids: np.ndarray, leaves: np.ndarray, lag_one: float
) -> pd.DataFrame:
    """Stationary first-order autoregressive scores, mean 50 and deviation 10."""
    parts = []
    z = rng.normal(size=len(ids))
    for k, window in enumerate(VISITS):
        if k:
            z = lag_one * z + np.sqrt(1 - lag_one**2) * rng.normal(size=len(ids))
        day = window.day + (np.round(rng.normal(0, 3, len(ids))) if k else np.zeros(len(ids)))
        seen = (day <= leaves) & (rng.random(len(ids)) < 0.95)
        parts.append(pd.DataFrame({
            "subject_id": ids[seen], "day": day[seen], "visit": window.name,
            "variable": "SCORE", "value": np.round(50 + 10 * z[seen], 1),
        }))
    return pd.concat(parts, ignore_index=True)


def constrained_trial(n: int, seed: int = 0) -> Cohort:
    """A simulated trial with a constraint of every kind; real visits break "nothing after"."""
    base = simulated_trial(n, seed)
    rng = np.random.default_rng(seed + 1)
    weight, height = np.round(rng.normal(80, 12, n), 1), np.round(rng.normal(172, 9, n))
    low = np.round(rng.normal(80, 10, n))
    part, rest = rng.poisson(4, n).astype(float), rng.poisson(6, n).astype(float)
    women = (base.subjects["SEX"] == "F").to_numpy()
    subjects = base.subjects.assign(
        WEIGHT=weight, HEIGHT=height, BMI=np.round(weight / (height / 100) ** 2, 1),
        DBP=low, SBP=low + np.round(rng.gamma(4, 8, n)),
        PART=part, REST=rest, WHOLE=part + rest,
        PREGNANT=np.where(women & (rng.random(n) < 0.3), "Y", "N"),
    )
    numbers = ("WEIGHT", "HEIGHT", "BMI", "DBP", "SBP", "PART", "REST", "WHOLE")
    schema = base.schema.replace(
        variables=(
            *base.schema.variables,
            *(Variable(name=name, kind="continuous") for name in numbers),
            Variable(name="PREGNANT", kind="binary", categories=("N", "Y")),
        ),
        constraints=CONSTRAINTS,
    )
    return Cohort.build(
        schema, subjects, observations=base.observations, events=base.events
    )


CONSTRAINTS: tuple[dict[str, object], ...] = (
    {
        "kind": "derived", "target": "BMI", "numerator": ("WEIGHT",), "denominator": ("HEIGHT",),
        "power": 2, "factor": 10_000, "decimals": 1,
    },
    {"kind": "sum", "total": "WHOLE", "parts": ("PART", "REST")},
    {"kind": "order", "columns": ("DBP", "SBP")},
    {
        "kind": "combinations", "columns": ("SEX", "PREGNANT"),
        "allowed": (("F", "N"), ("F", "Y"), ("M", "N")),
    },
    {"kind": "visit_order"},
    {"kind": "none_after", "endpoint": "event"},
)
