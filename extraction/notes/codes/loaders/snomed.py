"""SNOMED CT, release format 2: the snapshot of descriptions, with that of concepts beside it.

Columns by the SNOMED CT Release File Specifications, sections 4.2.1 and 4.2.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ....records import InputError
from ..build import Entry
from .lines import Faulty, table

_DESCRIPTION = re.compile(r"sct2_Description_Snapshot.*\.txt$", re.IGNORECASE)
_CONCEPT = re.compile(r"sct2_Concept_Snapshot.*\.txt$", re.IGNORECASE)
_LONGEST = 18  # digits of an identifier
_FULL_NAME = "900000000000003001"
_TAG = re.compile(r"\s*\(([^()]*)\)$")
_TYPES = {
    "disorder": "condition",
    "finding": "symptom",
    "procedure": "procedure",
    "regime/therapy": "procedure",
    "substance": "medication",
    "product": "medication",
    "medicinal product": "medication",
    "medicinal product form": "medication",
    "clinical drug": "medication",
    "real clinical drug": "medication",
}
_COLUMNS = ("active", "conceptid", "typeid", "term", "languagecode")


def snomed(path: Path, faulty: Faulty, sources: frozenset[str]) -> Iterator[Entry]:
    """Yield the active English names of active concepts.

    Parameters
    ----------
    path
        File of descriptions, or a folder that holds it and, where wanted, that of concepts.
    sources
        Not used.
    """
    names, concepts = snomed_files(path)
    active = _active(concepts, faulty) if concepts is not None else None
    for row in table(names, faulty, _COLUMNS, "\t"):
        code, term = row["conceptid"], row["term"]
        if not _is_number(code) or not term:
            faulty.add(int(row["#"]), "its concept is no number or its term is empty")
        elif (
            row["active"] == "1"
            and row["languagecode"].startswith("en")
            and (active is None or int(code) in active)
        ):
            yield _entry(code, term, row["typeid"] == _FULL_NAME)


def _entry(code: str, term: str, full: bool) -> Entry:
    tag = _TAG.search(term) if full else None
    if tag is None:
        return Entry(code, term, ((term, 0.97),))
    plain = _TAG.sub("", term)
    return Entry(code, plain, ((plain, 1.0),), _TYPES.get(tag[1].lower(), ""))


def snomed_files(path: Path) -> tuple[Path, Path | None]:
    """Return the file of descriptions, and that of concepts where there is one.

    Raises
    ------
    InputError
        When a folder holds no file of descriptions, or several.
    """
    if not path.is_dir():
        return path, None
    files = sorted(p for p in path.rglob("*.txt") if p.is_file())
    names = [p for p in files if _DESCRIPTION.search(p.name)]
    if len(names) != 1:
        raise InputError(
            f"{path.name}: {len(names)} files sct2_Description_Snapshot*.txt came; "
            "give the folder or file of one release"
        )
    return names[0], next((p for p in files if _CONCEPT.search(p.name)), None)


def _active(path: Path, faulty: Faulty) -> set[int]:
    rows = table(path, faulty, ("id", "active"), "\t")
    return {int(row["id"]) for row in rows if row["active"] == "1" and _is_number(row["id"])}


def _is_number(code: str) -> bool:
    return code.isascii() and code.isdecimal() and len(code) <= _LONGEST
