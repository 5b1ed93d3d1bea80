"""Counts: log ratio of two event rates, its variance robust to overdispersion."""

from typing import ClassVar, Literal, final

import numpy as np

from simulation.trial.analyses.base import Analysis, Fit, LookData
from simulation.trial.outcomes.base import Booleans, Floats


@final
class Rates(Analysis):
    """Events over exposure in each arm.

    The estimate is Poisson regression's with log exposure as offset, its variance the sandwich
    sum (y - rate t)^2 / (sum y)^2 of each arm, which holds for any mean-variance relation
    (Lin, Wei, Yang and Ying 2000, doi 10.1111/1467-9868.00259).
    """

    takes: ClassVar[tuple[str, ...]] = ("count",)
    ratio: ClassVar[bool] = True
    kind: Literal["rates"] = "rates"

    @property
    def summary(self) -> str:
        """For the estimand."""
        return "ratio of event rates"

    def fit(self, data: LookData, treated: int, control: int, among: Booleans | None = None) -> Fit:
        """Compare two arms in every replicate."""
        there, arm = data.pair(treated, control, among)
        values, exposure = data.observed.values, data.observed.exposure
        assert values is not None and exposure is not None
        log1, variance1, events1 = _log_rate(values[-1], exposure, there & (arm == 1))
        log0, variance0, events0 = _log_rate(values[-1], exposure, there & (arm == 0))
        sound = (events1 > 0) & (events0 > 0)
        estimate = np.where(sound, log1 - log0, np.nan)
        se = np.sqrt(np.where(sound, variance1 + variance0, np.inf))
        z = np.divide(estimate, se, out=np.zeros(se.shape), where=sound & (se > 0))
        return Fit(estimate, se, z, events1 + events0, there.sum(axis=1).astype(np.float64))


def _log_rate(values: Floats, exposure: Floats, inside: Booleans) -> tuple[Floats, Floats, Floats]:
    """Log rate, its variance and the events of one arm, each (R,)."""
    y, t = np.where(inside, values, 0.0), np.where(inside, exposure, 0.0)
    events, time = y.sum(axis=1), t.sum(axis=1)
    rate = events / np.where(time > 0, time, 1.0)
    squares = ((y - rate[:, None] * t) ** 2).sum(axis=1)
    counted = np.maximum(events, 1.0)
    return np.log(np.where(rate > 0, rate, 1.0)), squares / counted**2, events
