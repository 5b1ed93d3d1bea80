"""Where a measured value was heading, and the earlier value told beside it."""

from __future__ import annotations

from .draft import Draft, Mention
from .facts import Trend
from .lexicon import is_year, word_set
from .measurement_terms import LATER, MONTHS, TIME_UNITS, units
from .tokens import number

_WORDS: dict[Trend, str] = {
    "rising": "rose rising risen rises increased increasing increases climbing climbed uptrending "
    "uptrend",
    "falling": "fell falling fallen decreased decreasing decreases dropped dropping declined "
    "declining downtrending downtrend",
    "stable": "stable unchanged steady static plateaued",
    "normalised": "normalized normalised normalizing normalising",
}
_TOLD = {word: trend for trend, words in _WORDS.items() for word in words.split()}
_UP, _DOWN = ("up", "upward", "upwards"), ("down", "downward", "downwards")
_WAYS: dict[str, Trend] = {**dict.fromkeys(_UP, "rising"), **dict.fromkeys(_DOWN, "falling")}
_BESIDE_WAY = word_set("trending trend trended going coming to from at went came")
_NORMAL = (("back", "to", "normal"), ("returned", "to", "normal"), ("now", "normal"))
_UNSAID = word_set("improved improving worsened worsening changed")  # which way, numbers tell
_ARROWS = frozenset({">", "→"})
_FILLING = word_set(
    ", ( and now which is was has been - – again still slowly but remains today it then continues "
    "to have had gradually steadily overall peaked slightly"
)
_TRIGGERS = frozenset({*_TOLD, *_WAYS, *_UNSAID, *_ARROWS, "from", "normal"})
_SHAFTS = frozenset({"-", "–", "—", "="})  # of an arrow
_REACH = 8  # words behind a value
_FURTHEST = 40  # words to the earlier reading of the same name
_NAMED_BEFORE = 2  # words in front of a name: `rising creatinine`


def add_trends(draft: Draft) -> None:
    """Give each measured value its trend, and add the earlier value of `rose to 2.1 from 1.4`."""
    sentences = {draft.opening[place] for place in draft.tokens.among(_TRIGGERS)}
    if not sentences:
        return
    measures = [
        m
        for m in draft.mentions
        if draft.opening[m.start] in sentences and m.value is not None and m.group == "measure"
    ]
    before: Mention | None = None
    for place, mention in enumerate(measures):
        following = measures[place + 1] if place + 1 < len(measures) else None
        then = following is not None and _is_turned(draft, mention, following)
        if then or "history" not in mention.cues:
            _Trend(draft, mention, following, before).read()
        before = mention if then else None


def _is_turned(draft: Draft, mention: Mention, following: Mention) -> bool:
    """Whether a value is of the past only since `then` another of the same name follows it."""
    cue = mention.cues.get("history")
    same = mention.name == following.name
    if not same or cue is None or cue[0] < mention.stop:
        return False
    return draft.words[cue[0]] in LATER or draft.words[cue[0]] == "to"


class _Trend:
    """Reads what is told around one value, up to the next one, and since the one `before`."""

    def __init__(
        self,
        draft: Draft,
        mention: Mention,
        following: Mention | None,
        before: Mention | None = None,
    ) -> None:
        self.draft = draft
        self.before = before
        self.words = draft.words
        self.mention = mention
        self.end = min(draft.sentence[mention.start], mention.stop + _REACH)
        self.following = following
        if following is not None and following.first < self.end:
            self.end = max(mention.stop, following.first)
        self.behind = self._behind_unit(mention.stop)

    def read(self) -> None:
        """Set the trend of the value, by an earlier one where it is told."""
        later = self._later()
        now = self.mention if later is None else later
        earlier = self.mention if later is not None else self._earlier() or self.before
        told = self._told()
        if earlier is not None and earlier.value is not None and now.value is not None:
            told = told if told == "normalised" else _way(earlier.value, now.value)
        now.trend = told

    def _behind_unit(self, index: int) -> int:
        found = units().at(self.draft.tokens, index) if index < self.end else None
        return index if found is None or found.stop > self.end else found.stop

    def _value(self, index: int, cue: int) -> Mention | None:
        """Return the value at this word, of the same name, made from the cue on; or None."""
        words = self.words
        value = number(words[index]) if index < self.draft.sentence[self.mention.start] else None
        after = words[index + 1] if index + 1 < len(words) else ""
        if value is None or is_year(words[index]) or _is_clock(words[index]):
            return None
        if after in TIME_UNITS | MONTHS | {"/", "-"}:
            return None
        made = self.draft.mention(self.mention.type, self.mention.name, index, index + 1)
        made.first, made.value, made.unit = cue, value, self.mention.unit
        self.draft.add(made)
        return self.draft.by_start.get(index)

    def _later(self) -> Mention | None:
        """Read `14 -> 9.2` and `increased 1.4 to 2.1`: the first is the earlier value."""
        index = self.behind
        index += index < self.end and self.words[index] in _SHAFTS
        arrow = index < self.end and self.words[index] in _ARROWS
        moved = self._between() not in (None, "stable")  # `stable 3.5 to 4.0` is a range
        if not arrow and not (moved and self.words[index : index + 1] == ["to"]):
            return None
        later = self._value(index + 1, index)
        if later is not None:
            self.mention.cues.setdefault("history", (index, index + 1))
        return later

    def _earlier(self) -> Mention | None:
        """Read `from 1.4 to 2.1` and `2.1, up from 1.4`; the earlier one is of the past."""
        first, start = self.mention.first, self.mention.start
        places = [i for i in range(first, start) if self.words[i] == "from"]
        for index in range(self.behind, min(self.end, self.behind + 4)):
            if self.words[index] == "from":
                places.append(index)
            elif self.words[index] not in _FILLING and self.words[index] not in _WAYS:
                break
        for place in places:
            earlier = self._value(place + 1, place)
            if earlier is not None:
                earlier.cues.setdefault("history", (place, place + 1))
                return earlier
        return self._known_earlier()

    def _known_earlier(self) -> Mention | None:
        """Return a further reading of the same name that is of the past: `130/80 from 160/95`."""
        end = min(self.draft.sentence[self.mention.start], self.mention.stop + _FURTHEST)
        near = self.draft.within(self.mention.stop, end)
        same = (m for m in near if m.name == self.mention.name and m.type == self.mention.type)
        found = next(same, None)
        told = found is not None and "from" in self.words[found.first - 1 : found.start]
        return found if told else None

    def _told(self) -> Trend | None:
        """Return the trend in words: between name and value, in front of the name, or behind."""
        between = self._between()
        return between or self._before() or self._after()

    def _between(self) -> Trend | None:
        return self._first(self.mention.first, self.mention.start)

    def _before(self) -> Trend | None:
        first = self.mention.first
        opening = self.draft.opening[first]
        for index in range(first - 1, max(opening, first - _NAMED_BEFORE) - 1, -1):
            word = self.words[index]
            if word in (",", ";", ":", "and") or index in self.draft.headers:
                return None
            if word in _TOLD:
                return _TOLD[word]
        return None

    def _after(self) -> Trend | None:
        """Return the trend told at once behind the value: `2.1, trending up`."""
        index = self.behind
        while index < self.end:
            found = self._at(index)
            if found is not None:
                return found if self._is_its_own(index) else None
            word = self.words[index]
            if word not in _FILLING and word not in _BESIDE_WAY and word not in ("back",):
                return None
            index += 1
        return None

    def _is_its_own(self, index: int) -> bool:
        """Whether the word is not an order about a drug: `K 5.6, decreased lisinopril`."""
        ahead = range(index + 1, min(self.draft.sentence[index], index + 4))
        others = (self.draft.by_start.get(i) for i in ahead)
        return all(m is None or m.group == "measure" for m in others)

    def _first(self, start: int, stop: int) -> Trend | None:
        return next((t for t in map(self._at, range(start, stop)) if t is not None), None)

    def _at(self, index: int) -> Trend | None:
        words = self.words
        word = words[index]
        if word in _TOLD:
            return _TOLD[word]
        if any(tuple(words[index : index + len(n)]) == n for n in _NORMAL):
            return "normalised"
        if word in _WAYS and index:
            beside = {words[index - 1], *words[index + 1 : index + 2]}
            return None if _BESIDE_WAY.isdisjoint(beside) else _WAYS[word]
        return None


def _is_clock(word: str) -> bool:
    """Whether a number is a time of day, such as 0800."""
    return len(word) == 4 and word[0] == "0" and word.isdecimal()


def _way(earlier: float, now: float) -> Trend:
    if now == earlier:
        return "stable"
    return "rising" if now > earlier else "falling"
