"""LOINC (Loinc.csv) and plain tables of codes and terms."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...facts import FACT_TYPES
from ..build import Entry
from .lines import Faulty, table

_LOINC = ("loinc_num", "component", "long_common_name", "status")


def loinc(path: Path, faulty: Faulty, sources: frozenset[str]) -> Iterator[Entry]:
    """Yield the active and trial terms of LOINC with their long, short and component names."""
    for row in table(path, faulty, _LOINC, ","):
        if not row["loinc_num"] or not row["long_common_name"]:
            faulty.add(int(row["#"]), "its number or its long name is empty")
        elif row["status"].upper() in ("ACTIVE", "TRIAL"):
            named = [(row["long_common_name"], 1.0), (row["component"], 0.9)]
            more = (row.get("shortname", ""), row.get("displayname", ""))
            terms = [(text, weight) for text, weight in named if text]
            terms += [(text, 0.95) for text in more if text]
            yield Entry(row["loinc_num"], row["long_common_name"], tuple(terms), "laboratory")


def plain(path: Path, faulty: Faulty, sources: frozenset[str]) -> Iterator[Entry]:
    """Yield the rows of a table with columns `code` and `term`, and `type` where it has one.

    A code's first term is its display. `system` and `version` are read by the caller from the
    first row, and so must be the same in all.
    """
    told: tuple[str | None, ...] | None = None
    for row in table(path, faulty, ("code", "term"), ","):
        type_ = row.get("type", "")
        named = (row.get("system"), row.get("version"))
        told = told or named
        if not row["code"] or not row["term"]:
            faulty.add(int(row["#"]), "its code or its term is empty")
        elif type_ and type_ not in FACT_TYPES:
            faulty.add(int(row["#"]), f"its type is not known; allowed: {', '.join(FACT_TYPES)}")
        elif named != told:
            faulty.add(int(row["#"]), "its system or version is not that of the first row")
        else:
            yield Entry(row["code"], row["term"], ((row["term"], 1.0),), type_)
