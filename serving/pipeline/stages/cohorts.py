"""Stage `cohorts`: the historical trial whole; of the new one the baseline only."""

from __future__ import annotations

from typing import Any

from extraction.records import Cohort
from serving.analyses.historical import without_outcomes
from serving.analyses.names import check_historical
from serving.analyses.sources import read_data
from serving.analyses.table_one import table_one
from serving.pipeline.stage import Job

from .tools import plain


def run(job: Job) -> dict[str, Any]:
    """Read both trials; the new one's outcomes stay unread; see `serving.pipeline.stage`."""
    study = job.historical
    job.tell("reading the historical trial", 0.1)
    historical = read_data(study.historical.source, job.base)
    job.tell("reading the new trial's baseline", 0.5)
    target = read_data(study.target.source, job.base)
    check_historical(study, {"historical": historical.schema, "target": target.schema})
    baseline = without_outcomes(target)
    historical.write(job.folder / "historical")
    baseline.write(job.folder / "target-baseline")
    names = study.borrowing.variables
    return {
        "historical": _side(historical, study.historical, names),
        "target": _side(baseline, study.target, names),
        "target_outcomes": "not kept: they are read by the stage score after the lock",
    }


def _side(cohort: Cohort, side: Any, names: tuple[str, ...]) -> dict[str, Any]:
    columns = ["source_id", "kind", "name", "sha256", "action"]
    return {
        "study_id": cohort.schema.study_id,
        "summary": plain(cohort.summary()),
        "digest": cohort.digest(),
        "control_arm": cohort.schema.control_arm,
        "endpoint": {
            "name": side.endpoint,
            "definition": side.definition,
            "ascertainment": side.ascertainment,
        },
        "table_one": plain(table_one(cohort, names)),
        "sources": cohort.sources[columns].to_dict("records"),
    }
