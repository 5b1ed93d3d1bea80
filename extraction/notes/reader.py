"""Notes from a folder of text files, JSON lines, CSV or Parquet, all at once."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ..records import InputError
from .batch.parts import is_extraction, stored_notes
from .batch.records import REPEATED, SetAside
from .batch.sources import open_source, read_raw
from .note import Note


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

    All are held in memory; `trialtwin extract notes` reads any number.

    Parameters
    ----------
    where
        Folder of ``.txt`` files (one a note, named ``subject.txt`` or ``subject@day.txt``), or a
        ``.jsonl``, ``.csv``, ``.tsv`` or ``.parquet`` file with ``subject`` and ``text`` and, where
        known, ``id``, ``day`` (days from index), ``date`` (``YYYY-MM-DD``), ``kind``, ``study``;
        or the folder that `trialtwin extract notes` wrote, whose notes come as they are stored.
    study_id
        Study of notes that name none.

    Raises
    ------
    InputError
        When the place cannot be read, columns are missing, or no note is left.
    """
    if is_extraction(Path(where)):
        return Notes(tuple(stored_notes(Path(where))), ())
    source = open_source(Path(where))
    notes: list[Note] = []
    aside: list[SetAside] = []
    seen: set[tuple[str, str]] = set()
    for raw in source.raw():
        made = read_raw(source, raw, study_id)
        if isinstance(made, Note) and (made.study_id, made.note_id) in seen:
            made = SetAside(source.place(raw), REPEATED)
        if isinstance(made, SetAside):
            aside.append(made)
            continue
        seen.add((made.study_id, made.note_id))
        notes.append(made)
    if not notes:
        reasons = "; ".join(sorted({s.reason for s in aside})) or "there is none"
        raise InputError(f"{source.name}: no note can be used ({reasons})")
    return Notes(tuple(notes), tuple(aside))
