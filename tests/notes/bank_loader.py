"""Read the bank of hand-marked clinical snippets; the format is described in bank/README.md."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from extraction.notes.facts import Fact

BANK = Path(__file__).parent / "bank"
TYPES = (
    "age",
    "sex",
    "condition",
    "medication",
    "vital",
    "laboratory",
    "symptom",
    "adverse_event",
)
ASSERTIONS = ("present", "absent", "possible", "historical", "family")
TEXT_ATTRIBUTES = (
    "assertion",
    "name",
    "unit",
    "dose_unit",
    "route",
    "frequency",
    "severity",
)
NUMBER_ATTRIBUTES = ("value", "dose")


def as_in_bank(fact: Fact) -> Fact:
    """Return a fact with its assertion in the five words of the bank, which is older.

    There a drug to be considered or begun is `possible`; a problem that comes only at times, or
    that is warned of, keeps `present`.
    """
    if fact.assertion == "conditional":
        return replace(fact, assertion="present")
    if fact.assertion in ("hypothetical", "planned"):
        return replace(fact, assertion="possible" if fact.type == "medication" else "present")
    return fact


@dataclass(frozen=True)
class MarkedFact:
    """One fact marked in a snippet, with its span in the plain text."""

    type: str
    text: str
    start: int
    stop: int
    name: str
    assertion: str = "present"
    value: float | None = None
    unit: str | None = None
    dose: float | None = None
    dose_unit: str | None = None
    route: str | None = None
    frequency: str | None = None
    severity: str | None = None


@dataclass(frozen=True)
class Snippet:
    """A snippet without its marks, the facts in it, and where it stands in the bank."""

    topic: str
    number: int
    text: str
    facts: tuple[MarkedFact, ...]


def load_bank(half: str) -> list[Snippet]:
    """Return the snippets of one half, `dev` or `test`, in the order of the files."""
    snippets = []
    for path in sorted((BANK / half).glob("*.txt")):
        for number, block in enumerate(_blocks(path.read_text(encoding="utf-8")), start=1):
            text, facts = parse(block)
            snippets.append(Snippet(path.stem, number, text, facts))
    return snippets


def parse(block: str) -> tuple[str, tuple[MarkedFact, ...]]:
    """Split a marked block into plain text and facts; a `[` inside a mark is matched by its `]`."""
    pieces: list[str] = []
    facts: list[MarkedFact] = []
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
    pieces.append(block[position:])
    return "".join(pieces), tuple(facts)


def _blocks(content: str) -> Iterator[str]:
    for block in content.split("\n\n"):
        if block.strip():
            yield block.strip("\n")


def _closing(block: str, position: int) -> int:
    depth = 0
    for index in range(position, len(block)):
        if block[index] == "[":
            depth += 1
        elif block[index] == "]" and depth:
            depth -= 1
        elif block.startswith("]]", index):
            return index
    raise ValueError(f"a mark that opens at {position} is never closed")


def _fact(inside: str, start: int) -> MarkedFact:
    parts = inside.split("|")
    if len(parts) not in (2, 3):
        raise ValueError(f"a mark has {len(parts)} parts; it must be text|type or text|type|attrs")
    text, kind = parts[0], parts[1]
    pairs = parts[2].split(";") if len(parts) == 3 else []
    given = dict(pair.split("=", 1) for pair in pairs)
    unknown = set(given) - set(TEXT_ATTRIBUTES) - set(NUMBER_ATTRIBUTES)
    if kind not in TYPES or unknown or given.get("assertion", "present") not in ASSERTIONS:
        raise ValueError(f"unknown type, attribute or assertion in a mark of type {kind}")
    return MarkedFact(
        type=kind,
        text=text,
        start=start,
        stop=start + len(text),
        name=given.pop("name", " ".join(text.lower().split())),
        value=_number(given.pop("value", None)),
        dose=_number(given.pop("dose", None)),
        **given,
    )


def _number(text: str | None) -> float | None:
    return None if text is None else float(text)
