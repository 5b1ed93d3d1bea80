"""Facts of notes as a cohort, every value traceable to its words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass, field
from hashlib import sha256
from math import isnan, nan
from typing import Any

import pandas as pd

from ..records import Cohort, CohortSchema, InputError, Variable
from .codes import best_code
from .facts import Bounds, Fact
from .harmonise import harmonised, quantities
from .note import Note

NO_DAY = "the note has no day"  # why a value is left out that has no day of its own either
KINDS = {
    "condition": "condition",
    "symptom": "condition",
    "medication": "medication",
    "adverse_event": "adverse_event",
    "procedure": "procedure",
    "allergy": "condition",
}
ALLERGY = "trialtwin|allergy"  # code of a condition that is an allergy to its term
SYMPTOM = "trialtwin|symptom"  # code of a condition that a note tells as a complaint
AGE = Variable(name="age", label="Age", kind="continuous", unit="a", low=0, high=120)
SEX = Variable(name="sex", label="Sex", kind="binary", categories=("female", "male"))
_SAME_EPISODE = [
    "study_id",
    "subject_id",
    "kind",
    "term",
    "assertion",
    "dose",
    "dose_unit",
    "route",
    "frequency",
    "severity",
]
Row = dict[str, Any]
_NO_TIMES: Row = {
    **dict.fromkeys(("start", "start_low", "start_high", "stop", "stop_low", "stop_high"), nan),
    "ongoing": None,
}


def to_cohort(
    pairs: Iterable[tuple[Note, tuple[Fact, ...]]],
    schema: CohortSchema | None = None,
    report: MutableMapping[str, int] | None = None,
) -> Cohort:
    """Gather the facts of notes by subject.

    Parameters
    ----------
    pairs
        Notes with their facts, as `extract` yields them.
    schema
        Variables to fill; by default age, sex and every quantity that is found. A quantity goes
        to the variable of its name or of its usual CDISC name (`SYSBP`), in that variable's unit.
    report
        Filled with counts: contradictions between notes, and facts left out by reason.

    Returns
    -------
    Cohort
        Sex by majority and age of the earliest note; vitals, laboratory values and scores on the
        day that is told, of now on the note's day; problems, drugs, procedures and allergies as
        episodes with their assertion, start and stop in the bounds that the words give, a repeated
        one once, known to have begun by the day of its first note. What is
        planned, hypothetical, possible, absent or another person's has no start: a condition asks
        for `present` unless it names another assertion. Habits, genomic and imaging findings have
        no table and are counted. `sources` holds the span and the hash of the
        text of every row, and why a value was left out.

    Raises
    ------
    InputError
        When there is no note, or notes of one id differ.
    """
    gathered = _Gathered(schema)
    for note, facts in pairs:
        gathered.add(note, facts)
    if not gathered.subjects:
        raise InputError("notes: there is no note; at least one is needed")
    if gathered.clashes:
        raise InputError(f"notes: {gathered.clashes} note id(s) stand for different texts")
    cohort = gathered.cohort()
    if report is not None:
        report.update(gathered.counts)
    return cohort


@dataclass
class _Gathered:
    """Rows of the tables to be."""

    schema: CohortSchema | None
    subjects: dict[tuple[str, str], Row] = field(default_factory=dict)
    people: list[Row] = field(default_factory=list)
    observations: list[Row] = field(default_factory=list)
    episodes: list[Row] = field(default_factory=list)
    sources: list[Row] = field(default_factory=list)
    texts: dict[tuple[str, str], str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    clashes: int = 0

    def add(self, note: Note, facts: tuple[Fact, ...]) -> None:
        """Take in one note."""
        digest = sha256(note.text.encode("utf-8", "surrogatepass")).hexdigest()
        key = (note.study_id, note.note_id)
        if key in self.texts:
            self.clashes += self.texts[key] != digest
            return
        self.texts[key] = digest
        who = {"study_id": note.study_id, "subject_id": note.subject_id}
        self.subjects.setdefault((note.study_id, note.subject_id), who)
        for fact in facts:
            source_id = f"{note.study_id}/{note.note_id}:{fact.start}-{fact.stop}"
            left_out = self._place(note, fact, {**who, "source_id": source_id})
            if left_out:
                self.counts[f"left out: {left_out}"] += 1
            self.sources.append(
                {
                    "source_id": source_id,
                    "kind": "note",
                    "name": note.note_id,
                    "sha256": digest,
                    "start": float(fact.start),
                    "stop": float(fact.stop),
                    "action": _action(note, left_out),
                }
            )

    def _place(self, note: Note, fact: Fact, row: Row) -> str | None:
        if fact.type in ("age", "sex"):
            value = fact.value if fact.type == "age" else fact.name
            self.people.append({**row, "what": fact.type, "value": value, "day": note.day})
            return None
        if fact.type in ("vital", "laboratory", "score"):
            return self._observe(note, fact, row)
        if fact.type not in KINDS:
            return "no table for its type"
        self.episodes.append({**row, **_episode(note, fact)})
        return None

    def _observe(self, note: Note, fact: Fact, row: Row) -> str | None:
        day = note.day
        if fact.began is not None:
            low, high = _days(note, fact.began)
            day = low if low == high else nan
        if fact.assertion != "present" and (fact.began is None or fact.assertion != "historical"):
            return "of an unknown earlier day"
        if isnan(day):
            return NO_DAY if isnan(note.day) else "its day is known in bounds only"
        variable = self._variable(fact.name)
        if variable is None or fact.value is None:
            return "no such variable"
        if fact.upper is not None:
            return "a range, not one value"
        scaled = fact.type == "score"  # a scale has no unit to convert
        value = (
            fact.value
            if scaled
            else harmonised(fact.name, fact.value, fact.unit, variable.unit or "1")
        )
        if isinstance(value, str):
            return value
        status = "below_limit" if fact.comparator in ("<", "≤") else "observed"
        self.observations.append(
            {
                **row,
                "day": day,
                "variable": variable.name,
                "value": value,
                "unit": variable.unit,
                "status": status,
            }
        )
        return None

    def _variable(self, name: str) -> Variable | None:
        quantity = quantities().get(name)
        if self.schema is None:
            return None if quantity is None else quantity.variable()
        names = (name,) if quantity is None else (quantity.name, *quantity.names)
        wanted = {n.casefold() for n in names}
        return next(
            (v for v in self.schema.longitudinal if v.name.casefold() in wanted and v.numeric), None
        )

    def cohort(self) -> Cohort:
        """Build the cohort."""
        schema = self._final_schema()
        subjects = self._with_people(schema)
        episodes = pd.DataFrame(self.episodes)
        if len(episodes):
            episodes = episodes.sort_values("start_high", kind="stable", na_position="last")
            episodes["again"] = _times_before(episodes)
            episodes = episodes.drop_duplicates([*_SAME_EPISODE, "again"]).drop(columns="again")
        return Cohort.build(
            schema,
            subjects,
            observations=pd.DataFrame(self.observations),
            episodes=episodes,
            sources=pd.DataFrame(self.sources).drop_duplicates("source_id")
            if self.sources
            else None,
        )

    def _final_schema(self) -> CohortSchema:
        if self.schema is not None:
            return self.schema
        found = {row["variable"] for row in self.observations}
        longitudinal = tuple(q.variable() for n, q in quantities().items() if n in found)
        study = next(iter(self.subjects))[0]
        return CohortSchema(study_id=study, variables=(AGE, SEX, *longitudinal))

    def _with_people(self, schema: CohortSchema) -> pd.DataFrame:
        """Return one row a subject with sex by majority and the age of the earliest note."""
        subjects = pd.DataFrame(list(self.subjects.values()))
        people = pd.DataFrame(
            self.people, columns=["study_id", "subject_id", "source_id", "what", "value", "day"]
        )
        keys = ["study_id", "subject_id"]
        for what in ("age", "sex"):
            variable = next((v for v in schema.static if v.name.casefold() == what), None)
            rows = people[people["what"] == what].sort_values("day", kind="stable")
            if variable is None or rows.empty:
                continue
            varied = rows.groupby(keys)["value"].nunique() > 1 if what == "sex" else _drift(rows)
            if varied.any():
                self.counts[f"contradictions: {what}"] += int(varied.sum())
            chosen = rows.groupby(keys)["value"].agg(_majority if what == "sex" else "first")
            values = chosen.reindex(pd.MultiIndex.from_frame(subjects[keys])).to_numpy()
            subjects[variable.name] = (
                values.astype(float) if what == "age" else [_category(v, variable) for v in values]
            )
        return subjects


def _drift(rows: pd.DataFrame) -> pd.Series:
    """Whether a subject's ages differ by more than the time between the notes can explain."""
    ages = rows.assign(value=rows["value"].astype(float)).groupby(["study_id", "subject_id"])
    spread = ages["value"].max() - ages["value"].min()
    return spread > 1 + (ages["day"].max() - ages["day"].min()).fillna(0) / 365.25


def _majority(values: pd.Series) -> str:
    counts = values.value_counts(sort=False)
    return str(counts.idxmax())  # the first of equals: value_counts keeps the order of the notes


def _category(value: object, variable: Variable) -> str | None:
    """Return the category that means this sex (`female` or `F`)."""
    if not isinstance(value, str):
        return None
    names = variable.categories or ()
    short = next((c for c in names if c.casefold() in (value, value[0])), None)
    return short


def _times_before(episodes: pd.DataFrame) -> pd.Series[int]:
    """Return how often a procedure was done before, by days that cannot be the same.

    Of problems and drugs a later beginning may be another word on the same one: they count once.

    Parameters
    ----------
    episodes
        In the order of the last day on which they can have begun.
    """
    keys = [
        episodes[name].astype(object).where(episodes[name].notna(), "") for name in _SAME_EPISODE
    ]
    latest = episodes["start_high"].groupby(keys).shift()
    apart = (episodes["kind"] == "procedure") & (episodes["start_low"] > latest)
    return apart.astype(int).groupby(keys).cumsum()


def _days(note: Note, bounds: Bounds | None) -> tuple[float, float]:
    """Return the first and last day from index that bounds allow; NaN where there is none."""
    low, high = bounds or (None, None)
    return (
        nan if low is None else note.day + low,
        nan if high is None else note.day + high,
    )


def _times(note: Note, fact: Fact) -> Row:
    """Return when an episode began and ended; what no more is told of lies before its note."""
    if fact.assertion not in ("present", "conditional", "historical"):
        return {}
    start, stop = _days(note, fact.began or (None, 0.0)), _days(note, fact.ended)
    over = fact.assertion == "historical" or stop[1] <= note.day
    if over and fact.ended is None:
        stop = nan, note.day
    return {
        "start": start[0] if start[0] == start[1] else nan,
        "start_low": start[0],
        "start_high": start[1],
        "stop": stop[0] if stop[0] == stop[1] else nan,
        "stop_low": stop[0],
        "stop_high": stop[1],
        "ongoing": False if over else None,
    }


def _episode(note: Note, fact: Fact) -> Row:
    return {
        **_NO_TIMES,
        **_times(note, fact),
        "kind": KINDS[fact.type],
        "term": fact.name or fact.text.lower(),
        "code": {"symptom": SYMPTOM, "allergy": ALLERGY}.get(fact.type) or best_code(fact.codes),
        "dose": nan if fact.dose is None else fact.dose,
        "dose_unit": fact.dose_unit,
        "route": fact.route,
        "frequency": fact.frequency,
        "severity": fact.severity,
        "serious": fact.serious,
        "related": fact.related,
        "outcome": fact.outcome,
        "assertion": fact.assertion,
    }


def _action(note: Note, left_out: str | None) -> str:
    made = "extracted from a note rendered from the record" if note.rendered else "extracted"
    if note.deidentified:
        made += " after identifiers were replaced"
    return f"{made}; left out: {left_out}" if left_out else made
