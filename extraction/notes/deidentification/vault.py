"""The vault: what was replaced, encrypted, in a folder apart from the notes."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

from ...records import InputError
from ...records.files import settle
from ..note import Note
from .dates import moved
from .deidentifier import Deidentified, Deidentifier
from .keys import checked_key, subkey

_ENDING = ".vault"
_MAGIC = b"TTVAULT1"
_NONCE = 12


@dataclass(frozen=True, slots=True)
class Entry:
    """What the vault keeps of one note.

    Parameters
    ----------
    stored_id
        Id of the stored note.
    note_id, study_id, subject_id
        Of the note as it was.
    day_shift
        Days by which the subject's dates were moved.
    day_first
        What the note told of the order of day and month.
    edits
        ``(start, stop, stored_start, stored_stop, kind, original)`` in the order of the text.
    """

    stored_id: str
    note_id: str
    study_id: str
    subject_id: str
    day_shift: int
    day_first: bool | None
    edits: tuple[tuple[int, int, int, int, str, str], ...]


@final
class Vault:
    """A folder of encrypted offset maps and day shifts.

    Every batch is one file, sealed by AES-256-GCM under a key derived from the key of the
    de-identification; its name is random and says nothing. Whoever holds the notes and not the
    key, or the key and not the vault, cannot turn a note back.

    Parameters
    ----------
    folder
        Where the files lie; made when it is written to.
    key
        Of the de-identification: bytes, or the hexadecimal digits of its file.
    notes
        Folders of notes that the vault must not lie in, around or beside.

    Raises
    ------
    InputError
        When the folder lies with the notes, or the key is too short.
    """

    def __init__(
        self, folder: str | Path, key: bytes | str, notes: Iterable[str | Path] = ()
    ) -> None:
        self._folder = Path(folder)
        self._key = subkey(checked_key(key), "vault")
        check_apart(self._folder, notes)

    def write(self, deidentifier: Deidentifier, notes: Iterable[tuple[Note, Deidentified]]) -> Path:
        """Seal the replacements of notes, each given as it was and as it is stored.

        Returns
        -------
        Path
            The new file.
        """
        entries = [_entry(deidentifier, before, after) for before, after in notes]
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._folder / f"{secrets.token_hex(16)}{_ENDING}"
        fresh = path.with_suffix(".part")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(self._sealed(json.dumps(entries, ensure_ascii=True).encode()))
        settle(fresh, path)
        return path

    def read(self) -> Iterator[Entry]:
        """Yield what the vault holds.

        Raises
        ------
        InputError
            When a file was changed or belongs to another key.
        """
        for path in sorted(self._folder.glob(f"*{_ENDING}")):
            for number, raw in enumerate(json.loads(self._opened(path.read_bytes()))):
                yield _read_entry(raw, number)

    def restore(self, notes: Iterable[Note]) -> Iterator[Note]:
        """Yield the notes as they were before de-identification.

        Raises
        ------
        InputError
            When the vault holds no entry for a note, or the note is not the one it describes.
        """
        kept = {(e.study_id, e.stored_id): e for e in self.read()}
        for number, note in enumerate(notes, start=1):
            entry = kept.get((note.study_id, note.note_id))
            if entry is None:
                raise InputError(f"note {number}: the vault holds nothing of it")
            yield _restored(note, entry, number)

    def _sealed(self, plain: bytes) -> bytes:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = secrets.token_bytes(_NONCE)
        return _MAGIC + nonce + AESGCM(self._key).encrypt(nonce, plain, _MAGIC)

    def _opened(self, sealed: bytes) -> bytes:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        head, nonce = sealed[: len(_MAGIC)], sealed[len(_MAGIC) : len(_MAGIC) + _NONCE]
        try:
            if head != _MAGIC:
                raise InvalidTag
            return AESGCM(self._key).decrypt(nonce, sealed[len(_MAGIC) + _NONCE :], _MAGIC)
        except (InvalidTag, ValueError):
            raise InputError(
                "vault: a file was changed, or is of another key; nothing of it is used"
            ) from None


def check_apart(vault: Path, notes: Iterable[str | Path]) -> None:
    """Raise InputError when a vault would lie with a folder of stored notes."""
    if any(_together(vault, Path(folder)) for folder in notes):
        raise InputError(
            "vault: it would lie in, around or beside the folder of the notes that are stored "
            "(that of --out, not the one that notes are read from); name a folder apart from "
            "them, at best on another disk"
        )


def _together(vault: Path, notes: Path) -> bool:
    one, other = vault.resolve(), notes.resolve()
    return (
        one == other
        or one.is_relative_to(other)
        or other.is_relative_to(one)
        or one.parent == other.parent
    )


def _entry(deidentifier: Deidentifier, before: Note, after: Deidentified) -> dict[str, Any]:
    return {
        "stored_id": after.note.note_id,
        "note_id": before.note_id,
        "study_id": before.study_id,
        "subject_id": before.subject_id,
        "day_shift": deidentifier.day_shift(before),
        "day_first": before.day_first,
        "edits": [
            [r.start, r.stop, r.stored_start, r.stored_stop, r.kind, before.text[r.start : r.stop]]
            for r in after.replacements
        ],
    }


def _read_entry(raw: dict[str, Any], number: int) -> Entry:
    try:
        edits = tuple(
            (int(a), int(b), int(c), int(d), str(k), str(t)) for a, b, c, d, k, t in raw["edits"]
        )
        return Entry(
            stored_id=str(raw["stored_id"]),
            note_id=str(raw["note_id"]),
            study_id=str(raw["study_id"]),
            subject_id=str(raw["subject_id"]),
            day_shift=int(raw["day_shift"]),
            day_first=raw["day_first"],
            edits=edits,
        )
    except (KeyError, TypeError, ValueError):
        raise InputError(f"vault: entry {number} is not of this version") from None


def _restored(note: Note, entry: Entry, number: int) -> Note:
    pieces, place, length = [], 0, 0
    for start, stop, stored_start, stored_stop, _, original in entry.edits:
        pieces += [note.text[place:stored_start], original]
        length += stored_start - place
        if length != start or len(original) != stop - start or stored_stop > len(note.text):
            raise InputError(f"note {number}: it is not the text that the vault describes")
        length += len(original)
        place = stored_stop
    text = "".join([*pieces, note.text[place:]])
    return replace(
        note,
        text=text,
        note_id=entry.note_id,
        subject_id=entry.subject_id,
        date=None if note.date is None else moved(note.date, -entry.day_shift),
        day_first=entry.day_first,
        deidentified=False,
    )
