"""Stage `cohort`: read the trial, show Table 1, do the published analysis again."""

from __future__ import annotations

from typing import Any

from extraction.records.exports import to_csv
from serving.analyses.names import check_trial
from serving.analyses.published import reproduce
from serving.analyses.sources import read_data
from serving.analyses.table_one import table_one
from serving.pipeline.stage import Job

from .tools import plain


def run(job: Job) -> dict[str, Any]:
    """Read the cohort and write it with what describes it; see `serving.pipeline.stage`."""
    study = job.trial
    job.tell("reading the source data", 0.05)
    cohort = read_data(study.cohort.source, job.base)
    check_trial(study, cohort.schema)
    job.tell("reproducing the published analysis", 0.5)
    published = {
        name: reproduce(cohort, study.endpoint, item, study.cohort.decimals)
        for name, item in study.cohort.published.items()
    }
    job.tell("writing the cohort", 0.8)
    cohort.write(job.folder / "cohort")
    to_csv(
        cohort,
        job.exports / "csv",
        "Real patients, one row a subject in table.csv. Treat as confidential.",
    )
    columns = ["source_id", "kind", "name", "sha256", "action"]
    return {
        "summary": plain(cohort.summary()),
        "digest": cohort.digest(),
        "control_arm": cohort.schema.control_arm,
        "arms": list(cohort.schema.arms),
        "visits": [v.model_dump() for v in cohort.schema.visits],
        "variables": [_variable(v) for v in cohort.schema.variables],
        "table_one": plain(table_one(cohort, study.cohort.table_one)),
        "disposition": _disposition(cohort),
        "sources": cohort.sources[columns].to_dict("records"),
        "published": plain(published),
    }


def _variable(variable: Any) -> dict[str, Any]:
    kept = ("name", "label", "kind", "role", "unit")
    found: dict[str, Any] = {name: getattr(variable, name) for name in kept}
    return found


def _disposition(cohort: Any) -> dict[str, dict[str, int]]:
    """Why observation ended, by arm."""
    rows = cohort.subjects[["arm", "end_reason"]].fillna("unknown")
    counts = rows.value_counts().sort_index()
    found: dict[str, dict[str, int]] = {}
    for (arm, reason), n in counts.items():
        found.setdefault(str(arm), {})[str(reason).lower()] = int(n)
    return found
