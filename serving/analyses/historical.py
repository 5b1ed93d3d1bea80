"""A score learnt on one trial, locked, and judged in another; and whether to borrow controls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from extraction.records import Cohort, InputError
from serving.study.historical import BorrowingSection, HistoricalScoreStudy, TargetSide, TrialSide
from simulation.analysis.arrays import FloatArray
from simulation.analysis.borrowing import (
    BorrowingRule,
    BorrowingVerdict,
    assess_borrowing,
    range_overlap,
    standardised_difference,
)
from simulation.analysis.cox import cox, fit_cox_score
from simulation.analysis.estimate import Estimand, Estimate
from simulation.analysis.procova import AnalysisLog, LockedScore, lock_cox_score
from simulation.analysis.survival_score import SurvivalScore, assess_survival_score

_Z_GAIN, _SE_RATIO = 0.1, 0.98


def numeric_columns(cohort: Cohort, names: Sequence[str]) -> dict[str, FloatArray]:
    """Baseline variables as numbers: a categorical one gives an indicator a level but the first.

    Parameters
    ----------
    cohort
        One trial; the categories' order decides which level has no column, so that two trials
        with the same categories give the same columns.

    Raises
    ------
    InputError
        When values are missing; a score needs them all.
    """
    columns: dict[str, FloatArray] = {}
    faults = []
    for name in names:
        variable, values = cohort.schema.variable(name), cohort.subjects[name]
        missing = int(values.isna().sum())
        if missing:
            faults.append(
                f"{cohort.schema.study_id}: {name} is missing in {missing} patient(s); a score "
                "needs every value; leave the variable out"
            )
        elif variable.numeric:
            columns[name] = values.to_numpy(dtype=np.float64)
        else:
            for level in (variable.categories or ())[1:]:
                hit = np.asarray(values == level)
                columns[f"{name}={level}"] = hit.astype(np.float64)
    if faults:
        raise InputError(faults)
    return columns


def without_outcomes(cohort: Cohort) -> Cohort:
    """Return the baseline of a trial: no event, no observation, no end of follow-up."""
    kept = [v.name for v in cohort.schema.static]
    schema = cohort.schema.keep(kept).replace(endpoints=(), visits=())
    subjects = cohort.subjects.assign(observed_until=np.nan, end_reason=None)
    return Cohort.build(schema, subjects, sources=cohort.sources)


def learn_and_lock(
    historical: Cohort, side: TrialSide, names: Sequence[str], penalty: float
) -> tuple[LockedScore, int]:
    """Learn a ridge Cox score (arms as strata) and lock it by its hash.

    Returns
    -------
    LockedScore, int
        The score and the number of events it was learnt on.
    """
    outcome = historical.endpoint(side.endpoint)
    score = fit_cox_score(
        numeric_columns(historical, names),
        outcome["day"],
        outcome["observed"].to_numpy(dtype=float),
        penalty=penalty,
        strata=historical.subjects["arm"].to_numpy(dtype=str),
    )
    study = historical.schema.study_id
    return lock_cox_score(study, score, historical.digest()), score.events


def judge(
    target: Cohort, side: TargetSide, locked: LockedScore, log: AnalysisLog, names: Sequence[str]
) -> SurvivalScore:
    """Use a locked score in the target trial, after checking the lock against the log.

    Raises
    ------
    RefusedError
        When the score may not be used there.
    """
    locked.check(log, target.schema.study_id, target.digest())
    outcome = target.endpoint(side.endpoint)
    strata = None if side.strata is None else target.subjects[side.strata].to_numpy(dtype=str)
    return assess_survival_score(
        locked.score(numeric_columns(target, names)),
        outcome["day"],
        outcome["observed"].to_numpy(dtype=float),
        (target.subjects["arm"] != target.schema.control_arm).to_numpy(dtype=float),
        strata,
    )


def hazard_ratio(target: Cohort, endpoint: str, strata: str | None, definition: str) -> Estimate:
    """Treatment against control by Cox's model inside the strata of randomisation."""
    outcome = target.endpoint(endpoint)
    treated = (target.subjects["arm"] != target.schema.control_arm).to_numpy(dtype=float)
    groups = None if strata is None else target.subjects[strata].to_numpy(dtype=str)
    fitted = cox(
        outcome["day"], outcome["observed"].to_numpy(dtype=float), {"treated": treated}, groups
    )
    question = Estimand(
        population="all randomised patients",
        treatment=f"active against {target.schema.control_arm}",
        variable=f"time to {definition}",
        intercurrent_events={"discontinuation of treatment": "treatment policy"},
        summary="hazard ratio (conditional on stratum)" if strata else "hazard ratio (marginal)",
    )
    return fitted.hazard_ratio("treated", estimand=question)


def borrowing_rule(settings: BorrowingSection) -> BorrowingRule:
    """The study's limits, to be written down before data are compared."""
    return BorrowingRule(
        max_smd=settings.max_smd,
        max_weighted_smd=settings.max_weighted_smd,
        min_overlap=settings.min_overlap,
        min_ess=settings.min_effective_patients,
        same_endpoint=settings.same_endpoint,
    )


def judge_borrowing(
    target: Cohort, historical: Cohort, study: HistoricalScoreStudy
) -> BorrowingVerdict:
    """Compare the target trial with the historical controls by the study's own rule."""
    control = historical.subjects["arm"] == historical.schema.control_arm
    controls = historical.take(control.to_numpy())
    names = study.borrowing.variables
    return assess_borrowing(
        numeric_columns(target, names),
        numeric_columns(controls, names),
        _definition(study.target),
        _definition(study.historical),
        borrowing_rule(study.borrowing),
    )


def against_all_arms(
    target: Cohort, historical: Cohort, study: HistoricalScoreStudy
) -> dict[str, dict[str, float]]:
    """Difference and overlap of each variable against the whole historical trial, for the reader.

    The verdict rests on its controls alone (`judge_borrowing`).
    """
    ours, theirs = (numeric_columns(c, study.borrowing.variables) for c in (target, historical))
    new, old = (np.column_stack(list(side.values())) for side in (ours, theirs))
    smd, overlap = standardised_difference(new, old), range_overlap(new, old)
    return {
        name: {"smd": float(smd[i]), "overlap": float(overlap[i])} for i, name in enumerate(ours)
    }


def _definition(side: TrialSide) -> dict[str, str]:
    return {"event": side.definition, "ascertainment": side.ascertainment}


def score_summary(worth: SurvivalScore) -> dict[str, Any]:
    """Discrimination of a score and what it does to the treatment test, JSON-able."""
    inside = worth.concordance_in_strata
    return {
        "c": worth.concordance.estimate,
        "low": worth.concordance.low,
        "high": worth.concordance.high,
        "se": worth.concordance.se,
        "c_in_strata": None if inside is None else inside.to_dict(),
        "score_z_in_strata": worth.score_z,
        "z_without": worth.z_without,
        "z_with": worth.z_with,
        "z_stratified": worth.z_stratified,
        "without": worth.without.to_dict(),
        "with": worth.adjusted.to_dict(),
        "stratified": worth.stratified.to_dict(),
        "sharpening": sharpening(worth),
        "note": "A strong score leaves the standard error of a Cox log hazard ratio about where "
        "it was and moves the estimate; judge it by z. One trial's z is one draw: it describes "
        "this analysis and promises nothing for another.",
    }


def sharpening(worth: SurvivalScore) -> dict[str, Any]:
    """Say whether the score sharpens the treatment's test in this trial.

    Ordering patients well is not enough. By the rule the score sharpens the analysis if |z|
    grows by more than .1 or the standard error falls by more than 2 %.
    """
    ratio = worth.adjusted.se / worth.without.se
    gain = abs(worth.z_with) - abs(worth.z_without)
    sharper = gain > _Z_GAIN or ratio < _SE_RATIO
    does = "sharpens" if sharper else "does not sharpen"
    return {
        "verdict": f"{does} this analysis",
        "sharper": sharper,
        "text": f"SE of the log hazard ratio {worth.without.se:.4f} without the score and "
        f"{worth.adjusted.se:.4f} with it, z {worth.z_without:.2f} and {worth.z_with:.2f}: the "
        f"score {does} this analysis",
        "rule": f"|z| grows by more than {_Z_GAIN:g} or the standard error falls by more than "
        f"{100 * (1 - _SE_RATIO):.0f} %; chosen with the figures of ACTG 175 and 320 known",
    }
