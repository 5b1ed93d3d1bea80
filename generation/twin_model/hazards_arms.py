"""Arm effects that synthetic patients show as the training patients do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from generation.tokenizer import FloatArray
from generation.twin_model.hazards import Hazard, Shift, calibrate, kaplan_meier
from generation.twin_model.hazards_cox import Cox, arm_effects

_ROUNDS = 3
_FEWEST_EVENTS_AN_ARM = 5
_NEWTON_STEPS = 15


def match_arms(
    cox: Cox,
    arms: int,
    population: FloatArray,
    features: FloatArray,
    day: FloatArray,
    event: np.ndarray,
    shift: Shift | None,
    randomised: bool = False,
) -> Hazard:
    """Calibrated hazard whose population shows the training patients' marginal arm effects.

    A conditional effect, penalised covariates and a sampled baseline do not add up to the hazard
    ratio of a Cox model with the arm alone, which is what a trial reports. The arms'
    coefficients are moved until that model, fitted to what is expected of the population, gives
    the same log hazard ratios as the training patients. Not done where an arm has fewer than
    five events. Parameters as in `hazards.calibrate`; the last `arms` features are arms. In a
    randomised trial everyone of the population is looked at under every arm, so that the arms'
    chance imbalance in it plays no part.
    """
    hazard = calibrate(cox, population, features, day, event, shift)
    own = features[:, features.shape[1] - arms :]
    counts = np.append(own[event].sum(axis=0), event.sum() - own[event].sum())
    if not arms or len(hazard.knots) < 3 or counts.min() < _FEWEST_EVENTS_AN_ARM:
        return hazard
    last = hazard.knots[-1]
    wanted = arm_effects(own, np.minimum(day, last), event & (day <= last))
    shared = _under_every_arm(population, arms) if randomised else population
    for _ in range(_ROUNDS):
        shown = _expected_effects(hazard, arms, shared, day, event)
        beta = cox.beta.copy()
        beta[len(beta) - arms :] += np.clip(wanted - shown, -0.5, 0.5)
        cox = replace(cox, beta=beta)
        hazard = calibrate(cox, population, features, day, event, shift)
    return hazard


def _under_every_arm(population: FloatArray, arms: int) -> FloatArray:
    """Everyone once in each arm; arms then have equal shares."""
    copies = []
    for arm in range(arms + 1):
        copy = population.copy()
        copy[:, population.shape[1] - arms :] = np.arange(1, arms + 1) == arm
        copies.append(copy)
    return np.concatenate(copies)


def _expected_effects(
    hazard: Hazard, arms: int, population: FloatArray, day: FloatArray, event: np.ndarray
) -> FloatArray:
    """Marginal log hazard ratios that the population is expected to show, shape (a,).

    Patients of each arm fail as the hazard says and are censored as the training patients were.
    """
    knots = hazard.knots
    risks, marks = np.exp(hazard.log_risks(population)), hazard.marks
    survival = np.empty((len(population), len(knots)))
    widths = np.append(np.diff(marks), np.inf)
    for k, level in enumerate(hazard.levels):
        survival[:, k] = np.exp(-(risks @ np.clip(level - marks, 0.0, widths)))
    own = population[:, population.shape[1] - arms :] > 0.5
    group = np.where(own.any(axis=1), own.argmax(axis=1) + 1, 0)
    whole = np.stack([survival[group == g].sum(axis=0) for g in range(arms + 1)])
    stays = kaplan_meier(day, ~event, knots[1:])
    at_risk, died = whole[:, :-1] * stays, -np.diff(whole, axis=1) * stays
    return _grouped_cox(at_risk, died)


def _grouped_cox(at_risk: FloatArray, died: FloatArray) -> FloatArray:
    """Log hazard ratios of groups against the first, from numbers at risk and failing."""
    beta, total = np.zeros(len(at_risk)), died.sum(axis=0)
    for _ in range(_NEWTON_STEPS):
        share = at_risk * np.exp(beta)[:, None]
        share /= np.maximum(share.sum(axis=0), 1e-300)
        expected = share * total
        information = np.diag(expected.sum(axis=1)) - expected @ share.T
        gradient = (died - expected).sum(axis=1)
        step = np.linalg.solve(information[1:, 1:] + 1e-9 * np.eye(len(beta) - 1), gradient[1:])
        beta[1:] += np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-8:
            break
    return beta[1:]
