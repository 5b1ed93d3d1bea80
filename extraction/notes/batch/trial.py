"""Notes over which the reader dies (a crash, no memory) or never ends: found in a process apart.

A chunk notes in a file which batch it is reading. Where that file is still there when the chunk
is begun again, somebody died: from that batch on, every note is first read in a process of its own.
"""

from __future__ import annotations

import faulthandler
import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from threading import Timer
from typing import Any, final

from ..note import Note

DIED, SLOW = "the reader died", "reading it took too long"
_SECONDS, _CHARACTERS_A_SECOND, _SPARE = 600.0, 1_000, 60.0


@final
class Watch:
    """Which batch of a chunk is being read, kept where a reader's death does not reach it.

    Parameters
    ----------
    path
        Of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with suppress(OSError, ValueError):
            self._suspected: int | None = int(path.read_text("ascii"))
            return
        self._suspected = None

    def begins(self, number: int) -> bool:
        """Note the first record of a batch; return whether somebody died in it or before it."""
        self._path.write_text(str(number), "ascii")
        return self._suspected is not None and number >= self._suspected

    def ends(self) -> None:
        """Forget the chunk, which is safe."""
        self._path.unlink(missing_ok=True)


def allowed(*notes: Note) -> float:
    """Return the seconds after which notes are given up: far more than any need."""
    return _SECONDS + sum(len(note.text) for note in notes) / _CHARACTERS_A_SECOND


@contextmanager
def limited(notes: Sequence[Note]) -> Iterator[None]:
    """End this process where reading notes does not end, if it is a worker's.

    The chunk is then begun again, and the note found. A caller's own process is left alone.
    """
    if multiprocessing.parent_process() is None:
        yield
        return
    with open(os.devnull, "w") as nowhere:
        # Within a long match of `re` too, which lets no other thread of Python run.
        faulthandler.dump_traceback_later(allowed(*notes), exit=True, file=nowhere)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()


def deadly(payload: Mapping[str, Any], notes: Sequence[Note]) -> dict[int, str]:
    """Return which notes kill who reads them, and why they are set aside.

    Each costs a process; the others are read one after another in the last one.

    Parameters
    ----------
    payload
        Of `extract_chunk`.
    notes
        As they come from their source.
    """
    found: dict[int, str] = {}
    first = 0
    while first < len(notes):
        place, reason = _trial(payload, notes[first:])
        if not reason:
            break
        found[first + place] = reason
        first += place + 1
    return found


def _trial(payload: Mapping[str, Any], notes: Sequence[Note]) -> tuple[int, str]:
    """Read notes in a process apart; return where it ended and why, or an empty reason."""
    reader = subprocess.Popen(
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        text=True,
        encoding="ascii",
    )
    place, late = -1, False

    def end() -> None:
        nonlocal late
        late = True
        reader.kill()

    with reader:
        assert reader.stdin is not None and reader.stdout is not None
        with suppress(BrokenPipeError):
            reader.stdin.writelines(
                json.dumps(row) + "\n" for row in (dict(payload), *map(asdict, notes))
            )
            reader.stdin.close()
        timer = Timer(_SECONDS, end)  # to load the pipeline
        timer.start()
        try:
            for line in reader.stdout:
                timer.cancel()
                place = int(line)
                timer = Timer(allowed(notes[place]), end)
                timer.start()
            reader.wait()
        finally:  # when this process is stopped, too: neither timer nor reader goes on
            timer.cancel()
            reader.kill()
    if reader.returncode == 0 or place < 0:
        return place, ""
    return place, SLOW if late else DIED


def main() -> None:
    """Read the notes that come in; say the place of each before it is read."""
    from .chunk import try_note

    payload, *rows = [json.loads(line) for line in sys.stdin]
    for place, row in enumerate(rows):
        sys.stdout.write(f"{place}\n")
        sys.stdout.flush()
        note = Note(**row)
        # Of itself, should nobody be left to stop it; within a long match of `re` too.
        faulthandler.dump_traceback_later(allowed(note) + _SPARE, exit=True)
        try_note(payload, note)


if __name__ == "__main__":
    main()
