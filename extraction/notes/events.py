"""What a sentence says of an adverse event besides its grade: serious, related, outcome."""

from __future__ import annotations

from functools import cache

from .draft import Draft, Mention
from .lexicon import Lexicon, read_lines

_FIELDS = {"serious": "serious", "related": "related", "outcome": "outcome"}


@cache
def _words() -> Lexicon:
    """Return the words of `event_attributes.txt`; the payload is (field, value)."""
    lexicon = Lexicon()
    for line in read_lines("event_attributes.txt"):
        head, _, rest = line.partition(": ")
        field, value = head.split(" ")
        for spelling in rest.split(" | "):
            lexicon.add(spelling, (field, value))
    return lexicon


def describe_events(draft: Draft) -> None:
    """Give each adverse event of a sentence the attributes told beside it."""
    events = sorted((m for m in draft.mentions if m.type == "adverse_event"), key=lambda m: m.start)
    if not events:
        return
    by_sentence: dict[int, list[Mention]] = {}
    for event in events:
        by_sentence.setdefault(draft.opening[event.start], []).append(event)
    for match in _words().find(draft.tokens):
        here = by_sentence.get(draft.opening[match.start])
        if here is None:
            continue
        field, value = match.payload
        for event in _told_of(here, match.start):
            if getattr(event, _FIELDS[field]) is None:
                setattr(event, field, value == "yes" if field == "serious" else value)


def _told_of(here: list[Mention], index: int) -> list[Mention]:
    """Return the events a word belongs to: the one in front of it, else the first behind it."""
    before = [m for m in here if m.stop <= index]
    return before[-1:] or here[:1]
