"""A prognostic score in a time-to-event trial: discrimination, and what it does to the test.

A strong covariate leaves the standard error of a Cox log hazard ratio about where it was and moves
the estimate away from zero, so its worth is judged by z (or by restricted mean time).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from extraction.records.errors import InputError
from simulation.analysis.cox import cox
from simulation.analysis.estimate import Estimate
from simulation.analysis.survival import concordance


@dataclass(frozen=True)
class SurvivalScore:
    """Worth of a score in a trial.

    Parameters
    ----------
    concordance, concordance_in_strata
        Harrell's C over all pairs, and over pairs inside strata.
    score_z
        Wald z of the score as the only covariate inside strata.
    without, adjusted, stratified
        Treatment hazard ratios (all inside strata): without the score, with it as covariate, and
        with its thirds as further strata.
    z_without, z_with, z_stratified
        Their Wald z.
    """

    concordance: Estimate
    concordance_in_strata: Estimate | None
    score_z: float
    without: Estimate
    adjusted: Estimate
    stratified: Estimate
    z_without: float
    z_with: float
    z_stratified: float


def assess_survival_score(score: ArrayLike, time: ArrayLike, event: ArrayLike, treated: ArrayLike,
                          strata: ArrayLike | None = None) -> SurvivalScore:
    """Judge a (locked) score in a trial.

    Parameters
    ----------
    score
        Risk score (N,); higher is worse.
    time, event, treated
        Days, event indicator and treatment indicator, each (N,).
    strata
        Randomisation strata (N,), such as bands of CD4; None for none.

    Raises
    ------
    InputError
        For faulty inputs, or a score without spread.
    """
    values = np.asarray(score, dtype=np.float64)
    if values.size and np.ptp(values) == 0:
        raise InputError("score: the same for every patient; it cannot be judged; check its inputs")
    columns = {"treated": treated, "score": values}
    plain = cox(time, event, {"treated": treated}, strata)
    both = cox(time, event, columns, strata)
    alone = cox(time, event, {"score": values}, strata)
    third = np.searchsorted(np.quantile(values, [1 / 3, 2 / 3]), values)
    groups = np.unique(np.zeros(values.size) if strata is None else np.asarray(strata),
                       return_inverse=True)[1]
    split = cox(time, event, {"treated": treated}, 3 * groups + third)
    within = concordance(values, time, event, strata=strata) if strata is not None else None
    return SurvivalScore(concordance(values, time, event), within, float(alone.z[0]),
                         plain.hazard_ratio("treated"), both.hazard_ratio("treated"),
                         split.hazard_ratio("treated"), float(plain.z[0]), float(both.z[0]),
                         float(split.z[0]))
