"""Parts of a report that is both a page and a printed document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, final

NOT_STATED = "not stated"


@final
@dataclass(frozen=True)
class Words:
    """A paragraph; `soft` for remarks."""

    text: str
    soft: bool = False


@final
@dataclass(frozen=True)
class Facts:
    """Names and what is known of them; nothing known is told as "not stated"."""

    rows: Sequence[tuple[str, str | None]]


@final
@dataclass(frozen=True)
class Grid:
    """A table: words to the left, figures to the right."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    figures: int = 0
    """Columns at the end that hold figures."""


@final
@dataclass(frozen=True)
class Picture:
    """A figure: SVG text for a page, PNG bytes for paper."""

    image: Any
    caption: str


Block = Words | Facts | Grid | Picture


@final
@dataclass
class Section:
    """A numbered part of a report."""

    title: str
    about: str
    blocks: list[Block] = field(default_factory=list)


@final
@dataclass(frozen=True)
class Report:
    """A whole report."""

    kind: str
    title: str
    lead: Sequence[str]
    sections: Sequence[Section]
    foot: str


def listed(items: Sequence[str]) -> list[Block]:
    """Paragraphs of a list; "not stated" where it is empty."""
    return [Words(item) for item in items] or [Words(NOT_STATED.capitalize() + ".", soft=True)]
