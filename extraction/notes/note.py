"""The note: a dated text about one subject."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Note:
    """A clinical note.

    Parameters
    ----------
    note_id
        Unique in its collection.
    study_id, subject_id
        Whom the note is about.
    day
        When it was written, days from index (day 0 = randomisation); NaN when unknown.
    kind
        E.g. ``admission``, ``visit``, ``adverse_event``.
    text
        The words.
    date
        The same day by the calendar, ``YYYY-MM-DD``; None when unknown. Dates in the text are
        counted from it, or else from a date at its head (``Date of visit: ...``).
    day_first
        Whether 3/4 in the text is the third of April; None leaves it to the text's other dates.
    rendered
        True for a note that was written from a structured record and not by a clinician.
    deidentified
        True where identifiers have been replaced (`extraction.notes.deidentification`).
    """

    note_id: str
    study_id: str
    subject_id: str
    day: float
    kind: str
    text: str
    rendered: bool = False
    deidentified: bool = False
    date: str | None = None
    day_first: bool | None = None
