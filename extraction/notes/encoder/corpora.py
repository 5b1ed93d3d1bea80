"""Readers of the public corpora that the shipped weights learn from: text and marks, nothing else.

Sources: BC5CDR and NCBI disease in the IOB form of MTL-Bioinformatics-2016 (Crichton et al. 2017,
doi 10.1186/s12859-017-1776-8); PHEE (Sun et al. 2022, doi 10.18653/v1/2022.emnlp-main.376); Chia
(Kury et al. 2020, doi 10.1038/s41597-020-00620-0) and MACCROBAT2020 (Caufield et al.) are
brat folders.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ...records.errors import Faults, InputError
from .documents import Document, Link, Span

SENTENCES_A_BLOCK = 10
"""Sentences of a block of an IOB file; such files mark no documents, so blocks stand for them."""

_ROLES = {
    ("Treatment", "Drug"): "Drug",
    ("Treatment", "Dosage"): "Dosage",
    ("Treatment", "Route"): "Route",
    ("Treatment", "Freq"): "Frequency",
    ("Treatment", "Duration"): "Duration",
    ("Treatment", "Time_elapsed"): "Time_elapsed",
    ("Treatment", "Disorder"): "Indication",
    ("Subject", "Age"): "Age",
    ("Subject", "Gender"): "Sex",
    ("Subject", "Population"): "Population",
    ("Subject", "Race"): "Race",
    ("Subject", "Disorder"): "Subject_disorder",
}


def read_iob(path: Path) -> tuple[Document, ...]:
    """Return the blocks of an IOB file: a word and a tag a line, a blank line between sentences.

    Words are joined by one blank and sentences by a line end, so places index that text.

    Raises
    ------
    InputError
        With every line that has no such form.
    """
    return tuple(parse_iob(path.stem, _lines(path)))


def parse_iob(name: str, lines: Iterable[str]) -> Iterator[Document]:
    """Yield blocks of `SENTENCES_A_BLOCK` sentences; see `read_iob`."""
    faults = Faults()
    sentences: list[list[tuple[str, str]]] = [[]]
    for number, line in enumerate(lines, 1):
        if not line.strip():
            if sentences[-1]:
                sentences.append([])
            continue
        word, _, tag = line.rstrip("\r\n").partition("\t")
        if not word or not (tag == "O" or tag[:2] in ("B-", "I-")):
            faults.add(f"{name} line {number}: not 'word<tab>O', B-Label or I-Label")
            continue
        sentences[-1].append((word, tag))
    faults.raise_if_any()
    full = [s for s in sentences if s]
    for first in range(0, len(full), SENTENCES_A_BLOCK):
        yield _block(f"{name}-{first}", full[first : first + SENTENCES_A_BLOCK])


def _block(name: str, sentences: list[list[tuple[str, str]]]) -> Document:
    text = ""
    spans: list[Span] = []
    for sentence in sentences:
        before = "O"
        for word, tag in sentence:
            if text and not text.endswith("\n"):
                text += " "
            start, text = len(text), text + word
            if tag != "O":
                goes_on = tag[0] == "I" and before[2:] == tag[2:]
                first = spans.pop().start if goes_on else start
                spans.append(Span(first, len(text), tag[2:]))
            before = tag
        text += "\n"
    return Document(name, text, tuple(spans))


def read_phee(path: Path) -> tuple[Document, ...]:
    """Return the sentences of a PHEE file, one JSON object a line.

    Spans: Trigger, Effect, and the parts of subject and treatment (Drug, Dosage, Route, ...). Links
    run from each drug of an event to its effects (`effect`) and to its doses (`dose`).

    Raises
    ------
    InputError
        With every line that has no such form.
    """
    faults = Faults()
    read = []
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        try:
            read.append(_phee(json.loads(line)))
        except (ValueError, KeyError, TypeError, AttributeError):
            faults.add(f"{path.name} line {number}: not a PHEE sentence")
    faults.raise_if_any()
    return tuple(read)


def _phee(raw: dict[str, Any]) -> Document:
    spans: dict[Span, int] = {}
    links: dict[Link, None] = {}

    def add(argument: dict[str, Any], label: str) -> list[int]:
        return [spans.setdefault(span, len(spans)) for span in _places(argument, label)]

    for event in (e for part in raw["annotations"] for e in part["events"]):
        if event["event_type"] not in ("Adverse_event", "Potential_therapeutic_event"):
            raise ValueError
        add(event["Trigger"], "Trigger")
        effects = add(event.get("Effect", {}), "Effect")
        found: dict[str, list[int]] = {}
        for (role, part), label in _ROLES.items():
            argument = event.get(role, {}).get(part, {})
            found[label] = add(argument, label)
        adverse = event["event_type"] == "Adverse_event"
        for drug in found["Drug"]:
            links |= dict.fromkeys(
                Link(drug, e, "effect" if adverse else "benefit") for e in effects
            )
            links |= dict.fromkeys(Link(drug, d, "dose") for d in found["Dosage"])
    return Document(str(raw["id"]), raw["context"], tuple(spans), tuple(links))


def _places(argument: dict[str, Any], label: str) -> Iterator[Span]:
    texts = argument.get("text", [])
    for words, starts in zip(texts, argument.get("start", []), strict=True):
        for word, start in zip(words, starts, strict=True):
            if word:
                yield Span(int(start), int(start) + len(word), label)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_bytes().decode("utf-8").split("\n")
    except OSError:
        raise InputError(f"{path}: cannot be read; give the corpus's file") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name}: byte {error.start} is not UTF-8") from None
