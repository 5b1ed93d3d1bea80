"""The folder in which an extraction grows, from which a stopped one goes on."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

from extraction.records import InputError
from extraction.records.files import write_atomically
from simulation.execution.manifest import locked

_WORK = "work.json"


@final
class Unfinished:
    """A folder beside the one to be, `.NAME.unfinished`; it takes its place when all is done.

    Parameters
    ----------
    out
        The folder to be.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self.folder = out.parent / f".{out.name}.unfinished"
        self.scratch = self.folder / "scratch"
        self.key = self.scratch / "key"
        self.repeats = self.scratch / "repeats.npy"
        self.chunks = self.scratch / "chunks"

    def discard(self) -> None:
        """Begin anew."""
        if self.folder.exists():
            shutil.rmtree(self.folder)

    def finished_chunks(self) -> int:
        """Return how many chunks an earlier run has finished."""
        return len(list(self.chunks.glob("chunk-*.npz")))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder against a second run; only its owner may read it.

        Raises
        ------
        InputError
            When another run is writing to it.
        """
        self.scratch.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        with locked(self.scratch):
            yield

    def belongs_to(self, work: Mapping[str, Any], folders: tuple[str, ...]) -> None:
        """Note what is done here; refuse to go on with something else.

        Parameters
        ----------
        work
            What decides the bytes: source, settings, versions.
        folders
            Of the parts, made where they are not there.

        Raises
        ------
        InputError
            When an earlier run that was not finished differs; every difference is named.
        """
        path = self.scratch / _WORK
        if path.exists():
            held = json.loads(path.read_text("utf-8"))
            faults = [
                f"{self.out.name}: an unfinished extraction lies here whose {name} differs; run it "
                "again as it was, or give --overwrite to begin anew"
                for name, value in work.items()
                if held.get(name) != value
            ]
            if faults:
                raise InputError(faults)
        for name in folders:
            (self.folder / name).mkdir(exist_ok=True)
        write_atomically(path, json.dumps(work, sort_keys=True).encode())

    def forget(self, chunks: list[int]) -> None:
        """Have chunks done again."""
        for chunk in chunks:
            (self.chunks / f"chunk-{chunk:06d}.npz").unlink(missing_ok=True)

    def finish(self, passing: tuple[str, ...], private: bool) -> None:
        """Remove what served the work only, and put the folder in its place.

        Parameters
        ----------
        passing
            Folders that go.
        private
            Whether only the owner may read the result; else the user's umask decides.
        """
        for left in self.folder.rglob(".*"):  # halves that killed workers were writing
            if left.is_file():
                left.unlink()
        for name in (*passing, self.scratch.name):
            shutil.rmtree(self.folder / name)
        umask = os.umask(0o077)
        os.umask(umask)
        self.folder.chmod(0o700 if private else 0o777 & ~umask)
        if not self.out.exists():
            os.replace(self.folder, self.out)
            return
        old = Path(tempfile.mkdtemp(prefix=f".{self.out.name}-old-", dir=self.out.parent))
        os.replace(self.out, old / "old")
        os.replace(self.folder, self.out)
        shutil.rmtree(old)
