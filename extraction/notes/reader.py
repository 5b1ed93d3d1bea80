"""Notes from a folder of text files, or from a table or JSON lines."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..records import InputError
from ..records.errors import nearest
from .note import Note

LONGEST = 2_000_000  # characters
_NAMES = {
    "note_id": ("note_id", "id"),
    "subject_id": ("subject_id", "subject", "patient", "patient_id"),
    "day": ("day",),
    "text": ("text", "note"),
    "study_id": ("study_id", "study"),
    "kind": ("kind",),
}
_NEEDED = ("subject_id", "text")
_ALLOWED_CONTROL = frozenset("\n\r\t\f\v")
_MOST_CONTROL = 0.05  # share of control characters above which a text is taken for binary


@dataclass(frozen=True)
class SetAside:
    """A note that cannot be read: where it stands and why; never its words."""

    where: str
    reason: str


@dataclass(frozen=True)
class Notes:
    """What was read.

    Parameters
    ----------
    notes
        In the order of the input.
    set_aside
        Notes that cannot be used, with the reason.
    """

    notes: tuple[Note, ...]
    set_aside: tuple[SetAside, ...]

    def reasons(self) -> dict[str, int]:
        """Return how many notes were set aside for each reason."""
        return dict(sorted(Counter(s.reason for s in self.set_aside).items()))


def read_notes(where: str | Path, study_id: str = "NOTES") -> Notes:
    """Read notes; poisoned ones are set aside with the reason and counted.

    Parameters
    ----------
    where
        Folder of ``.txt`` files (one a note, named ``subject.txt`` or ``subject@day.txt``), or a
        ``.jsonl`` or ``.csv`` file with ``subject`` and ``text`` and, where known, ``id``, ``day``
        (days from index), ``kind``, ``study``.
    study_id
        Study of notes that name none.

    Raises
    ------
    InputError
        When the place cannot be read, columns are missing, or no note is left.
    """
    path = Path(where)
    if path.is_dir():
        records = _folder(path)
    elif path.suffix.lower() in (".jsonl", ".ndjson"):
        records = _json_lines(path)
    elif path.suffix.lower() == ".csv":
        records = _table(path)
    else:
        raise InputError(
            f"{path.name}: not a folder of .txt files, nor a .jsonl or .csv file that exists"
        )
    notes: list[Note] = []
    aside: list[SetAside] = []
    seen: set[tuple[str, str]] = set()
    for place, record in records:
        made = record if isinstance(record, SetAside) else _note(place, record, study_id)
        if isinstance(made, Note) and (made.study_id, made.note_id) in seen:
            made = SetAside(place, "its id repeats an earlier note's")
        if isinstance(made, SetAside):
            aside.append(made)
            continue
        seen.add((made.study_id, made.note_id))
        notes.append(made)
    if not notes:
        reasons = "; ".join(sorted({s.reason for s in aside})) or "there is none"
        raise InputError(f"{path.name}: no note can be used ({reasons})")
    return Notes(tuple(notes), tuple(aside))


Record = Mapping[str, Any] | SetAside


def _folder(path: Path) -> Iterator[tuple[str, Record]]:
    for file in sorted(path.glob("*.txt")):
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            yield file.name, SetAside(file.name, "not readable as UTF-8 text")
            continue
        subject, _, day = file.stem.partition("@")
        yield file.name, {"id": file.stem, "subject": subject, "day": day or None, "text": text}


def _json_lines(path: Path) -> Iterator[tuple[str, Record]]:
    for number, line in enumerate(_text(path).splitlines(), start=1):
        place = f"{path.name}: line {number}"
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError:
            yield place, SetAside(place, "not a JSON object")
            continue
        except RecursionError:
            yield place, SetAside(place, "nested too deeply")
            continue
        yield place, record if isinstance(record, dict) else SetAside(place, "not a JSON object")


def _table(path: Path) -> Iterator[tuple[str, Record]]:
    content = _text(path)
    csv.field_size_limit(LONGEST * 2)
    reader = csv.DictReader(content.splitlines(keepends=True))
    columns = [c for c in reader.fieldnames or [] if c is not None]
    missing = [
        f"{path.name}: column {name} is missing{nearest(name, columns)}; "
        f"allowed names: {', '.join(_NAMES[name])}"
        for name in _NEEDED
        if not set(_NAMES[name]) & set(columns)
    ]
    if missing:
        raise InputError(missing)
    rows = iter(reader)
    number = 1
    while True:
        number += 1
        try:
            row = next(rows, None)
        except csv.Error:
            yield (
                f"{path.name}: row {number}",
                SetAside(f"{path.name}: row {number}", "not readable as CSV"),
            )
            continue
        if row is None:
            return
        yield f"{path.name}: row {number}", row


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path.name}: there is no such file") from None
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{path.name}: not readable as UTF-8 text") from None


def _note(place: str, record: Mapping[str, Any], study_id: str) -> Note | SetAside:
    given = {name: _first(record, spellings) for name, spellings in _NAMES.items()}
    text, subject = given["text"], given["subject_id"]
    if subject is None or not str(subject).strip():
        return SetAside(place, "it names no subject")
    fault = _fault(text)
    if fault is not None:
        return SetAside(place, fault)
    day = _day(given["day"])
    if day is None:
        return SetAside(place, "its day is not a number of days")
    return Note(
        note_id=str(given["note_id"] or place.rsplit(": ", maxsplit=1)[-1].replace(" ", "-")),
        study_id=str(given["study_id"] or study_id),
        subject_id=str(subject).strip(),
        day=day,
        kind=str(given["kind"] or "note"),
        text=str(text),
    )


def _first(record: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    values = (record.get(name) for name in names)
    return next((v for v in values if v is not None and v != ""), None)


def _fault(text: object) -> str | None:
    if not isinstance(text, str) or not text.strip():
        return "it has no text"
    if len(text) > LONGEST:
        return f"it is longer than {LONGEST} characters"
    if any("\ud800" <= c <= "\udfff" for c in text):
        return "it has broken characters"
    control = sum(1 for c in text if c < " " and c not in _ALLOWED_CONTROL)
    if control > _MOST_CONTROL * len(text):
        return "it is not text"
    return None


def _day(value: object) -> float | None:
    if value is None:
        return float("nan")
    try:
        day = float(str(value))
    except ValueError:
        return None
    return day if abs(day) < 1e6 else None
