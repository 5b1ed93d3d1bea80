"""Stage `effects`: the treatment effect by every analysis that the study has a right to."""

from __future__ import annotations

from typing import Any

import numpy as np

from extraction.records import Cohort
from generation.randomness import integer_seed
from serving.analyses import effects
from serving.pipeline.stage import Job

from .tools import plain

_LOCF = "published analysis (LOCF): for reproduction only"
_OBSERVED = "observed outcomes"


def run(job: Job) -> dict[str, Any]:
    """Estimate the effect of each active arm; see `serving.pipeline.stage`."""
    study = job.trial
    settings = study.effects
    assert settings is not None
    cohort = Cohort.read(job.stage("cohort") / "cohort")
    synthetic = Cohort.read(job.stage("models") / "synthetic")
    data = effects.observed(cohort, study.endpoint)
    features = data.features(settings.features, cohort.schema)
    seed = integer_seed(job.seed, "effects")
    job.tell("analysis of covariance", 0.1)
    plainly = effects.observed_ancova(data)
    job.tell("cross-fitted covariate adjustment and its nulls", 0.3)
    fitted, gain = effects.adjustment(data, features, settings, seed)
    job.tell("against synthetic controls", 0.7)
    end = study.endpoint
    outcome = synthetic.at_visit(end.variable, end.visit).to_numpy(np.float64)
    change = outcome - synthetic.subjects[end.baseline].to_numpy(np.float64)
    reached = change[np.isfinite(change)]
    external = effects.against_synthetic(data, features, reached, settings, seed)
    rows = _published(job)
    rows += [_row(e.to_dict(), _OBSERVED, valid=True) for e in plainly.effects.values()]
    rows += [
        _row(e.to_dict() | {"arm": arm}, "cross-fitted score", valid=True)
        for arm, e in fitted.effects.items()
    ]
    for arm, by_way in external.items():
        for way, estimate in by_way.items():
            rows.append(_row(estimate | {"arm": arm}, way, valid=way != "naive_invalid"))
    n_train = int((data.arm == data.control).sum())
    return dict(plain({
        "estimates": rows,
        "adjustment": gain,
        "external": {arm: {k: v for k, v in ways.items() if k != "naive_invalid"}
                     for arm, ways in external.items()},
        "naive_invalid": {arm: ways["naive_invalid"] for arm, ways in external.items()},
        "synthetic": {"n": len(synthetic), "reached_visit": int(reached.size),
                      "n_train_with_outcome": n_train},
        "observed": {a: int((data.arm == a).sum()) for a in cohort.schema.arms
                     if (data.arm == a).any()},
        "better": end.better,
        "unit": cohort.schema.variable(end.variable).unit,
        "not_shown": [
            "The trial has no outcomes after discontinuation, so no imputation can be checked.",
            "Analyses of observed outcomes take outcomes as missing at random given the "
            "covariates; dropout here depends on arm, adverse events and the last value.",
        ],
    }))


def _row(estimate: dict[str, Any], way: str, *, valid: bool) -> dict[str, Any]:
    arm = estimate.get("arm") or estimate.get("extra", {}).get("arm")
    return {**estimate, "arm": arm, "analysis": way, "valid": valid}


def _published(job: Job) -> list[dict[str, Any]]:
    """Estimates of the published analysis, which the cohort stage did again."""
    rows = []
    for found in job.result("cohort")["published"].values():
        if "ANCOVA" in found["title"]:
            rows += [_row(e, _LOCF, valid=False) for e in found["estimates"]]
    return rows
