"""Notes and facts on disk: Parquet parts, written in row groups of bounded size, and read back."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, fields
from functools import cache, lru_cache
from hashlib import file_digest
from pathlib import Path
from types import NoneType, TracebackType
from typing import TYPE_CHECKING, Any, Literal, final, get_args, get_origin, get_type_hints

from ...records import InputError
from ...records.files import settle
from ..codes.code import Code
from ..facts import Bounds, Fact
from ..note import Note

if TYPE_CHECKING:
    import pyarrow as pa

NOTES, FACTS = "notes.parquet", "facts.parquet"
_MOST_CHARACTERS = 2_000_000  # of notes held before they are written
_MOST_FACTS = 20_000
_KEYS = ("study_id", "note_id", "subject_id")
_SPAN = tuple[int, int]
_ENDS = {"span": ("start", "stop"), "bounds": ("low", "high")}


def part_name(chunk: int) -> str:
    """Return the name of a chunk's part."""
    return f"part-{chunk:06d}.parquet"


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


@cache
def _kinds(of: type) -> dict[str, str]:
    """Return how each field is stored: text, int, float, bool, span, bounds or json."""
    hints = get_type_hints(of)
    return {f.name: _kind(hints[f.name]) for f in fields(of)}


def _kind(hint: Any) -> str:
    options = [o for o in get_args(hint) if o is not NoneType] if NoneType in get_args(hint) else []
    plain = options[0] if len(options) == 1 else hint
    if plain == _SPAN:
        return "span"
    if plain == Bounds:
        return "bounds"
    if get_origin(plain) is Literal:
        return "text"
    return {str: "text", int: "int", float: "float", bool: "bool"}.get(plain, "json")


@cache
def note_schema() -> pa.Schema:
    """Return the columns of stored notes: the fields of `Note`."""
    import pyarrow as pa

    return pa.schema(list(_fields(Note)))


@cache
def fact_schema() -> pa.Schema:
    """Return the columns of stored facts: the note's ids and the fields of `Fact`.

    A span takes two columns, ``NAME_start`` and ``NAME_stop``, bounds of days ``NAME_low`` and
    ``NAME_high``; what is no plain value is JSON text.
    """
    import pyarrow as pa

    return pa.schema([*((key, pa.string()) for key in _KEYS), *_fields(Fact)])


def _fields(of: type) -> Iterator[tuple[str, pa.DataType]]:
    import pyarrow as pa

    types = {"int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}
    for name, kind in _kinds(of).items():
        if kind in _ENDS:
            stored = pa.int64() if kind == "span" else pa.float64()
            yield from ((f"{name}_{end}", stored) for end in _ENDS[kind])
        else:
            yield name, types.get(kind, pa.string())


def _row(note: Note, fact: Fact) -> dict[str, Any]:
    row = {key: getattr(note, key) for key in _KEYS}
    for name, kind in _kinds(Fact).items():
        value = getattr(fact, name)
        if kind in _ENDS:
            row |= zip((f"{name}_{end}" for end in _ENDS[kind]), value or (None, None), strict=True)
        elif kind == "json":
            row[name] = _codes_text(value)
        else:
            row[name] = value
    return row


@lru_cache(maxsize=1 << 14)
def _codes_text(codes: tuple[Code, ...]) -> str:
    return json.dumps([asdict(code) for code in codes])


@lru_cache(maxsize=1 << 14)
def _codes(text: str | None) -> tuple[Code, ...]:
    return tuple(Code(**values) for values in json.loads(text or "[]"))


def _fact(row: dict[str, Any]) -> Fact:
    values: dict[str, Any] = {}
    for name, kind in _kinds(Fact).items():
        if kind in _ENDS:
            pair = tuple(row[f"{name}_{end}"] for end in _ENDS[kind])
            values[name] = None if pair == (None, None) else pair
        else:
            values[name] = _codes(row[name]) if kind == "json" else row[name]
    return Fact(**values)


@final
class Part:
    """The notes and facts of one chunk on their way to disk; they appear whole or not at all.

    Parameters
    ----------
    folder
        That holds `NOTES` and `FACTS`.
    chunk
        Number of the chunk.
    """

    def __init__(self, folder: Path, chunk: int) -> None:
        self._targets = [folder / kind / part_name(chunk) for kind in (NOTES, FACTS)]
        self._fresh = [t.with_name(f".{t.name}.{os.getpid()}") for t in self._targets]
        self._notes: list[Note] = []
        self._facts: list[dict[str, Any]] = []
        self._held = 0
        self.n_notes = self.n_facts = 0

    def __enter__(self) -> Part:
        import pyarrow.parquet as pq

        with ExitStack() as stack:
            self._writers = [
                stack.enter_context(pq.ParquetWriter(path, schema, compression="zstd"))
                for path, schema in zip(self._fresh, (note_schema(), fact_schema()), strict=True)
            ]
            self._stack = stack.pop_all()
        return self

    def add(self, note: Note, facts: Sequence[Fact]) -> None:
        """Take in a note; write what is held once it is much."""
        self._notes.append(note)
        self._held += len(note.text)
        for fact in facts:
            self._facts.append(_row(note, fact))
            if len(self._facts) >= _MOST_FACTS:
                self._flush()
        if self._held > _MOST_CHARACTERS:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._notes:
            rows = [{f: getattr(n, f) for f in _kinds(Note)} for n in self._notes]
            self._writers[0].write_table(pa.Table.from_pylist(rows, note_schema()))
        if self._facts:
            self._writers[1].write_table(pa.Table.from_pylist(self._facts, fact_schema()))
        self.n_notes += len(self._notes)
        self.n_facts += len(self._facts)
        self._notes, self._facts, self._held = [], [], 0

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        with self._stack:
            if kind is None:
                self._flush()
        for fresh, target in zip(self._fresh, self._targets, strict=True):
            if kind is None:
                settle(fresh, target)
            else:
                fresh.unlink(missing_ok=True)

    def hashes(self) -> list[str]:
        """Return the SHA-256 of the notes and of the facts, once they are written."""
        return [file_hash(path) for path in self._targets]


def stored_notes(folder: Path) -> Iterator[Note]:
    """Yield stored notes as they stand, part by part.

    Parameters
    ----------
    folder
        Of an extraction, or its `NOTES`.

    Raises
    ------
    InputError
        When a part cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    inner = folder / NOTES if (folder / NOTES).is_dir() else folder
    for path in sorted(inner.glob("part-*.parquet")):
        try:
            rows = pq.read_table(path).to_pylist()
            yield from (Note(**row) for row in rows)
        except (OSError, TypeError, pa.ArrowException):
            raise InputError(f"{path.name}: it is damaged; extract the notes again") from None


def is_extraction(folder: Path) -> bool:
    """Return whether stored notes lie in a folder: an extraction, or its `NOTES`."""
    return (folder / NOTES).is_dir() or any(folder.glob("part-*.parquet"))


def stored_pairs(folder: Path) -> Iterator[tuple[Note, tuple[Fact, ...]]]:
    """Yield stored notes with their facts, part by part.

    Parameters
    ----------
    folder
        Of an extraction: it holds `NOTES` and `FACTS`.
    """
    import pyarrow.parquet as pq

    for path in sorted((folder / NOTES).glob("part-*.parquet")):
        found: dict[tuple[str, str], list[Fact]] = {}
        for row in pq.read_table(folder / FACTS / path.name).to_pylist():
            found.setdefault((row["study_id"], row["note_id"]), []).append(_fact(row))
        for row in pq.read_table(path).to_pylist():
            note = Note(**row)
            yield note, tuple(found.get((note.study_id, note.note_id), ()))
