"""Smoking and alcohol: whether now, formerly or never, and how much."""

from __future__ import annotations

from .draft import Draft, Mention
from .facts import FactType
from .lexicon import Lexicon, Match, keyed, read_lines, word_set
from .tokens import number

_REACH = 12  # words from a habit to its amount
_PER_WEEK = {
    "week": 1.0,
    "weekly": 1.0,
    "wk": 1.0,
    "day": 7.0,
    "daily": 7.0,
    "night": 7.0,
    "nightly": 7.0,
    "d": 7.0,
    "month": 12 / 52.0,
}
_PACKS = word_set("pack packs ppd pk")
_CIGARETTES = word_set("cigarettes cigs cigarette cig")
_DRINKS = word_set(
    "drinks drink units unit beers beer glasses glass bottles bottle pints pint cans can wine"
)
_HALVES = frozenset({"half", "½"})
_SMALL = frozenset({"-", "a", "of"})
_RELATIVES = word_set("father mother brother sister husband wife parents spouse partner mom dad")
_NO_PERSON = word_set("cessation counseling counselling advice program clinic abuse avoid passive")


def add_habits(lexicon: Lexicon) -> None:
    """Add the words for smoking and alcohol; the payload is ("habit", habit, status)."""
    for head, spellings in keyed(read_lines("habits.txt")):
        habit, status = head.split(" ")
        for spelling in spellings:
            lexicon.add(spelling, ("habit", (habit, status)))


def add_habit_facts(draft: Draft, matches: list[Match]) -> None:
    """Add one fact for each habit of a sentence, with its amount."""
    seen: set[tuple[int, str]] = set()
    for match in matches:
        if match.payload[0] != "habit":
            continue
        habit, status = match.payload[1]
        opening = draft.opening[match.start]
        if (opening, habit) in seen or _of_another(draft, match):
            continue
        mention = draft.mention(habit, habit, match.start, match.stop)
        mention.status = status
        _amount(draft, mention, habit)
        if _is_bare(draft, match, mention):
            continue
        seen.add((opening, habit))
        draft.add(mention)


def _of_another(draft: Draft, match: Match) -> bool:
    before = draft.words[max(draft.opening[match.start], match.start - 4) : match.start]
    after = draft.words[match.stop : match.stop + 2]
    return bool(
        draft.section[match.start] == "family"
        or not _RELATIVES.isdisjoint(before)
        or not _NO_PERSON.isdisjoint([*before, *after])
    )


def _is_bare(draft: Draft, match: Match, mention: Mention) -> bool:
    """Whether a common word (`smoking`, `drinks`, `alcohol:`) stands without an amount."""
    words = draft.words[match.start : match.stop]
    weak = words in (["drinks"], ["smoking"], ["beers"], ["alcohol", ":"], ["etoh", ":"])
    weak = weak or words[-1] in ("intake", "consumption", "wine", "drinks", "alcohol")
    bare = weak and mention.status == "current" and mention.value is None
    return bare and not _counted(draft, match)


def _counted(draft: Draft, match: Match) -> bool:
    """Whether drinks are counted, though not by the week: `drinks 4-5 beers on weekends`."""
    after = draft.words[match.stop : min(draft.sentence[match.start], match.stop + 5)]
    return any(
        number(word) is not None and not _DRINKS.isdisjoint(after[place + 1 : place + 4])
        for place, word in enumerate(after)
    )


def _amount(draft: Draft, mention: Mention, habit: FactType) -> None:
    end = min(draft.sentence[mention.start], mention.stop + _REACH)
    start = max(draft.opening[mention.start], mention.start - _REACH)
    read = _tobacco if habit == "smoking" else _units_a_week
    for index in range(start, end):
        value, last = _written_amount(draft, index, end)
        if value is not None:
            found = read(draft, last, end, value)
            if found is not None:
                mention.value, mention.unit = found
                return


def _written_amount(draft: Draft, index: int, end: int) -> tuple[float | None, int]:
    """Return a number and its last word: `2`, `half a`, `1/2`; no part of `1/2` counts alone."""
    words = draft.words
    if words[index] in _HALVES:
        return 0.5, index
    value = number(words[index])
    if value is not None and index + 2 < end and words[index + 1] == "/":
        parts = number(words[index + 2])
        if parts and not draft.tokens.gap(index + 1) + draft.tokens.gap(index + 2):
            return value / parts, index + 2
    if index >= 2 and words[index - 1] == "/" and number(words[index - 2]) is not None:
        return None, index
    if value is not None and index + 3 < end and words[index + 2] == "/":
        part, _ = _written_amount(draft, index + 1, end)
        if part is not None and part < 1:
            return value + part, index + 3
    return value, index


def _tobacco(draft: Draft, index: int, end: int, value: float) -> tuple[float, str] | None:
    after = [w for w in draft.words[index + 1 : min(end, index + 6)] if w not in _SMALL]
    if after[:1] and after[0] in _PACKS and after[1:2] and after[1].startswith("year"):
        return value, "{pack}.a"
    if after[:1] == ["py"]:
        return value, "{pack}.a"
    if after[:1] and after[0] in _PACKS:
        return value, "{pack}/d"
    if after[:1] and (after[0] in _CIGARETTES or after[:2] in (["/", "d"], ["/", "day"])):
        return value, "{cigarette}/d"
    return None


def _units_a_week(draft: Draft, index: int, end: int, value: float) -> tuple[float, str] | None:
    after = draft.words[index + 1 : min(end, index + 8)]
    if not after or after[0] not in _DRINKS | {"-", "to"}:
        return None
    times = next((_PER_WEEK[w] for w in after if w in _PER_WEEK), None)
    return None if times is None else (value * times, "{drink}/wk")
