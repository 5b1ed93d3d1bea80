"""One pass over a source before it is read in chunks: how much there is, and which ids repeat."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b, sha256

import numpy as np
from numpy.typing import NDArray

from ...records import InputError
from ..note import Note
from .records import REPEATED, SetAside
from .sources import Source, read_raw

Progress = Callable[[str, float], None]


MOST_NAMED = 20


@dataclass(frozen=True)
class Scan:
    """What a source holds.

    Parameters
    ----------
    records
        Number of records, readable or not.
    notes, subjects
        Number of notes that will be read, and whom they are about.
    reasons
        Records set aside, by reason.
    repeats
        Numbers of the records whose id an earlier note has, rising.
    sha256
        Of all notes as they are read, and of the places that are set aside.
    guesses
        Files or lines in no encoding that could be told, read as Windows-1252 or damaged UTF-8.
    aside
        The first `MOST_NAMED` records set aside: number from 0, place and reason.
    """

    records: int
    notes: int
    subjects: int
    reasons: dict[str, int]
    repeats: NDArray[np.int64]
    sha256: str
    guesses: int = 0
    aside: tuple[tuple[int, SetAside], ...] = ()


def scan(source: Source, study_id: str = "NOTES", progress: Progress | None = None) -> Scan:
    """Read a source once without looking for facts.

    Memory does not grow with the notes, but for 24 bytes each by which repeats are found.

    Parameters
    ----------
    source
        From `open_source`.
    study_id
        Study of notes that name none.
    progress
        Called as progress(what, fraction from 0 to 1).

    Raises
    ------
    InputError
        When the source cannot be read, or no note can be used.
    """
    total = sha256()
    reasons: Counter[str] = Counter()
    where, ids, subjects = array("q"), array("Q"), array("Q")
    aside: list[tuple[int, SetAside]] = []
    records = source.guesses = 0
    for raw in source.raw():
        made = read_raw(source, raw, study_id)
        total.update(_bytes(made))
        if isinstance(made, SetAside):
            reasons[made.reason] += 1
            if len(aside) < MOST_NAMED:
                aside.append((records, made))
        else:
            where.append(records)
            ids.append(_short(made.study_id, made.note_id))
            subjects.append(_short(made.study_id, made.subject_id))
        records += 1
        if progress is not None and records % 1000 == 0:
            progress("looking through the notes", min(1.0, source.share(raw, records)))
    repeats = _repeats(where, ids)
    if len(repeats):
        reasons[REPEATED] += len(repeats)
    if len(where) == len(repeats):
        known = "; ".join(sorted(reasons)) or "there is none"
        raise InputError(f"{source.name}: no note can be used ({known})")
    return Scan(
        records,
        len(where) - len(repeats),
        len(np.unique(np.frombuffer(subjects, np.uint64))),
        dict(sorted(reasons.items())),
        repeats,
        total.hexdigest(),
        source.guesses,
        _first(aside, repeats),
    )


def _first(
    aside: list[tuple[int, SetAside]], repeats: NDArray[np.int64]
) -> tuple[tuple[int, SetAside], ...]:
    """Join with those that repeat an id, which are known by their number alone."""
    again = [(int(n), SetAside(f"record {n + 1}", REPEATED)) for n in repeats[:MOST_NAMED]]
    return tuple(sorted(aside + again, key=lambda item: item[0])[:MOST_NAMED])


def _bytes(made: Note | SetAside) -> bytes:
    if isinstance(made, SetAside):
        told: tuple[object, ...] = ("", made.where, made.reason)
    else:
        told = (made.study_id, made.note_id, made.subject_id, made.day, made.kind, made.text)
    return "\x1f".join(map(str, told)).encode("utf-8") + b"\x1e"


def _short(*words: str) -> int:
    """Return 64 bits for an id; two of 10 million different ones meet with chance 3e-6."""
    return int.from_bytes(blake2b("\x1f".join(words).encode(), digest_size=8).digest(), "little")


def _repeats(where: array[int], ids: array[int]) -> NDArray[np.int64]:
    numbers = np.frombuffer(where, np.int64)
    _, first = np.unique(np.frombuffer(ids, np.uint64), return_index=True)
    kept = np.zeros(len(numbers), dtype=bool)
    kept[first] = True
    return numbers[~kept]
