"""Calendar dates as they are written in a note, and the days that they can mean."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, date, timedelta

from ..draft import Draft
from ..lexicon import is_year, word_set

_NAMES = "january february march april may june july august september october november december"
_MONTHS = {name: n for n, name in enumerate(_NAMES.split(), 1)}
MONTHS = {**_MONTHS, **{name[:3]: n for name, n in _MONTHS.items()}, "sept": 9}
_VERBS = frozenset({"may", "march", "mar", "dec", "jan", "sep"})  # need a capital or a number
_ORDINALS = frozenset({"st", "nd", "rd", "th"})
_AMOUNTS = word_set(
    "mg mcg ug µg g gm kg ml l units unit iu tablet tablets tab tabs % mm cm days day weeks week "
    "months month years year hours hour hrs times x mmhg bpm kcal calories cc steps pm am mmol"
)
_BEFORE_MONTH = word_set(
    "in since until till by last this next early mid late of from during around end beginning "
    "through before after to -"
)
_BEFORE_YEAR = word_set(
    "in since until till by from around circa early late mid of ( , - – to dx diagnosed before "
    "after year summer winter spring fall autumn during ' : through / and approximately about "
    "started stopped begun began quit discontinued ceased completed finished removed repaired last"
)
_BEFORE_SHORT = word_set(
    "on since from until till by dated date started stopped begun began last through labs to "
    "thru discontinued d/c held admitted discharged drawn done as"
)
_NO_DATE_AFTER = _AMOUNTS | word_set("strength systolic murmur motor power pain scale pack packs")
_YEARS = frozenset(str(year) for year in range(1900, 2100))
_DOTTED = frozenset({*(f".{year}" for year in _YEARS), *(f".{n:02d}" for n in range(100))})
DATE_WORDS = _YEARS | _DOTTED | MONTHS.keys() | {"/", "-"}
_SHORTLY = timedelta(days=3)  # by which a date without a year can lie behind the note's day
_WINDOW = 20  # years ahead of the note that two digits can mean


@dataclass(frozen=True, slots=True)
class Written:
    """A date of the calendar at words `start` up to `stop`.

    Parameters
    ----------
    numbers
        The two numbers of a date whose order is not told (`3/4`), else None.
    year, month, day
        What is told; a year below 100 has two digits.
    years
        Years that are meant: ten of a decade.
    """

    start: int
    stop: int
    year: int | None = None
    month: int | None = None
    day: int | None = None
    numbers: tuple[int, int] | None = None
    years: int = 1

    def order(self) -> bool | None:
        """Whether the day must come first; None where both orders can be, or none is asked."""
        if self.numbers is None or max(self.numbers) <= 12:
            return None
        return self.numbers[0] > 12

    def days(
        self, today: date | None, day_first: bool, ahead: bool = False
    ) -> tuple[date, date] | None:
        """Return the first and last day that it can mean, or None where there is no such day.

        Parameters
        ----------
        today
            Day of the note; without it a date needs a year of four digits.
        day_first
            How two numbers are read that allow both orders.
        ahead
            Whether a date without a year is the next one, not the last one.
        """
        month, day = self._month_day(day_first)
        if self.year is not None:
            year = _century(self.year, today)
            return None if year is None else _period(year, month, day, self.years)
        if today is None:
            return None
        step = 1 if ahead else -1
        for year in range(today.year - step, today.year + 9 * step, step):
            found = _period(year, month, day)
            if found is None:
                continue
            if found[1] >= today if ahead else found[0] - today <= _SHORTLY:
                return found
        return None

    def _month_day(self, day_first: bool) -> tuple[int | None, int | None]:
        if self.numbers is None:
            return self.month, self.day
        told = self.order()
        first, second = self.numbers
        return (second, first) if (day_first if told is None else told) else (first, second)

    def follows(self, then: Written) -> bool:
        """Whether it comes behind another date in a year, however their numbers are read."""
        told = next((o for o in (self.order(), then.order()) if o is not None), None)
        for day_first in (False, True) if told is None else (told,):
            mine, other = (d._month_day(day_first) for d in (self, then))
            if mine[0] is None or (mine[0], mine[1] or 0) <= (other[0] or 12, other[1] or 31):
                return False
        return True

    def is_day(self) -> bool:
        """Whether some reading of it is a day, month or year of the calendar."""
        return any(self.days(date(2000, 7, 1), way) for way in (True, False))


def _century(year: int, today: date | None) -> int | None:
    if year >= 100:
        return year
    if today is None:
        return None
    latest = today.year + _WINDOW
    return latest - (latest - year) % 100


def _period(
    year: int, month: int | None, day: int | None, years: int = 1
) -> tuple[date, date] | None:
    if not MINYEAR <= year <= MAXYEAR + 1 - years:
        return None
    if month is None:
        return date(year, 1, 1), date(year + years - 1, 12, 31)
    if not 1 <= month <= 12:
        return None
    last = monthrange(year, month)[1]
    if day is None:
        return date(year, month, 1), date(year, month, last)
    if not 1 <= day <= last:
        return None
    return date(year, month, day), date(year, month, day)


def find_written(draft: Draft, known: Set[str]) -> list[Written]:
    """Return the calendar dates of a note in their order; impossible ones are left out.

    Parameters
    ----------
    known
        Those of `DATE_WORDS` that the note has.
    """
    index = draft.tokens.index()
    taken: dict[int, Written] = {}
    reader = _Reader(draft, taken)
    for place in _places(index, known & {"/", "-"}):
        if draft.words[place - 1].isdecimal():
            reader.signed(place)
    for read, words in (
        (reader.dotted, _DOTTED),
        (reader.named, MONTHS.keys()),
        (reader.year, _YEARS),
    ):
        for place in _places(index, words & known):
            read(place)
    found = sorted({id(w): w for w in taken.values()}.values(), key=lambda w: w.start)
    return [w for w in found if w.is_day()]


def _places(index: Mapping[str, Sequence[int]], words: Iterable[str]) -> list[int]:
    """Return where these words stand, from left to right: the first date keeps its words."""
    return sorted(place for word in words for place in index[word])


class _Reader:
    """Reads the dates around single words; the first date that holds a word keeps it."""

    def __init__(self, draft: Draft, taken: dict[int, Written]) -> None:
        self.draft = draft
        self.words = draft.words
        self.taken = taken

    def word(self, index: int) -> str:
        return self.words[index] if 0 <= index < len(self.words) else ""

    def _keep(self, written: Written) -> None:
        span = range(written.start, written.stop)
        if not any(i in self.taken for i in span):
            self.taken.update(dict.fromkeys(span, written))

    def _close(self, start: int, stop: int) -> bool:
        """Whether no blank stands between these words."""
        starts, stops = self.draft.tokens.starts, self.draft.tokens.stops
        return all(starts[i] == stops[i - 1] for i in range(start + 1, stop))

    def signed(self, place: int) -> None:
        """Read numbers on both sides of a slash or dash."""
        a, b = self.word(place - 1), self.word(place + 1)
        if not (a.isdecimal() and b.isdecimal() and self._close(place - 1, place + 2)):
            return
        sign, c = self.words[place], self.word(place + 3)
        if self.word(place + 2) == sign and c.isdecimal() and self._close(place + 1, place + 4):
            if self.word(place - 2) != sign or not self._close(place - 2, place):
                self._three(place - 1, a, b, c, sign)
        elif self.word(place - 2) != sign:
            self._two(place - 1, a, b, sign)

    def _three(self, start: int, a: str, b: str, c: str, sign: str) -> None:
        lengths = len(a), len(b), len(c)
        if is_year(a) and max(lengths[1:]) <= 2:
            self._keep(Written(start, start + 5, int(a), int(b), int(c)))
            return
        wide = len(c) == 4 or (len(c) == 2 and (sign == "/" or lengths == (2, 2, 2)))
        if wide and max(lengths[:2]) <= 2 and (len(c) == 2 or is_year(c)):
            self._keep(Written(start, start + 5, int(c), numbers=(int(a), int(b))))

    def _two(self, start: int, a: str, b: str, sign: str) -> None:
        if is_year(b) and len(a) <= 2 and (sign == "/" or a[0] == "0"):
            self._keep(Written(start, start + 3, int(b), int(a)))
        elif is_year(a) and len(b) == 2 and (b[0] == "0" or int(b) <= int(a) % 100):
            self._keep(Written(start, start + 3, int(a), int(b)))
        elif sign == "/" and len(a) <= 2 and len(b) <= 2 and self._told(start, a, b):
            self._keep(Written(start, start + 3, numbers=(int(a), int(b))))

    def _told(self, start: int, a: str, b: str) -> bool:
        """Whether two numbers are a day and a month, and no strength, pressure or part."""
        before, after = self.word(start - 1), self.word(start + 3)
        if start in self.draft.covered or after in _NO_DATE_AFTER:
            return False
        if "0" in (a[0], b[0]) or before in _BEFORE_SHORT:
            return True
        if after in ("-", "–", "to") and self.word(start + 5) == "/":
            return True
        if before in ("-", "–") and start - 2 in self.taken:
            return True
        measured = any(
            (m := self.draft.by_stop.get(i)) is not None and m.group == "measure"
            for i in range(start - 5, start)
        )
        headed = self.word(start + 4) == ":"  # `Labs (3/10):`
        return before == "(" and after in (")", ",") and (measured or headed)

    def dotted(self, place: int) -> None:
        """Read `3.4.2021`, which is cut before its last sign."""
        first, dot, second = self.word(place - 1).partition(".")
        year = self.words[place][1:]
        if not (
            dot and first.isdecimal() and second.isdecimal() and self._close(place - 1, place + 1)
        ):
            return
        if (
            year.isdecimal()
            and len(first) <= 2
            and len(second) <= 2
            and (is_year(year) or (len(first) == len(second) == 2))
        ):
            numbers = (int(first), int(second))
            self._keep(Written(place - 1, place + 1, int(year), numbers=numbers))

    def named(self, place: int) -> None:
        """Read a month with its day and year."""
        start, day = self._day_before(place)
        stop = place + 1
        if self.word(stop) == "." and self.word(stop + 1).isdecimal():
            stop += 1
        if day is None:
            stop, day = self._day_behind(stop)
        year, stop = self._year_behind(stop, short=self.word(start + 1) in ("-", "/"))
        if day is None and year is None and not self._alone(place):
            return
        if year is None and self.words[place] in _VERBS and not self._capital(place):
            return
        self._keep(Written(start, stop, year, MONTHS[self.words[place]], day))

    def _capital(self, place: int) -> bool:
        return self.draft.tokens.text[self.draft.tokens.starts[place]].isupper()

    def _alone(self, place: int) -> bool:
        return self.word(place - 1) in _BEFORE_MONTH and self._capital(place)

    def _day_before(self, place: int) -> tuple[int, int | None]:
        index = place - 1
        if self.word(index) in ("-", "/", "of"):
            index -= 1
        if self.word(index) in _ORDINALS:
            index -= 1
        word = self.word(index)
        if word.isdecimal() and len(word) <= 2 and 1 <= int(word) <= 31:
            return index, int(word)
        return place, None

    def _day_behind(self, index: int) -> tuple[int, int | None]:
        start = index
        if self.word(index) in ("-", "the"):
            index += 1
        word = self.word(index)
        if not (word.isdecimal() and len(word) <= 2 and 1 <= int(word) <= 31):
            return start, None
        index += 1
        if self.word(index) in _ORDINALS and self._close(index - 1, index + 1):
            index += 1
        if self.word(index) in _AMOUNTS | {"/"}:
            return start, None
        return index, int(word)

    def _year_behind(self, index: int, short: bool) -> tuple[int | None, int]:
        start = index
        if self.word(index) in (",", "-", "/", "of"):
            index += 1
        word = self.word(index)
        if is_year(word):
            return int(word), index + 1
        if self.word(start) == "'" and self.word(start + 1).isdecimal():
            word, index = self.word(start + 1), start + 1
        elif not (short and index > start and self.word(start) in "-/"):
            return None, start
        return (int(word), index + 1) if word.isdecimal() and len(word) == 2 else (None, start)

    def year(self, place: int) -> None:
        """Read a year that stands alone, and `the 1990s`."""
        if place in self.draft.covered or self.word(place + 1) in _AMOUNTS:
            return
        word = int(self.words[place])
        if self.word(place + 1) == "s" and self._close(place, place + 2):
            self._keep(Written(place, place + 2, word - word % 10, years=10))
            return
        line = "\n" in self.draft.tokens.gap(place) or place == 0
        named = place in self.draft.by_stop
        if line or named or self.word(place - 1) in _BEFORE_YEAR:
            self._keep(Written(place, place + 1, word))


def days_between(today: date, period: tuple[date, date], slack: int) -> tuple[float, float]:
    """Return a period as days from today, `slack` days wider on both sides."""
    low, high = ((day - today) / timedelta(days=1) for day in period)
    return low - slack, high + slack
