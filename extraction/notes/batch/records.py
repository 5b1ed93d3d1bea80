"""One record of a source as a note, or why it is set aside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from math import isnan
from typing import Any

from ..note import Note
from .cleaning import cleaned, decoded, plausible

LONGEST = 1_000_000  # characters of one note; a longer one is set aside
NAMES = {
    "note_id": ("note_id", "id"),
    "subject_id": ("subject_id", "subject", "patient", "patient_id"),
    "day": ("day",),
    "text": ("text", "note"),
    "study_id": ("study_id", "study"),
    "kind": ("kind",),
    "date": ("date", "note_date"),
}
NEEDED = ("subject_id", "text")
FOREIGN = "its encoding is not known: save it as UTF-8"
TOO_LONG = f"it is longer than {LONGEST} characters"
REPEATED = "its id repeats an earlier note's"


@dataclass(frozen=True)
class SetAside:
    """A note that cannot be read: where it stands and why; never its words."""

    where: str
    reason: str


Record = Mapping[str, Any] | SetAside


def note_of(place: str, record: Record, study_id: str) -> Note | SetAside:
    """Return a record as a note with a cleaned text.

    Parameters
    ----------
    place
        Where it stands, e.g. ``notes.jsonl: line 7``; the id of a note that has none.
    record
        By the names in `NAMES`.
    study_id
        Study of notes that name none.
    """
    if isinstance(record, SetAside):
        return record
    given = {name: _first(record, spellings) for name, spellings in NAMES.items()}
    subject = None if given["subject_id"] is None else _label(given["subject_id"])
    if not subject:
        return SetAside(place, "it names no subject")
    text = _text(place, given["text"])
    if isinstance(text, SetAside):
        return text
    day = _day(given["day"])
    if day is None:
        return SetAside(place, "its day is not a number of days")
    written = _date(given["date"])
    if written == "":
        return SetAside(place, "its date is not written YYYY-MM-DD")
    own = place.rsplit(": ", maxsplit=1)[-1].replace(" ", "-")
    return Note(
        note_id=_label(given["note_id"]) if given["note_id"] is not None else own,
        study_id=_label(given["study_id"] or study_id),
        subject_id=subject,
        day=day,
        kind=_label(given["kind"] or "note"),
        text=text,
        date=written,
    )


def _first(record: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    values = (record.get(name) for name in names)
    return next((v for v in values if v is not None and v != "" and v == v), None)


def _label(value: object) -> str:
    """Return an id as text; half characters cannot be stored."""
    return str(value).strip().encode("utf-8", "replace").decode("utf-8")


def _text(place: str, given: object) -> str | SetAside:
    if isinstance(given, bytes):
        given = decoded(given)
    if not isinstance(given, str) or not given.strip():
        return SetAside(place, "it has no text")
    if len(given) > LONGEST:
        return SetAside(place, TOO_LONG)
    if not plausible(given):
        return SetAside(place, FOREIGN)
    text = cleaned(given)
    if text is None:
        return SetAside(place, "it is not text")
    return text if text.strip() else SetAside(place, "it has no text")


def _date(value: object) -> str | None:
    """Return a date of the calendar, without a time behind it; empty where it is none."""
    if value is None:
        return None
    try:
        return date.fromisoformat(str(value).strip()[:10]).isoformat()
    except ValueError:
        return ""


def _day(value: object) -> float | None:
    if value is None:
        return float("nan")
    try:
        day = float(str(value))
    except ValueError:
        return None
    return day if isnan(day) or abs(day) < 1e6 else None
