"""Type I error and gain of the twin's prognostic score in the CDISC pilot.

Cross-fitted covariate adjustment by the twin: in each fold a small twin (one member, few epochs) is
fitted to the controls of the other folds and gives every patient of the fold the mean simulated
change of ADAS-Cog to week 24, from baseline, under placebo, centred over the fold. For the type I
error the labels are shuffled and the twins are refitted inside every null trial, to the controls of
the null labels. Outcomes are the published ones (carried forward); the twins never train on
carried-forward values.

    python -m benchmarks.twin_nulls --nulls 200 --repeats 10     # as in docs/evidence
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

import argparse
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.prognostic import CONTROL, HIGH, SEED, pilot
from extraction.records import Cohort
from extraction.sources.public import public_trial
from generation import fit
from generation.randomness import generator, integer_seed
from generation.twin_model.model import TwinModel
from simulation.analysis.arrays import FloatArray, IntArray
from simulation.analysis.prognostic import (
    TrialData,
    cross_fitted_adjustment,
    null_labels,
    null_p_values,
    stratified_folds,
    type_one_error,
)
from simulation.execution import map_chunks

FOLDS = 5
OPTIONS: dict[str, Any] = {"members": 1, "epochs": 20}
DRAWS = 50
CHUNK = 5


@dataclass(frozen=True)
class TwinScorer:
    """Cross-fitted scores by twins of the controls (`simulation.analysis.prognostic.Scorer`).

    Attributes
    ----------
    cohort
        The trial's patients in the order of its arrays; what follows baseline is used for
        training only.
    seed
        Seed of fits and draws; folds of one labelling have seeds of their own.
    """

    cohort: Cohort
    seed: int

    def __call__(self, arms: IntArray, folds: IntArray) -> FloatArray:
        """Scores (R, N) given arm codes and fold numbers (R, N)."""
        return np.stack([self._one(arm, fold) for arm, fold in zip(arms, folds, strict=True)])

    @property
    def baseline(self) -> FloatArray:
        """Baseline values of the outcome (N,): the score is the expected change from them."""
        return self.cohort.subjects["ADASBL"].to_numpy(dtype=np.float64)

    def _one(self, arm: IntArray, fold: IntArray) -> FloatArray:
        scores = np.zeros(arm.size)
        for k in np.unique(fold):
            model = fit(
                self.cohort.take((fold != k) & (arm == 0)),
                "twin",
                seed=integer_seed(self.seed, "nulls.fit", int(k)),
                **OPTIONS,
            )
            assert isinstance(model, TwinModel)
            held_out = fold == k
            expected = model.expected_outcome(
                self.cohort.take(held_out), "ADAS", "Week 24", CONTROL, DRAWS, self.seed
            )
            change = expected - self.baseline[held_out]
            scores[held_out] = change - change.mean()
        return scores


@lru_cache(maxsize=1)
def study() -> tuple[TrialData, TwinScorer]:
    """The pilot's efficacy population, all called placebo: who is a control, the labels say."""
    cohort = public_trial("cdisc_pilot")
    rows = pd.concat([cohort.observations, cohort.derived])
    judged = rows[(rows["variable"] == "ADAS") & (rows["visit"] == "Week 24")]["subject_id"]
    subjects = cohort.subjects
    inside = subjects["subject_id"].isin(judged) & (subjects["EFFFL"] == "Y")
    inside &= subjects["ITTFL"] == "Y"
    trial = pilot().trial
    kept = [v.name for v in cohort.schema.variables if v.role != "longitudinal" or v.name == "ADAS"]
    schema = cohort.schema.keep(kept).replace(endpoints=())
    chosen = cohort.take(inside.to_numpy()).with_schema(schema)
    placebo = chosen.subjects.assign(arm=CONTROL, arm_actual=CONTROL)
    relabelled = Cohort.build(
        schema, placebo, observations=chosen.observations, sources=chosen.sources
    )
    scorer = TwinScorer(relabelled, SEED)
    if not np.array_equal(scorer.baseline, trial.shared[:, 1]):
        raise SystemExit("the trial's rows and the cohort's are not in the same order")
    return trial, scorer


def null_chunk(payload: dict[str, Any], start: int, stop: int) -> dict[str, FloatArray]:
    """P values of the null trials start to stop - 1, each with labels and folds of its own."""
    trial, scorer = study()
    values = []
    for r in range(start, stop):
        rng = generator(payload["seed"], "twin nulls", r)
        arms = null_labels(trial.arms, 1, rng)
        own = TwinScorer(scorer.cohort, integer_seed(payload["seed"], "twin null", r))
        values.append(null_p_values(trial, own, arms, stratified_folds(arms, FOLDS, rng))[0])
    return {"p": np.stack(values)}


def report_gain(repeats: int) -> None:
    """Print what the score saves beyond ANCOVA with baseline and site."""
    trial, scorer = study()
    fitted = cross_fitted_adjustment(
        trial, scorer, rng=np.random.default_rng(SEED), folds=FOLDS, repeats=repeats
    )
    ratio, r = fitted.variance_ratio[HIGH], fitted.partial_correlation
    effect = fitted.effects[HIGH]
    print(
        f"  squared SE over that of ANCOVA with baseline and site, {repeats} divisions in "
        f"{FOLDS} folds: {ratio.mean():.3f} ({ratio.min():.3f} to {ratio.max():.3f}); partial r "
        f"{r.mean():+.3f} ({r.min():+.3f} to {r.max():+.3f})"
    )
    print(
        f"  high dose against placebo {effect.estimate:+.3f} ({effect.low:.3f} to "
        f"{effect.high:.3f}), estimates spread by SD {effect.extra['spread_of_estimates']:.3f}"
    )


def report_nulls(nulls: int) -> None:
    """Print the type I error with its Monte Carlo error, and what that can show."""
    trial, _ = study()
    found = map_chunks(
        "benchmarks.twin_nulls:null_chunk",
        {"seed": SEED},
        nulls,
        CHUNK,
        execution="processes",
        workers=2,
        allow=("benchmarks",),
    )
    p = np.concatenate([part["p"] for part in found])
    for i, name in enumerate(trial.active):
        rate = type_one_error(p[:, i])
        limit = 1.96 * np.sqrt(0.05 * 0.95 / nulls)
        verdict = "within" if abs(rate.rate - 0.05) <= limit else "OUTSIDE"
        print(
            f"  type I error at .05, {name}: {rate.rate:.4f} (MC SE {rate.se:.4f}), "
            f"{verdict} .05 +- {limit:.3f}"
        )
    print(
        f"  {nulls} nulls can tell .05 from {0.05 + limit:.3f} and above only; the house's rule "
        "is 500 with the twin, and 10,000 with a fast learner (benchmarks/prognostic.py)"
    )


def main() -> None:
    """Print both reports."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--nulls", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    trial, _ = study()
    print(
        f"CDISC pilot, ADAS-Cog change at week 24 (LOCF, as published): n {trial.y.size}, "
        f"{int((trial.arms == 0).sum())} controls"
    )
    print(f"  twin score refitted in every fold: options {OPTIONS}, {DRAWS} futures a patient")
    start = time.perf_counter()
    report_gain(options.repeats)
    report_nulls(options.nulls)
    print(
        f"  {time.perf_counter() - start:.0f} s, 2 processes, {FOLDS * options.nulls} twins "
        "fitted in null trials"
    )


if __name__ == "__main__":
    main()
