"""Stage `effects`: the treatment effect by every analysis that the study has a right to."""

from __future__ import annotations

from typing import Any

import numpy as np

from extraction.records import Cohort
from generation.randomness import integer_seed
from serving.analyses import effects
from serving.pipeline.stage import Job
from serving.study import TrialStudy
from simulation.analysis.arrays import FloatArray

from .tools import plain

_LOCF = "published analysis (LOCF): for reproduction only"
_POLICY = "all observed outcomes"
_HYPOTHETICAL = "outcomes while in the study"
_SCORE = "cross-fitted score"


def run(job: Job) -> dict[str, Any]:
    """Estimate the effect of each active arm; see `serving.pipeline.stage`."""
    study = job.trial
    settings = study.effects
    assert settings is not None
    cohort = Cohort.read(job.stage("cohort") / "cohort")
    synthetic = Cohort.read(job.stage("models") / "synthetic")
    seed = integer_seed(job.seed, "effects")
    policy = effects.observed(cohort, study.endpoint)
    inside = effects.observed(cohort, study.endpoint, "hypothetical")
    job.tell("cross-fitted covariate adjustment and its nulls", 0.2)
    features = policy.features(settings.features, cohort.schema)
    fitted, gain = effects.adjustment(policy, features, settings, seed)
    job.tell("against synthetic controls", 0.7)
    reached = _changes(synthetic, study)
    external = effects.against_synthetic(
        inside, inside.features(settings.features, cohort.schema), reached, settings, seed
    )
    rows = _published(job)
    for data, way in ((policy, _POLICY), (inside, _HYPOTHETICAL)):
        rows += [_row(e.to_dict(), way) for e in effects.observed_ancova(data).effects.values()]
    rows += [_row(e.to_dict() | {"arm": arm}, _SCORE) for arm, e in fitted.effects.items()]
    rows += [
        _row(estimate | {"arm": arm}, way, valid=way != "naive_invalid")
        for arm, by_way in external.items()
        for way, estimate in by_way.items()
    ]
    return dict(
        plain(
            {
                "estimates": rows,
                "primary": _POLICY,
                "adjustment": gain,
                "external": {
                    arm: {k: v for k, v in ways.items() if k != "naive_invalid"}
                    for arm, ways in external.items()
                },
                "naive_invalid": {arm: ways["naive_invalid"] for arm, ways in external.items()},
                "synthetic": {
                    "n": len(synthetic),
                    "reached_visit": int(reached.size),
                    "n_train_with_outcome": int((inside.arm == inside.control).sum()),
                },
                "observed": {
                    a: int((policy.arm == a).sum())
                    for a in cohort.schema.arms
                    if (policy.arm == a).any()
                },
                "after_stopping": int(policy.subjects["after_stopping"].sum()),
                "better": study.endpoint.better,
                "unit": cohort.schema.variable(study.endpoint.variable).unit,
                "not_shown": _limits(cohort, policy),
            }
        )
    )


def _changes(synthetic: Cohort, study: TrialStudy) -> FloatArray:
    """Change from baseline of the synthetic controls that reach the visit."""
    end = study.endpoint
    outcome = synthetic.at_visit(end.variable, end.visit).to_numpy(np.float64)
    change = outcome - synthetic.subjects[end.baseline].to_numpy(np.float64)
    return np.asarray(change[np.isfinite(change)])


def _limits(cohort: Cohort, policy: effects.Observed) -> list[str]:
    """What these estimates cannot show."""
    seen, later = len(policy.subjects), int(policy.subjects["after_stopping"].sum())
    end = policy.endpoint
    return [
        f"{len(cohort) - seen} of {len(cohort)} patients have no {end.variable} at {end.visit}; "
        "every analysis of observed outcomes takes them as missing at random given the "
        "covariates, which these data cannot check.",
        f"Of the {seen} outcomes {later} were taken after the patient had stopped treatment. The "
        "treatment-policy analysis uses them, the hypothetical one leaves them out.",
        "A synthetic control arm is compared with patients who stayed; those who stay on an "
        "active arm are not those who would have stayed on control.",
    ]


def _row(estimate: dict[str, Any], way: str, *, valid: bool = True) -> dict[str, Any]:
    arm = estimate.get("arm") or estimate.get("extra", {}).get("arm")
    return {**estimate, "arm": arm, "analysis": way, "valid": valid}


def _published(job: Job) -> list[dict[str, Any]]:
    """Estimates of the published analysis, which the cohort stage did again."""
    rows = []
    for found in job.result("cohort")["published"].values():
        if "ANCOVA" in found["title"]:
            rows += [_row(e, _LOCF, valid=False) for e in found["estimates"]]
    return rows
