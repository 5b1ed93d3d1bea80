"""What prognostic scores save in real trials, and what may not be borrowed.

The CDISC pilot: cross-fitted covariate adjustment against an ANCOVA that already holds baseline and
site. ACTG175 to ACTG320: a Cox score locked on the first trial, used in the second; the first
trial's controls, refused.

    OPENBLAS_NUM_THREADS=1 python benchmarks/prognostic.py [null replicates]

One BLAS thread is several times faster here than two: the matrices are small.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from extraction.records import Cohort
from extraction.sources.public import public_trial
from serving.analyses import historical
from serving.study import HistoricalScoreStudy, load_study
from simulation.analysis.arrays import FloatArray
from simulation.analysis.borrowing import (
    BorrowingVerdict,
    range_overlap,
    standardised_difference,
)
from simulation.analysis.cox import cox
from simulation.analysis.planning import plan_saving
from simulation.analysis.procova import AnalysisLog, LockedScore, correlation
from simulation.analysis.prognostic import (
    RidgeScorer,
    TrialData,
    cross_fitted_adjustment,
    null_type_one_error,
    trial_data,
)
from simulation.analysis.ridge import baseline_features
from simulation.analysis.survival_score import SurvivalScore

SEED = 20261122
CONTROL, HIGH = "Placebo", "Xanomeline High Dose"
FEW = ["AGE", "BMIBL", "EDUCLVL", "DURDIS", "MMSETOT", "ADASBL"]
CONFIG = Path(__file__).resolve().parents[1] / "configs" / "historical-score.yaml"


@dataclass(frozen=True)
class Pilot:
    """Week-24 change of ADAS-Cog (carried forward, as published) with two sets of features."""

    trial: TrialData
    few: FloatArray
    many: FloatArray


def pilot() -> Pilot:
    """Read the CDISC pilot and keep its efficacy population."""
    cohort = public_trial("cdisc_pilot")
    rows = pd.concat([cohort.observations, cohort.derived])
    rows = rows[(rows["variable"] == "ADAS") & (rows["visit"] == "Week 24")]
    subjects = cohort.subjects.assign(**measured_at_baseline(cohort))
    table = subjects.merge(rows[["subject_id", "value"]], on="subject_id")
    table = table[(table["EFFFL"] == "Y") & (table["ITTFL"] == "Y")]
    trial = trial_data(
        table["value"] - table["ADASBL"],
        table["arm"],
        {"baseline": table["ADASBL"]},
        {"site": table["SITEGR1"]},
        control=CONTROL,
    )
    wide = [*FEW, "WEIGHTBL", "HEIGHTBL", "NPIXBL", *measured_at_baseline(cohort)]
    sex = {"sex": table["SEX"]}
    return Pilot(
        trial,
        baseline_features({n: table[n] for n in FEW}, sex),
        baseline_features({n: table[n] for n in wide}, sex),
    )


def measured_at_baseline(cohort: Cohort) -> dict[str, FloatArray]:
    """Vital signs and laboratory values at baseline that 19 of 20 patients have."""
    columns = {}
    for variable in cohort.schema.longitudinal:
        skip = variable.name.startswith(("ACITM", "ADAS", "NPIX", "HEIGHT", "WEIGHT"))
        if variable.kind != "continuous" or skip or "STANDING" in variable.name:
            continue
        values = cohort.at_visit(variable.name, "Baseline").to_numpy(np.float64)
        if np.isfinite(values).mean() > 0.95:
            columns[f"{variable.name}@Baseline"] = values
    return columns


def report_pilot(replicates: int) -> None:
    """Print ratios, partial correlations and type I error of cross-fitted adjustment."""
    data = pilot()
    print(f"CDISC pilot, ADAS-Cog change at week 24 (LOCF, as published): n {data.trial.y.size}")
    print("  squared SE over that of ANCOVA with baseline and site; 20 random divisions in 5 folds")
    for label, features, train in (
        ("placebo only", data.few, "controls"),
        ("all arms", data.few, "all_arms"),
        ("placebo only", data.many, "controls"),
        ("all arms", data.many, "all_arms"),
    ):
        scorer = RidgeScorer(features, data.trial.y, train)
        fitted = cross_fitted_adjustment(data.trial, scorer, rng=np.random.default_rng(SEED))
        ratio, r = fitted.variance_ratio[HIGH], fitted.partial_correlation
        effect = fitted.effects[HIGH]
        print(
            f"  {label:12} {features.shape[1]:2} columns: ratio {ratio.mean():.3f} "
            f"({ratio.min():.3f} to {ratio.max():.3f}), partial r {r.mean():+.2f} "
            f"({r.min():+.2f} to {r.max():+.2f}); high dose {effect.estimate:+.3f} "
            f"({effect.low:.3f} to {effect.high:.3f}), estimates spread by SD "
            f"{effect.extra['spread_of_estimates']:.3f}"
        )
        rates = null_type_one_error(
            data.trial, scorer, rng=np.random.default_rng(SEED + 1), replicates=replicates
        )
        print(
            "    type I error, score refitted in each of "
            f"{replicates:,} re-randomised nulls: "
            + ", ".join(f"{arm} {x.rate:.4f} (MC SE {x.se:.4f})" for arm, x in rates.items())
        )
        if label == "all arms":
            print_plan(float(r.mean()), data.trial)


def print_plan(r: float, trial: TrialData) -> None:
    """Saving that the next trial may plan on: from the lower limit of the partial correlation."""
    interval = correlation(r, trial.y.size - trial.shared.shape[1] - 1)
    plan = plan_saving(interval, 2.0, 5.2)
    print(
        f"    planning a difference of 2 points, SD 5.2: r {interval.estimate:.2f} "
        f"({interval.low:.2f} to {interval.high:.2f}), planned with {plan.rho_planned:.2f}: "
        f"{plan.n_without} -> {plan.n_planned} patients, power {plan.power_if_worthless:.3f} "
        "if the score is worthless"
    )


def study() -> HistoricalScoreStudy:
    """Return the study of the two HIV trials, as its configuration states it."""
    found = load_study(CONFIG)
    assert isinstance(found, HistoricalScoreStudy)
    return found


def columns(cohort: Cohort) -> dict[str, FloatArray]:
    """Score inputs of either HIV trial."""
    return historical.numeric_columns(cohort, study().score.features)


def locked_score() -> tuple[Cohort, LockedScore, AnalysisLog]:
    """Learn the score on ACTG175 (arms as strata) and lock it."""
    old, plan = public_trial("actg175"), study()
    locked, _ = historical.learn_and_lock(
        old, plan.historical, plan.score.features, plan.score.penalty
    )
    return old, locked, AnalysisLog().add("score locked", "ACTG175", locked.digest)


def judge_score(new: Cohort, locked: LockedScore, log: AnalysisLog) -> SurvivalScore:
    """Check the lock against the log, then use the score in ACTG320."""
    plan = study()
    return historical.judge(new, plan.target, locked, log, plan.score.features)


def z_in_fifths(new: Cohort, locked: LockedScore) -> float:
    """Wald z of the score inside fifths of CD4, which leave less of CD4 to it than two strata."""
    values, outcome = columns(new), new.endpoint("aids")
    fifth = np.searchsorted(np.quantile(values["cd4"], [0.2, 0.4, 0.6, 0.8]), values["cd4"])
    fitted = cox(
        outcome["day"], outcome["observed"].astype(float), {"score": locked.score(values)}, fifth
    )
    return float(fitted.z[0])


def judge_borrowing(new: Cohort, old: Cohort) -> BorrowingVerdict:
    """Compare ACTG320 with the control arm of ACTG175 by a rule fixed beforehand."""
    return historical.judge_borrowing(new, old, study())


def report_hiv() -> None:
    """Print what the locked score does in ACTG320, and why ACTG175's controls are refused."""
    old, locked, log = locked_score()
    new = public_trial("actg320")
    log = log.add("outcomes read", "ACTG320")
    worth = judge_score(new, locked, log)
    c, inside = worth.concordance, worth.concordance_in_strata
    names = ", ".join(study().score.features)
    print(f"ACTG175 -> ACTG320: Cox score on {names}, {len(old)} patients")
    print(f"  locked before ACTG320's outcomes were read: sha256 {locked.digest}")
    print(
        f"  C in ACTG320 {c.estimate:.3f} ({c.low:.3f} to {c.high:.3f})"
        + (
            f"; inside CD4 strata {inside.estimate:.3f} ({inside.low:.3f} to {inside.high:.3f})"
            if inside
            else ""
        )
        + f"; z of the score inside CD4 strata {worth.score_z:.2f}"
    )
    print(f"  in fifths of CD4 instead: z of the score {z_in_fifths(new, locked):.2f}")
    for label, line, z in (
        ("without the score", worth.without, worth.z_without),
        ("with the score as covariate", worth.adjusted, worth.z_with),
        ("with its thirds as strata", worth.stratified, worth.z_stratified),
    ):
        print(
            f"  treatment inside CD4 strata, {label}: HR {line.estimate:.4f} "
            f"({line.low:.4f} to {line.high:.4f}), SE of log HR {line.se:.4f}, z {z:.3f}"
        )
    verdict = judge_borrowing(new, old)
    print(
        "  borrowing ACTG175's controls: "
        + ("accepted" if verdict.accepted else "REFUSED")
        + f" (rule {verdict.rule_digest[:12]}, n {verdict.n_historical}, ESS {verdict.ess:.1f})"
    )
    for reason in verdict.reasons:
        print(f"    {reason}")
    cd4, before = (columns(c)["cd4"][:, None] for c in (new, old))
    print(
        f"    (against all arms of ACTG175: cd4 difference "
        f"{standardised_difference(cd4, before)[0]:.2f}, "
        f"{range_overlap(cd4, before)[0]:.0%} within its range)"
    )


def report_cd4() -> None:
    """Print what a score adds to ANCOVA for week-20 CD4 inside ACTG175, where baseline tells."""
    cohort = public_trial("actg175")
    frame, y = cohort.subjects, cohort.at_visit("cd4_count", "Week 20").to_numpy(np.float64)
    numbers = ("age", "cd4", "cd8", "karnof", "wtkg", "preanti")
    words = ("sex", "race", "ivdrug", "homo", "oprior", "z30", "symptom", "strat")
    features = baseline_features({n: frame[n] for n in numbers}, {n: frame[n] for n in words})
    trial = trial_data(y, frame["arm"], {"cd4": frame["cd4"]}, control=cohort.schema.control_arm)
    plain = trial_data(y, frame["arm"], control=cohort.schema.control_arm)
    left = (trial.fit(trial.arms[None]).se / plain.fit(trial.arms[None]).se)[0, 0] ** 2
    fitted = cross_fitted_adjustment(
        trial, RidgeScorer(features, y), rng=np.random.default_rng(SEED)
    )
    ratio = next(iter(fitted.variance_ratio.values()))
    own = trial.arms == 0
    alone = 1 - np.corrcoef(frame["cd4"][own], y[own])[0, 1] ** 2
    print(
        f"ACTG175, CD4 at week 20, {y.size} patients: baseline CD4 leaves {left:.2f} of the "
        f"variance in ANCOVA ({alone:.2f} among controls); a cross-fitted score "
        f"{ratio.mean():.3f} ({ratio.min():.3f} to {ratio.max():.3f}) of that, "
        f"partial r {fitted.partial_correlation.mean():.2f}"
    )


def main(replicates: int = 10_000) -> None:
    """Print every report."""
    report_pilot(replicates)
    report_hiv()
    report_cd4()


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
