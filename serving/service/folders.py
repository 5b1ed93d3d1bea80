"""Where results go: an existing folder is never replaced unasked."""

from __future__ import annotations

from pathlib import Path

from extraction.records import InputError


def check_out(out: Path, overwrite: bool = False, mark: str = "") -> None:
    """Refuse a folder that holds something.

    Parameters
    ----------
    out
        Where a result is to go.
    overwrite
        Whether an earlier result of the same kind may be replaced.
    mark
        File by which such an earlier result is known, e.g. ``cohort.json``.

    Raises
    ------
    InputError
        When `out` is a file, or a folder that is not empty and may not be replaced.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"{out.name}: a file is in the way; give a new folder")
    if not out.is_dir() or not any(out.iterdir()):
        return
    ours = bool(mark) and (out / mark).is_file()
    if ours and overwrite:
        return
    instead = ", or --overwrite to replace what it holds" if ours else ""
    raise InputError(f"{out.name}: the folder is not empty; give a new folder{instead}")
