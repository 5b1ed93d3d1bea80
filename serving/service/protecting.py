"""Identifiers of notes: replaced before anything is stored, unless somebody says otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from extraction.notes import Note
from extraction.records.errors import Faults, InputError

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

    def check(self, stored: Path | None = None) -> None:
        """Raise InputError when the choices contradict each other.

        Parameters
        ----------
        stored
            Folder the notes will be stored in; the key must not lie in it.
        """
        faults = Faults()
        for what, folder in (("folder of the notes", stored), ("vault", self.vault)):
            if _within(self.key_file, folder):
                faults.add(f"key file: it would lie in the {what}; name a place apart from it")
        if self.keep_identifiers and (self.key_file or self.vault or self.code_ids):
            faults.add(
                "keep-identifiers: it excludes a key file, a vault and coded ids; drop either"
            )
        if self.vault is not None and self.key_file is None:
            faults.add("vault: it is of no use without a key file; name one")
        faults.raise_if_any()
        if self.vault is not None and stored is not None:
            from extraction.notes.deidentification.vault import check_apart

            check_apart(self.vault, (stored,))  # before a key is made

    def key(self, passing: Path) -> Path | None:
        """Return the file of the key, made where there is none; None where identifiers are kept.

        Parameters
        ----------
        passing
            Where the key lies when no file was named; whoever asks removes it when all is done.
        """
        if self.keep_identifiers:
            return None
        from extraction.notes.deidentification import new_key

        path = self.key_file or passing
        if not path.exists():
            new_key(path)
        return path

    def check_vault(self, key: Path | None, stored: Path) -> None:
        """Raise InputError when the key cannot be read, or the vault lies with the stored notes."""
        if key is None:
            return
        from extraction.notes.deidentification import Vault, read_key

        secret = read_key(key)
        if self.vault is not None:
            Vault(self.vault, secret, notes=(stored,))

    def fingerprint(self, key: Path | None) -> str:
        """Return by what it is known whether two runs share a key; it tells nothing of the key."""
        if key is None:
            return "kept"
        from extraction.notes.deidentification import read_key
        from extraction.notes.deidentification.keys import subkey

        return subkey(read_key(key), "fingerprint").hex()[:16]

    def check_shown(self, identifiers: str) -> None:
        """Raise InputError when stored notes with their identifiers would go onto a page unasked.

        Parameters
        ----------
        identifiers
            ``replaced`` or ``kept``, of what is stored.
        """
        if identifiers != "replaced" and not self.keep_identifiers:
            raise InputError(
                "keep-identifiers: identifiers were kept in these notes and would stand on the "
                "page; give --keep-identifiers, or show the notes they were read from"
            )

    def shown(self) -> Callable[[Note], Note]:
        """Return what makes of a note one that may stand on a page that is kept."""
        if self.keep_identifiers:
            return lambda note: note
        from extraction.notes.deidentification import Deidentifier, new_key, read_key

        key = None
        if self.key_file is not None:
            key = read_key(self.key_file) if self.key_file.exists() else new_key(self.key_file)
        deidentifier = Deidentifier(key, code_ids=self.code_ids)
        return lambda note: deidentifier.apply(note).note


def _within(file: Path | None, folder: Path | None) -> bool:
    if file is None or folder is None:
        return False
    return file.resolve().is_relative_to(folder.resolve())
