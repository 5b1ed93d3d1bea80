"""Estimates of trials whose final size was chosen by the effect seen at the first of two looks."""

import numpy as np
from scipy.special import ndtr

from simulation.analysis.sequential.after_combination import after_combination
from simulation.analysis.sequential.combination import stage_weights
from simulation.analysis.sequential.estimates import AfterStopping
from simulation.trial.design import TrialDesign
from simulation.trial.moments import HALF_WIDTH
from simulation.trial.outcomes.base import Floats
from simulation.trial.rules.reestimation import Blinded, ByVariance, ReestimationRule


def resized_by_effect(design: TrialDesign) -> bool:
    """Whether the effect seen decides the size, so that the ordinary estimate is biased by it."""
    rule = design.rule
    if not isinstance(rule, ReestimationRule) or design.external_controls is not None:
        return False
    return rule.looks.count == 2 and not isinstance(rule.size, Blinded | ByVariance)


def adjusted_for_size(design: TrialDesign, table: dict[str, Floats]) -> AfterStopping:
    """Median-unbiased estimates and 95 % intervals by stagewise ordering of the combination.

    Parameters
    ----------
    design
        One of which `resized_by_effect` holds.
    table
        Of one scenario: stage (R,), and estimate, se, first_estimate, first_se (R, 1).

    Returns
    -------
    AfterStopping
        On the estimate's scale, (R,); of trials that stopped at the first look the ordinary ones,
        which stagewise ordering agrees with. NaN where the second look added nothing.
    """
    tested, rule = design.tested[0], design.rule
    assert isinstance(rule, ReestimationRule)
    sign = float(tested.endpoint.sign * tested.analysis.sign)
    last, last_se, first, first_se = (
        table[name][:, 0] for name in ("estimate", "se", "first_estimate", "first_se")
    )
    own, own_se = _second_stage(first, first_se, last, last_se)
    critical = rule.critical(rule.alpha * tested.share)[0]
    rates = stage_weights(rule.looks.rates)
    found = after_combination(
        sign * first, first_se, sign * own, own_se, (float(rates[0]), float(rates[1])),
        np.inf if np.isnan(critical) else critical,
    )
    low, high = (found.low, found.high) if sign > 0 else (-found.high, -found.low)
    early, half = table["stage"] == 0, HALF_WIDTH * last_se
    return AfterStopping(
        np.where(early, last, sign * found.estimate),
        np.where(early, last - half, low),
        np.where(early, last + half, high),
        np.where(early, ndtr(-sign * last / last_se), found.p_value),
    )


def _second_stage(
    first: Floats, first_se: Floats, last: Floats, last_se: Floats
) -> tuple[Floats, Floats]:
    """Estimate and standard error (R,) of the second stage's own patients, by differences."""
    before, after = 1 / first_se**2, 1 / last_se**2
    step = after - before
    sound = np.isfinite(first) & np.isfinite(last) & (step > 0)
    step = np.where(sound, step, 1.0)
    own = np.where(sound, (after * last - before * first) / step, np.nan)
    return own, np.where(sound, 1 / np.sqrt(step), np.nan)
