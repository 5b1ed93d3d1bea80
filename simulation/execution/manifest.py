"""The one manifest of finished chunks, and the only way of resuming.

A folder holds `manifest.json` and one file per finished chunk. Every file is written whole under
another name, flushed and renamed; a chunk enters the manifest after its file is safe. A driver
killed at any moment therefore leaves a folder from which the next run goes on.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

from extraction.records.errors import InputError, TrialtwinError
from simulation.execution.results import Result, decode, encode

FORMAT = 1
MANIFEST = "manifest.json"


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees the old or the new one, never a part."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder for one driver; the lock ends with the process, however it ends.

    Raises
    ------
    InputError
        If another run is writing to the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(
                f"folder: another run is writing to {folder.name!r}; wait for it or choose another"
            ) from error
        yield


@final
class Manifest:
    """Finished chunks of one piece of work.

    Parameters
    ----------
    folder
        Where manifest and chunk files lie.
    work
        What the work is: function, hash of its payload, number of items, chunk size.

    Raises
    ------
    InputError
        If the folder holds a manifest of different work, or one that cannot be read.
    """

    def __init__(self, folder: Path, work: dict[str, Any]) -> None:
        self.folder = folder
        self.work = {"format": FORMAT, **work}
        self._chunks: dict[str, dict[str, str]] = {}
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / MANIFEST
        if path.exists():
            self._chunks = self._check(path)
        else:
            self._write()

    def _check(self, path: Path) -> dict[str, dict[str, str]]:
        try:
            held = json.loads(path.read_bytes())
            work, chunks = held["work"], dict(held["chunks"])
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{MANIFEST}: it cannot be read as a manifest; choose another folder or remove it"
            ) from error
        faults = [
            f"{MANIFEST}: {key} is {work.get(key)!r}; this run's is {value!r}; "
            "resume with the same work or choose another folder"
            for key, value in self.work.items()
            if work.get(key) != value
        ]
        if faults:
            raise InputError(faults)
        return chunks

    def _write(self) -> None:
        text = json.dumps({"work": self.work, "chunks": self._chunks}, indent=1, sort_keys=True)
        write_atomically(self.folder / MANIFEST, text.encode())

    def load(self, index: int) -> Result | None:
        """Return a finished chunk whose file still has its hash, else None."""
        entry = self._chunks.get(str(index))
        if entry is None:
            return None
        try:
            data = (self.folder / entry["file"]).read_bytes()
        except FileNotFoundError:
            return None
        if hashlib.sha256(data).hexdigest() != entry["sha256"]:
            return None
        return decode(entry["file"].rpartition(".")[2], data)

    def store(self, index: int, result: Result) -> Result:
        """Write a finished chunk; returns it as a later resume will read it.

        Raises
        ------
        TrialtwinError
            If the disk refuses (full, read-only); finished chunks stay valid.
        """
        ending, data = encode(result)
        name = f"chunk-{index:06d}.{ending}"
        try:
            write_atomically(self.folder / name, data)
            entry = {"file": name, "sha256": hashlib.sha256(data).hexdigest()}
            self._chunks[str(index)] = entry
            self._write()
        except OSError as error:
            raise TrialtwinError(
                f"chunk {index}: its file could not be written ({error.strerror}); "
                "free the disk and run again: finished chunks are kept"
            ) from error
        return decode(ending, data)
