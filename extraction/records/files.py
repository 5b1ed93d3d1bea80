"""Files that are there whole or not at all, after a loss of power too where that is asked for."""

from __future__ import annotations

import os
from pathlib import Path


def settle(fresh: Path, target: Path) -> None:
    """Put a written file in its place: flushed, renamed, and the renaming flushed.

    Parameters
    ----------
    fresh
        The finished file, in the folder of `target`.
    target
        Its name; a file of that name is replaced.
    """
    flush(fresh)
    fresh.replace(target)
    flush(target.parent)


def flush(path: Path) -> None:
    """Have a file's content, or a folder's names, reach the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees the old or the new one, never a part."""
    settle(_part(path, data), path)


def write_checked(path: Path, data: bytes) -> None:
    """Write a file whose hash its readers check: whole whatever ends, but for a loss of power.

    It does not wait for the disk, which takes milliseconds.
    """
    _part(path, data).replace(path)


def _part(path: Path, data: bytes) -> Path:
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    return part
