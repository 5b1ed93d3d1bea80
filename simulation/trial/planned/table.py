"""The analysed data as one table, one row a patient, under names that R takes as they are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
import pandas as pd

from extraction.records.errors import InputError
from simulation.trial.planned.analysing import Analysed

if TYPE_CHECKING:
    from extraction.records import Cohort


@final
@dataclass(frozen=True)
class Columns:
    """Names of the table's columns.

    Attributes
    ----------
    baseline
        By covariate or stratum.
    outcomes
        By endpoint: one a visit; the outcome; count and exposure; or time and event.
    included
        By question: 1 for who counts in it.
    """

    baseline: dict[str, str]
    outcomes: dict[str, tuple[str, ...]]
    included: dict[str, str]

    @classmethod
    def of(cls, done: Analysed) -> Columns:
        """Name the columns of a plan's data."""
        baseline = {
            name: f"x{k}_{_plain(name)}" for k, name in enumerate(done.data.baseline, start=1)
        }
        outcomes = {
            endpoint.name: tuple(
                f"y{k}_{_plain(endpoint.name)}{part}" for part in _parts(endpoint)
            )
            for k, endpoint in enumerate(done.plan.endpoints, start=1)
        }
        return cls(baseline, outcomes, {q.id: f"in_{q.id}" for q in done.plan.questions})

    def meaning(self, done: Analysed) -> dict[str, str]:
        """Each column in words, for the results."""
        told = {"subject_id": "patient", "arm": "planned arm",
                "arm_number": "0 control, 1 and on treated arms in the plan's order"}  # fmt: skip
        told |= {column: f"baseline: {name}" for name, column in self.baseline.items()}
        for endpoint in done.plan.endpoints:
            parts = zip(self.outcomes[endpoint.name], _words(endpoint, done), strict=True)
            told |= {column: f"{endpoint.name}: {words}" for column, words in parts}
        return told | {
            column: f"1: counts in {question}" for question, column in self.included.items()
        }


def analysis_table(cohort: Cohort, done: Analysed) -> pd.DataFrame:
    """Patients of the plan's arms with everything that the analyses used.

    Parameters
    ----------
    cohort
        The one that was analysed.
    """
    if cohort.digest() != done.digest:
        raise InputError("cohort: it is not the one that was analysed; give that one")
    columns, data = Columns.of(done), done.data
    table: dict[str, Any] = {
        "subject_id": cohort.subjects["subject_id"].to_numpy(),
        "arm": cohort.subjects["arm"].to_numpy(),
        "arm_number": data.arm,
    }
    for name, column in columns.baseline.items():
        known = name in cohort.subjects
        table[column] = cohort.subjects[name].to_numpy() if known else data.baseline[name]
    for endpoint in done.plan.endpoints:
        values = _arrays(endpoint, data.outcomes[endpoint.name])
        table |= dict(zip(columns.outcomes[endpoint.name], values, strict=True))
    for answer in done.answers:
        table[columns.included[answer.question.id]] = answer.chosen.rows.astype(np.int64)
    return pd.DataFrame(table)[data.arm >= 0].reset_index(drop=True)


def _parts(endpoint: Any) -> list[str]:
    if endpoint.kind == "continuous":
        return [f"_v{k}" for k in range(1, len(endpoint.visits) + 1)]
    return {"binary": [""], "count": ["_count", "_exposure"], "time_to_event": ["_time", "_event"]}[
        endpoint.kind
    ]


def _words(endpoint: Any, done: Analysed) -> list[str]:
    if endpoint.kind == "continuous":
        return list(endpoint.visits)
    return {
        "binary": ["1 yes, 0 no"],
        "count": ["count", f"exposure, {done.plan.time_unit}s"],
        "time_to_event": [f"time, {done.plan.time_unit}s", "1 event, 0 censored"],
    }[endpoint.kind]


def _arrays(endpoint: Any, seen: Any) -> list[Any]:
    if endpoint.kind == "continuous":
        return [values[0] for values in seen.values]
    if endpoint.kind == "binary":
        return [seen.values[0, 0]]
    known = seen.included[0]
    if endpoint.kind == "count":
        return [seen.values[0, 0], np.where(known, seen.exposure[0], np.nan)]
    return [np.where(known, seen.time[0], np.nan), np.where(known, seen.event[0], np.nan)]


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_") or "v"
