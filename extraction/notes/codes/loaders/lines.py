"""Lines of a vocabulary's file with their numbers; faults are gathered, never a line's words."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, final

from ....records import InputError

_LONGEST = 100_000  # characters of a line
_TOLD = 20  # faults told with their place
Row = tuple[int, list[str]]
"""Number of the line, and its cells."""


@final
@dataclass
class Faulty:
    """Faults of a file, told together once it was read.

    Parameters
    ----------
    name
        Of the file.
    """

    name: str
    told: list[tuple[int, str]] = field(default_factory=list)
    count: int = 0

    def add(self, line: int, what: str) -> None:
        """Keep a fault of a line."""
        self.count += 1
        if len(self.told) < _TOLD:
            self.told.append((line, what))

    def raise_if_any(self) -> None:
        """Raise every fault that was told, and say how many more there are."""
        faults = self.lines()
        if self.count > len(faults):
            faults.append(f"{self.name}: {self.count - len(faults)} more faults")
        if faults:
            raise InputError(faults)

    def lines(self) -> list[str]:
        """Return the faults that are told, by line."""
        return [f"{self.name}: line {line}: {what}" for line, what in sorted(self.told)]


def texts(path: Path, faulty: Faulty) -> Iterator[tuple[int, str]]:
    """Yield lines with their numbers; what is not UTF-8 or too long is a fault of its line.

    Raises
    ------
    InputError
        When the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(iter(lambda: file.readline(4 * _LONGEST), b""), start=1):
                try:
                    text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError:
                    faulty.add(number, "it is not UTF-8; save the file as UTF-8")
                    continue
                if len(text) > _LONGEST:
                    faulty.add(number, f"it has more than {_LONGEST} characters")
                elif "\x00" in text:
                    faulty.add(number, "it holds a zero byte; the file is no text")
                elif text.strip():
                    yield number, text.rstrip("\r\n")
    except OSError as error:
        raise InputError(f"{path.name}: it cannot be read ({type(error).__name__})") from None


def parted(path: Path, faulty: Faulty, sign: str, width: int) -> Iterator[Row]:
    """Yield the cells of lines parted by a sign; a line of fewer cells is a fault."""
    for number, text in texts(path, faulty):
        cells = text.split(sign)
        if len(cells) < width:
            faulty.add(number, f"it has {len(cells)} fields; {width} are needed")
        else:
            yield number, cells


def table(
    path: Path, faulty: Faulty, needed: tuple[str, ...], sign: str
) -> Iterator[dict[str, str]]:
    """Yield the rows of a table whose first line names its columns; names are in lower case.

    The number of its line is in each row as ``#``.

    Raises
    ------
    InputError
        When columns are missing.
    """
    lines = texts(path, faulty)
    _, head = next(lines, (0, ""))
    quoting: Literal[0, 3] = csv.QUOTE_NONE if sign == "\t" else csv.QUOTE_MINIMAL
    names = [n.strip().lower() for n in next(csv.reader([head], delimiter=sign), [])]
    missing = [f"{path.name}: column {name} is missing" for name in needed if name not in names]
    if missing:
        raise InputError([*missing, *faulty.lines()])
    for number, text in lines:
        try:
            cells = next(csv.reader([text], delimiter=sign, quoting=quoting, strict=True), [])
        except csv.Error:
            faulty.add(number, "a quote in it is never closed")
            continue
        if len(cells) != len(names):
            faulty.add(number, f"it has {len(cells)} fields; the first line names {len(names)}")
        else:
            yield {"#": str(number), **dict(zip(names, (c.strip() for c in cells), strict=True))}
