"""ICD-10-CM, out of the tabular list in the package simple-icd-10-cm.

The list is the public one of the National Center for Health Statistics. Codes whose seventh
character tells the encounter stand without it, because a mention does not say it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import final
from xml.parsers import expat

from ..build import OWN, Entry
from ..words import content, key, own_names
from .packaged import packaged_file

SYSTEM = "ICD-10-CM"
_FILE = "simple_icd_10_cm/data/icd10c-tabular-*.xml"
_MONTHS = "January February March April May June July August September October November December"
_DATED = re.compile(r"tabular-([A-Z][a-z]+)-(\d{1,2})-(\d{4})")
_ASIDE = re.compile(r"\s*[\(\[]([^)\]]*)[\)\]]")
_UNSAID = re.compile(
    r",? (?:not otherwise specified|not elsewhere classified|unspecified (?:site|organism|type"
    r"|cause|part|location|laterality|severity|whether [^,]*|as to [^,]*)|site not specified"
    r"|part unspecified|not specified as [^,]*|not intractable)\b|,? (?:unspecified|NOS|NEC)\b",
    re.IGNORECASE,
)
_LACKING = re.compile(r",? (?:uncomplicated|without .*)$", re.IGNORECASE)
_PAIR = re.compile(r"(\w+) and (\w+)")
_TUMOUR = re.compile(r"(Secondary m|M)alignant neoplasm of (?:other and )?(.*)")
_OF_UNKNOWN = "Neoplasm of unspecified behavior of "


@final
@dataclass(slots=True)
class _Code:
    """A code of the list, with what stands below it."""

    name: str = ""
    title: str = ""
    included: list[str] = field(default_factory=list)
    children: list[_Code] = field(default_factory=list)


def source() -> Path:
    """Return the tabular list of the installed package."""
    return packaged_file("simple-icd-10-cm", _FILE, SYSTEM)


def version(path: Path) -> str:
    """Return the day from which the list holds, as its file is named."""
    match = _DATED.search(path.name)
    if match is None or match[1] not in _MONTHS.split():
        return "unknown"
    month = _MONTHS.split().index(match[1]) + 1
    return f"{match[3]}-{month:02d}-{int(match[2]):02d}"


def entries(path: Path) -> Iterator[Entry]:
    """Yield the codes with the names under which they stand in the list, and our own for some.

    A heading is not reported itself: its names go to the code below it that says no more than the
    heading does (`unspecified`, `without complications`), where there is one.
    """
    own = own_names("icd10cm.txt")
    gained: dict[str, list[tuple[str, float]]] = {}
    kept: list[tuple[_Code, list[tuple[str, float]]]] = []
    for code in _all(_read(path)):
        plain = _plainest(code)
        names = [*_names(code), *((n, OWN) for n in own.get(code.name, ()))]
        if plain is code:
            kept.append((code, names))
        else:
            gained.setdefault(plain.name, []).extend((n, w * 0.995) for n, w in names)
    for code, names in kept:
        yield Entry(code.name, code.title, (*names, *gained.get(code.name, ())))


def _all(codes: list[_Code]) -> Iterator[_Code]:
    for code in codes:
        yield code
        yield from _all(code.children)


def _plainest(code: _Code) -> _Code:
    """Return the code, below this one too, that says no more than this one."""
    own = key(content(_said(code.title)))
    nos = [c for c in _all(code.children) for name in c.included if _is_nos(name, own)]
    if nos and not nos[0].children:
        return nos[0]
    for below in code.children:
        if key(content(_bare(below.title))) == own:
            return _plainest(below)
    ends = [c for c in code.children if "unspecified" in c.title.lower() and c.name[-1] in "089"]
    return _plainest(ends[-1]) if ends else code


def _is_nos(name: str, own: int) -> bool:
    return name.endswith(" NOS") and key(content(_ASIDE.sub("", name))) == own


def _said(title: str) -> str:
    """Return a title without what only says that no more is known."""
    return re.sub(r"\b[Uu]nspecified (?=\w)", "", _UNSAID.sub("", title)).strip()


def _bare(title: str) -> str:
    """Return a title without what is not known and what is not there."""
    return _LACKING.sub("", _said(_ASIDE.sub("", title))).strip()


def _names(code: _Code) -> Iterator[tuple[str, float]]:
    for title in (code.title, *code.included):
        first = 1.0 if title is code.title else 0.96
        for name, weight in variants(title):
            yield name, weight * first


def variants(title: str) -> Iterator[tuple[str, float]]:
    """Yield the names that a title of the list stands for, with their weights.

    Examples
    --------
    >>> [name for name, _ in variants("Essential (primary) hypertension")]
    ['Essential (primary) hypertension', 'Essential hypertension', 'Essential primary hypertension']
    """
    yield title, 1.0
    plain = _ASIDE.sub("", title).strip()
    asides = _ASIDE.findall(title)
    if asides:
        yield plain, 0.99
        yield _ASIDE.sub(r" \1", title).strip(), 0.99
        yield from ((a, 0.95) for a in asides if a.isupper() and len(a) > 2)
        yield from ((_with_one(plain, a), 0.97) for a in asides if len(asides) > 1)
    said, bare = _said(plain), _bare(plain)
    if said != plain:
        yield said, 0.98
    if bare not in ("", said):
        yield bare, 0.93
    pair = _PAIR.fullmatch(said)
    if pair is not None:
        yield from ((half, 0.85) for half in pair.groups())
    yield from _tumours(plain)


def _tumours(title: str) -> Iterator[tuple[str, float]]:
    """Yield the names that notes use for a tumour of a site."""
    tumour = _TUMOUR.fullmatch(title)
    if title.startswith(_OF_UNKNOWN):
        site = title.removeprefix(_OF_UNKNOWN)
        yield from ((f"{site} {word}", 0.93) for word in ("tumor", "mass"))
    elif tumour is not None:
        first, site = tumour[1], _said(tumour[2])
        later = first != "M"
        words = ("metastasis", "metastatic cancer") if later else ("cancer", "carcinoma", "ca")
        yield from ((f"{site} {word}", 0.93) for word in words)


def _with_one(bare: str, aside: str) -> str:
    """Return a name with one of its asides (`hypertension (arterial) (benign)`)."""
    return f"{aside} {bare}"


def _read(path: Path) -> list[_Code]:
    """Read the list; of the notes only those that name what a code holds."""
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    with path.open("rb") as file:
        parser.ParseFile(file)
    return reader.top


@final
class _Reader:
    """Gathers codes while the list is read from its beginning to its end."""

    def __init__(self) -> None:
        self.top: list[_Code] = []
        self._open: list[_Code] = []
        self._path: list[str] = []
        self._said: list[str] = []

    def start(self, tag: str, _: dict[str, str]) -> None:
        self._path.append(tag)
        self._said = []
        if tag == "diag":
            code = _Code()
            (self._open[-1].children if self._open else self.top).append(code)
            self._open.append(code)

    def text(self, piece: str) -> None:
        self._said.append(piece)

    def end(self, tag: str) -> None:
        self._path.pop()
        above = self._path[-1] if self._path else ""
        said = " ".join("".join(self._said).split())
        if tag == "diag":
            self._open.pop()
        elif above == "diag" and tag == "name":
            self._open[-1].name = said
        elif above == "diag" and tag == "desc":
            self._open[-1].title = said
        elif tag == "note" and above in ("inclusionTerm", "includes") and self._open:
            self._open[-1].included.append(said)
        self._said = []
