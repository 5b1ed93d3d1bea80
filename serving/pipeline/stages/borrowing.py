"""Stage `borrowing`: whether the historical controls may stand beside the new trial's."""

from __future__ import annotations

from typing import Any

from extraction.records import Cohort
from serving.analyses.historical import against_all_arms, judge_borrowing
from serving.pipeline.stage import Job

from .tools import plain


def run(job: Job) -> dict[str, Any]:
    """Apply the rule that the configuration fixed; see `serving.pipeline.stage`."""
    old = Cohort.read(job.stage("cohorts") / "historical")
    new = Cohort.read(job.stage("cohorts") / "target-baseline")
    verdict = judge_borrowing(new, old, job.historical)
    diagnostics = verdict.to_dict()
    return dict(
        plain(
            {
                "verdict": "accepted" if verdict.accepted else "refused",
                "reasons": list(verdict.reasons),
                "diagnostics": diagnostics,
                "rule": diagnostics["rule"],
                "against_all_arms": against_all_arms(new, old, job.historical),
                "score_verdict": job.result("score")["acceptance"]["verdict"],
            },
            8,
        )
    )
