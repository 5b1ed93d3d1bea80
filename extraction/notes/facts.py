"""The fact: one clinical statement found in, or rendered into, the words of a note."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from ..records.tables import ASSERTIONS, Assertion
from .codes.code import Code

__all__ = ["ASSERTIONS", "FACT_TYPES", "Assertion", "Certainty", "Fact", "FactType"]

FactType = Literal[
    "age",
    "sex",
    "condition",
    "medication",
    "vital",
    "laboratory",
    "symptom",
    "adverse_event",
    "procedure",
    "imaging_finding",
    "allergy",
    "genomic_finding",
    "score",
    "smoking",
    "alcohol",
    "care_event",
]
Certainty = Literal["likely", "possible", "unlikely"]
Trend = Literal["rising", "falling", "stable", "normalised"]
Bounds = tuple[float | None, float | None]
"""Earliest and latest day, in days from the note (before it negative); None is unbounded."""

FACT_TYPES: tuple[FactType, ...] = get_args(FactType)


@dataclass(frozen=True)
class Fact:
    """One clinical statement with its place in the text.

    Parameters
    ----------
    type
        What kind of statement it is.
    text
        The words of the span, ``note.text[start:stop]``.
    start, stop
        Character span, half open.
    assertion
        Whether the statement holds (`present`), is denied (`absent`), suspected (`possible`), comes
        only under a circumstance (`conditional`), may come (`hypothetical`), is over
        (`historical`), is about another person (`family`) or is arranged (`planned`).
    name
        Normalised name, e.g. ``systolic_blood_pressure``, ``donepezil``, ``female``.
    value, unit
        Number and UCUM unit as written (age, vital, laboratory).
    dose, dose_unit, route, frequency
        Of a medication; route and frequency in the words of the vocabulary.
    severity
        Of an adverse event or symptom.
    cue
        Span of the words that decided the assertion, where some did.
    comparator, flag
        What stood beside a number: ``<``, ``>``, ``<=``, ``>=``; ``H`` or ``L``.
    scope
        Span that the cue reaches: from the cue, or what it is about, to the last fact it decides.
    certainty
        How sure the writer is of what is ``possible``: ``likely``, ``possible``, ``unlikely``.
    status
        Of a habit ``current``, ``former``, ``never``; of a gene or marker ``mutated``,
        ``positive``, ...; of an imaging finding the response, stage or grade; of a laboratory
        test ``normal`` where a word is its result; of chronic kidney
        disease the stage, of rheumatoid arthritis the serology; of an event of care the specialty
        consulted or the code status.
    variant, zygosity
        Of a genomic finding: the change as written (HGVS), and how many copies have it.
    serious, related, outcome
        Of an adverse event, where its sentence says so.
    form, duration, indication
        Of a medication: ``tablet``, ...; days it is taken for; the problem it is taken for.
    low, high
        Reference range written beside a laboratory value, in its unit.
    began, ended
        Days from the note within which a problem or drug began and ended, a procedure was done, a
        value was measured; where its words say so, and nothing is known of the note's own day
        beyond what is written or given.
    began_at, ended_at
        Spans of the words that say so.
    trend
        Where a value was heading: ``rising``, ``falling``, ``stable``, ``normalised``.
    earlier_dose
        Of a medication: the dose before a change, in `dose_unit`.
    as_needed
        Of a medication: True where it is taken only when needed, whatever its `frequency`.
    upper
        Upper end of a value told as a range (`EF 55-60%`), whose lower end is `value`.
    codes
        Ranked codes of what it is about, whatever its assertion: sure ones first.
    """

    type: FactType
    text: str
    start: int
    stop: int
    assertion: Assertion = "present"
    name: str = ""
    value: float | None = None
    unit: str | None = None
    dose: float | None = None
    dose_unit: str | None = None
    route: str | None = None
    frequency: str | None = None
    severity: str | None = None
    cue: tuple[int, int] | None = None
    comparator: str | None = None
    flag: str | None = None
    scope: tuple[int, int] | None = None
    certainty: Certainty | None = None
    status: str | None = None
    variant: str | None = None
    zygosity: str | None = None
    serious: bool | None = None
    related: str | None = None
    outcome: str | None = None
    form: str | None = None
    duration: float | None = None
    indication: str | None = None
    low: float | None = None
    high: float | None = None
    began: Bounds | None = None
    ended: Bounds | None = None
    began_at: tuple[int, int] | None = None
    ended_at: tuple[int, int] | None = None
    trend: Trend | None = None
    earlier_dose: float | None = None
    as_needed: bool | None = None
    upper: float | None = None
    codes: tuple[Code, ...] = ()

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Fact:
        """Return the fact of which this is said; what is not keeps its default.

        Many times as fast as `Fact(**said)`, which sets every one of its fields.
        """
        fact = object.__new__(cls)
        fact.__dict__.update(said)
        return fact
