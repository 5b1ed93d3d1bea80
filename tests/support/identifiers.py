"""Identifiers planted in the text of notes, with the place of each: the gold of de-identification.

Written by an author who had not read the rules of ``extraction.notes.deidentification``, from the
list of 45 CFR 164.514(b)(2) and general knowledge of how letters and charts look. All identifiers
are invented: names are drawn from the lists below, numbers at random.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np

KINDS = (
    "name", "geographic", "date", "phone", "fax", "email", "ssn", "mrn", "health_plan", "account",
    "licence", "vehicle", "device", "url", "ip", "biometric", "photo", "other",
)  # fmt: skip

LAYOUTS_FILE = Path(__file__).with_name("identifier_layouts.txt")
GIVEN = (
    "Margaret", "Aoife", "Giovanni", "Tadeusz", "Nkechi", "Priyanka", "Hiroko", "Mohammed",
    "Siobhan", "Luis", "Beatriz", "Wanjiru", "Dmitri", "Leticia", "Björn", "Zsófia", "Thanh",
    "Fatoumata", "Earl", "Dorothy", "Winston", "Clementine", "Ebony", "Tyrone", "Guadalupe",
    "Kwame", "Ingrid", "Rashid", "Mei", "Olumide", "Jean-Luc", "Agnieszka", "Desmond",
    "Consuelo", "Walter", "Hazel",
)  # fmt: skip
FAMILY = (
    "Abernathy", "O'Leary", "Kowalczyk", "Nguyen", "Okonkwo", "Venkataraman", "Tanaka",
    "al-Rashid", "McAllister", "Fernández", "Lindqvist", "Petrov", "Diallo", "Whitcombe",
    "Hargreaves", "Castellano", "D'Angelo", "Szabó", "Mbeki", "Rutherford", "Pham", "Ferreira",
    "Yoon", "Delacroix", "Stubblefield", "Baptiste", "Haverkamp", "Iyer", "Quispe", "Vandenberg",
    "St.Clair", "Boateng",
)  # fmt: skip
STREETS = (
    "Maple Hollow Road", "Quarry St", "N. Birchwood Ave", "Old Mill Lane", "Harbor Blvd, Apt 4C",
)  # fmt: skip
TOWNS = (
    "Millbrook Falls", "Port Ansley", "Cedar Junction", "East Hadleigh", "Tillamook", "Okmulgee",
)  # fmt: skip
PLACES = ("St. Brendan's Hospital", "Lakeshore Regional Medical Center", "Pinewood Nursing Home")
PHONES = ("(2##) 5##-####", "4##-3##-####", "7##.2##.####", "+1 6## 4## ####")


@dataclass(frozen=True)
class Planted:
    """A note with invented identifiers in it; ``spans`` are (start, stop, kind) in its text."""

    text: str
    spans: tuple[tuple[int, int, str], ...]


@dataclass(frozen=True)
class Layout:
    """One way an identifier stands in a note: ``where`` is "head", "prose" or "tail"."""

    kind: str
    where: str
    frame: str
    rule: str


def layouts() -> tuple[Layout, ...]:
    """The layouts of ``identifier_layouts.txt``."""
    lines = LAYOUTS_FILE.read_text(encoding="utf-8").splitlines()
    parts = [line.split(" | ") for line in lines if line and not line.startswith("# ")]
    return tuple(Layout(*part) for part in parts)


def _one(rng: np.random.Generator, words: Sequence[str]) -> str:
    return str(words[int(rng.integers(len(words)))])


def _letters(word: str) -> str:
    return re.sub("[^a-z]", "", word.lower())


def _pattern(rng: np.random.Generator, patterns: Sequence[str]) -> str:
    """One of the patterns, every # a digit, every @ a capital letter."""
    digits = re.sub("#", lambda _: str(rng.integers(10)), _one(rng, patterns))
    return re.sub("@", lambda _: _one(rng, "ABCDEFGHJKLMNPRSTUVWXYZ"), digits)


def _name(rng: np.random.Generator) -> str:
    given, family = _one(rng, GIVEN), _one(rng, FAMILY)
    initial = _one(rng, "ABCDEFGHJKLMNPRSTW")
    forms = (
        f"{given} {family}", f"{given} {initial}. {family}", f"{family}, {given}",
        f"{family.upper()}, {given.upper()} {initial}", f"{given[0]}. {family}",
        f"{given} {family}-{_one(rng, FAMILY)}",
    )  # fmt: skip
    return _one(rng, forms)


def _date(rng: np.random.Generator) -> str:
    day = date(1938, 1, 1) + timedelta(days=int(rng.integers(0, 32_000)))
    formats = (
        "%m/%d/%Y", "%m/%d/%y", "%B %d, %Y", "%d %B %Y", "%d-%b-%Y", "%Y-%m-%d", "%b. %d, %Y",
        "%d.%m.%Y", "%B %d",
    )  # fmt: skip
    return day.strftime(_one(rng, formats))


def _address(rng: np.random.Generator) -> str:
    return f"{int(rng.integers(12, 9800))} {_one(rng, STREETS)}"


def _email(rng: np.random.Generator) -> str:
    given, family = _letters(_one(rng, GIVEN)), _letters(_one(rng, FAMILY))
    short = f"{given[0]}{family}{rng.integers(99)}@clinic.example.org"
    return _one(rng, (f"{given}.{family}@mailhost.example", short))


def _ip(rng: np.random.Generator) -> str:
    if rng.random() < 0.25:
        return "2001:db8:" + ":".join(f"{int(rng.integers(16, 65535)):x}" for _ in range(6))
    return ".".join(str(int(x)) for x in rng.integers(1, 254, 4))


RULES: dict[str, Callable[[np.random.Generator], str]] = {
    "name": _name,
    "surname": lambda rng: _one(rng, FAMILY),
    "given": lambda rng: _one(rng, GIVEN),
    "date": _date,
    "old_age": lambda rng: str(int(rng.integers(90, 104))),
    "address": _address,
    "street_town": lambda rng: f"{_address(rng)}, {_one(rng, TOWNS)}",
    "town": lambda rng: _one(rng, TOWNS),
    "place": lambda rng: _one(rng, PLACES),
    "zip": lambda rng: _pattern(rng, ("#####", "#####-####")),
    "phone": lambda rng: _pattern(rng, PHONES),
    "email": _email,
    "ip": _ip,
    "portal": lambda rng: (
        f"https://portal.{_letters(_one(rng, FAMILY))}.example/p/{rng.integers(9**6)}"
    ),
    "diary": lambda rng: f"www.{_letters(_one(rng, GIVEN))}story.example.com",
}


def _value(layout: Layout, rng: np.random.Generator) -> str:
    if layout.rule.startswith("="):
        return RULES[layout.rule[1:]](rng)
    return _pattern(rng, layout.rule.split(" ; "))


def _join(text: str, pieces: list[tuple[int, str, str, str]]) -> Planted:
    """Put pieces (place, words around {}, identifier, kind) into a text."""
    out, spans, at = "", [], 0
    for place, frame, value, kind in sorted(pieces, key=lambda piece: piece[0]):
        before, after = frame.split("{}")
        out += text[at:place] + before
        spans.append((len(out), len(out) + len(value), kind))
        out += value + after
        at = place
    return Planted(out + text[at:], tuple(spans))


def _planted(text: str, chosen: Sequence[Layout], rng: np.random.Generator) -> Planted:
    ends = [found.end() for found in re.finditer(r"(?<=[a-z])\.(?=\s)", text)] or [len(text)]
    pieces = []
    for layout in chosen:
        if layout.where == "head":
            place, frame = 0, layout.frame + _one(rng, ("\n", "\n", "   \n", "\r\n", " | "))
        elif layout.where == "tail":
            place, frame = len(text), _one(rng, ("\n", "\n\n", "\n- ")) + layout.frame
        else:
            place, frame = int(rng.choice(ends)), " " + layout.frame
        pieces.append((place, frame, _value(layout, rng), layout.kind))
    return _join(text, pieces)


def plant(texts: Sequence[str], count: int, seed: int, per_note: int = 15) -> list[Planted]:
    """Plant ``count`` identifiers in copies of notes, every layout about equally often.

    Parameters
    ----------
    texts
        Notes to plant in; used again and again in order.
    count
        Identifiers in all.
    seed
        Of the draws.
    per_note
        Identifiers in one copy.
    """
    rng = np.random.default_rng(seed)
    ways = layouts()
    rounds = -(-count // len(ways))
    rows = np.concatenate([rng.permutation(len(ways)) for _ in range(rounds)])[:count]
    groups = [rows[at : at + per_note] for at in range(0, count, per_note)]
    return [
        _planted(texts[number % len(texts)], [ways[row] for row in group], rng)
        for number, group in enumerate(groups)
    ]
