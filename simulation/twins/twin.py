"""`Twin`: a generative model conditioned on all that is known of one patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, final

import numpy as np

from extraction.records import Cohort, CohortSchema, Faults, RefusedError, Timeline
from generation.engine import Model
from simulation.twins.days import (
    answered,
    measured_visits,
    numbered,
    reach,
    sparse_faults,
    values_on,
    window,
)
from simulation.twins.forecast import FloatArray, Forecast

Question = Literal["from_baseline", "switch"]
_LOOK = 200

_LEAVES = "{}: dropout left on, for these say that the patient leaves (a second, keyed draw)"
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
    >>> twin.forecast(days=["Week 24"], variables=["ADAS"]).quantiles()     # doctest: +SKIP
    """

    model: Model
    timeline: Timeline

    def forecast(
        self,
        arm: str | None = None,
        days: Sequence[float | str] = (),
        variables: Sequence[str] | None = None,
        endpoints: Sequence[str] | None = None,
        draws: int = 1000,
        seed: int = 0,
        estimand: Question | None = None,
        sparse: Literal["refuse", "keep"] = "refuse",
    ) -> Forecast:
        """Forecast the patient's future.

        Parameters
        ----------
        arm
            Arm of the future; None is the patient's own.
        days
            Days to forecast, or names of visits (their target days), after the history's last;
            where the schema plans visits, each must lie in a visit's window.
        variables, endpoints
            Names; None is all of the schema's longitudinal numeric variables that are measured
            on one of the days, all endpoints. Those that say that observation ended
            (discontinuation; `Model.leaving_endpoints`) are drawn with dropout on, all else with
            dropout off.
        draws
            Number of futures, 20 to 100,000.
        seed
            Equal seeds share their random numbers across arms (common random numbers): this
            cuts Monte Carlo noise and imposes rank preservation, so differences between two
            arms of one patient are not identified as an individual effect.
        estimand
            Needed when `arm` is not the history's: "from_baseline" (as if randomised to it,
            from what was known at baseline) or "switch" (from now on, after this history).
        sparse
            A named variable that fewer than a tenth of the draws (or fewer than 20) hold on a
            day, because it is hardly ever measured there: "refuse" the request, or "keep" the
            few values. Where `variables` is None such a day is left out (NaN).

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
        wanted = self._days(numbered(days, self.schema, faults), history, names, faults)
        if not 20 <= draws <= 100_000:
            faults.add(f"draws is {draws}; 20 to 100,000 are allowed")
        faults.raise_if_any()
        last = float(wanted.max())
        futures = self._futures(draws, history, arm, last, seed)
        drawn = {name: values_on(futures, name, wanted) for name in names}
        if variables is None:
            drawn = {name: values for name, values in drawn.items() if answered(values).any()}
            drawn = {name: np.where(answered(v), v, np.nan) for name, v in drawn.items()}
        elif sparse == "refuse":
            self._refuse_sparse(drawn, wanted, history, arm, seed, faults)
        leaving = [name for name in ends if name in self.model.leaving_endpoints]
        when = {name: _event_days(futures, name) for name in ends}
        if leaving:
            when |= self._left(leaving, draws, history, arm, last, seed)
        told = f"; {_LEAVES.format(', '.join(leaving))}" if leaving else ""
        return Forecast(
            question=f"{_started(history, arm, estimand)}; {_FOLLOW_UP}{told}",
            arm=arm,
            from_day=history.until_day,
            days=wanted,
            draws=drawn,
            events=when,
            reached=frozenset(n for n in ends if history.cohort.endpoint(n)["observed"].any()),
            conformal=getattr(self.model, "conformal", None),
        )

    @property
    def schema(self) -> CohortSchema:
        """The model's schema."""
        return self.model.schema

    def _futures(
        self,
        draws: int,
        history: Timeline,
        arm: str | None,
        last: float,
        seed: int,
        dropout: bool = False,
    ) -> Cohort:
        until = reach(self.schema, last)
        return self.model.sample(
            draws, given=history, arm=arm, until_day=until, seed=seed, dropout=dropout
        )

    def _left(
        self,
        names: Sequence[str],
        draws: int,
        history: Timeline,
        arm: str | None,
        last: float,
        seed: int,
    ) -> dict[str, FloatArray]:
        """Days of the endpoints that say that observation ended, from draws with dropout.

        They share their random numbers with the draws of the values. A patient whose observation
        has already ended leaves no more.
        """
        if history.cohort.subjects["end_reason"].notna().any():
            return {name: np.full(draws, np.inf) for name in names}
        leaving = self._futures(draws, history, arm, last, seed, dropout=True)
        return {name: _event_days(leaving, name) for name in names}

    def _refuse_sparse(
        self,
        drawn: Mapping[str, FloatArray],
        days: FloatArray,
        history: Timeline,
        arm: str | None,
        seed: int,
        faults: Faults,
    ) -> None:
        """Refuse what hardly any draw holds, naming the visits that would answer."""
        scarce = {name: values for name, values in drawn.items() if not answered(values).all()}
        if not scarce:
            return
        # The visits to name may lie behind the days asked for, so the whole plan is drawn.
        last = max([float(days.max()), *(v.day for v in self.schema.visits)])
        plan = self._futures(_LOOK, history, arm, last, seed)
        for name, values in scarce.items():
            visits = [v.name for v in measured_visits(plan, name, history.until_day)]
            for fault in sparse_faults(name, values, days, visits):
                faults.add(fault)
        faults.raise_if_any()

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
        self, wanted: FloatArray, history: Timeline, names: Sequence[str], faults: Faults
    ) -> FloatArray:
        if not (wanted > history.until_day).all():
            faults.add(
                f"days must lie after day {history.until_day:g}, where the history ends; "
                "ask for later ones, or end the history sooner (until_day)"
            )
        if names and self.schema.visits:
            outside = [f"{d:g}" for d in wanted if window(self.schema, float(d)) is None]
            if outside:
                planned = ", ".join(f"{v.day:g} ({v.name})" for v in self.schema.visits)
                faults.add(f"no visit is planned on day {', '.join(outside)}; planned: {planned}")
        return wanted


def _started(history: Timeline, arm: str | None, estimand: Question | None) -> str:
    question = {
        "from_baseline": "as if randomised to it at baseline",
        "switch": f"switched to it after day {history.until_day:g}",
    }
    told = question.get(estimand or "", f"continuing from day {history.until_day:g}")
    return f"under {arm or 'the only arm'}, {told}"


def _event_days(futures: Cohort, name: str) -> FloatArray:
    rows = futures.endpoint(name)
    days: FloatArray = np.where(rows["observed"], rows["day"], np.inf).astype(np.float64)
    return days
