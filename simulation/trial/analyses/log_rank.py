"""Log-rank test, with the one-step log hazard ratio."""

from typing import Literal, final

import numpy as np

from simulation.trial.analyses.base import Analysis, Fit, LookData
from simulation.trial.outcomes.base import Booleans


@final
class LogRank(Analysis):
    """Log-rank test of two arms.

    The estimate is the one-step log hazard ratio (O - E) / V, with standard error 1 / sqrt(V);
    information is counted in events (Peto et al. 1977, doi 10.1038/bjc.1977.1).
    """

    kind: Literal["log_rank"] = "log_rank"

    @property
    def takes(self) -> tuple[str, ...]:
        """Time to event."""
        return ("time_to_event",)

    @property
    def ratio(self) -> bool:
        """A log hazard ratio."""
        return True

    @property
    def summary(self) -> str:
        """For the estimand."""
        return "marginal hazard ratio"

    def fit(self, data: LookData, treated: int, control: int, among: Booleans | None = None) -> Fit:
        """Compare two arms in every replicate."""
        from simulation.kernels.survival import logrank_rows

        included, arm = data.pair(treated, control, among)
        time, event = data.observed.time, data.observed.event
        assert time is not None and event is not None
        order = np.argsort(time, axis=1)
        difference, variance, events = logrank_rows(time, event, arm, included, order)
        sound = variance > 0
        root = np.sqrt(np.where(sound, variance, 1.0))
        return Fit(
            estimate=np.where(sound, difference / root**2, np.nan),
            se=np.where(sound, 1 / root, np.inf),
            z=np.where(sound, difference / root, 0.0),
            information=events,
            n=included.sum(axis=1).astype(np.float64),
        )
