"""Notes: find their facts and turn them into a cohort."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from extraction.notes import Note
from extraction.records.errors import Faults

from .folders import check_out
from .protecting import Protection


def extract_notes(
    where: Path,
    out: Path,
    study: str = "NOTES",
    preset: str = "fast",
    overwrite: bool = False,
    protection: Protection | None = None,
) -> dict[str, Any]:
    """Find the facts of notes, each with its place in the text, and write them and a cohort.

    Parameters
    ----------
    where
        A folder of .txt files, or a CSV or JSON-lines file (`extraction.notes.read_notes`).
    out
        New folder: ``notes.parquet``, ``facts.parquet`` and ``cohort/``; written whole or not at
        all. Spans index the text in ``notes.parquet``.
    study
        Study of notes that name none.
    preset
        Pipeline that reads the notes.
    overwrite
        Whether an earlier extraction at `out` may be replaced.
    protection
        How identifiers are treated; by default all are replaced and nothing can be turned back.

    Returns
    -------
    dict
        Counts of notes, facts and subjects, notes set aside by reason, identifiers replaced by
        kind, and the folder.

    Raises
    ------
    InputError
        With every fault of the input; never a note's words.
    """
    from extraction.notes import extract, read_notes, to_cohort
    from extraction.records.storage import atomic_folder

    guard = protection or Protection()
    faults = Faults()
    with faults.catch():
        guard.check()
    with faults.catch():
        check_out(out, overwrite, "facts.parquet")
    with faults.catch():
        given = read_notes(where, study)
    faults.raise_if_any()
    stored, told, sealing = guard.applied(given.notes, out)
    read = list(extract(stored, preset))
    left_out: dict[str, int] = {}
    cohort = to_cohort(read, report=left_out)
    with atomic_folder(out) as fresh:
        _notes(stored).to_parquet(fresh / "notes.parquet", index=False)
        _table(read).to_parquet(fresh / "facts.parquet", index=False)
        cohort.write(fresh / "cohort")
        sealing.seal()
    by_type = Counter(f.type for _, found in read for f in found)
    return {
        "folder": str(out),
        "n_notes": len(given.notes),
        "set_aside": given.reasons(),
        "n_facts": int(sum(by_type.values())),
        "subjects": len(cohort),
        "by_type": dict(sorted(by_type.items())),
        "left_out": dict(left_out),
        "digest": cohort.digest(),
        **told,
    }


def _notes(stored: list[Note]) -> pd.DataFrame:
    return pd.DataFrame([asdict(note) for note in stored])


def _table(read: list[Any]) -> pd.DataFrame:
    """Facts, one a row, with the place of the word that decided the assertion."""
    rows = [
        {"note_id": note.note_id, "subject_id": note.subject_id, **asdict(fact)}
        for note, found in read
        for fact in found
    ]
    for row in rows:
        start, stop = row.pop("cue") or (np.nan, np.nan)
        row |= {"cue_start": float(start), "cue_stop": float(stop)}
    return pd.DataFrame(rows)
