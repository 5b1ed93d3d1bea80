"""Whether the facts of notes are in the record that the notes tell of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy as np

from extraction.notes.facts import Fact
from extraction.notes.note import Note
from extraction.records import Cohort

from .measurements import PRECISION, concept_of, concepts, number
from .sections import age_in_years, normal, sex_name, vocabulary

_EPISODE_TYPES = {
    "adverse_event": "adverse_event",
    "condition": "condition",
    "medication": "medication",
    "exposure": "medication",
}
# Half of the last decimal that a number is written with.
_ROUNDING = 5.01e-7


@final
@dataclass(frozen=True)
class Contradiction:
    """A stated fact that the record does not hold; carries no words of the note.

    Parameters
    ----------
    reason
        What is wrong: ``span``, ``value``, ``unknown``, ``attributes``, ``assertion`` or
        ``before onset``.
    """

    note_id: str
    type: str
    start: int
    stop: int
    reason: str


class _Row(NamedTuple):
    assertion: str
    begun: float
    ended: float
    attributes: dict[str, Any]


Key = tuple[Any, ...]


def contradictions(
    stated: Iterable[tuple[Note, Sequence[Fact]]], cohort: Cohort
) -> list[Contradiction]:
    """Find the facts of notes that are not in the record.

    Parameters
    ----------
    stated
        Notes, each with the facts that it states (rendered or read out of its words).
    cohort
        The record that the notes tell of.

    Returns
    -------
    list of Contradiction
        In the order of the facts; empty when the record bears every fact out.
    """
    record = _Record(cohort)
    return [
        Contradiction(note.note_id, fact.type, fact.start, fact.stop, reason)
        for note, facts in stated
        for fact in facts
        if (reason := record.fault(note, fact)) is not None
    ]


@final
class _Record:
    """The record of a cohort, looked up by subject and name."""

    def __init__(self, cohort: Cohort) -> None:
        self._static = _static(cohort)
        self._measured = _measured(cohort)
        self._episodes = _episodes(cohort)

    def fault(self, note: Note, fact: Fact) -> str | None:
        """Why the record does not bear a fact out, None where it does."""
        if note.text[fact.start : fact.stop] != fact.text:
            return "span"
        checks: dict[str, Callable[[Note, Fact], str | None]] = {
            "age": self._age,
            "sex": self._sex,
            "vital": self._value,
            "laboratory": self._value,
        }
        return checks.get(fact.type, self._episode)(note, fact)

    def _age(self, note: Note, fact: Fact) -> str | None:
        age = self._static.get((note.study_id, note.subject_id, "AGE"))
        if age is None or fact.value is None:
            return "value"
        return None if age_in_years(age) == age_in_years(fact.value) else "value"

    def _sex(self, note: Note, fact: Fact) -> str | None:
        sex = self._static.get((note.study_id, note.subject_id, "SEX"))
        return None if sex is not None and fact.name == sex else "value"

    def _value(self, note: Note, fact: Fact) -> str | None:
        subject = (note.study_id, note.subject_id)
        rows = self._measured.get((*subject, note.day, fact.name), [])
        rows = rows + self._measured.get((*subject, None, fact.name), [])
        if not rows:
            return "unknown"
        return None if any(_same(fact, value, unit) for value, unit in rows) else "value"

    def _episode(self, note: Note, fact: Fact) -> str | None:
        rows = self._episodes.get((note.study_id, note.subject_id, fact.type, fact.name), [])
        if not rows:
            return "unknown"
        known = [row for row in rows if not row.begun > note.day]
        if not known:
            return "before onset"
        alike = [row for row in known if _alike(fact, row)]
        if not alike:
            return "attributes"
        return None if any(_asserted(fact, row, note.day) for row in alike) else "assertion"


def _same(fact: Fact, value: float, unit: str | None) -> bool:
    if fact.value is None:
        return False
    concept = next(c for c in concepts().values() if c.name == fact.name)
    told = fact.value
    if fact.unit is not None and unit is not None and fact.unit != unit:
        if fact.unit not in concept.scales or unit not in concept.scales:
            return False
        told = concept.convert(told, fact.unit, unit)
    return abs(told - value) <= PRECISION * abs(value) + _ROUNDING


def _alike(fact: Fact, row: _Row) -> bool:
    stated = {name: getattr(fact, name) for name in row.attributes}
    return all(v is None or v == row.attributes[name] for name, v in stated.items())


def _asserted(fact: Fact, row: _Row, day: float) -> bool:
    over = fact.assertion == "historical" and row.assertion == "present" and row.ended <= day
    return fact.assertion == row.assertion or over


def _static(cohort: Cohort) -> dict[Key, Any]:
    frame = cohort.subjects
    columns = {str(c).upper(): c for c in frame.columns}
    keys = list(zip(frame["study_id"], frame["subject_id"], strict=True))
    out: dict[Key, Any] = {}
    if "AGE" in columns:
        ages = frame[columns["AGE"]].astype(float)
        out |= {(*k, "AGE"): a for k, a in zip(keys, ages, strict=True) if not np.isnan(a)}
    column = columns.get("SEX", columns.get("GENDER"))
    if column is not None:
        out |= {(*k, "SEX"): sex_name(v) for k, v in zip(keys, frame[column], strict=True)}
    return out


def _measured(cohort: Cohort) -> dict[Key, list[tuple[float, str | None]]]:
    out: dict[Key, list[tuple[float, str | None]]] = defaultdict(list)
    units = {v.name: v.unit for v in cohort.schema.variables}
    for name in cohort.observations["variable"].unique():
        concept = concept_of(name)
        if concept is None:
            continue
        rows = cohort.observations[cohort.observations["variable"] == name]
        rows = rows[rows["status"] == "observed"]
        fields = ("study_id", "subject_id", "day", "value", "unit")
        for study, subject, day, value, unit in zip(*(rows[f] for f in fields), strict=True):
            out[study, subject, day, concept.name].append((value, unit or units[name]))
    for variable in cohort.schema.baseline:
        concept = concept_of(variable.name)
        if concept is not None and variable.numeric:
            frame = cohort.subjects
            keys = zip(frame["study_id"], frame["subject_id"], frame[variable.name], strict=True)
            for study, subject, value in keys:
                out[study, subject, None, concept.name].append((value, variable.unit))
    return dict(out)


def _episodes(cohort: Cohort) -> dict[Key, list[_Row]]:
    out: dict[Key, list[_Row]] = defaultdict(list)
    rows = cohort.episodes[cohort.episodes["kind"].isin(list(_EPISODE_TYPES))]
    rows = rows.assign(
        begun=rows["start_high"].fillna(rows["start"]),
        ended=rows["stop_high"].fillna(rows["stop"]),
        assertion=rows["assertion"].fillna("present"),
    )
    for row in rows.to_dict("records"):
        if row["term"] is None:
            continue
        key = (row["study_id"], row["subject_id"], _EPISODE_TYPES[row["kind"]], normal(row["term"]))
        attributes = {
            "dose": None if np.isnan(row["dose"]) else float(number(row["dose"])),
            "dose_unit": row["dose_unit"],
            "route": vocabulary("route", row["route"]),
            "frequency": vocabulary("frequency", row["frequency"]),
            "severity": row["severity"],
        }
        out[key].append(_Row(row["assertion"], row["begun"], row["ended"], attributes))
    return dict(out)
