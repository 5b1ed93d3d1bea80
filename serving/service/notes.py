"""Notes: find their facts and turn them into a cohort."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from extraction.records.errors import Faults

from .folders import check_out


def extract_notes(
    where: Path,
    out: Path,
    study: str = "NOTES",
    preset: str = "fast",
    overwrite: bool = False,
) -> dict[str, Any]:
    """Find the facts of notes, each with its place in the text, and write them and a cohort.

    Parameters
    ----------
    where
        A folder of .txt files, or a CSV or JSON-lines file (`extraction.notes.read_notes`).
    out
        New folder: ``facts.parquet`` and ``cohort/``; written whole or not at all.
    study
        Study of notes that name none.
    preset
        Pipeline that reads the notes.
    overwrite
        Whether an earlier extraction at `out` may be replaced.

    Returns
    -------
    dict
        Counts of notes, facts and subjects, notes set aside by reason, and the folder.

    Raises
    ------
    InputError
        With every fault of the input; never a note's words.
    """
    from extraction.notes import extract, read_notes, to_cohort
    from extraction.records.storage import atomic_folder

    faults = Faults()
    with faults.catch():
        check_out(out, overwrite, "facts.parquet")
    with faults.catch():
        given = read_notes(where, study)
    faults.raise_if_any()
    read = list(extract(given.notes, preset))
    left_out: dict[str, int] = {}
    cohort = to_cohort(read, report=left_out)
    with atomic_folder(out) as fresh:
        _table(read).to_parquet(fresh / "facts.parquet", index=False)
        cohort.write(fresh / "cohort")
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
    }


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
