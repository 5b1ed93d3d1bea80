"""Notes with their facts marked in line: ``[[text|type|attribute=value;...]]``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from extraction.notes.facts import ASSERTIONS, FACT_TYPES, Fact
from extraction.records.errors import Faults, InputError

_WORDS = ("assertion", "name", "unit", "dose_unit", "route", "frequency", "severity")
_NUMBERS = ("value", "dose")


def read_marked(where: Path) -> list[tuple[str, tuple[Fact, ...]]]:
    """Read marked notes: blocks between blank lines of one .txt file or of all in a folder.

    Parameters
    ----------
    where
        File or folder.

    Returns
    -------
    list
        Each note's plain text and its facts.

    Raises
    ------
    InputError
        With every fault: file, block, and what is wrong with the mark; never its words.
    """
    files = sorted(where.rglob("*.txt")) if where.is_dir() else [where]
    if not files or not files[0].is_file():
        raise InputError(f"{where.name}: no .txt file with marked notes; give a file or a folder")
    notes = []
    faults = Faults()
    for path in files:
        for number, block in enumerate(_blocks(path), start=1):
            try:
                notes.append(parse_marked(block))
            except ValueError as error:
                faults.add(f"{path.name}: block {number}: {error}")
    faults.raise_if_any()
    return notes


def parse_marked(block: str) -> tuple[str, tuple[Fact, ...]]:
    """Split a marked text into plain text and facts.

    Raises
    ------
    ValueError
        When a mark is not closed or has an unknown type or attribute.

    Examples
    --------
    >>> parse_marked("No [[angina|symptom|assertion=absent]].")[0]
    'No angina.'
    """
    pieces: list[str] = []
    facts: list[Fact] = []
    length = position = 0
    while (begin := block.find("[[", position)) >= 0:
        pieces.append(block[position:begin])
        length += begin - position
        end = _closing(block, begin + 2)
        fact = _fact(block[begin + 2 : end], length)
        pieces.append(fact.text)
        facts.append(fact)
        length += len(fact.text)
        position = end + 2
    return "".join([*pieces, block[position:]]), tuple(facts)


def _blocks(path: Path) -> Iterator[str]:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{path.name}: not a readable UTF-8 text file") from None
    for block in text.split("\n\n"):
        if block.strip():
            yield block.strip("\n")


def _closing(block: str, position: int) -> int:
    """Where a mark ends; a [ inside it is matched by its own ]."""
    depth = 0
    for index in range(position, len(block)):
        if block[index] == "[":
            depth += 1
        elif block[index] == "]" and depth:
            depth -= 1
        elif block.startswith("]]", index):
            return index
    raise ValueError(f"a mark that opens at character {position} is never closed")


def _fact(inside: str, start: int) -> Fact:
    text, kind, given = _parts(inside)
    words = {k: v for k, v in given.items() if k not in _NUMBERS}
    words.setdefault("name", " ".join(text.lower().split()))
    numbers = {k: _number(k, v) for k, v in given.items() if k in _NUMBERS}
    return Fact(type=kind, text=text, start=start, stop=start + len(text), **words, **numbers)  # type: ignore[arg-type]


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"its {name} is not a number") from None


def _parts(inside: str) -> tuple[str, str, dict[str, str]]:
    parts = inside.split("|")
    if len(parts) not in (2, 3):
        raise ValueError(f"a mark has {len(parts)} parts; it must be text|type or text|type|...")
    pairs = [p.partition("=") for p in parts[2].split(";")] if len(parts) == 3 else []
    given = {name: value for name, _, value in pairs}
    unknown = set(given) - {*_WORDS, *_NUMBERS}
    if parts[1] not in FACT_TYPES:
        raise ValueError(f"a mark's type is unknown; allowed: {', '.join(FACT_TYPES)}")
    if unknown or given.get("assertion", "present") not in ASSERTIONS:
        raise ValueError(
            f"an attribute or assertion is unknown; attributes: {', '.join((*_WORDS, *_NUMBERS))};"
            f" assertions: {', '.join(ASSERTIONS)}"
        )
    return parts[0], parts[1], given
