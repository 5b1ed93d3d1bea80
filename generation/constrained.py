"""Synthetic patients who meet their schema's constraints and a condition on anything.

Computed columns and what follows a terminal endpoint are met by construction. A patient who
breaks anything else is drawn again, whole, until everything holds: rejection, so what is kept
follows the engine's own law given that the constraints hold. A redraw belongs to the patient's
number and the attempt, so it does not depend on how many others are drawn.

Of a condition the engine is told the bounds on baseline variables (`generation.given`). The rest
is met in the same way: values at visits, endpoints, or, not, and computed columns, whose values
an engine would clamp and the computing write over. A patient whom it leaves unknown does not meet
it: somebody censored early is neither with nor without a late event.

The history of a `Timeline` stays as it is: what it already breaks is not asked of its futures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from extraction.records import Cohort, CohortSchema, InputError, Timeline, conditions
from extraction.records.conditions import All, Condition, Interval
from extraction.records.constraints import (
    ComputedRule,
    Constraint,
    NoneAfter,
    NumberRule,
    computed_in_turn,
    rows_of,
)
from generation.applicability import require_expected
from generation.given import Takes, divide
from generation.randomness import integer_seed
from generation.redraws import BoolArray, Judged, Redraws, every
from generation.request import SampleRequest, SamplingReport

Draw = Callable[[SampleRequest], tuple[Cohort, SamplingReport]]

MOST_ATTEMPTS = 1000
"""Draws of one patient, the first included, before declared constraints are given up."""

LOT = 512
"""Patients of a model by whom shares are counted, where an engine does not say otherwise."""

_LOTS = 8
_ENOUGH = 100  # patients of the lots who meet a condition: its share is then known to a tenth
_PATIENCE = 30  # expected successes of one patient after which none is hopeless (e**-30)


@dataclass(frozen=True)
class Constrained:
    """The constraints of one request.

    Attributes
    ----------
    rules
        Constraints that a draw must meet.
    given
        What of the condition the patients drawn are judged by; None without one.
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
        for rule in (r for r in self.computed if isinstance(r, NumberRule)):
            found[f"plausible range of {rule.target_column}"] = _plausible(cohort, rule)
        return found

    def meets(self, cohort: Cohort) -> dict[str, BoolArray]:
        """`checks` and the condition; each of shape (n,)."""
        found = self.checks(cohort)
        if self.given is not None:
            found[self.asked] = cohort.mask(self.given) == 1
        return found

    @property
    def asked(self) -> str:
        """What a message calls the condition."""
        return f"the condition {conditions.describe(self.given or All(()))}"


def constrained(
    draw: Draw,
    request: SampleRequest,
    schema: CohortSchema,
    usual: float | None = None,
    lot: int = LOT,
    *,
    keyed: bool = True,
    takes: Takes | None = None,
) -> tuple[Cohort, SamplingReport]:
    """Draw a request's patients so that they meet the schema's constraints and its condition.

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
        Patients by whom the share of a condition is counted; more of them where it is rare.
    keyed
        Whether the engine's draws belong to the patients' numbers.
    takes
        As in `generation.given.divide`.

    Raises
    ------
    InputError
        When some patients still break a constraint after 1,000 draws each, or the condition after
        30 times as many as it should take; the message says which and how rarely it is met.
    RefusedError
        When fewer than 20 training patients are expected to meet the condition.
    """
    request, task = _understood(request, schema, takes)
    if not schema.constraints and task.given is None:
        return draw(request)
    share = 1.0
    if task.given is not None:
        request, share = _gated(draw, request, task, lot)
    cohort, report = draw(request)
    cohort = task.complete(cohort)
    rate = float(every(task.checks(cohort), len(cohort)).mean())
    checks = task.meets(cohort)
    draws = len(cohort)
    if not every(checks, len(cohort)).all():
        most = int(MOST_ATTEMPTS + _PATIENCE / share)
        most = 1 if usual == 0 else most  # no use where no patient of the lot did
        again = Redraws(_judged(draw, task), request, keyed, most, int(_PATIENCE / share))
        cohort, draws = again.run(cohort, checks)
    report = replace(
        report,
        constraint_rate=rate,
        region_probability=report.region_probability * share,
        draws_per_patient=draws / request.n,
        method=_method(report.method, task, share, usual),
    )
    return _told(cohort, report), report


def _judged(draw: Draw, task: Constrained) -> Judged:
    """Draw whole patients and judge them."""

    def judged(request: SampleRequest) -> tuple[Cohort, dict[str, BoolArray]]:
        made = task.complete(draw(request)[0])
        return made, task.meets(made)

    return judged


def _method(first: str, task: Constrained, share: float, usual: float | None) -> str:
    """How the request was met, in words that do not depend on n."""
    words = [first]
    if task.schema.constraints:
        often = "" if usual is None else f" ({usual:.1%} of the model's patients do at first)"
        words.append(f"drawn until declared constraints hold{often}")
    if task.given is not None:
        words.append(
            f"exact rejection: drawn until {task.asked} holds (about 1 draw in {1 / share:.3g})"
        )
    return "; ".join(words)


def first_draw_rate(draw: Draw, schema: CohortSchema, lot: int = LOT) -> float:
    """Share of patients who meet every constraint at the first draw, over a fixed lot."""
    request = SampleRequest(np.arange(lot), gate=False)
    request, task = _understood(request, schema)
    checks = task.checks(task.complete(draw(request)[0]))
    return float(np.mean(np.all(list(checks.values()), axis=0)))


def _understood(
    request: SampleRequest, schema: CohortSchema, takes: Takes | None = None
) -> tuple[SampleRequest, Constrained]:
    """Take what the engine does not meet itself, and constraints a history breaks, out."""
    rules = schema.constraints
    if isinstance(request.given, Timeline):
        history = request.given.cohort
        rules = tuple(rule for rule in rules if rule.met(history).all())
        return request, Constrained(schema, rules, None, history)
    if request.given is None:
        return request, Constrained(schema, rules, None, None)
    targets = {rule.target_column for rule in computed_in_turn(rules)}
    parts = divide(request.given, schema, targets, takes, request.until_day)
    if parts.rest is None:
        return request, Constrained(schema, rules, None, None)
    return replace(request, given=parts.own), Constrained(schema, rules, parts.rest, None)


def _gated(
    draw: Draw, request: SampleRequest, task: Constrained, size: int
) -> tuple[SampleRequest, float]:
    """Refuse a condition that too few training patients are expected to meet.

    The share of patients who meet it, among those who meet the constraints, is counted over fixed
    lots, so the verdict depends on the request alone, not on n or seed.
    """
    met = possible = 0
    for k in range(_LOTS):
        numbers = np.arange(k * size, (k + 1) * size)
        seed = integer_seed(0, "lot", k) if k else 0  # engines that are not keyed go by the seed
        made, report = draw(replace(request, patients=numbers, seed=seed, gate=False))
        made = task.complete(made)
        sound = every(task.checks(made), len(made))
        met += int(np.sum(sound & (made.mask(task.given) == 1)))
        possible += int(sound.sum())
        if met >= _ENOUGH:
            break
    if met == 0:
        raise InputError(
            f"given: none of {_LOTS * size} patients of this model meets {task.asked}; widen it"
        )
    share = met / possible
    if request.gate:
        require_expected(task.given, report.n_train, report.region_probability * share)
    return replace(request, gate=False), share


def _computed(cohort: Cohort, rule: ComputedRule, history: Cohort | None) -> Cohort:
    """Write a computed column wherever it and its inputs are known and were drawn."""
    name = rule.target_column
    place, day, frame = rows_of(cohort, rule.columns_used)
    value = rule.compute(frame)
    known = frame[name].notna().to_numpy() & pd.notna(value)
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
    mine = (rows["variable"] == name).to_numpy() & pd.notna(looked)
    column = "value" if cohort.schema.variable(name).numeric else "text"
    return replace(
        cohort, observations=rows.assign(**{column: np.where(mine, looked, rows[column])})
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
