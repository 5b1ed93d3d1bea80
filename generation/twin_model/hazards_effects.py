"""Effects that synthetic patients show as the training patients do."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from generation.tokenizer import FloatArray, IntArray
from generation.twin_model.hazards import Hazard, Shift, calibrate, kaplan_meier
from generation.twin_model.hazards_cox import Cox, arm_effects, marginal_z2

_ROUNDS = 3
_FEWEST_EVENTS = 5
_NEWTON_STEPS = 15
_AT_ONCE = 1024  # patients whose arrays stay in a core's own cache
_LATE = 10
_MOST_CHANGE = 0.5
# Of a covariate by itself: the ridge fit is left as it is where the data say less.
_STRONG_Z2 = 10.0
_SLACK = 2.0


def match_effects(
    cox: Cox,
    arms: int,
    population: FloatArray,
    features: FloatArray,
    day: FloatArray,
    event: np.ndarray,
    shift: Shift | None,
    randomised: bool = False,
    covariates: bool = False,
) -> Hazard:
    """Calibrated hazard whose population shows the training patients' marginal effects.

    A conditional effect, penalised covariates and a sampled baseline do not add up to the hazard
    ratio of a Cox model with the arm alone, which is what a trial reports. The arms'
    coefficients are moved until that model, fitted to what is expected of the population, gives
    the same log hazard ratios as the training patients. Not done where an arm has fewer than
    five events. In a randomised trial everyone of the population is looked at under every arm, so
    that the arms' chance imbalance in it plays no part.

    The same, but stopped early, for covariates that say much by themselves, with five events or
    more behind them: a ridge strong enough for all covariates together takes from the strongest
    what the data show beyond doubt.

    Parameters
    ----------
    cox, population, features, day, event, shift
        As in `hazards.calibrate`; the last `arms` features are arms.
    randomised
        Whether arms were randomised.
    covariates
        Whether covariates' effects are matched as well.
    """
    hazard = calibrate(cox, population, features, day, event, shift)
    if len(hazard.knots) < 3:
        return hazard
    first = features.shape[1] - arms
    own = features[:, first:]
    counts = np.append(own[event].sum(axis=0), event.sum() - own[event].sum())
    told = arms > 0 and counts.min() >= _FEWEST_EVENTS
    shared = _under_every_arm(population, arms) if randomised else population
    margins = Margins.of(features[:, :first], shared[:, :first], day, event, covariates)
    if not told and not len(margins.columns):
        return hazard
    followed = Followed.of(hazard, day, event)
    wanted = arm_effects(own, day, event) if told else np.zeros(arms)
    group = _groups(shared, arms)
    for _ in range(_ROUNDS):
        at_risk, died = followed.expected(hazard, shared)
        beta = cox.beta.copy()
        if told:
            sums = [np.stack([part[group == g].sum(axis=0) for g in range(arms + 1)])
                    for part in (at_risk, died)]
            change = np.clip(wanted - _grouped_cox(*sums), -_MOST_CHANGE, _MOST_CHANGE)
            beta[first:] += change
        beta[margins.used] += margins.change(at_risk, died)
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


def _groups(population: FloatArray, arms: int) -> IntArray:
    """Number of each patient's arm, 0 for the first."""
    if not arms:
        return np.zeros(len(population), dtype=np.int64)
    own = population[:, population.shape[1] - arms :] > 0.5
    return np.where(own.any(axis=1), own.argmax(axis=1) + 1, 0)


@dataclass(frozen=True)
class Followed:
    """Days at which a population is looked at, and the share not censored by then.

    Beyond the hazard's last knot, too: Cox models of synthetic patients see all of their
    follow-up, and effects on an early part of it may differ.
    """

    days: FloatArray
    stays: FloatArray

    @classmethod
    def of(cls, hazard: Hazard, day: FloatArray, event: np.ndarray) -> Followed:
        """Look at the knots, and at ten days of the training patients' later follow-up."""
        last = hazard.knots[-1]
        late = day[day > last]
        more = np.unique(np.quantile(late, np.arange(1, _LATE + 1) / _LATE)) if len(late) else late
        days = np.concatenate([hazard.knots, more[more > last]])
        return cls(days, kaplan_meier(day, ~event, days[1:]))

    def expected(self, hazard: Hazard, population: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Expected at risk and failing of each patient between days, (n, K - 1) each.

        Patients fail as the hazard says and are censored as the training patients were.
        """
        risks, marks = np.exp(hazard.log_risks(population)), hazard.marks
        widths = np.append(np.diff(marks), np.inf)
        levels = np.atleast_1d(hazard.integral(self.days))
        spent = [np.clip(level - marks, 0.0, widths) for level in levels]
        at_risk = np.empty((len(risks), len(self.stays)))
        died = np.empty_like(at_risk)
        for first in range(0, len(risks), _AT_ONCE):
            rows = slice(first, first + _AT_ONCE)
            part = risks[rows]
            survival = np.exp(-np.stack([part @ level for level in spent], axis=1))
            at_risk[rows] = survival[:, :-1] * self.stays
            died[rows] = -np.diff(survival, axis=1) * self.stays
        return at_risk, died


@dataclass(frozen=True)
class Margins:
    """Covariates whose Cox model by themselves the population is to show.

    Attributes
    ----------
    used, scale
        Covariates that vary, and their standard deviations, (u,).
    columns, wanted
        Which of these say much by themselves, and their log hazard ratios a standard deviation
        among the training patients, (s,).
    x
        Population's values of these, in standard deviations, (m, s).
    spread
        Their correlations with all that vary, (s, u).
    """

    used: IntArray
    scale: FloatArray
    columns: IntArray
    wanted: FloatArray
    x: FloatArray
    spread: FloatArray

    @classmethod
    def of(
        cls, features: FloatArray, population: FloatArray, day: FloatArray, event: np.ndarray,
        covariates: bool,
    ) -> Margins:
        """Find the strong covariates; none where they are not asked for."""
        centre, scale = features.mean(axis=0), features.std(axis=0)
        used = np.flatnonzero((scale > 1e-9) & (population.std(axis=0) > 1e-9) & covariates)
        scale = scale[used]
        x = (features[:, used] - centre[used]) / scale
        strong = marginal_z2(x, day, event) > _STRONG_Z2
        columns = np.flatnonzero(strong & (_events_behind(x[event]) >= _FEWEST_EVENTS))
        wanted = [arm_effects(x[:, [c]], day, event)[0] for c in columns]
        people = (population[:, used] - centre[used]) / scale
        even = people - people.mean(axis=0)
        even /= np.maximum(np.sqrt(np.sum(even**2, axis=0)), 1e-9)
        return cls(
            used, scale, columns, np.array(wanted), people[:, columns], even[:, columns].T @ even
        )

    def change(self, at_risk: FloatArray, died: FloatArray) -> FloatArray:
        """Change of the coefficients, (u,): the least that brings the margins near, penalised.

        One Newton step of each covariate's own model tells how far it is from what is wanted.
        """
        risk = np.exp(np.clip(self.x * self.wanted, -20.0, 20.0))
        total = died.sum(axis=0)
        weight = np.maximum(risk.T @ at_risk, 1e-300)
        mean = (risk * self.x).T @ at_risk / weight
        square = (risk * self.x**2).T @ at_risk / weight
        score = np.sum(self.x.T @ died, axis=1) - mean @ total
        gap = -score / np.maximum((square - mean**2) @ total, 1e-9)
        gap = np.clip(gap, -_MOST_CHANGE, _MOST_CHANGE)
        inner = self.spread @ self.spread.T + _SLACK * np.eye(len(gap))
        return np.asarray(self.spread.T @ np.linalg.solve(inner, gap) / self.scale)


def _events_behind(x: FloatArray) -> FloatArray:
    """How many events tell of each covariate, from its values at events, (u,).

    The effective number of squared deviations (Kish): about a third of the events for a normal
    covariate, and the events of the smaller group for one of two values.
    """
    square = (x - x.mean(axis=0)) ** 2
    return np.asarray(square.sum(axis=0) ** 2 / np.maximum((square**2).sum(axis=0), 1e-12))


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
