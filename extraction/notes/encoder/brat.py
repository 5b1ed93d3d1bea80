"""Reading a brat folder: `.txt` files with stand-off `.ann` files beside them.

The format: https://brat.nlplab.org/standoff.html (entities T, relations R, events E; attributes A,
equivalences * and comments # carry nothing the tagger uses).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from ...records.errors import Faults, InputError
from .documents import Document, Link, Span

MOST_BYTES = 2**24  # of one file


def read_brat(folder: Path) -> tuple[Document, ...]:
    """Return the documents of a brat folder in the order of their names.

    A discontinuous entity is read as the stretch from its first to its last character where no
    other entity begins or ends in its gaps, else as its longest fragment. Overlapping entities are
    all kept. A relation to an event is one to the event's trigger.

    Raises
    ------
    InputError
        With every fault of every file, by file and line; never a word of a text.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give a folder of .txt and .ann files")
    texts = sorted(folder.glob("*.txt"))
    faults = Faults()
    if not texts:
        faults.add(f"{folder.name}: no .txt file; a brat folder holds pairs of .txt and .ann")
    for lonely in sorted({p.stem for p in folder.glob("*.ann")} - {p.stem for p in texts}):
        faults.add(f"{lonely}.ann: its text is missing; put {lonely}.txt beside it")
    read = []
    for path in texts:
        with faults.catch():
            read.append(_document(path))
    faults.raise_if_any()
    return tuple(read)


def _document(path: Path) -> Document:
    marks = path.with_suffix(".ann")
    if not marks.is_file():
        raise InputError(f"{path.name}: {marks.name} is missing; an empty file says: nothing here")
    text = _decoded(path)
    return parse_brat(path.stem, text, _decoded(marks).split("\n"))


def _decoded(path: Path) -> str:
    if not path.is_file() or path.stat().st_size > MOST_BYTES:
        raise InputError(f"{path.name}: not a file of at most {MOST_BYTES} bytes; cut it in parts")
    try:
        return path.read_bytes().decode("utf-8").removeprefix("\ufeff")
    except OSError:
        raise InputError(f"{path.name}: it cannot be read; allow reading it") from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path.name}: byte {error.start} is not UTF-8; save the file as UTF-8"
        ) from None


def parse_brat(name: str, text: str, lines: Iterable[str]) -> Document:
    """Return one document from its text and the lines of its `.ann` file.

    Raises
    ------
    InputError
        With every fault, by line.
    """
    faults = Faults()
    fragments: dict[str, tuple[str, list[tuple[int, int]]]] = {}
    triggers: dict[str, str] = {}
    relations: list[tuple[int, str, str, str]] = []
    for number, raw in enumerate(lines, 1):
        line = raw.rstrip("\r")
        with faults.catch():
            where = f"{name}.ann line {number}"
            if line.startswith("T"):
                key, value = _entity(line, len(text), where)
                fragments[key] = value
            elif line.startswith("E"):
                key, _, rest = line.partition("\t")
                triggers[key] = rest.split(" ")[0].partition(":")[2]
            elif line.startswith("R"):
                relations.append((number, *_relation(line, where)))
    order = {key: i for i, key in enumerate(fragments)}
    links = []
    for number, label, *ends in relations:
        places = [order.get(triggers.get(end, end)) for end in ends]
        head, tail = places
        if head is None or tail is None:
            faults.add(f"{name}.ann line {number}: a relation to an entity that is not there")
        else:
            links.append(Link(head, tail, label))
    faults.raise_if_any()
    edges = {edge for _, parts in fragments.values() for part in parts for edge in part}
    spans = tuple(Span(*_stretch(parts, edges), label) for label, parts in fragments.values())
    return Document(name, text, spans, tuple(links))


def _entity(line: str, length: int, where: str) -> tuple[str, tuple[str, list[tuple[int, int]]]]:
    fields = line.split("\t", 2)
    label, _, places = fields[1].partition(" ") if len(fields) > 1 else ("", "", "")
    try:
        parts = [_fragment(part) for part in places.split(";")]
    except ValueError:
        raise InputError(
            f"{where}: the entity cannot be read; the form is 'T1<tab>Label start end<tab>words'"
        ) from None
    if any(not 0 <= start < stop <= length for start, stop in parts):
        raise InputError(
            f"{where}: its places lie outside the text of {length} characters, or are empty"
        )
    return fields[0], (label, sorted(parts))


def _fragment(part: str) -> tuple[int, int]:
    start, stop = (int(place) for place in part.split())
    return start, stop


def _relation(line: str, where: str) -> tuple[str, str, str]:
    words = line.partition("\t")[2].split()
    ends = [word.partition(":")[2] for word in words[1:3]]
    if len(ends) != 2 or not all(ends):
        raise InputError(
            f"{where}: the relation cannot be read; the form is 'R1<tab>Label Arg1:T1 Arg2:T2'"
        )
    return words[0], ends[0], ends[1]


def _stretch(parts: list[tuple[int, int]], edges: set[int]) -> tuple[int, int]:
    start, stop = parts[0][0], max(end for _, end in parts)
    inside = {edge for a, b in parts for edge in (a, b)}
    gaps = pairwise(parts)
    if all(not any(b < e < c for e in edges - inside) for (_, b), (c, _) in gaps):
        return start, stop
    return max(parts, key=lambda part: part[1] - part[0])
