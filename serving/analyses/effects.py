"""Treatment effects of one trial, each with its estimand, its variance and its limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from extraction.records import Cohort, InputError
from generation.randomness import generator
from serving.study.parts import PrimaryEndpoint
from serving.study.trial import EffectsSection
from simulation.analysis.arrays import FloatArray
from simulation.analysis.continuous import Ancova, ancova
from simulation.analysis.estimate import Estimand, Estimate
from simulation.analysis.external_control import (
    bootstrap_se,
    cross_fitted_controls,
    doubly_robust_effect,
    naive_synthetic_test,
    synthetic_control_test,
)
from simulation.analysis.procova import correlation
from simulation.analysis.prognostic import (
    CrossFitted,
    RidgeScorer,
    TrialData,
    cross_fitted_adjustment,
    null_type_one_error,
    trial_data,
)
from simulation.analysis.ridge import baseline_features, ridge_learner

FEWEST = 20
Strategy = Literal["treatment policy", "hypothetical"]


@dataclass(frozen=True)
class Observed:
    """Patients with an observed outcome and a baseline value.

    Parameters
    ----------
    subjects
        Their rows, with ``change`` from baseline and whether it was taken ``after_stopping``.
    control
        Label of the control arm.
    endpoint
        What was measured.
    strategy
        For discontinuation: "treatment policy" (outcomes taken later count) or "hypothetical".
    """

    subjects: pd.DataFrame
    control: str
    endpoint: PrimaryEndpoint
    strategy: Strategy = "treatment policy"

    @property
    def change(self) -> FloatArray:
        """Change from baseline (N,)."""
        return self.subjects["change"].to_numpy(dtype=np.float64)

    @property
    def arm(self) -> np.ndarray[Any, Any]:
        """Planned arm (N,)."""
        return self.subjects["arm"].to_numpy(dtype=str)

    def features(self, names: tuple[str, ...], schema: Any) -> FloatArray:
        """Baseline columns for a score: numbers, and indicators of categories."""
        numeric = {n: self.subjects[n] for n in names if schema.variable(n).numeric}
        factors = {
            n: self.subjects[n].fillna("missing").to_numpy(dtype=str)
            for n in names
            if not schema.variable(n).numeric
        }
        return baseline_features(numeric, factors)


def observed_outcome(cohort: Cohort, variable: str, visit: str) -> pd.DataFrame:
    """Each patient's observed value at an analysis visit and its day, in subject row order.

    The trial's own analysis visit counts where its records name it, else the schema's window.
    """
    rows = cohort.observed(variable)
    window = cohort.schema.visit(visit)
    named = rows[rows["visit"] == visit]
    if not len(named):
        named = rows[rows["day"].between(window.low, window.high)]
    order = (named["day"] - window.day).abs().sort_values(kind="stable").index
    named = named.loc[order].drop_duplicates(["study_id", "subject_id"])
    out = np.full((len(cohort), 2), np.nan)
    out[cohort.positions(named)] = named[["value", "day"]].to_numpy(dtype=np.float64)
    return pd.DataFrame(out, columns=["value", "day"])


def observed(
    cohort: Cohort, endpoint: PrimaryEndpoint, strategy: Strategy = "treatment policy"
) -> Observed:
    """Patients whose outcome was observed; "hypothetical" leaves out what came after stopping.

    Raises
    ------
    InputError
        When an arm has fewer than 20 of them.
    """
    found = observed_outcome(cohort, endpoint.variable, endpoint.visit)
    change = found["value"] - cohort.subjects[endpoint.baseline]
    after = np.zeros(len(cohort), dtype=bool)
    if endpoint.discontinuation:
        left = cohort.endpoint(endpoint.discontinuation)
        stopped = left["day"].where(left["observed"].astype(bool))
        after = (found["day"] > stopped).to_numpy()
    kept = change.notna().to_numpy()
    if strategy == "hypothetical":
        kept &= ~after
    rows = cohort.subjects[kept].assign(change=change[kept].to_numpy(), after_stopping=after[kept])
    counts = rows["arm"].value_counts()
    short = [f"{a}: {int(n)}" for a, n in counts.items() if n < FEWEST]
    if short or len(counts) < 2:
        raise InputError(
            f"effects: patients with {endpoint.variable} at {endpoint.visit} by arm: "
            f"{', '.join(short) or 'one arm only'}; at least {FEWEST} in each of two arms are "
            "needed; choose an earlier visit or leave the section out"
        )
    control = str(cohort.schema.control_arm)
    return Observed(rows.reset_index(drop=True), control, endpoint, strategy)


def estimand(data: Observed, treatment: str, summary: str) -> Estimand:
    """The question by the five attributes of ICH E9(R1)."""
    end = data.endpoint
    return Estimand(
        population=end.population,
        treatment=treatment,
        variable=f"change of {end.variable} from baseline to {end.visit}",
        intercurrent_events={"discontinuation": data.strategy},
        summary=summary,
    )


def observed_ancova(data: Observed) -> Ancova:
    """ANCOVA of observed outcomes on arm, baseline and the endpoint's factors."""
    end = data.endpoint
    rows = data.subjects
    return ancova(
        data.change,
        data.arm,
        {end.baseline: rows[end.baseline]},
        {name: rows[name].to_numpy(dtype=str) for name in end.factors},
        control=data.control,
        estimand=estimand(data, "each active arm against control", "difference in adjusted means"),
    )


def as_trial(data: Observed) -> TrialData:
    """Outcomes, arms, baseline and factors as the adjustment needs them."""
    end, rows = data.endpoint, data.subjects
    return trial_data(
        data.change,
        data.arm,
        {end.baseline: rows[end.baseline]},
        {name: rows[name].to_numpy(dtype=str) for name in end.factors},
        control=data.control,
    )


def adjustment(
    data: Observed, features: FloatArray, settings: EffectsSection, seed: int
) -> tuple[CrossFitted, dict[str, Any]]:
    """Cross-fitted covariate adjustment, what it gains, and its type I error.

    Returns
    -------
    CrossFitted, dict
        Estimates with and without the score; ratio of squared standard errors by arm, partial
        correlation with an interval, type I error under re-randomised nulls with the score
        refitted inside each.
    """
    trial = as_trial(data)
    scorer = RidgeScorer(features, trial.y, "all_arms")
    question = estimand(data, "each active arm against control", "difference in adjusted means")
    fitted = cross_fitted_adjustment(
        trial,
        scorer,
        rng=generator(seed, "effects.folds"),
        folds=settings.folds,
        repeats=settings.repeats,
        estimand=question,
    )
    r = fitted.partial_correlation
    # What is held fixed: the covariates without the intercept, and the active arms.
    free = trial.y.size - (trial.shared.shape[1] - 1) - len(trial.active)
    interval = correlation(float(r.mean()), free)
    residual_sd = float(observed_ancova(data).fit.sigma)
    figures: dict[str, Any] = {
        "residual_sd": residual_sd,
        "strategy": data.strategy,
        "name": "cross-fitted covariate adjustment",
        "beyond": f"ANCOVA with {', '.join([data.endpoint.baseline, *data.endpoint.factors])}",
        "n": int(trial.y.size),
        "features": int(features.shape[1]),
        "folds": settings.folds,
        "repeats": settings.repeats,
        "se2_ratio": {
            arm: {
                "mean": float(v.mean()),
                "low": float(v.min()),
                "high": float(v.max()),
                "values": v.tolist(),
            }
            for arm, v in fitted.variance_ratio.items()
        },
        "partial_correlation": {
            "mean": float(r.mean()),
            "low": float(r.min()),
            "high": float(r.max()),
            "interval": [interval.low, interval.high],
            "n_free": free,
        },
    }
    if settings.null_trials:
        rates = null_type_one_error(
            trial,
            scorer,
            rng=generator(seed, "effects.nulls"),
            replicates=settings.null_trials,
            folds=settings.folds,
        )
        figures["type_one_error"] = {
            arm: {"rate": x.rate, "se": x.se, "replicates": x.replicates, "alpha": x.alpha}
            for arm, x in rates.items()
        }
    return fitted, figures


def against_synthetic(
    data: Observed,
    features: FloatArray,
    synthetic_change: FloatArray,
    settings: EffectsSection,
    seed: int,
) -> dict[str, dict[str, Any]]:
    """Each active arm against the model's controls: corrected, doubly robust, and naive.

    Parameters
    ----------
    features
        Baseline columns (N, P).
    synthetic_change
        Change from baseline of synthetic controls that reach the visit.

    Returns
    -------
    dict
        By arm: ``corrected``, ``doubly_robust`` (with ``bootstrap_se``) and ``naive_invalid``.
    """
    arm = data.arm
    control = arm == data.control
    y0, x0 = data.change[control], features[control]
    folds = generator(seed, "effects.control-folds").permutation(y0.size) % settings.folds
    found = {}
    for name in [a for a in dict.fromkeys(arm) if a != data.control]:
        treated = arm == name
        y1, x1 = data.change[treated], features[treated]
        m0, m1 = cross_fitted_controls(x0, y0, x1, ridge_learner, folds)
        question = estimand(data, f"{name} against {data.control}", "difference in means")
        robust = doubly_robust_effect(y1, m1, y0, m0, estimand=question)
        check = bootstrap_se(
            x1,
            y1,
            x0,
            y0,
            ridge_learner,
            rng=generator(seed, "effects.bootstrap"),
            folds=settings.folds,
            replicates=settings.bootstrap,
        )
        corrected = synthetic_control_test(y1, synthetic_change, y0.size, estimand=question)
        naive = naive_synthetic_test(y1, synthetic_change, y0.size)
        found[name] = {
            "corrected": _labelled(corrected, name, data.control),
            "doubly_robust": _labelled(robust, name, data.control)
            | {"bootstrap_se": check, "bootstrap_refits": settings.bootstrap},
            "naive_invalid": _labelled(naive, name, data.control),
        }
    return found


def _labelled(estimate: Estimate, arm: str, control: str) -> dict[str, Any]:
    return estimate.to_dict() | {"arm": arm, "control": control}
