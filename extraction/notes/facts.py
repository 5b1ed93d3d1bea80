"""The fact: one clinical statement found in, or rendered into, the words of a note."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FactType = Literal[
    "age",
    "sex",
    "condition",
    "medication",
    "vital",
    "laboratory",
    "symptom",
    "adverse_event",
]
Assertion = Literal["present", "absent", "possible", "historical", "family"]

FACT_TYPES: tuple[FactType, ...] = (
    "age",
    "sex",
    "condition",
    "medication",
    "vital",
    "laboratory",
    "symptom",
    "adverse_event",
)


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
        Whether the statement holds, is denied, suspected, past, or about a relative.
    name
        Normalised name, e.g. ``systolic_blood_pressure``, ``donepezil``, ``female``.
    value, unit
        Number and UCUM unit as written (age, vital, laboratory).
    dose, dose_unit, route, frequency
        Of a medication; route and frequency in the words of the vocabulary.
    severity
        Of an adverse event or symptom.
    cue
        Span of the word that decided the assertion, where one did.
    comparator, flag
        What stood beside a number: ``<``, ``>``, ``<=``, ``>=``; ``H`` or ``L``.
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
