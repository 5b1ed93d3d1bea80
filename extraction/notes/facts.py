"""The fact: one clinical statement found in, or rendered into, the words of a note."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

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
]
Assertion = Literal[
    "present",
    "absent",
    "possible",
    "conditional",
    "hypothetical",
    "historical",
    "family",
    "planned",
]
Certainty = Literal["likely", "possible", "unlikely"]

FACT_TYPES: tuple[FactType, ...] = get_args(FactType)
ASSERTIONS: tuple[Assertion, ...] = get_args(Assertion)


@dataclass(frozen=True, slots=True)
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
