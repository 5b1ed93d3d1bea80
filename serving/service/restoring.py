"""Stored notes turned back to what they were, by their vault and key."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import Any

from extraction.notes import Note
from extraction.records.errors import Faults, InputError
from extraction.records.files import settle

from .folders import check_out

RESTORED = "notes.jsonl"


def restore_notes(folder: Path, vault: Path, key_file: Path, out: Path) -> dict[str, Any]:
    """Write the notes of an extraction as they were before identifiers were replaced.

    Parameters
    ----------
    folder
        That `extract_notes` wrote.
    vault, key_file
        Those it was given.
    out
        New folder, apart from the stored notes, that its owner alone can read: `RESTORED`, which
        `extraction.notes.read_notes` reads.

    Returns
    -------
    dict
        ``folder`` and ``n_notes``.

    Raises
    ------
    InputError
        With every fault of what was asked; when a note has no entry in the vault. Nothing is left.
    """
    from extraction.notes.batch.parts import is_extraction, stored_notes
    from extraction.notes.deidentification import Vault, read_key

    faults = Faults()
    if not is_extraction(folder):
        faults.add(f"{folder.name}: it is no folder that `extract notes` wrote")
    if not vault.is_dir():
        faults.add(f"{vault.name}: there is no such vault")
    apart = (("stored notes", folder), ("vault", vault))
    for what, held in apart:
        if out.resolve().is_relative_to(held.resolve()):
            faults.add(f"out: it would lie in the folder of the {what}; name a place apart from it")
    with faults.catch():
        check_out(out)
    with faults.catch():
        key = read_key(key_file)
    faults.raise_if_any()
    out.mkdir(parents=True, exist_ok=True, mode=0o700)
    out.chmod(0o700)
    fresh, n = out / f".{RESTORED}.part", 0
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            for note in Vault(vault, key).restore(stored_notes(folder)):
                file.write(_line(note))
                n += 1
        if not n:
            raise InputError(f"{folder.name}: it holds no note")
        settle(fresh, out / RESTORED)
    finally:
        fresh.unlink(missing_ok=True)
    return {"folder": str(out), "n_notes": n}


def _line(note: Note) -> bytes:
    told = {name: value for name, value in asdict(note).items() if value is not None}
    if isnan(note.day):
        del told["day"]
    return json.dumps(told, ensure_ascii=True).encode() + b"\n"
