"""Read the assertion gold; the format is described in assertion/README.md."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

GOLD = Path(__file__).parent / "assertion"
_MARK = re.compile(r"\{\{(\w+):(\w+)\|([^{}]*)\}\}")


@dataclass(frozen=True)
class MarkedSpan:
    """A fact marked in a line: its span in the plain text, type and status."""

    type: str
    assertion: str
    start: int
    stop: int


@dataclass(frozen=True)
class Line:
    """A line without its marks, the facts in it, and where it stands."""

    file: str
    number: int
    text: str
    facts: tuple[MarkedSpan, ...]


def load_gold(part: str) -> list[Line]:
    """Return the lines of a part (`dev`, `blind`, ...), in the order of the files."""
    lines = []
    for path in sorted((GOLD / part).glob("*.txt")):
        rows = path.read_text(encoding="utf-8").splitlines()
        for number, row in enumerate(rows, start=1):
            text, facts = parse_line(row)
            lines.append(Line(path.stem, number, text, facts))
    return lines


def adjudicated(part: str) -> dict[tuple[str, int, int], tuple[str, str]]:
    """Return the second annotator's label and the settled one by file, line and fact (from 1).

    The settled one is `either` where both annotators' labels stand.
    """
    rows = (GOLD / f"{part}_second.tsv").read_text(encoding="utf-8").splitlines()[1:]
    cells = (row.split("\t") for row in rows)
    return {
        (file, int(line), int(fact)): (second, label) for file, line, fact, second, label in cells
    }


def parse_line(row: str) -> tuple[str, tuple[MarkedSpan, ...]]:
    """Split a marked line into plain text and facts."""
    pieces: list[str] = []
    facts: list[MarkedSpan] = []
    length = position = 0
    for match in _MARK.finditer(row):
        before = row[position : match.start()].replace("\\n", "\n")
        pieces += [before, match[3]]
        length += len(before)
        facts.append(MarkedSpan(match[1], match[2], length, length + len(match[3])))
        length += len(match[3])
        position = match.end()
    pieces.append(row[position:].replace("\\n", "\n"))
    return "".join(pieces), tuple(facts)
