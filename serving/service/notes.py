"""Notes: find their facts and turn them into a cohort."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from extraction.notes.note import Note
from extraction.records import InputError
from extraction.records.errors import Faults, nearest

_NEEDED = ("subject_id", "text")
_OPTIONAL = ("note_id", "study_id", "day", "kind")


def extract_notes(
    where: Path, out: Path, study: str = "NOTES", preset: str = "fast"
) -> dict[str, Any]:
    """Find the facts of notes, each with its place in the text, and write them and a cohort.

    Parameters
    ----------
    where
        CSV or Parquet with ``subject_id`` and ``text`` (``note_id, study_id, day, kind`` where
        known), or a folder of .txt files, one a subject, named by it.
    out
        New folder: ``facts.parquet`` and ``cohort/``.
    study
        Study of notes that name none.

    Returns
    -------
    dict
        Counts of notes, facts and subjects; the folder.

    Raises
    ------
    InputError
        With every fault of the input; never a note's words.
    """
    notes = read_notes(where, study)
    if out.is_dir() and any(out.iterdir()):
        raise InputError(f"{out.name}: the folder is not empty; give a new folder")
    from extraction.notes import extract, to_cohort
    from extraction.records.storage import atomic_folder

    read = list(extract(notes, preset))
    facts = pd.DataFrame(
        [
            {"note_id": note.note_id, "subject_id": note.subject_id, **asdict(fact)}
            for note, found in read
            for fact in found
        ]
    )
    if "cue" in facts:
        cues = facts.pop("cue")
        for place, name in enumerate(("cue_start", "cue_stop")):
            facts[name] = [np.nan if c is None else float(c[place]) for c in cues]
    cohort = to_cohort(read)
    with atomic_folder(out) as fresh:
        facts.to_parquet(fresh / "facts.parquet", index=False)
        cohort.write(fresh / "cohort")
    by_type = Counter(f.type for _, found in read for f in found)
    return {
        "folder": str(out),
        "n_notes": len(notes),
        "n_facts": int(sum(by_type.values())),
        "subjects": len(cohort),
        "by_type": dict(sorted(by_type.items())),
        "digest": cohort.digest(),
    }


def read_notes(where: Path, study: str) -> list[Note]:
    """Read notes from a table or a folder of text files; see `extract_notes`."""
    if where.is_dir():
        return _from_folder(where, study)
    from extraction.sources.files import read_frame

    frame = read_frame(where)
    faults = Faults(where.name)
    for column in _NEEDED:
        if column not in frame:
            hint = nearest(column, [str(c) for c in frame.columns])
            faults.add(f"column {column} is missing{hint}")
        elif frame[column].isna().any():
            faults.add(f"column {column}: {int(frame[column].isna().sum())} row(s) are empty")
    days = pd.to_numeric(frame["day"], errors="coerce") if "day" in frame else None
    if days is not None and (days.isna() & frame["day"].notna()).any():
        bad = int((days.isna() & frame["day"].notna()).sum())
        faults.add(f"column day: {bad} row(s) are not numbers; days count from index (day 0)")
    faults.raise_if_any()
    return [
        Note(
            note_id=_cell(row, "note_id", f"note-{i + 1:06d}"),
            study_id=_cell(row, "study_id", study),
            subject_id=str(row["subject_id"]),
            day=float("nan") if days is None else float(days.iloc[i]),
            kind=_cell(row, "kind", "note"),
            text=str(row["text"]),
        )
        for i, row in enumerate(frame.to_dict("records"))
    ]


def _cell(row: dict[Any, Any], name: str, otherwise: str) -> str:
    value = row.get(name)
    return otherwise if value is None or value != value else str(value)


def _from_folder(where: Path, study: str) -> list[Note]:
    files = sorted(where.glob("*.txt"))
    if not files:
        raise InputError(f"{where.name}: no .txt file; give a folder of notes, or a table")
    faults = Faults(where.name)
    notes = []
    for path in files:
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            faults.add(f"{path.name}: not a readable UTF-8 text file")
            continue
        notes.append(Note(path.stem, study, path.stem, float("nan"), "note", text))
    faults.raise_if_any()
    return notes
