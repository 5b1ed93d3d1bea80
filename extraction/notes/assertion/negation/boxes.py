"""Boxes to tick: `[ ] fever [x] cough`, `☐ diabetes ☑ asthma`, `fever [-], cough [+]`."""

from __future__ import annotations

from ...draft import Draft, Mention
from ..cues import Cue

_OPENERS = frozenset({"[", "(", "☐", "☑", "☒", "✓", "✔", "✗", "✘", "□", "■"})
_SINGLE = {
    **dict.fromkeys("☐□✗✘", False),
    **dict.fromkeys("☑☒✓✔■", True),
}
_INSIDE = {"x": True, "✓": True, "✔": True, "+": True, "y": True, "yes": True, "-": False}
_CLOSING = {"[": "]", "(": ")"}
_NO = frozenset({"no", "denies", "denied", "absent", "none", "never"})
_BARS = frozenset({"|"})
_NOTHING = frozenset({"-", "–", "—", "0", "no", "n", "nil", "none", "neg", "negative", "absent"})
_FRAME = frozenset({":", "|", "☐", "[", "]", "□", "(", ")", "x"})
_YES = frozenset({"yes", "y", "present"})


def unticked(draft: Draft) -> list[tuple[Mention, Cue]]:
    """Return the mentions whose box is empty or crossed out, each with its box as the cue."""
    found = []
    boxes = [box for i in draft.tokens.among(_OPENERS) if (box := _box(draft, i)) is not None]
    for place, (start, stop, ticked) in enumerate(boxes):
        leads = _leads(draft, boxes, place)
        answer = draft.words[stop] if stop < len(draft.words) else ""
        if answer in _NO | _YES:  # `diabetes: ☐ yes ☑ no`
            named = _before(draft, start) if ticked and answer in _NO else None
        elif ticked:
            continue
        else:
            named = draft.by_start.get(stop) if leads else _before(draft, start)
        if named is not None:
            found.append((named, Cue(start, stop, "after", None)))
    return found


def empty_cells(draft: Draft) -> list[tuple[Mention, Cue]]:
    """Return the mentions whose cell in a table's row says that there is none: `|rash|-|`."""
    found = []
    for index in draft.tokens.among(_BARS):
        named = draft.by_stop.get(index)
        stop = index + 2
        if named is None or draft.words[index + 1 : stop] == []:
            continue
        closed = draft.words[stop : stop + 1] in ([], ["|"]) or "\n" in draft.tokens.gap(stop)
        if draft.words[index + 1] in _NOTHING and closed:
            found.append((named, Cue(index, stop, "after", None)))
    return found


def _box(draft: Draft, index: int) -> tuple[int, int, bool] | None:
    """Return the words of a box and whether it is ticked, or None where there is none."""
    word = draft.words[index]
    if word in _SINGLE:
        return index, index + 1, _SINGLE[word]
    following = draft.words[index + 1 : index + 3]
    if following[:1] == [_CLOSING[word]] and (word == "[" or _answers(draft, index + 2)):
        return index, index + 2, False
    if len(following) == 2 and following[1] == _CLOSING[word] and following[0] in _INSIDE:
        return index, index + 3, _INSIDE[following[0]]
    return None


def _answers(draft: Draft, index: int) -> bool:
    return not (_NO | _YES).isdisjoint(draft.words[index : index + 1])


def _leads(draft: Draft, boxes: list[tuple[int, int, bool]], place: int) -> bool:
    """Whether boxes stand before their facts: the first of the line does."""
    while place and not _line_between(draft, boxes[place - 1][1], boxes[place][0]):
        place -= 1
    start = boxes[place][0]
    if start == 0 or "\n" in draft.tokens.gap(start):
        return True
    return not draft.words[start - 1].isalpha() and _before(draft, start) is None


def _line_between(draft: Draft, first: int, last: int) -> bool:
    starts, stops = draft.tokens.starts, draft.tokens.stops
    return "\n" in draft.tokens.text[stops[first - 1] : starts[last]]


def _before(draft: Draft, start: int) -> Mention | None:
    """Return the mention in front of a box, or of the answers it stands with."""
    index = start
    while index > max(0, start - 8):
        named = draft.by_stop.get(index)
        if named is not None:
            return named
        if draft.words[index - 1] not in _YES | _NO | _FRAME:
            return None
        index -= 1
    return None
