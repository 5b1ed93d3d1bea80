"""Every expression of time in a note, with the days that it can mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from ..draft import Draft, Mention
from ..facts import Bounds
from ..lexicon import word_set
from .anchor import Anchor, Reading, meant, readings
from .spans import UNIT_WORDS, Length, is_of_length, length_at
from .written import DATE_WORDS, Written, days_between, find_written

Kind = Literal["at", "lasting", "course", "history", "operation", "dosing"]
_WEEKDAYS = {name: n for n, names in enumerate((
    "monday mon", "tuesday tue tues", "wednesday wed weds", "thursday thu thur thurs",
    "friday fri", "saturday sat", "sunday sun")) for name in names.split()}  # fmt: skip
_SHORT_DAYS = word_set("mon tue tues wed weds thu thur thurs fri sat sun")
_BEFORE_DAY = word_set("on last this next since until till by from every ( , past coming")
_NIGHTS = word_set("night evening afternoon morning")
_CALENDAR_UNITS = {"week": (-14, -1), "month": (-61, -1), "year": (-730, -1)}
_THIS = {"week": (-6, 6), "month": (-30, 30), "year": (-365, 365)}
_LASTING = word_set("for x × over lasting")
_WITHIN = word_set("in within during over")
_PAST = word_set("past last previous preceding")
_AGO = word_set("ago back earlier")
_ARRIVAL = word_set("admission presentation arrival evaluation visit")
_RANGE = word_set("- – to until through thru till")
# Ages in years within which a part of life lies.
_LIFE = {"birth": (0, 1), "infancy": (0, 2), "childhood": (0, 18), "adolescence": (10, 20),
         "teens": (13, 20), "teenager": (13, 20), "youth": (10, 25), "child": (0, 18)}  # fmt: skip
_YEAR = 365.25
_UNREAD = -1.0  # years
_TRIGGERS = frozenset({
    *_WEEKDAYS, *UNIT_WORDS, *_LIFE, "yesterday", "today", "tonight", "tomorrow", "night", "pod",
    "postoperative", "postop", "age", "aged", "morning", "op", "operative",
})  # fmt: skip
_DOSE_WORDS = 9  # between a drug and its day
_PARTS = frozenset({";", ".", "and", "but", "on", "since", "then"})
_LENGTH_LEADS = _PAST | _LASTING | {"in", "within", "x"}
_LENGTH_ENDS = _AGO | {"prior", "before", "history", "hx", "from", "course", "of"}
_ALL = _TRIGGERS | DATE_WORDS


@dataclass(frozen=True, slots=True)
class When:
    """An expression of time at words `start` up to `stop`.

    Parameters
    ----------
    kind
        `at` a time; `lasting` until now; a `course` of some length; `history` of some length;
        an `operation` so long ago; a drug's `dosing` begun so long ago.
    past, ahead
        Days from the note, read as what was and as what will be; None where unknown.
    days
        Length of a course.
    until
        Where a range ends.
    """

    start: int
    stop: int
    kind: Kind
    past: Bounds | None
    ahead: Bounds | None
    days: float | None = None
    until: When | None = None


def find_times(draft: Draft, anchor: Anchor) -> list[When]:
    """Return the expressions of time of a note in their order; none holds a word of another."""
    known = _ALL.intersection(draft.tokens.index())
    if not known:
        return []
    dates = _with_years(draft, find_written(draft, known))
    index = draft.tokens.index()
    places = sorted(place for word in known & _TRIGGERS for place in index[word])
    if not dates and not places:
        return []
    ways, apart = readings(draft, anchor, dates)
    found = [_calendar(d, ways, anchor.moved) for d in dates if d.start not in apart]
    taken = {i for d in dates for i in range(d.start, d.stop)}
    relative = _Relative(draft, ways, anchor.moved)
    for place in places:
        if place not in taken:
            when = relative.at(place)
            if when is not None and taken.isdisjoint(range(when.start, when.stop)):
                found.append(when)
                taken.update(range(when.start, when.stop))
    return list(_ranges(draft, sorted(found, key=lambda w: w.start)))


def _tied(draft: Draft, start: int, stop: int) -> bool:
    return stop - start == 1 and draft.words[start] in _RANGE


def _with_years(draft: Draft, dates: list[Written]) -> list[Written]:
    """Give the first date of `from March to June 2019` the year of the second."""
    for place, (date, then) in enumerate(pairwise(dates)):
        if date.year is None and then.year is not None and _tied(draft, date.stop, then.start):
            dates[place] = replace(date, year=then.year - date.follows(then))
    return dates


def _ranges(draft: Draft, found: Sequence[When]) -> Iterator[When]:
    """Join two dates that `to` or a dash ties together."""
    index = 0
    while index < len(found):
        when = found[index]
        if index + 1 < len(found):
            then = found[index + 1]
            if when.kind == then.kind == "at" and _tied(draft, when.stop, then.start):
                yield replace(when, stop=then.stop, until=then)
                index += 2
                continue
        yield when
        index += 1


def _calendar(written: Written, ways: Sequence[Reading], moved: bool) -> When:
    past, ahead = (meant(written, ways, moved, ahead) for ahead in (False, True))
    return When(written.start, written.stop, "at", past, ahead)


class _Relative:
    """Reads expressions that count from the note."""

    def __init__(self, draft: Draft, ways: Sequence[Reading], moved: bool) -> None:
        self.draft = draft
        self.words = draft.words
        self.ways = ways
        self.moved = moved
        self._age_told: float | None = _UNREAD

    def word(self, index: int) -> str:
        return self.words[index] if 0 <= index < len(self.words) else ""

    def at(self, place: int) -> When | None:
        word = self.words[place]
        if word in _WEEKDAYS:
            return self._weekday(place)
        if word in ("yesterday", "today", "tonight", "tomorrow"):
            return self._named_day(place)
        if word in _NIGHTS:
            return self._night(place)
        if word in _LIFE:
            return self._life(place)
        if word in ("age", "aged"):
            return self._age(place)
        if word in ("pod", "postoperative", "postop", "op", "operative"):
            return self._operation(place)
        return (word == "day" and self._day_of(place)) or self._unit(place)

    def _named_day(self, place: int) -> When:
        word, start = self.words[place], place
        day = {"yesterday": -1.0, "tomorrow": 1.0}.get(word, 0.0)
        if self.words[max(0, place - 3) : place] == ["the", "day", "before"] and day:
            start, day = place - 3, -2.0
        elif self.words[max(0, place - 3) : place] == ["the", "day", "after"] and day > 0:
            start, day = place - 3, 2.0
        stop = place + 1 + (self.word(place + 1) in _NIGHTS)
        return When(start, stop, "at", (day, day), (day, day))

    def _night(self, place: int) -> When | None:
        before = self.word(place - 1)
        if before not in ("last", "this"):
            return None
        low = -1.0 if before == "last" else 0.0
        return When(place - 1, place + 1, "at", (low, 0.0), (low, 0.0))

    def _weekday(self, place: int) -> When | None:
        before = self.word(place - 1)
        if self.words[place] in _SHORT_DAYS:
            capital = self.draft.tokens.text[self.draft.tokens.starts[place]].isupper()
            if before not in _BEFORE_DAY or not capital:
                return None
        if before == "every" or self.word(place + 1) == "s":
            return None
        near = before in ("last", "past", "next", "this", "coming")
        start = place - 1 if near else place
        days = [self._days_to(place, w) for w in self.ways]
        known = [d for d in days if d is not None]
        if len(known) < len(days) or not days:
            past, ahead = (-7.0, -1.0 if before in ("last", "past") else 0.0), (0.0, 7.0)
        else:
            back = [-((7 - d) % 7 or (7 if before in ("last", "past") else 0)) for d in known]
            on = [d or (7 if before == "next" else 0) for d in known]
            past = (float(min(back)), float(max(back)))
            ahead = (float(min(on)), float(max(on)))
        return When(start, place + 1, "at", ahead if before == "next" else past, ahead)

    def _days_to(self, place: int, way: Reading) -> int | None:
        """Return the days from the note to the next such weekday, 0 to 6."""
        if way.today is None:
            return None
        return (_WEEKDAYS[self.words[place]] - way.today.weekday()) % 7

    def _operation(self, place: int) -> When | None:
        """Read `POD 3`, `postoperative day #3`, `post-op day 3`."""
        index = place + 1
        if self.words[place] != "pod":
            if self.word(index) != "day":
                return None
            index += 1
        start = place
        if self.words[place] in ("op", "operative"):
            start -= 2 if self.word(place - 1) == "-" else 1
            if self.word(start) != "post":
                return None  # `pre-op day 3`
        index += self.word(index) in ("#", ":", "no")
        count = self.word(index)
        if not (count.isdecimal() and len(count) <= 3) or self.word(start - 1) in ("on", "by"):
            return None
        day = -float(count)
        return When(start, index + 1, "operation", (day, day), (day, day))

    def _age(self, place: int) -> When | None:
        """Read `since age 12`, `at the age of 30`."""
        index = place + 1 + (self.word(place + 1) == "of")
        count = self.word(index)
        lead = place - 2 if self.word(place - 1) == "the" else place - 1
        if self.word(lead) not in ("since", "at", "from") or not count.isdecimal():
            return None
        if len(count) > 2:
            return None
        return self._at_age(lead, index + 1, (float(count), float(count) + 1))

    def _life(self, place: int) -> When | None:
        start = place - 1
        if self.word(start) in ("a", "his", "her", "their", "early"):
            start -= 1
        if self.word(start) not in ("since", "from", "in", "during", "as", "at"):
            return None
        return self._at_age(start, place + 1, _LIFE[self.words[place]])

    def _at_age(self, start: int, stop: int, ages: tuple[float, float]) -> When:
        """Return when the patient was of these ages; only before now where no age is told."""
        now = self._age_now()
        if now is None:
            return When(start, stop, "at", (None, 0.0), None)
        low, high = ((now + more - age) * -_YEAR for age, more in zip(ages, (1, 0), strict=True))
        ahead = float(round(low)) + 0.0, float(round(high)) + 0.0
        return When(start, stop, "at", (ahead[0], min(0.0, ahead[1])), ahead)

    def _age_now(self) -> float | None:
        """Return the patient's age, looked for once."""
        if self._age_told is _UNREAD:
            ages = (m for m in self.draft.mentions if m.type == "age" and "family" not in m.cues)
            self._age_told = next((m.value for m in ages if m.value is not None), None)
        return self._age_told

    def _day_of(self, place: int) -> When | None:
        """Read `day 3 of amoxicillin`, `vancomycin day 3/7`."""
        count = self.word(place + 1)
        if not (count.isdecimal() and len(count) <= 3):
            return None
        stop = place + 2
        if self.word(stop) in ("/", "of") and self.word(stop + 1).isdecimal():
            stop += 2
        day = 1 - float(count) + 0.0
        ahead = stop + (self.word(stop) == "of")
        drug = self.draft.by_start.get(ahead) or self._dosed(place)
        if drug is None or drug.group != "drug":
            return None
        return When(place, stop, "dosing", (day, day), None)

    def _dosed(self, place: int) -> Mention | None:
        """Return the drug whose dose ends before this word: `meropenem 1 g q8h, day 5/14`."""
        for stop in range(place, max(self.draft.opening[place], place - _DOSE_WORDS), -1):
            if stop in self.draft.by_stop:
                return self.draft.by_stop[stop]
            if self.words[stop - 1] in _PARTS:
                return None
        return None

    def _unit(self, place: int) -> When | None:
        """Read what a unit of time stands in: `3 days ago`, `for the past week`, `last year`."""
        length = self._length(place)
        if length is not None:
            return self._counted(*length)
        before = self.word(place - 1)
        unit = self.words[place]
        if before == "last" and unit in _CALENDAR_UNITS and self.word(place - 2) != "the":
            low, high = self._calendar_unit(unit)
            return When(place - 1, place + 1, "at", (low, high), None)
        if before == "this" and unit in _THIS:
            low, high = _THIS[unit]
            return When(place - 1, place + 1, "at", (low, 0.0), (0.0, high))
        if before == "next" and unit in _CALENDAR_UNITS:
            low, high = _CALENDAR_UNITS[unit]
            return When(place - 1, place + 1, "at", None, (float(-high), float(-low)))
        if before in _PAST and self.word(place - 2) == "the" and unit in _CALENDAR_UNITS:
            length_ = Length(1.0, 1.0, unit, place + 1)
            return self._passed(place - 2, length_)
        return None

    def _calendar_unit(self, unit: str) -> tuple[float, float]:
        """Return last year and last month by the calendar where the note's day is known."""
        days = {way.today for way in self.ways}
        today = next(iter(days)) if len(days) == 1 else None
        if today is None or self.moved or unit == "week":
            low, high = _CALENDAR_UNITS[unit]
            return float(low), float(high)
        month = None if unit == "year" else (today.month - 2) % 12 + 1
        year = today.year - 1 if unit == "year" or today.month == 1 else today.year
        period = Written(0, 1, year, month).days(today, False) or (today, today)
        return days_between(today, period, 0)

    def _length(self, place: int) -> tuple[int, Length] | None:
        """Return the longest length of time whose unit is this word, and where it starts."""
        words, start = self.words, place
        opening = max(self.draft.opening[place], place - 6)
        while start > opening and is_of_length(words[start - 1]):
            start -= 1
        for first in range(start, place + 1):
            found = length_at(words, first, place + 1)
            if found is not None and found.stop == place + 1:
                return first, found
        return None

    def _counted(self, start: int, length: Length) -> When | None:
        stop = length.stop
        lead, after = self.word(start - 1), self.word(stop)
        if lead not in _LENGTH_LEADS and after not in _LENGTH_ENDS:
            return None
        ago = length.ago()
        if after in _AGO or (after in ("prior", "before") and self._closes(stop + 1)):
            return When(start, stop + 1, "at", ago, ago)
        if after in ("prior", "before"):
            return self._before_arrival(start, stop, ago)
        if after in ("history", "hx", "from"):
            return self._history(start, stop, ago)
        return self._led(start, length, lead, after)

    def _history(self, start: int, stop: int, ago: Bounds) -> When | None:
        """Read `3-day history of`, and `3 days from now`."""
        then = self.word(stop + 1)
        if self.words[stop] == "from":
            ahead = When(start, stop + 2, "at", None, _mirrored(ago))
            return ahead if then in ("now", "today") else None
        return When(start, stop + 2, "history", ago, None) if then == "of" else None

    def _led(self, start: int, length: Length, lead: str, after: str) -> When | None:
        """Read a length of time by the word in front of it."""
        stop, ago = length.stop, length.ago()
        if lead in _PAST:
            return self._passed(start - 1 - (self.word(start - 2) == "the"), length)
        if lead in ("in", "within"):
            near = (0.0, _mirrored(ago)[1]) if lead == "within" else _mirrored(ago)
            return When(start - 1, stop, "at", None, near)
        if lead in _LASTING:
            return When(start - 1, stop, "course", ago, None, length.days)
        if after in ("course", "of"):
            return self._spent(start, length)
        return None

    def _spent(self, start: int, length: Length) -> When | None:
        """Read `3 days of fever`, `7-day course of amoxicillin`, `amoxicillin, 7-day course`."""
        stop = length.stop + (self.word(length.stop) == "course")
        if self.word(stop) == "of":
            stop += 1
            about = next(iter(self.draft.within(stop, stop + 4)), None)
            if about is None or not all(w.isalpha() for w in self.words[stop : about.start]):
                return None  # `13 months of age`
            if about.group == "problem":
                return When(start, stop, "lasting", length.ago(), None)
        return When(start, stop, "course", length.ago(), None, length.days)

    def _closes(self, index: int) -> bool:
        """Whether `3 days before` ends its part of the sentence, and so counts from now."""
        return index >= len(self.words) or self.words[index] in (".", ",", ";", ")")

    def _before_arrival(self, start: int, stop: int, ago: Bounds) -> When | None:
        """Read `3 days prior to admission`, which was on the note's day or earlier."""
        index = stop + 1 + (self.word(stop + 1) == "to")
        index += self.word(index) in ("the", "this", "his", "her")
        if self.word(index) not in _ARRIVAL:
            return When(start, stop, "at", None, None)
        return When(start, index + 1, "at", (None, ago[1]), None)

    def _passed(self, start: int, length: Length) -> When:
        """Read `for the past week`, which lasts, and `in the past week`, which lies within."""
        lead = self.word(start - 1)
        first = start - 1 if lead in _LASTING | _WITHIN else start
        far = length.ago()
        if lead in ("in", "within", "during"):
            return When(first, length.stop, "at", (far[0], 0.0), None)
        return When(first, length.stop, "lasting", far, None)


def _mirrored(ago: Bounds) -> Bounds:
    """Return days ago as days to come."""
    low, high = ago
    return (None if high is None else -high + 0.0), (None if low is None else -low + 0.0)
