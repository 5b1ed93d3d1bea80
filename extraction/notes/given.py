"""Facts whose place and type are known before the rules read a note: a model's, or marked ones."""

from __future__ import annotations

from collections.abc import Iterable

from .draft import Draft
from .facts import FactType


def add_given(draft: Draft, spans: Iterable[tuple[int, int, FactType]]) -> None:
    """Add mentions at these characters; one without a word, or over another, is left out.

    Parameters
    ----------
    spans
        First character, one past the last, and type of each.
    """
    tokens = draft.tokens
    for start, stop, type_ in spans:
        words = draft.between(start, stop)
        if words is None:
            continue
        name = " ".join(tokens.text[start:stop].lower().split())
        mention = draft.mention(type_, name, *words)
        mention.chars = (start, stop)
        mention.given = True
        draft.add(mention)
