"""Metrics of the course over visits: means, successive values, dropout, gaps between visits."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from generation.evaluation import controls
from generation.evaluation.distances import Spec, measured
from generation.evaluation.longitudinal import lag_one_correlations, lag_one_distance
from generation.evaluation.metric import Metric
from generation.evaluation.reference import Reference
from generation.evaluation.tables import Table
from generation.evaluation.trajectories import (
    course_details,
    course_scale,
    courses,
    drifting,
    leaving_early,
    retention_distance,
    trajectory_distance,
    visit_names,
)


def longitudinal(reference: Reference, synthetic: Sequence[Table]) -> list[Metric]:
    """All metrics of the course over visits; none where there are no visits."""
    return measured(_specs(reference), reference, synthetic)


def _specs(reference: Reference) -> list[Spec]:
    specs = []
    if courses(reference.pool):
        scale = course_scale(reference.pool)
        specs.append(
            Spec("trajectories", "longitudinal", "mean course over visits, by arm",
                 "Mean courses over visits differ from real ones by",
                 partial(trajectory_distance, scale=scale), drifting,
                 "courses drift off by .3 SD until the last visit", unit=" SD",
                 details=course_details)
        )  # fmt: skip
    if lag_one_correlations(reference.holdout):
        specs.append(
            Spec("lag_one", "longitudinal", "correlation of a patient's successive values",
                 "Correlations of a patient's successive values differ from real ones by",
                 lag_one_distance, controls.half_forgotten,
                 "half of the patients' visits taken from others", details=_lag_details)
        )  # fmt: skip
    if len(visit_names(reference.pool)) > 1:
        specs.append(
            Spec("retention", "longitudinal", "share of patients still seen at each visit, by arm",
                 "Shares of patients still seen at each visit differ from real ones by",
                 retention_distance, leaving_early,
                 "a fifth of the patients leave half-way")
        )  # fmt: skip
    return specs


def _lag_details(sample: Table, real: Table) -> dict[str, Any]:
    ours, theirs = lag_one_correlations(sample), lag_one_correlations(real)
    return {"variables": {n: {"synthetic": ours[n], "real": theirs[n]} for n in theirs}}
