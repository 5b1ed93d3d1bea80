"""The day of a note: given with it, or written at its head; and how its dates are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from ..draft import Draft
from ..facts import Bounds
from ..lexicon import word_set
from .written import Written, days_between

# Labels in front of a date that is the note's own, the surest first.
_LABELS = tuple(
    {tuple(label.split()) for label in group.split("|")}
    for group in (
        "date of visit|visit date|date of service|service date|dos|date of encounter|"
        "encounter date|date of note|note date|date of consultation|consultation date|"
        "date of consult|consult date|clinic date|date of clinic|clinic visit|office visit|visit|"
        "date of exam|exam date|date of examination|date of evaluation|date of report|"
        "report date|progress note|date seen|seen on|date|date / time|date and time|today's date|"
        "note|clinic note|date of assessment|assessment date",
        "dictated|date dictated|date of dictation|dictated on|dd|signed|signed on",
        "discharge date|date of discharge|discharged|discharged on|discharge",
        "admission date|date of admission|admit date|admitted|admitted on|admission",
    )
)
_LONGEST = 5  # words of a label
_SIGNS = frozenset({":", "-", "–", "—", "|"})
# Words of a line at the head of a note that ends with the note's day: `ICU note HD#5 DATE`.
_HEADS = word_set(
    "note notes intake clinic consult consultation evaluation visit assessment report summary "
    "encounter service rounds round h&p letter"
)
_NOT_HEADS = word_set(
    "dob born birth birthdate admission admitted admit discharge discharged surgery operation "
    "since from until started stopped last previous prior next due scheduled return history hx old "
    "onset until begun diagnosed dx comparison compared"
)
_FIRST_LINES = 4
_WORDS_OF_HEAD = 12
_NO_DAY_OF_CARE = frozenset({"dob", "born", "birth", "birthdate"})


@dataclass(frozen=True, slots=True)
class Anchor:
    """What is known of a note's day beside its words.

    Parameters
    ----------
    day
        Its date of the calendar.
    day_first
        Whether 3/4 is the third of April; None leaves it to the note's dates.
    moved
        Whether the dates of the text were moved by de-identification: full dates all by the same
        number of days, others by about as much or, of bare years, not at all.
    """

    day: date | None = None
    day_first: bool | None = None
    moved: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read the dates of a note.

    Parameters
    ----------
    today
        Day of the note, None where it is unknown.
    day_first
        Which of two numbers is the day where both can be.
    """

    today: date | None
    day_first: bool


def readings(
    draft: Draft, anchor: Anchor, dates: Sequence[Written]
) -> tuple[tuple[Reading, ...], frozenset[int]]:
    """Return the ways in which a note can be read, and the first words of dates of no fact.

    Where neither the setting nor a date of the note tells the order of day and month, there are
    two ways; each takes every date alike, the note's own among them.

    Parameters
    ----------
    dates
        Of the calendar, in the note.
    """
    labels = {d.start: _label(draft, d.start) for d in dates if d.day or d.numbers}
    heads = [d for d in dates if _rank(draft, d, labels.get(d.start, ())) is not None]
    heads.sort(key=lambda d: _rank(draft, d, labels[d.start]) or 0)
    told = {order for order in (d.order() for d in dates) if order is not None}
    if anchor.day_first is not None:
        ways: tuple[bool, ...] = (anchor.day_first,)
    else:
        ways = tuple(told) if len(told) == 1 else (False, True)
    birth = {s for s, label in labels.items() if not _NO_DAY_OF_CARE.isdisjoint(label)}
    apart = frozenset({*(d.start for d in heads), *birth})
    found = tuple(Reading(_today(anchor, heads, way), way) for way in ways)
    return found, apart


def meant(written: Written, ways: Sequence[Reading], moved: bool, ahead: bool) -> Bounds | None:
    """Return the days from the note that hold every meaning of a date, or None.

    Meanings on the wrong side of now are left out where there are others.

    Parameters
    ----------
    moved
        Whether the text's dates were moved (`Anchor`).
    ahead
        Whether the date is one to come.
    """
    slack = _slack(written) if moved else 0
    days = []
    for way in ways:
        period = written.days(way.today, way.day_first, ahead)
        if period is not None and way.today is not None:
            days.append(days_between(way.today, period, slack))
    right = [d for d in days if (d[1] >= 0 if ahead else d[0] <= 0)] or days
    if not right:
        return None
    return min(d[0] for d in right), max(d[1] for d in right)


def _slack(written: Written) -> int:
    """Return how many days a date of a text whose dates were moved can be off."""
    if written.day is None and written.numbers is None:
        return 31 if written.month is not None else 183  # moved as the 15th; not moved
    return 0 if written.year is not None else 1


def _today(anchor: Anchor, heads: Sequence[Written], day_first: bool) -> date | None:
    if anchor.day is not None:
        return anchor.day
    for head in heads:
        days = head.days(None, day_first)
        if head.year is not None and head.year < 100:
            days = head.days(date(2020, 1, 1), day_first)
        if days is not None:
            return days[0]
    return None


def _label(draft: Draft, start: int) -> tuple[str, ...]:
    """Return the words of the line in front of a date, where they are few."""
    index = start
    while index > 0 and start - index <= _LONGEST + 1 and "\n" not in draft.tokens.gap(index):
        index -= 1
        word = draft.words[index]
        if word in (".", ";", ",") or word[-1].isdecimal():
            index += 1
            break
    return tuple(w for w in draft.words[index:start] if w not in _SIGNS)


def _rank(draft: Draft, written: Written, label: tuple[str, ...]) -> int | None:
    """Return how surely a date is the note's own, 0 the surest; None where it is not."""
    if written.year is None or not (written.day or written.numbers):
        return None
    for rank, known in enumerate(_LABELS):
        if label in known:
            return rank
    if written.start == 0 and written.stop < len(draft.words):
        return 1 if "\n" in draft.tokens.gap(written.stop) else None
    return 1 if _is_head(draft, written) else None


def _is_head(draft: Draft, written: Written) -> bool:
    """Whether a line among the first names a note and ends with a date, or tells `as of DATE`."""
    index = written.start
    while index > 0 and "\n" not in draft.tokens.gap(index):
        index -= 1
        if written.start - index > _WORDS_OF_HEAD:
            return False
    if draft.tokens.text.count("\n", 0, draft.tokens.starts[index]) >= _FIRST_LINES:
        return False
    line = draft.words[index : written.start]
    if line[-2:] == ["as", "of"]:
        return True
    last = written.stop >= len(draft.words) or "\n" in draft.tokens.gap(written.stop)
    return last and not _HEADS.isdisjoint(line) and _NOT_HEADS.isdisjoint(line)
