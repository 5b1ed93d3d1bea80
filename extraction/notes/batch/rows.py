"""Rows of a CSV file; a row that is broken costs no row behind it.

A quote that is never closed would swallow all that follows. Such a row is given up with its first
line only, and reading goes on with the next line.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import final

from ...records import InputError
from .lines import lines

Row = tuple[int, int, list[str] | str]
"""Number of the row (names are row 1), place of its first line, and its cells or its fault."""

_DELIMITERS = (",", ";", "\t")
_MOST_LINES = 100_000  # of one row


def rows(
    path: Path,
    most: int,
    missing: Callable[[str, list[str]], list[str]],
    guessed: Callable[[], object] = int,
) -> Iterator[Row]:
    """Yield the names of the columns as row 1, then every row.

    Parameters
    ----------
    path
        A table parted by commas, semicolons or tabs.
    most
        Characters of a cell and bytes of a line; more is a fault of the row.
    missing
        Given the file's name and its columns, says what is missing; decides what parts the cells.
    guessed
        Called for every line whose encoding was guessed.

    Raises
    ------
    InputError
        When needed columns are missing or the file cannot be read.
    """
    csv.field_size_limit(most)
    feed = _Feed(path, most, guessed)
    _, head = feed.take()
    delimiter, columns = _columns(path.name, head or "", missing)
    yield 1, 0, columns
    number = 1
    while (first := feed.peek()) is not None:
        number += 1
        if first[1] is None:
            feed.take()
            yield number, first[0], "it is too long"
            continue
        cells = _next_row(feed, delimiter, len(columns))
        if cells:
            yield number, first[0], cells
        elif not first[1].isspace():  # an empty line is no row
            yield number, first[0], "not readable as CSV"


def _columns(
    name: str, head: str, missing: Callable[[str, list[str]], list[str]]
) -> tuple[str, list[str]]:
    """Return what parts the cells, and the names of the columns."""
    faults: list[str] = []
    for delimiter in _DELIMITERS:
        cells = next(csv.reader([head.lstrip("\ufeff")], delimiter=delimiter), [])
        columns = [c.strip() for c in cells]
        found = missing(name, columns)
        if not found:
            return delimiter, columns
        faults = faults or found
    raise InputError(faults)


def _next_row(feed: _Feed, delimiter: str, width: int) -> list[str] | str:
    """Return the cells of the next row, or its fault after its first line alone was passed."""
    feed.begin()
    try:
        cells = next(csv.reader(feed, delimiter=delimiter, strict=True), [])
    except csv.Error:
        if len(feed.given) > 1:
            feed.give_back()
            return "a quote in it is never closed"
        cells = _lenient(feed.given[0][1] or "", delimiter)
    if len(cells) > width:
        feed.give_back()
        return "it has more cells than the table has columns"
    return cells


def _lenient(line: str, delimiter: str) -> list[str]:
    """Return the cells of one line whose quotes do not follow the rules; none where that fails."""
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []


@final
class _Feed:
    """Lines for the reader of CSV, of which those behind a broken one can be given back."""

    def __init__(self, path: Path, most: int, guessed: Callable[[], object]) -> None:
        self._lines = lines(path, most, guessed)
        self._back: deque[tuple[int, str | None]] = deque()
        self.given: list[tuple[int, str | None]] = []
        self._room = self._most = most

    def take(self) -> tuple[int, str | None]:
        """Return the next line."""
        return self._back.popleft() if self._back else next(self._lines, (0, None))

    def peek(self) -> tuple[int, str | None] | None:
        """Return the next line and keep it; None at the end."""
        if not self._back:
            found = next(self._lines, None)
            if found is None:
                return None
            self._back.append(found)
        return self._back[0]

    def begin(self) -> None:
        """Begin a row."""
        self.given = []
        self._room = self._most

    def give_back(self) -> None:
        """Keep the first line of the row as passed; the others are read again."""
        self._back.extendleft(reversed(self.given[1:]))

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        following = self.peek()
        if following is None or following[1] is None:
            raise StopIteration
        self._room -= len(following[1])
        if self.given and (self._room < 0 or len(self.given) >= _MOST_LINES):
            raise csv.Error("the row is too long")
        self.given.append(self.take())
        return following[1]
