"""A cohort for other tools: CSV tables with a data dictionary and a note on what they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype

from .cohort import TABLES, Cohort
from .errors import InputError
from .storage import atomic_folder

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
# Every file of an export. A folder with these alone is ours to replace.
FILES = frozenset(f"{name}.csv" for name in (*TABLES, "table", "dictionary")) | {
    "schema.json",
    "README.txt",
}


def csv_text(frame: pd.DataFrame, **options: Any) -> str:
    """Write a table of results as CSV whose text no spreadsheet takes for a formula.

    Text and headings that begin with =, +, -, @, a tab or a carriage return get a quote before
    them, as OWASP advises against CSV injection. Numbers stand as they are. Data of patients are
    written unchanged, to be read again as they were.

    Parameters
    ----------
    frame
        The table; its index is left out.
    options
        Of `DataFrame.to_csv`.
    """
    text = frame.rename(columns=_inert)
    for name, values in text.items():
        if not is_numeric_dtype(values):
            text[name] = values.map(_inert)
    written: str = text.to_csv(index=False, lineterminator="\n", **options)
    return written


def _inert(value: Any) -> Any:
    formula = isinstance(value, str) and value.startswith(_FORMULA)
    return f"'{value}" if formula else value


def to_csv(cohort: Cohort, folder: str | Path, note: str = "") -> Path:
    """Write every table as CSV, the flat table, the data dictionary and a README.

    An earlier export is replaced, whole or not at all.

    Parameters
    ----------
    folder
        A new or empty folder, or one that holds an earlier export and nothing else.
    note
        What a reader must know, e.g. that rows are synthetic and behind how many patients.

    Raises
    ------
    InputError
        When the folder holds anything that is not a file of an export; nothing is touched.
    """
    folder = Path(folder)
    _refuse_others_files(folder)
    with atomic_folder(folder) as fresh:
        for name in TABLES:
            getattr(cohort, name).to_csv(fresh / f"{name}.csv", index=False)
        cohort.to_table().to_csv(fresh / "table.csv", index=False)
        cohort.dictionary().to_csv(fresh / "dictionary.csv", index=False)
        (fresh / "schema.json").write_text(
            json.dumps(cohort.schema.model_dump(mode="json"), indent=2), "utf-8"
        )
        (fresh / "README.txt").write_text(
            f"{note}\n\nStudy {cohort.schema.study_id}, {len(cohort)} subjects. Days count from "
            f"index (day 0). Digest {cohort.digest()}.\n".lstrip(),
            "utf-8",
        )
    return folder


def _refuse_others_files(folder: Path) -> None:
    held = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    # A table.csv or README.txt alone may be anybody's; an export has all of its files.
    if held and held != FILES:
        raise InputError(
            f"{folder.name}: the folder holds other files than an export of a cohort; "
            "give a new folder"
        )
