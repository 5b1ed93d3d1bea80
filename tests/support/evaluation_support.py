"""Simulated trials whose law is known, for tests of the evaluation."""

from __future__ import annotations

import numpy as np
import pandas as pd

from extraction.records import Cohort, CohortSchema, Endpoint, Variable, VisitWindow

WEEKS = (0, 8, 16, 24)


def schema() -> CohortSchema:
    return CohortSchema(
        study_id="SIM",
        variables=(
            Variable(name="AGE", kind="continuous", low=18, high=110),
            Variable(name="BMI", kind="continuous", low=5, high=90),
            Variable(name="SEX", kind="binary", categories=("F", "M")),
            Variable(name="STAGE", kind="ordinal", categories=("1", "2", "3")),
            Variable(name="SCORE", kind="continuous", role="longitudinal", low=-200, high=300),
        ),
        endpoints=(Endpoint(name="death"),),
        visits=tuple(
            VisitWindow(name=f"Week {w}", day=7 * w, low=7 * w - 7, high=7 * w + 7) for w in WEEKS
        ),
        arms=("Placebo", "Active"),
        control_arm="Placebo",
        allocation={"Placebo": 1, "Active": 1},
    )


def frame(n: int, rng: np.random.Generator, prefix: str = "P") -> pd.DataFrame:
    """One row a patient: age drives BMI, stage, death and the score, which is autoregressive."""
    age = rng.normal(65, 10, n).clip(25, 100)
    z = (age - 65) / 10
    stage = np.digitize(z + rng.normal(0, 0.7, n), [-0.6, 0.6])
    score = 40 + 8 * z + rng.normal(0, 5, n)
    scores = [score]
    for _ in WEEKS[1:]:
        score = 40 + 0.9 * (score - 40) + 1.5 + rng.normal(0, 3, n)
        scores.append(score)
    arm = rng.integers(0, 2, n)
    death = rng.exponential(300 / np.exp(0.8 * z - 0.5 * arm), n)
    end = rng.uniform(120, 240, n)
    table = pd.DataFrame(
        {
            "subject_id": [f"{prefix}{i:05d}" for i in range(n)],
            "arm": np.where(arm == 1, "Active", "Placebo"),
            "AGE": age,
            "BMI": np.where(rng.random(n) < 0.1, np.nan, 26 + 2.5 * z + rng.normal(0, 2, n)),
            "SEX": np.where(rng.random(n) < 0.5, "F", "M"),
            "STAGE": (stage + 1).astype(str),
            "death_time": np.minimum(death, end),
            "death_event": (death <= end).astype(float),
        }
    )
    for week, values in zip(WEEKS, scores, strict=True):
        table[f"SCORE@Week {week}"] = np.where(7 * week <= table["death_time"], values, np.nan)
    return table


def cohort(n: int, seed: int, prefix: str = "P") -> Cohort:
    return Cohort.from_table(frame(n, np.random.default_rng(seed), prefix), schema())


def renamed(table: pd.DataFrame) -> Cohort:
    """A cohort of synthetic patients out of a flat table."""
    ids = [f"S-{i:06d}" for i in range(len(table))]
    return Cohort.from_table(table.reset_index(drop=True).assign(subject_id=ids), schema())
