"""The one manifest of finished chunks, and the only way of resuming.

A folder holds `manifest.json`, which says what the work is, one file per finished chunk, and
`chunks.jsonl`, one line per finished chunk. Every file is written whole under another name and
renamed; a chunk's line is added after its file, so the work of noting a chunk does not grow with
their number. A driver killed at any moment therefore leaves a folder from which the next run goes
on: a line cut short is no line. Nothing waits for the disk: after a loss of power the last files
may lack their hash, and their chunks are run again.
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
from extraction.records.files import write_atomically, write_checked
from simulation.execution.results import Encoded, Result, decode

FORMAT = 2
MANIFEST = "manifest.json"
CHUNKS = "chunks.jsonl"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder for one driver; the lock ends with the process, however it ends.

    Raises
    ------
    InputError
        If another run is writing to the folder, or a file is in its way.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise InputError(
            f"folder: a file is in the way of {folder.name!r}; choose another folder"
        ) from None
    with (folder / ".lock").open("a") as file:  # never empties a file of that name
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
        self._chunks: dict[int, dict[str, str]] = {}
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / MANIFEST
        if path.exists():
            self._check(path)
            self._chunks = _lines(folder / CHUNKS)
        else:
            text = json.dumps({"work": self.work}, indent=1, sort_keys=True)
            write_atomically(path, text.encode())

    def _check(self, path: Path) -> None:
        try:
            work = dict(json.loads(path.read_bytes())["work"])
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

    def holds(self, index: int) -> bool:
        """Whether a finished chunk's file still has its hash."""
        return self._bytes(index) is not None

    def _bytes(self, index: int) -> bytes | None:
        entry = self._chunks.get(index)
        if entry is None:
            return None
        try:
            data = (self.folder / entry["file"]).read_bytes()
        except FileNotFoundError:
            return None
        return data if hashlib.sha256(data).hexdigest() == entry["sha256"] else None

    def load(self, index: int) -> Result | None:
        """Return a finished chunk whose file still has its hash, else None."""
        data = self._bytes(index)
        if data is None:
            return None
        return decode(self._chunks[index]["file"].rpartition(".")[2], data)

    def forget(self) -> None:
        """Remove the chunks' files: what they held is kept elsewhere."""
        (self.folder / CHUNKS).unlink(missing_ok=True)
        for entry in self._chunks.values():
            (self.folder / entry["file"]).unlink(missing_ok=True)
        self._chunks = {}

    def _add(self, line: dict[str, Any]) -> None:
        with (self.folder / CHUNKS).open("ab") as file:
            # A line that a killed driver cut short must not swallow this one.
            cut = file.tell() > 0 and not _ends_whole(self.folder / CHUNKS)
            file.write(b"\n" * cut + json.dumps(line).encode() + b"\n")

    def store(self, index: int, encoded: Encoded) -> Result:
        """Write a finished chunk; returns it as a later resume will read it.

        Raises
        ------
        TrialtwinError
            If the disk refuses (full, read-only); finished chunks stay valid.
        """
        name = f"{_stem(index)}.{encoded.ending}"
        try:
            write_checked(self.folder / name, encoded.data)
            entry = {"file": name, "sha256": encoded.sha256}
            self._add({"chunk": index, **entry})
            self._chunks[index] = entry
        except OSError as error:
            raise TrialtwinError(
                f"chunk {index}: its file could not be written ({error.strerror}); "
                "free the disk and run again: finished chunks are kept"
            ) from error
        # A frame's missing text may come back as another kind of missing; arrays come back as sent.
        return decode("parquet", encoded.data) if encoded.result is None else encoded.result


def _stem(index: int) -> str:
    return f"chunk-{index:06d}"


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _lines(path: Path) -> dict[int, dict[str, str]]:
    """Chunks by number, as the whole lines of a file say; the last line on a chunk counts."""
    found: dict[int, dict[str, str]] = {}
    if not path.exists():
        return found
    for line in path.read_bytes().splitlines():
        try:
            told = json.loads(line)
            index, file, sha256 = int(told["chunk"]), str(told["file"]), str(told["sha256"])
        except (ValueError, KeyError, TypeError):
            continue
        if file.rpartition(".")[0] == _stem(index):  # never a file elsewhere
            found[index] = {"file": file, "sha256": sha256}
    return found
