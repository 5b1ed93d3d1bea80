"""What a twin says of its patient's future: draws, quantiles, event probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

if TYPE_CHECKING:
    from generation.twin_model.conformal import Conformal

FloatArray = npt.NDArray[np.float64]
CENTRAL = (0.5, 0.8, 0.95)
LEVELS = (0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975)


@dataclass(frozen=True, eq=False)
class Forecast:
    """Draws of one patient's future under one arm.

    Parameters
    ----------
    question
        What is forecast, in words: arm, starting day and what is assumed about dropping out.
    days
        Forecast days from index, shape (d,).
    draws
        By variable, shape (draws, d), in the schema's unit.
    events
        By endpoint, the days of each draw's event, shape (draws,); infinite when it does not
        happen by the last forecast day.
    reached
        Endpoints that the history already holds; their probability is 1 on every day.
    conformal
        Widening factors learnt from patients left out (`Conformal`), where the model has them.
    """

    question: str
    arm: str | None
    from_day: float
    days: FloatArray
    draws: Mapping[str, FloatArray]
    events: Mapping[str, FloatArray]
    reached: frozenset[str] = frozenset()
    conformal: Conformal | None = None

    def __repr__(self) -> str:
        days = ", ".join(f"{day:g}" for day in self.days)
        told = ", ".join([*self.draws, *self.events]) or "nothing"
        where = f"under {self.arm or 'the only arm'} from day {self.from_day:g}"
        return f"Forecast({where}: {told} on day {days}; {self.n_draws} draws)"

    def quantiles(self, levels: Sequence[float] = LEVELS) -> pd.DataFrame:
        """Quantiles of each variable, one row a variable and day, columns ``q0.05`` and so on.

        The level's Monte Carlo error is ``sqrt(level * (1 - level) / draws)``; see `level_se`.
        Draws without a value on a day are left out there; ``draws`` counts those with one.
        """
        parts = []
        for name, values in self.draws.items():
            held = np.isfinite(values).sum(axis=0)
            part = pd.DataFrame({"variable": name, "day": self.days})
            table = np.full((len(self.days), len(levels) + 2), np.nan)
            for j in np.flatnonzero(held > 1):  # by day: the days' numbers of draws differ
                column = values[np.isfinite(values[:, j]), j]
                error = column.std(ddof=1) / np.sqrt(len(column))
                table[j] = [*np.quantile(column, levels), column.mean(), error]
            names = [*(f"q{level:g}" for level in levels), "mean", "mean_se"]
            part[names] = table
            parts.append(part.assign(draws=held))
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()

    def intervals(self) -> pd.DataFrame:
        """Central 50, 80 and 95 % intervals: the model's and the conformal one side by side.

        Columns ``low``, ``high`` (quantiles of the draws), ``conformal_low``, ``conformal_high``
        (half widths times ``factor``) and ``patients``, the number of patients left out who stand
        behind the factor: 0 where fewer than 20 do, and the two intervals are the same. Conformal
        intervals hold on average over patients like the training patients and still followed.
        """
        rows = []
        for name, values in self.draws.items():
            for j, day in enumerate(self.days):
                drawn = values[np.isfinite(values[:, j]), j]
                levels = CENTRAL if len(drawn) > 1 else ()
                rows += [self._interval(name, float(day), drawn, level) for level in levels]
        return pd.DataFrame(rows)

    def _interval(self, name: str, day: float, drawn: FloatArray, level: float) -> dict[str, Any]:
        low, middle, high = np.quantile(drawn, [(1 - level) / 2, 0.5, (1 + level) / 2]).tolist()
        row = {"variable": name, "day": day, "level": level, "low": low, "high": high}
        factor, patients, ends = 1.0, 0, (low, high)
        if self.conformal is not None:
            horizon = day - self.from_day
            factor, patients = self.conformal.factor(name, horizon, level)
            ends = self.conformal.interval(name, horizon, level, (low, middle, high))
        return row | {
            "conformal_low": ends[0], "conformal_high": ends[1], "factor": factor,
            "patients": patients,
        }

    @property
    def n_draws(self) -> int:
        """Number of futures drawn."""
        arrays = [*self.draws.values(), *self.events.values()]
        return len(arrays[0]) if arrays else 0

    def level_se(self, level: float) -> float:
        """Monte Carlo standard error of a quantile's level."""
        return float(np.sqrt(level * (1 - level) / self.n_draws))

    def event_probabilities(self) -> pd.DataFrame:
        """Probability of each endpoint by each day, with its Monte Carlo standard error.

        Zero or all of the draws give no spread; the standard error then is that of one draw in
        all of them (rule of three: the 95 % bound lies at 3 / draws).
        """
        rows = []
        for name, when in self.events.items():
            known = name in self.reached
            for day in self.days:
                share = 1.0 if known else float(np.mean(when <= day))
                clear = np.clip(share, 1 / len(when), 1 - 1 / len(when))
                error = 0.0 if known else float(np.sqrt(clear * (1 - clear) / len(when)))
                rows.append({"endpoint": name, "day": day, "probability": share, "se": error})
        return pd.DataFrame(rows)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able summary; the draws themselves stay behind."""
        return {
            "question": self.question,
            "arm": self.arm,
            "from_day": self.from_day,
            "draws": self.n_draws,
            "quantiles": self.quantiles().to_dict("records"),
            "intervals": self.intervals().to_dict("records"),
            "event_probabilities": self.event_probabilities().to_dict("records"),
        }
