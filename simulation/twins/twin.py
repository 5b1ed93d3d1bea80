"""`Twin`: a generative model conditioned on all that is known of one patient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final

import numpy as np

from extraction.records import Cohort, CohortSchema, Faults, RefusedError, Timeline, VisitWindow
from generation.engine import Model
from simulation.twins.forecast import FloatArray, Forecast

Question = Literal["from_baseline", "switch"]

_FOLLOW_UP = "follow-up is taken to go on to each forecast day (dropout switched off; hypothetical)"


@final
@dataclass(frozen=True, eq=False)
class Twin:
    """One patient's digital twin.

    Parameters
    ----------
    model
        Fitted to all arms (`generation.fit`) and **not** to this patient: a forecast that is
        judged or acted on must come from a model that has never seen the patient.
    timeline
        The patient's history (`Cohort.timeline`).

    Examples
    --------
    >>> from extraction.records import Cohort                               # doctest: +SKIP
    >>> twin = Twin(model, cohort.timeline("01-701-1015", until_day=56))    # doctest: +SKIP
    >>> twin.forecast(days=[112, 168], variables=["ADAS"]).quantiles()      # doctest: +SKIP
    """

    model: Model
    timeline: Timeline

    def forecast(
        self,
        arm: str | None = None,
        days: Sequence[float] = (),
        variables: Sequence[str] | None = None,
        endpoints: Sequence[str] | None = None,
        draws: int = 1000,
        seed: int = 0,
        estimand: Question | None = None,
    ) -> Forecast:
        """Forecast the patient's future.

        Parameters
        ----------
        arm
            Arm of the future; None is the patient's own.
        days
            Days to forecast, after the history's last; where the schema plans visits, each
            must lie in a visit's window.
        variables, endpoints
            Names; None is all of the schema's longitudinal numeric variables, all endpoints.
        draws
            Number of futures, 20 to 100,000.
        seed
            Equal seeds share their random numbers across arms (common random numbers): this
            cuts Monte Carlo noise and imposes rank preservation, so differences between two
            arms of one patient are not identified as an individual effect.
        estimand
            Needed when `arm` is not the history's: "from_baseline" (as if randomised to it,
            from what was known at baseline) or "switch" (from now on, after this history).

        Raises
        ------
        InputError
            With every fault of the request.
        RefusedError
            For another arm than the history's without a named question.
        """
        arm = arm if arm is not None else self.timeline.arm
        history = self._history(arm, estimand)
        faults = Faults("forecast")
        names = self._variables(variables, faults)
        ends = self._endpoints(endpoints, faults)
        wanted = self._days(days, history, names, faults)
        if not 20 <= draws <= 100_000:
            faults.add(f"draws is {draws}; 20 to 100,000 are allowed")
        faults.raise_if_any()
        last = float(wanted.max())
        futures = self.model.sample(
            draws,
            given=history,
            arm=arm,
            until_day=_reach(self.schema, last),
            seed=seed,
            dropout=False,
        )
        return Forecast(
            question=f"{_started(history, arm, estimand)}; {_FOLLOW_UP}",
            arm=arm,
            from_day=history.until_day,
            days=wanted,
            draws={name: _values(futures, name, wanted) for name in names},
            events={name: _event_days(futures, name) for name in ends},
            reached=frozenset(n for n in ends if history.cohort.endpoint(n)["observed"].any()),
        )

    @property
    def schema(self) -> CohortSchema:
        """The model's schema."""
        return self.model.schema

    def _history(self, arm: str | None, estimand: Question | None) -> Timeline:
        if arm == self.timeline.arm:
            return self.timeline
        if estimand == "switch":
            return self.timeline
        if estimand == "from_baseline":
            return self.timeline.cohort.timeline(self.timeline.subject_id, until_day=0.0)
        raise RefusedError(
            f"forecast: the history is under arm {self.timeline.arm}, the question under {arm}; "
            "say which is meant: estimand='from_baseline' (as if randomised to it) or 'switch' "
            "(from the end of this history)"
        )

    def _variables(self, variables: Sequence[str] | None, faults: Faults) -> list[str]:
        if variables is None:
            return [v.name for v in self.schema.longitudinal if v.numeric]
        for name in variables:
            with faults.catch():
                spec = self.schema.variable(name)
                if spec.role != "longitudinal" or not spec.numeric:
                    faults.add(f"{name} is not a numeric longitudinal variable")
        return list(variables)

    def _endpoints(self, endpoints: Sequence[str] | None, faults: Faults) -> list[str]:
        if endpoints is None:
            return [e.name for e in self.schema.endpoints]
        for name in endpoints:
            with faults.catch():
                self.schema.endpoint(name)
        return list(endpoints)

    def _days(
        self, days: Sequence[float], history: Timeline, names: Sequence[str], faults: Faults
    ) -> FloatArray:
        wanted = np.unique(np.asarray(days, dtype=np.float64))
        if not len(wanted):
            faults.add("no day was given; give days after the history's last")
        if not (wanted > history.until_day).all():
            faults.add(f"days must lie after day {history.until_day:g}, where the history ends")
        if names and self.schema.visits:
            outside = [f"{d:g}" for d in wanted if _window(self.schema, float(d)) is None]
            if outside:
                planned = ", ".join(f"{v.day:g} ({v.name})" for v in self.schema.visits)
                faults.add(f"no visit is planned on day {', '.join(outside)}; planned: {planned}")
        return wanted


def _window(schema: CohortSchema, day: float) -> VisitWindow | None:
    """The visit that a day belongs to: of all windows around it, the one with the nearest day."""
    around = [v for v in schema.visits if v.low <= day <= v.high]
    return min(around, key=lambda v: abs(v.day - day)) if around else None


def _reach(schema: CohortSchema, day: float) -> float:
    """Follow the patient to the end of the visit window around the last day."""
    window = _window(schema, day)
    return day if window is None else max(day, window.high)


def _started(history: Timeline, arm: str | None, estimand: Question | None) -> str:
    question = {
        "from_baseline": "as if randomised to it at baseline",
        "switch": f"switched to it after day {history.until_day:g}",
    }
    told = question.get(estimand or "", f"continuing from day {history.until_day:g}")
    return f"under {arm or 'the only arm'}, {told}"


def _values(futures: Cohort, name: str, days: FloatArray) -> FloatArray:
    """Values on each day, shape (draws, days): at the day's visit, else between observations."""
    columns = []
    for day in days:
        window = _window(futures.schema, float(day))
        if window is None:
            columns.append(_between(futures, name, float(day)))
        else:
            columns.append(futures.at_visit(name, window.name).to_numpy(dtype=np.float64))
    return np.stack(columns, axis=1)


def _between(futures: Cohort, name: str, day: float) -> FloatArray:
    """Interpolate linearly between the observations around a day; NaN behind the last one."""
    rows = futures.observed(name)
    at = futures.positions(rows)
    when, value = rows["day"].to_numpy(), rows["value"].to_numpy()
    out = np.full((2, 2, len(futures)), np.nan)  # (before, after) x (day, value) x draw
    before, after = when <= day, when >= day
    out[0, :, at[before]] = np.column_stack([when[before], value[before]])
    out[1, :, at[after][::-1]] = np.column_stack([when[after][::-1], value[after][::-1]])
    (low, start), (high, end) = out
    gap = np.where(high > low, high - low, 1.0)
    values: FloatArray = start + (end - start) * (day - low) / gap
    return values


def _event_days(futures: Cohort, name: str) -> FloatArray:
    rows = futures.endpoint(name)
    days: FloatArray = np.where(rows["observed"], rows["day"], np.inf).astype(np.float64)
    return days
