"""Stage `score`: learn, lock, and only then read the new trial's outcomes."""

from __future__ import annotations

from typing import Any

from extraction.records import Cohort, InputError
from serving.analyses import historical
from serving.analyses.published import checks
from serving.analyses.sources import read_data
from serving.pipeline.stage import Job
from simulation.analysis.estimate import Estimate
from simulation.analysis.procova import AnalysisLog

from .tools import plain


def run(job: Job) -> dict[str, Any]:
    """Lock the score and judge it in the new trial; see `serving.pipeline.stage`."""
    study = job.historical
    names = study.score.features
    old = Cohort.read(job.stage("cohorts") / "historical")
    job.tell("learning and locking the score", 0.2)
    locked, events = historical.learn_and_lock(old, study.historical, names, study.score.penalty)
    log = AnalysisLog().add("score locked", old.schema.study_id, locked.digest)
    job.tell("reading the new trial's outcomes", 0.5)
    new = read_data(study.target.source, job.base)
    _same_patients(new, Cohort.read(job.stage("cohorts") / "target-baseline"))
    log = log.add("outcomes read", new.schema.study_id, new.digest())
    worth = historical.judge(new, study.target, locked, log, names)
    log = log.add("score used", new.schema.study_id, locked.digest)
    acceptance = historical.score_summary(worth)
    accepted = acceptance["low"] > study.score.least_concordance
    content = locked.content
    return dict(
        plain(
            {
                "locked": {
                    "hash": locked.digest,
                    "kind": content["kind"],
                    "features": list(content["names"]),
                    "coefficients": list(content["coefficients"]),
                    "centre": list(content["centre"]),
                    "scale": list(content["scale"]),
                    "learned_on": old.schema.study_id,
                    "n": len(old),
                    "events": events,
                    "data_digest": locked.data_digest,
                },
                "log": log.to_list(),
                "acceptance": acceptance
                | {
                    "verdict": "accepted" if accepted else "not accepted",
                    "meaning": "for ordering the new trial's patients; whether it sharpens the "
                    "analysis is another question",
                    "rule": "the lower 95 % limit of C must exceed "
                    f"{study.score.least_concordance:g}; fixed in the configuration",
                    "n": len(new),
                },
                "treatment": _treatment(job, new),
                "digest": new.digest(),
            },
            12,
        )
    )


def _treatment(job: Job, new: Cohort) -> dict[str, Any]:
    """Published hazard ratios of the new trial, obtained again."""
    side = job.historical.target
    wanted = {side.endpoint: (side.definition, side.expected)}
    wanted |= {
        name: (new.schema.endpoint(name).title, expected)
        for name, expected in side.further_endpoints.items()
    }
    found = {}
    for name, (definition, expected) in wanted.items():
        ratio = historical.hazard_ratio(new, name, side.strata, definition)
        found[name] = ratio.to_dict() | {
            "definition": definition,
            "checks": checks(_figures(ratio, new, name), expected, 4),
        }
    return found


def _figures(ratio: Estimate, new: Cohort, endpoint: str) -> dict[str, float]:
    observed = new.endpoint(endpoint)["observed"]
    control = (new.subjects["arm"] == new.schema.control_arm).to_numpy()
    return {
        "hazard ratio": ratio.estimate,
        "low": ratio.low,
        "high": ratio.high,
        "events control": float(observed[control].sum()),
        "events treated": float(observed[~control].sum()),
    }


def _same_patients(new: Cohort, baseline: Cohort) -> None:
    if list(new.subject_ids) != list(baseline.subject_ids):
        raise InputError(
            "target.source: its patients are not those whose baseline was read before the lock; "
            "run the study from the start"
        )
