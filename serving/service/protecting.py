"""Identifiers of notes: replaced before anything is stored, unless somebody says otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from extraction.notes import Note
from extraction.records.errors import Faults

KEPT = (
    "Identifiers were kept: names, dates and numbers of patients stand in the stored files. "
    "Keep them where only those may read who may read the notes."
)


@dataclass(frozen=True)
class Protection:
    """How the identifiers of notes are treated on their way into a store.

    Parameters
    ----------
    keep_identifiers
        Whether they stay; never the default.
    key_file
        File of the key; made when there is none. Without one the key is drawn and forgotten, so
        that surrogates differ from run to run and nothing can be turned back.
    vault
        Folder, apart from the notes, for what was replaced, encrypted by the key.
    code_ids
        Whether ids of notes and subjects become codes too.
    """

    keep_identifiers: bool = False
    key_file: Path | None = None
    vault: Path | None = None
    code_ids: bool = False

    def check(self) -> None:
        """Raise InputError when the choices contradict each other."""
        faults = Faults()
        if self.keep_identifiers and (self.key_file or self.vault or self.code_ids):
            faults.add(
                "keep-identifiers: it excludes a key file, a vault and coded ids; drop either"
            )
        if self.vault is not None and self.key_file is None:
            faults.add("vault: it is of no use without a key file; name one")
        faults.raise_if_any()

    def applied(
        self, notes: Sequence[Note], stored: Path
    ) -> tuple[list[Note], dict[str, Any], Sealing]:
        """Return the notes to store, what was done as figures, and the sealing of the vault.

        Parameters
        ----------
        notes
            As they were read.
        stored
            Folder that will hold them.
        """
        if self.keep_identifiers:
            return list(notes), {"identifiers": "kept", "warning": KEPT}, Sealing()
        from extraction.notes.deidentification import Deidentifier, Vault, new_key, read_key

        key = None
        if self.key_file is not None:
            key = read_key(self.key_file) if self.key_file.exists() else new_key(self.key_file)
        vault = None
        if self.vault is not None and key is not None:
            vault = Vault(self.vault, key, notes=(stored,))
        deidentifier = Deidentifier(key, code_ids=self.code_ids)
        done = [deidentifier.apply(note) for note in notes]
        counts: Counter[str] = sum((Counter(d.counts()) for d in done), Counter())
        told = {"identifiers": "replaced", "replaced": dict(sorted(counts.items()))}
        pairs = list(zip(notes, done, strict=True))
        return [d.note for d in done], told, Sealing(deidentifier, vault, pairs)


@dataclass(frozen=True)
class Sealing:
    """What goes into the vault once the notes are stored."""

    deidentifier: Any = None
    vault: Any = None
    pairs: Sequence[tuple[Note, Any]] = ()

    def seal(self) -> None:
        """Write the vault, if there is one."""
        if self.vault is not None:
            self.vault.write(self.deidentifier, self.pairs)
