"""Synthetic patients who meet the constraints of their schema, whichever engine draws them.

Computed columns and what follows a terminal endpoint are met by construction. A patient who
breaks anything else is drawn again, whole, until everything holds: rejection, so what is kept
follows the engine's own law given that the constraints hold. A redraw belongs to the patient's
number and the attempt, so it does not depend on how many others are drawn.

A condition on a computed column is not given to the engine, which would clamp a value that is
computed over: patients are drawn under the other conditions until the computed value meets it.
The history of a `Timeline` stays as it is: what it already breaks is not asked of its futures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from extraction.records import Cohort, CohortSchema, InputError, Timeline, conditions
from extraction.records.conditions import All, Condition, Interval, Target, Test
from extraction.records.constraints import (
    ComputedRule,
    Constraint,
    NoneAfter,
    computed_in_turn,
    rows_of,
)
from generation.applicability import require_expected
from generation.randomness import integer_seed
from generation.request import SampleRequest, SamplingReport

BoolArray = npt.NDArray[np.bool_]
Draw = Callable[[SampleRequest], tuple[Cohort, SamplingReport]]

MOST_ATTEMPTS = 1000
"""Draws of one patient, the first included, before a request is given up."""

LOT = 512
"""Patients of a model by whom shares are counted, where an engine does not say otherwise."""

_HOPELESS = 3000  # redraws without a single success after which more would be a waste


@dataclass(frozen=True)
class Constrained:
    """The constraints of one request.

    Attributes
    ----------
    rules
        Constraints that a draw must meet.
    given
        Condition on computed columns, which the engine was not told; None without one.
    history
        The patient whose future is drawn; None for a population.
    """

    schema: CohortSchema
    rules: tuple[Constraint, ...]
    given: Condition | None
    history: Cohort | None

    @property
    def computed(self) -> list[ComputedRule]:
        """Constraints that compute a column, in turn."""
        return computed_in_turn(self.rules)

    def complete(self, cohort: Cohort) -> Cohort:
        """Meet by construction what can be: computed columns, nothing after the end."""
        for computed in self.computed:
            cohort = _computed(cohort, computed, self.history)
        for rule in self.rules:
            if isinstance(rule, NoneAfter):
                cohort = _ended(cohort, rule)
        return cohort

    def checks(self, cohort: Cohort) -> dict[str, BoolArray]:
        """Whether each patient meets each constraint, by what a message calls it; each (n,)."""
        found = {rule.title: rule.met(cohort) for rule in self.rules}
        for rule in self.computed:
            found[f"plausible range of {rule.target_column}"] = _plausible(cohort, rule)
        if self.given is not None:
            found[f"the condition {conditions.describe(self.given)}"] = (
                cohort.mask(self.given) == 1
            )
        return found


def constrained(
    draw: Draw,
    request: SampleRequest,
    schema: CohortSchema,
    usual: float | None = None,
    lot: int = LOT,
) -> tuple[Cohort, SamplingReport]:
    """Draw a request's patients so that they meet the schema's constraints.

    Parameters
    ----------
    draw
        The engine's own way to draw.
    request
        What is asked.
    schema
        Declares the constraints.
    usual
        The model's `first_draw_rate`, told in the provenance (the request's own rate would
        make the provenance depend on n).
    lot
        Patients by whom the share of a condition on computed columns is counted.

    Raises
    ------
    InputError
        When some patients still break a constraint after 1,000 draws each; the message says which
        and how rarely it is met.
    """
    if not schema.constraints:
        return draw(request)
    request, task = _understood(request, schema)
    share = 1.0
    if task.given is not None:
        request, share = _gated(draw, request, task, lot)
    cohort, report = draw(request)
    cohort = task.complete(cohort)
    checks = task.checks(cohort)
    met = np.all(list(checks.values()), axis=0)
    rate = float(met.mean())
    if not met.all():
        most = 1 if usual == 0 else MOST_ATTEMPTS  # no use where no patient of the lot did
        cohort = _redrawn(draw, request, task, cohort, checks, most)
    told = "" if usual is None else f" ({usual:.1%} of the model's patients do at the first draw)"
    report = replace(
        report,
        constraint_rate=rate,
        region_probability=report.region_probability * share,
        method=f"{report.method}; drawn until declared constraints hold{told}",
    )
    return _told(cohort, report), report


def first_draw_rate(draw: Draw, schema: CohortSchema, lot: int = LOT) -> float:
    """Share of patients who meet every constraint at the first draw, over a fixed lot."""
    request = SampleRequest(np.arange(lot), gate=False)
    request, task = _understood(request, schema)
    checks = task.checks(task.complete(draw(request)[0]))
    return float(np.mean(np.all(list(checks.values()), axis=0)))


def _understood(
    request: SampleRequest, schema: CohortSchema
) -> tuple[SampleRequest, Constrained]:
    """Take conditions on computed columns, and constraints that a history breaks, out."""
    rules = schema.constraints
    if isinstance(request.given, Timeline):
        history = request.given.cohort
        rules = tuple(rule for rule in rules if rule.met(history).all())
        return request, Constrained(schema, rules, None, history)
    targets = {rule.target_column for rule in computed_in_turn(rules)}
    if request.given is None:
        return request, Constrained(schema, rules, None, None)
    bounds = conditions.bounds(conditions.parse(request.given, schema), schema)
    own: list[Condition] = [Test(Target(n), b) for n, b in bounds.items() if n in targets]
    if not own:
        return request, Constrained(schema, rules, None, None)
    left: list[Condition] = [Test(Target(n), b) for n, b in bounds.items() if n not in targets]
    rest: Any = All(tuple(left)) if left else None
    return replace(request, given=rest), Constrained(schema, rules, All(tuple(own)), None)


def _gated(
    draw: Draw, request: SampleRequest, task: Constrained, size: int
) -> tuple[SampleRequest, float]:
    """Refuse a condition on computed columns that too few training patients are expected to meet.

    The share of patients who meet it is counted over a fixed lot, so the verdict depends on the
    request alone, not on n or seed.
    """
    lot = replace(request, patients=np.arange(size), seed=0, gate=False, until_day=None)
    cohort, report = draw(lot)
    share = float(np.mean(task.complete(cohort).mask(task.given) == 1))
    if share == 0:
        raise InputError(
            f"given: none of {size} patients of this model meets the condition "
            f"{conditions.describe(task.given or All(()))}; widen it"
        )
    if request.gate:
        require_expected(task.given, report.n_train, report.region_probability * share)
    return replace(request, gate=False), share


def _redrawn(
    draw: Draw,
    request: SampleRequest,
    task: Constrained,
    cohort: Cohort,
    checks: dict[str, BoolArray],
    most: int,
) -> Cohort:
    """Replace the patients who break something by later draws of the same numbers."""
    met = np.all(list(checks.values()), axis=0)
    kept, waiting = [cohort.take(met)], request.patients[~met]
    counts = {title: [int(ok.sum()), len(ok)] for title, ok in checks.items()}
    redraws = accepted = 0
    for attempt in range(1, most):
        again = replace(
            request, patients=waiting, gate=False,
            seed=integer_seed(request.seed, "constraints", attempt),
        )
        made = task.complete(draw(again)[0])
        checks = task.checks(made)
        for title, ok in checks.items():
            counts[title][0] += int(ok.sum())
            counts[title][1] += len(ok)
        met = np.all(list(checks.values()), axis=0)
        redraws, accepted = redraws + len(met), accepted + int(met.sum())
        kept.append(made.take(met))
        waiting = waiting[~met]
        if not len(waiting):
            return Cohort.concat([part for part in kept if len(part)])
        if not accepted and redraws >= _HOPELESS:
            break
    raise InputError(_given_up(counts, len(waiting), request.n, most))


def _given_up(counts: dict[str, list[int]], waiting: int, n: int, most: int) -> str:
    """Say which constraint is met most rarely."""
    share, title = min((ok / total, title) for title, (ok, total) in counts.items())
    return (
        f"constraints: {waiting} of {n} patients still break one after up to {most} draws each; "
        f"{title} is met by {share:.1%} of draws; widen the condition, or mend the constraint "
        "or the data it was declared for"
    )


def _computed(cohort: Cohort, rule: ComputedRule, history: Cohort | None) -> Cohort:
    """Write a computed column wherever it and its inputs are known and were drawn."""
    name = rule.target_column
    place, day, frame = rows_of(cohort, rule.columns_used)
    value = rule.compute(frame)
    known = frame[name].notna().to_numpy() & np.isfinite(value)
    if cohort.schema.variable(name).role != "longitudinal":
        if history is not None and history.subjects[name].notna().all():
            return cohort
        subjects = cohort.subjects.copy()
        subjects.loc[known, name] = value[known]
        return replace(cohort, subjects=subjects)
    rows = cohort.observations
    first = -np.inf if history is None else float(history.observations["day"].max())
    drawn = known & ~(day <= first)
    fresh = pd.Series(
        value[drawn], index=pd.MultiIndex.from_arrays([place[drawn], day[drawn]])
    )
    keys = pd.MultiIndex.from_arrays([cohort.positions(rows), rows["day"]])
    looked = fresh.reindex(keys).to_numpy()
    mine = (rows["variable"] == name).to_numpy() & np.isfinite(looked)
    return replace(
        cohort, observations=rows.assign(value=np.where(mine, looked, rows["value"]))
    )


def _ended(cohort: Cohort, rule: NoneAfter) -> Cohort:
    """Cut everything after a terminal endpoint: later events are censored on its day."""
    last = rule.day(cohort)
    subjects, events = cohort.subjects.copy(), cohort.events.copy()
    until = subjects["observed_until"].to_numpy(dtype=np.float64)
    subjects["observed_until"] = np.where(until > last, last, until)
    end = last[cohort.positions(events)]
    late = (events["day"] > end).to_numpy()
    events.loc[late, "day"] = end[late]
    events.loc[late, "observed"] = False
    events.loc[late, "cause"] = None
    seen, episodes = cohort.observations, cohort.episodes
    seen = seen[~(seen["day"].to_numpy() > last[cohort.positions(seen)])]
    episodes = episodes[~(episodes["start"].to_numpy() > last[cohort.positions(episodes)])]
    return replace(
        cohort,
        subjects=subjects,
        events=events,
        observations=seen.reset_index(drop=True),
        episodes=episodes.reset_index(drop=True),
    )


def _plausible(cohort: Cohort, rule: ComputedRule) -> BoolArray:
    """Whether each patient's computed values lie in the column's plausible range."""
    variable = cohort.schema.variable(rule.target_column)
    low = -np.inf if variable.low is None else variable.low
    high = np.inf if variable.high is None else variable.high
    place, _, frame = rows_of(cohort, (rule.target_column,))
    values = frame[rule.target_column].to_numpy(dtype=np.float64)
    outside = ~(Interval(low, high).contains(values) | np.isnan(values))
    return np.asarray(np.bincount(place[outside], minlength=len(cohort)) == 0)


def _told(cohort: Cohort, report: SamplingReport) -> Cohort:
    """Say in the provenance how the constraints were met."""
    sources = cohort.sources.copy()
    own = sources["source_id"].astype(str).str.startswith("synthetic:")
    sources.loc[own, "action"] = report.sentence()
    return replace(cohort, sources=sources)
