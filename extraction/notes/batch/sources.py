"""Folders of text files, JSON lines, CSV and Parquet, read forwards and never as a whole."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Generator
from functools import cached_property
from pathlib import Path
from typing import Any, final

from ...records import InputError
from ...records.errors import nearest
from ..note import Note
from .cleaning import text_of
from .lines import lines
from .parts import is_extraction
from .records import LONGEST, NAMES, NEEDED, TOO_LONG, Record, SetAside, note_of
from .rows import rows

MOST_BYTES = 8 * LONGEST  # of one file or line: no character takes more in what is read here
_BATCH = 64  # rows of Parquet held at once


class Source(ABC):
    """Records of notes in a fixed order.

    Parameters
    ----------
    path
        Where they lie.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name
        self.guesses = 0  # files or lines read whose encoding was guessed

    def _guessed(self) -> None:
        self.guesses += 1

    @abstractmethod
    def raw(self) -> Generator[Any, None, None]:
        """Yield every record as it stands, cheaply, so that passing over one costs little."""

    @abstractmethod
    def place(self, raw: Any) -> str:
        """Return where a raw record stands, for people to find it."""

    @abstractmethod
    def record(self, raw: Any) -> Record:
        """Return what a raw record holds."""

    @abstractmethod
    def share(self, raw: Any, number: int) -> float:
        """Return about how much of the source lies before a raw record, from 0 to 1."""


@final
class Folder(Source):
    """One ``.txt`` file a note, named ``subject.txt`` or ``subject@day.txt``, by name.

    Parameters
    ----------
    path
        Of the folder, or of one file.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._folder = path if path.is_dir() else path.parent

    @cached_property
    def _names(self) -> list[str]:
        if not self.path.is_dir():
            return [self.name]
        return sorted(p.name for p in self.path.glob("*.txt"))

    def raw(self) -> Generator[str, None, None]:
        """See `Source`."""
        yield from self._names

    def place(self, raw: str) -> str:
        """See `Source`."""
        return raw

    def record(self, raw: str) -> Record:
        """See `Source`."""
        file = self._folder / raw
        if not file.is_file():  # a pipe would be waited for without end
            return SetAside(raw, "the file cannot be read")
        try:
            with file.open("rb") as opened:
                data = opened.read(MOST_BYTES + 1)
        except OSError:
            return SetAside(raw, "the file cannot be read")
        if len(data) > MOST_BYTES:
            return SetAside(raw, TOO_LONG)
        subject, _, day = file.stem.partition("@")
        text, unsure = text_of(data)
        if unsure:
            self._guessed()
        return {"id": file.stem, "subject": subject, "day": day or None, "text": text}

    def share(self, raw: str, number: int) -> float:
        """See `Source`."""
        return number / max(1, len(self._names))


@final
class JsonLines(Source):
    """One JSON object a line."""

    def raw(self) -> Generator[tuple[int, int, str | None], None, None]:
        """See `Source`: number and place of a line, and the line; None where it is too long."""
        for number, (place, line) in enumerate(
            lines(self.path, MOST_BYTES, self._guessed), start=1
        ):
            if line is None or not line.isspace():
                yield number, place, line

    def place(self, raw: tuple[int, int, str | None]) -> str:
        """See `Source`."""
        return f"{self.name}: line {raw[0]}"

    def record(self, raw: tuple[int, int, str | None]) -> Record:
        """See `Source`."""
        if raw[2] is None:
            return SetAside(self.place(raw), TOO_LONG)
        try:
            found = json.loads(raw[2])
        except ValueError:
            return SetAside(self.place(raw), "not a JSON object")
        except RecursionError:
            return SetAside(self.place(raw), "nested too deeply")
        return found if isinstance(found, dict) else SetAside(self.place(raw), "not a JSON object")

    def share(self, raw: tuple[int, int, str | None], number: int) -> float:
        """See `Source`."""
        return raw[1] / max(1, self.path.stat().st_size)


@final
class Table(Source):
    """One row of CSV a note, with names of columns in the first row."""

    def raw(self) -> Generator[tuple[int, int, list[str] | str], None, None]:
        """See `Source`: number and place of a row, and its cells or its fault."""
        made = rows(self.path, MOST_BYTES, _missing, self._guessed)
        self._columns: list[str] = next(made)[2]  # type: ignore[assignment]
        yield from made

    def place(self, raw: tuple[int, int, list[str] | str]) -> str:
        """See `Source`."""
        return f"{self.name}: row {raw[0]}"

    def record(self, raw: tuple[int, int, list[str] | str]) -> Record:
        """See `Source`."""
        cells = raw[2]
        if isinstance(cells, str):
            return SetAside(self.place(raw), cells)
        return dict(zip(self._columns, cells, strict=False))

    def share(self, raw: tuple[int, int, list[str] | str], number: int) -> float:
        """See `Source`."""
        return raw[1] / max(1, self.path.stat().st_size)


@final
class Parquet(Source):
    """One row of a Parquet file a note."""

    _rows = 1

    def raw(self) -> Generator[tuple[int, Any], None, None]:
        """See `Source`: number of a row, and a batch that begins with it."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        number = 0
        try:
            with pq.ParquetFile(self.path, pre_buffer=False) as file:
                columns = list(file.schema_arrow.names)
                _check(self.name, columns)
                self._rows = int(file.metadata.num_rows)
                known = [c for c in columns if c in {n for names in NAMES.values() for n in names}]
                for batch in file.iter_batches(_BATCH, columns=known):
                    for place in range(batch.num_rows):
                        yield number + place, batch.slice(place, 1)
                    number += batch.num_rows
        except FileNotFoundError:
            raise InputError(f"{self.name}: there is no such file") from None
        except (OSError, pa.ArrowException):
            raise InputError(f"{self.name}: not readable as Parquet from row {number} on") from None

    def place(self, raw: tuple[int, Any]) -> str:
        """See `Source`."""
        return f"{self.name}: row {raw[0] + 1}"

    def record(self, raw: tuple[int, Any]) -> Record:
        """See `Source`."""
        try:
            found: dict[str, Any] = raw[1].to_pylist()[0]
        except UnicodeDecodeError:
            return SetAside(self.place(raw), "it is not text")
        return found

    def share(self, raw: tuple[int, Any], number: int) -> float:
        """See `Source`."""
        return number / max(1, self._rows)


_KINDS: dict[str, type[Source]] = {
    ".txt": Folder,
    ".jsonl": JsonLines,
    ".ndjson": JsonLines,
    ".csv": Table,
    ".tsv": Table,
    ".parquet": Parquet,
}


def open_source(path: Path) -> Source:
    """Return the source at a place, by what it is or how its name ends.

    Raises
    ------
    InputError
        When it is none of them.
    """
    if path.is_dir():
        if is_extraction(path):
            raise InputError(
                f"{path.name}: its notes were extracted already; `trialtwin extract show` and "
                "`read_notes` take it, or give the notes it was made from"
            )
        return Folder(path)
    kind = _KINDS.get(path.suffix.lower())
    if kind is None:
        raise InputError(
            f"{path.name}: not a folder of .txt files, nor a file that exists of "
            f"{', '.join(_KINDS)}; give one of them"
        )
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    return kind(path)


def read_raw(source: Source, raw: Any, study_id: str) -> Note | SetAside:
    """Return a raw record as a note, or why it is set aside, whatever it holds.

    Parameters
    ----------
    source
        That yielded the record.
    raw
        Of ``source.raw()``.
    study_id
        Study of notes that name none.
    """
    try:
        return note_of(source.place(raw), source.record(raw), study_id)
    except Exception as error:  # noqa: BLE001 - one record never stops the others
        return SetAside(source.place(raw), f"it cannot be read ({type(error).__name__})")


def _missing(name: str, columns: list[str]) -> list[str]:
    """Say which needed columns a table lacks."""
    return [
        f"{name}: column {needed} is missing{nearest(needed, columns)}; "
        f"allowed names: {', '.join(NAMES[needed])}"
        for needed in NEEDED
        if not set(NAMES[needed]) & set(columns)
    ]


def _check(name: str, columns: list[str]) -> None:
    faults = _missing(name, columns)
    if faults:
        raise InputError(faults)
