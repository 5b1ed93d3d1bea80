"""What a plan reads of each patient, with intercurrent events by their strategies.

An endpoint is a class here and one name in `Endpoint`. An intercurrent event that is a
time-to-event endpoint of the cohort is dated, and its strategy is applied to the data; any other
is stated in the estimand and changes nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, final

import numpy as np
from pydantic import Field, field_validator, model_validator

from extraction.records import conditions
from extraction.records.errors import InputError, nearest
from simulation.analysis.estimate import STRATEGIES
from simulation.trial.outcomes.base import Floats, Observed
from simulation.trial.plan import Name, NotNegative, Plan, Positive
from simulation.trial.planned.response import Response
from simulation.trial.population.tables import visit_values

if TYPE_CHECKING:
    from extraction.records import Cohort, CohortSchema

Episode = Literal["adverse_event", "medication", "exposure", "condition", "procedure"]


class PlannedEndpoint(Plan, ABC):
    """What is measured, and what happens to intercurrent events."""

    applies: ClassVar[tuple[str, ...]]
    """Strategies for dated intercurrent events that the data can follow."""

    kind: str
    name: Name
    label: str = Field(default="", description="the estimand's variable in words; none: made up")
    higher_is_better: bool = True
    intercurrent_events: dict[str, str] = Field(
        min_length=1, description="strategy of each, ICH E9(R1)"
    )

    @field_validator("intercurrent_events")
    @classmethod
    def _strategies(cls, events: dict[str, str]) -> dict[str, str]:
        wrong = [event for event, strategy in events.items() if strategy not in STRATEGIES]
        if wrong:
            raise ValueError(f"{', '.join(wrong)}: a strategy is one of {', '.join(STRATEGIES)}")
        return events

    @property
    def sign(self) -> float:
        """Direction of a difference that is a benefit."""
        return 1.0 if self.higher_is_better else -1.0

    @property
    @abstractmethod
    def words(self) -> str:
        """The variable in words, for the estimand."""

    @abstractmethod
    def own_faults(self, schema: CohortSchema) -> list[str]:
        """Say what the cohort lacks."""

    @abstractmethod
    def read(self, cohort: Cohort, unit: float) -> Observed:
        """Outcomes (1, N) of all patients, in row order; times in `unit` days."""

    def faults(self, schema: CohortSchema) -> list[str]:
        """Say what the cohort lacks, and which strategies the data cannot follow."""
        dated = [e.name for e in schema.endpoints]
        unable = [
            f"intercurrent_events: {strategy!r} of {event!r} cannot be applied to a {self.kind} "
            f"endpoint; allowed: {', '.join(self.applies)}"
            for event, strategy in self.intercurrent_events.items()
            if event in dated and strategy not in self.applies
        ]
        return [f"endpoint {self.name!r}: {f}" for f in [*self.own_faults(schema), *unable]]

    def applied(self, schema: CohortSchema) -> dict[str, str]:
        """What was done about each intercurrent event, in words."""
        dated = {e.name for e in schema.endpoints}
        return {
            event: f"{strategy}, {self._done(strategy)}"
            if event in dated
            else f"{strategy}, stated only: the cohort has no dates of it"
            for event, strategy in self.intercurrent_events.items()
        }

    def _done(self, strategy: str) -> str:
        return "values count whether it happened or not" if strategy == "treatment policy" else {
            "continuous": "values after it are missing",
            "binary": "a failure" if strategy == "composite" else "what came after it is missing",
            "count": "counting ends with it",
            "time_to_event": "counts as the event" if strategy == "composite" else "censors",
        }[self.kind]

    def days_of(self, cohort: Cohort, *strategies: str) -> Floats:
        """Day (N,) of the first dated intercurrent event with such a strategy; else infinite."""
        first = np.full(len(cohort), np.inf)
        known = {e.name for e in cohort.schema.endpoints}
        for event, strategy in self.intercurrent_events.items():
            if event in known and strategy in strategies:
                rows = cohort.endpoint(event)
                day = rows["day"].to_numpy(dtype=np.float64)
                there = rows["observed"].to_numpy(dtype=bool) & np.isfinite(day)
                first = np.minimum(first, np.where(there, day, np.inf))
        return first

    def before(self, cohort: Cohort, *strategies: str) -> Cohort:
        """The cohort without observations after such intercurrent events."""
        last = self.days_of(cohort, *strategies)
        if not np.isfinite(last).any():
            return cohort
        rows = cohort.observations
        kept = rows["day"].to_numpy(dtype=np.float64) <= last[cohort.positions(rows)]
        return replace(cohort, observations=rows[kept].reset_index(drop=True))


@final
class Continuous(PlannedEndpoint):
    """A measurement at one visit or several; the last visit decides."""

    applies: ClassVar[tuple[str, ...]] = ("treatment policy", "hypothetical")
    kind: Literal["continuous"] = "continuous"
    variable: Name
    visits: tuple[Name, ...] = Field(min_length=1, max_length=12)
    change_from: Name | None = Field(
        default=None, description="visit, or baseline variable, whose value is taken off"
    )

    @property
    def words(self) -> str:
        """The variable in words."""
        change = f", change from {self.change_from}" if self.change_from else ""
        return self.label or f"{self.variable} at {self.visits[-1]}{change}"

    def own_faults(self, schema: CohortSchema) -> list[str]:
        """Say what the cohort lacks."""
        longitudinal = {v.name: v for v in schema.longitudinal}
        visits = {v.name: v.day for v in schema.visits}
        faults = []
        if self.variable not in longitudinal or not longitudinal[self.variable].numeric:
            faults.append(_unknown("variable", self.variable, longitudinal, "number at visits"))
        faults += [
            _unknown(f"visits[{k}]", visit, visits, "visit")
            for k, visit in enumerate(self.visits)
            if visit not in visits
        ]
        days = [visits[v] for v in self.visits if v in visits]
        if days != sorted(set(days)):
            faults.append("visits: they must stand in their order in time, each once")
        static = {v.name for v in schema.static if v.numeric}
        if self.change_from is not None and self.change_from not in {*visits, *static}:
            names = {*visits, *static}
            faults.append(_unknown("change_from", self.change_from, names, "visit or number"))
        return faults

    def read(self, cohort: Cohort, unit: float) -> Observed:
        """Values (V, 1, N), NaN where missing."""
        seen = self.before(cohort, "hypothetical")
        values = np.stack(visit_values(seen, self.variable, self.visits, self.change_from))
        return Observed(np.ones((1, len(cohort)), dtype=bool), values=values[:, None, :])


@final
class Binary(PlannedEndpoint):
    """Whether a condition holds, as eligibility states one, or a change reaches a threshold."""

    applies: ClassVar[tuple[str, ...]] = ("treatment policy", "hypothetical", "composite")
    kind: Literal["binary"] = "binary"
    condition: dict[str, Any] | None = Field(
        default=None, min_length=1, description="what counts as 1; or `response`"
    )
    response: Response | None = Field(default=None, description="a change beyond a threshold")
    day: NotNegative | None = Field(
        default=None,
        description="of the outcome: later intercurrent events do not count; a response's: that "
        "of its visit",
    )
    missing_is_failure: bool = False

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.condition is None) == (self.response is None):
            raise ValueError("give either condition or response")
        return self

    @property
    def words(self) -> str:
        """The variable in words."""
        own = None if self.response is None else self.response.words
        return self.label or own or f"whether {self.name}"

    def own_faults(self, schema: CohortSchema) -> list[str]:
        """Say what the cohort lacks."""
        if self.response is not None:
            return self.response.faults(schema)
        return condition_faults(self.condition or {}, schema)

    def read(self, cohort: Cohort, unit: float) -> Observed:
        """1 met, 0 not met, NaN unknown, (1, 1, N)."""
        seen, last = self.before(cohort, "hypothetical"), self.day
        if self.response is None:
            met = np.asarray(seen.mask(self.condition or {}), dtype=np.float64)
            met = np.where(met < 0, np.nan, met)
        else:
            met = self.response.met(seen)
            last = cohort.schema.visit(self.response.visit).day if last is None else last
        last = np.inf if last is None else last
        failure = 0.0 if self.higher_is_better else 1.0
        values = np.where(np.isnan(met) & self.missing_is_failure, failure, met)
        failed = self.days_of(cohort, "composite")
        values = np.where(np.isfinite(failed) & (failed <= last), failure, values)
        return Observed(np.ones((1, len(cohort)), dtype=bool), values=values[None, None, :])


@final
class Count(PlannedEndpoint):
    """How often something began during follow-up, or a count and its exposure as recorded."""

    applies: ClassVar[tuple[str, ...]] = ("treatment policy", "hypothetical", "while on treatment")
    kind: Literal["count"] = "count"
    higher_is_better: bool = False
    episodes: Episode | None = Field(default=None, description="what is counted; or `variable`")
    terms: tuple[str, ...] = Field(default=(), description="of the episodes; none: all")
    variable: Name | None = Field(default=None, description="a recorded count")
    exposure: Name | None = Field(default=None, description="its recorded time at risk")
    follow_up: Positive | None = Field(default=None, description="longest time that is counted")

    @property
    def words(self) -> str:
        """The variable in words."""
        what = self.variable or f"{(self.episodes or '').replace('_', ' ')}s"
        named = f" ({', '.join(self.terms)})" if self.terms else ""
        return self.label or f"number of {what}{named} during follow-up"

    def own_faults(self, schema: CohortSchema) -> list[str]:
        """Say what the cohort lacks."""
        if (self.episodes is None) == (self.variable is None):
            return ["give either episodes, or variable and exposure"]
        static = {v.name for v in schema.static if v.numeric}
        if self.variable is None:
            return [] if self.exposure is None else ["exposure: goes with variable only"]
        faults = [
            _unknown(field, name, static, "number of each patient")
            for field, name in (("variable", self.variable), ("exposure", self.exposure or ""))
            if name not in static
        ]
        if self.follow_up is not None or self.terms:
            faults.append("terms, follow_up: go with episodes only")
        return faults

    def read(self, cohort: Cohort, unit: float) -> Observed:
        """Counts (1, 1, N) and exposures (1, N)."""
        if self.variable is not None:
            counts = cohort.subjects[self.variable].to_numpy(dtype=np.float64)
            exposure = cohort.subjects[self.exposure].to_numpy(dtype=np.float64)
        else:
            counts, exposure = self._counted(cohort, unit)
        there = np.isfinite(exposure) & (exposure > 0) & np.isfinite(counts)
        values = np.where(there, counts, np.nan)
        return Observed(there[None], values=values[None, None, :], exposure=exposure[None])

    def _counted(self, cohort: Cohort, unit: float) -> tuple[Floats, Floats]:
        """Episodes that began after index, until observation ended; and that time."""
        until = cohort.subjects["observed_until"].to_numpy(dtype=np.float64)
        if self.follow_up is not None:
            until = np.minimum(until, self.follow_up * unit)
        until = np.minimum(until, self.days_of(cohort, "hypothetical", "while on treatment"))
        rows = cohort.episodes
        rows = rows[(rows["kind"] == self.episodes) & (rows["assertion"].fillna("present")
                                                       == "present")]
        if self.terms:
            rows = rows[rows["term"].isin(self.terms)]
        whose, start = cohort.positions(rows), rows["start"].to_numpy(dtype=np.float64)
        inside = (whose >= 0) & (start >= 0) & (start <= until[whose])
        counts = np.bincount(whose[inside], minlength=len(cohort)).astype(np.float64)
        return counts, until / unit


@final
class TimeToEvent(PlannedEndpoint):
    """Time from index to an event."""

    applies: ClassVar[tuple[str, ...]] = STRATEGIES[:4]
    kind: Literal["time_to_event"] = "time_to_event"
    higher_is_better: bool = Field(default=False, description="whether the event is wished for")
    endpoint: Name | None = Field(default=None, description="of the cohort, if not the name")
    causes: tuple[str, ...] = Field(default=(), description="that count, others compete; none: all")
    follow_up: Positive | None = Field(default=None, description="longest follow-up of a patient")

    @property
    def competing(self) -> str | None:
        """What precludes the event, where only some causes count."""
        return "other causes" if self.causes else None

    @property
    def words(self) -> str:
        """The variable in words."""
        of = f" ({', '.join(self.causes)})" if self.causes else ""
        return self.label or f"time from index to {self.endpoint or self.name}{of}"

    def own_faults(self, schema: CohortSchema) -> list[str]:
        """Say what the cohort lacks."""
        known = {e.name: e for e in schema.endpoints}
        name = self.endpoint or self.name
        if name not in known:
            return [_unknown("endpoint", name, known, "endpoint")]
        return [
            _unknown("causes", cause, known[name].causes, "cause")
            for cause in self.causes
            if cause not in known[name].causes
        ]

    def read(self, cohort: Cohort, unit: float) -> Observed:
        """Times and events (1, N); NaN times are not included."""
        rows = cohort.endpoint(self.endpoint or self.name)
        day = rows["day"].to_numpy(dtype=np.float64)
        some = rows["observed"].to_numpy(dtype=bool)
        event = some
        if self.causes:
            event = some & rows["cause"].isin(self.causes).to_numpy(dtype=bool)
        other = some & ~event
        failed = self.days_of(cohort, "composite")
        day, event = np.minimum(day, failed), event | (failed <= day)
        ended = self.days_of(cohort, "hypothetical", "while on treatment")
        if self.follow_up is not None:
            ended = np.minimum(ended, self.follow_up * unit)
        event, other = event & (day <= ended), other & ~event & (day <= ended)
        day = np.minimum(day, ended)
        there = np.isfinite(day)
        time = np.where(there, day, 0.0) / unit
        return Observed(
            there[None],
            time=time[None],
            event=event[None].astype(np.float64),
            other=other[None].astype(np.float64) if self.causes else None,
        )


Endpoint = Annotated[Continuous | Binary | Count | TimeToEvent, Field(discriminator="kind")]


def condition_faults(condition: dict[str, Any], schema: CohortSchema) -> list[str]:
    """Say what is wrong with a condition on patients."""
    try:
        conditions.parse(condition, schema)
    except InputError as error:
        return list(error.faults)
    return []


def _unknown(field: str, name: str, known: Any, what: str) -> str:
    shown = sorted(known)[:12]
    more = ", ..." if len(known) > len(shown) else ""
    return (
        f"{field}: {name!r} is no {what} of the cohort; it has "
        f"{', '.join(shown) or 'none'}{more}{nearest(name, known)}"
    )
