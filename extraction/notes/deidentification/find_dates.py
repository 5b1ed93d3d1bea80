"""Dates and ages over 89 in a text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .calendar import HOLIDAYS
from .date_forms import DAY_OF_MONTH, FORMS, MONTH, WEEKDAY
from .dates import is_date
from .found import Found
from .openings import opening_words
from .short_dates import days_come_first, short_dates
from .sought import At, Sought, Survey

_OLDEST = 90
_MOST = 125
# Before a month or two numbers that stand alone: words that make a date of them.
_BEFORE = re.compile(
    r"(?:\b(?:on|in|since|until|till|by|from|of|as of|last|this|next|past|early|mid|late|during|"
    r"before|"
    r"after|through|thru|between|and|to|dated?|dob|dos|d\.?o\.?b\.?|born|visit|seen|done|taken|"
    r"drawn|"
    r"admitted|discharged|scheduled|signed|dictated|transcribed|performed|collected|received|"
    r"obtained|"
    r"around|about|every|for|appointment|follow[- ]?up|started|completed|effective|expir(?:es|y|"
    r"ed)|"
    r"each|end|beginning|middle|it's|was|is|late|prior|the)(?: on| of| date)?|[(\[])[ :\-=#]{0,3}$",
    re.IGNORECASE,
)
_STRONG = re.compile(
    r"\b(?:on|since|until|till|as of|dated?|dob|dos|seen|done|taken|drawn|admitted|discharged|"
    r"visit|"
    r"signed|dictated|transcribed|performed|collected|received|obtained|scheduled|from|by|before|"
    r"after|"
    r"appointment|last|in|d|t)(?: (?:on|of|date|is|was))?[ :\-=]{0,3}$",
    re.IGNORECASE,
)
_NO_DAY_AFTER = re.compile(
    r" (?:pod|postop|postoperative|post-operative|hospital|floor|rib|ribs|toe|finger|digit|"
    r"percentile|metatarsal|metacarpal|degree|grade|trimester|"
    r"intercostal|cranial|ventricle|nerve|line|generation|dose|cycle|visit|time|day|week|month|"
    r"year|"
    r"and|cervical|thoracic|lumbar|mcp|mtp|pip|dip|ray|interspace|left|right|episode|stage|heart|"
    r"opinion|molar|place|attempt|child|pregnancy|birthday|edition|choice|edge)\b",
    re.IGNORECASE,
)
_SATURATION = re.compile(r"[ :=]{1,2}(?:(?:is|was|of) )?(?:[5-9]\d|100)(?![\d/\-])")
_MONTH_VERBS = ("may", "march", "mar", "dec", "jan", "sep", "august")
_HOLIDAY = Sought(
    re.compile(
        r"(?<![A-Za-z])(?:"
        + "|".join(
            re.escape(h).replace("'", "['’]") for h in sorted(HOLIDAYS, key=len, reverse=True)
        )
        + r")(?![A-Za-z])",
        re.IGNORECASE,
    ),
    "words",
    before=1,  # of `4th of July`
    opening=rf"\b(?:{'|'.join(re.findall(r'[a-z]+', h)[0] for h in HOLIDAYS)})\b",
)
_MONTHS = opening_words(rf"\b{MONTH}")
_AT: dict[str, At] = {
    **dict.fromkeys(("month_day", "month_ordinal", "month_year", "month"), "words"),
    "ordinal_month": "anywhere",
}
_SOUGHT = {
    form: Sought(
        pattern, _AT.get(form, "numbers"), holds=_MONTHS if MONTH in pattern.pattern else ()
    )
    for form, pattern in FORMS.items()
}
_WEEKDAY = Sought(WEEKDAY, "words")
_BIRTH_YEAR = Sought(
    re.compile(r"\b(?:born|birth|dob)[^.\n]{0,14}?(?P<y>(?:18|19)\d\d)(?!\d|[/\-]\d)", re.I),
    needs=r"born|birth|dob",
)
_AGE_AFTER = Sought(
    re.compile(
        r"(?<![\d./\-])(?P<n>\d{2,3})(?:[ \-]{0,2}(?:years?|yrs?)[ \-]{0,2}(?:old|of age)"
        r"|[ \-]?(?:y[./ ]?o\.?|y/?old)(?![a-z])|[ \-]?(?:yrs?|years?)(?=,? (?:man|woman|"
        r"male|female))"
        r"|[ ]?(?:[MF])(?![A-Za-z\d]))",
    ),
    "numbers",
)
_TEMPERATURE = re.compile(
    r"\b(?:t|(?:temp\w*|tmax)(?: (?:is|was|max|of))?|fevers?|febrile|to|at|of)\.?[ :=]*$",
    re.IGNORECASE,
)
_AGE_BEFORE = Sought(
    re.compile(
        r"\b(?:aged?|age of|turned|turning|turns|age at \w{3,12})(?: (?:is|was|now|of))?[ :=]{0,4}"
        r"(?P<n>\d{2,3}(?! ?(?:mg|%))(?: ?(?:years?|yrs?|y)\b)?)(?![\d./]\d|\d)",
        re.IGNORECASE,
    ),
    "words",
)
_AGE_WORD = Sought(
    re.compile(
        r"\b(?P<n>(?:(?:one |a )?hundred(?:[ \-](?:and )?[a-z]{3,8}(?:[ \-](?:one|two|three|four|"
        r"five|six|"
        r"seven|eight|nine))?)?|ninety(?:[ \-](?:one|two|three|four|five|six|seven|eight|nine))?))"
        r"(?=[ \-](?:years?|yrs?)[ \-](?:old|of age))",
        re.IGNORECASE,
    ),
    needs="hundred|ninety",
)


def find_dates(survey: Survey) -> Iterator[Found]:
    """Yield dates, weekdays and holidays; forms that claim more come first."""
    text = survey.text
    yield from _by_form(survey)
    for match in survey.finditer(_HOLIDAY):
        if not match.group().islower() or " " in match.group() or match.group()[:5] == "chris":
            yield Found(match.start(), match.end(), "date", "holiday")
    for match in survey.finditer(_WEEKDAY):
        if _weekday(text, match):
            yield Found(match.start(), match.end(), "date", "weekday")
    for match in DAY_OF_MONTH.finditer(text):
        if _day_alone(text, match):
            yield Found(match.start(), match.end(), "date", "day")


def _by_form(survey: Survey) -> Iterator[Found]:
    text = survey.text
    dated: list[str] = []
    for form, sought in _SOUGHT.items():
        judge = _JUDGES.get(form)
        matches = survey.finditer(sought)
        if form == "short":
            matches = short_dates(text, matches, dated, day_comes_first(survey))
        for match in matches:
            if judge is None or judge(text, match):
                yield Found(match.start(), match.end(), "date", form)
                if form in _NAMING_DAYS:
                    dated.append(match.group())


def find_ages(survey: Survey) -> Iterator[Found]:
    """Yield ages over 89."""
    text = survey.text
    for sought in (_AGE_AFTER, _AGE_BEFORE):
        for match in survey.finditer(sought):
            digits = re.match(r"\d+", match["n"])
            if digits and _OLDEST <= int(digits.group()) <= _MOST:
                stop = match.end() if sought is _AGE_AFTER else match.end("n")
                if sought is _AGE_AFTER and _TEMPERATURE.search(_before(text, match.start())):
                    continue
                letter = match.group()[-1] in "MFmf" and match.group()[-2].isdigit()
                yield Found(match.start("n"), match.end("n") if letter else stop, "date", "age")
    for match in survey.finditer(_AGE_WORD):
        yield Found(match.start("n"), match.end("n"), "date", "age")


def find_birth_years(survey: Survey, newest: int | None) -> Iterator[Found]:
    """Yield years of birth that tell an age over 89 in the note's newest year."""
    for match in survey.finditer(_BIRTH_YEAR):
        if newest is not None and newest - int(match["y"]) >= _OLDEST:
            yield Found(match.start("y"), match.end("y"), "date", "birth_year")


def day_comes_first(survey: Survey) -> bool:
    """Whether dates of the text can only be read with the day before the month.

    Dates with a year decide; where there are none, those of two numbers.
    """
    numeric = [m for m in survey.finditer(_SOUGHT["numeric"]) if is_date(m.group())]
    if numeric:
        return any(int(m["a"]) > 12 for m in numeric)
    return days_come_first(survey.text, survey.finditer(_SOUGHT["short"]))


def _before(text: str, place: int) -> str:
    return text[max(0, place - 28) : place]


def _numeric(text: str, match: re.Match[str]) -> bool:
    """Whether three numbers are a date; years of two digits only between like signs."""
    if len(match["y"].strip("'’")) == 4:
        return 1700 < int(match["y"]) < 2200
    if match["s"] == "/":
        return is_date(match.group())
    both = len(match["a"]) == 2 and len(match["b"]) == 2
    told = _STRONG.search(_before(text, match.start())) is not None
    return is_date(match.group()) and (told or (match["s"] == "-" and both) or both)


def _day_month(text: str, match: re.Match[str]) -> bool:
    """Whether a number before a month is its day (`10 may be` is none)."""
    if any(match[g] for g in ("y", "y2", "y3", "o")):
        return is_date(match.group())
    return is_date(match.group()) and (match["n"][0].isupper() or _clear(match["n"]))


def _month_day(text: str, match: re.Match[str]) -> bool:
    if match["y"] or match["o"]:
        return is_date(match.group())
    return is_date(match.group()) and (match["n"][0].isupper() or _clear(match["n"]))


def _clear(month: str) -> bool:
    return month.lower() not in _MONTH_VERBS


def _month(text: str, match: re.Match[str]) -> bool:
    """Whether a month that stands alone is one: `May`, `march` and short forms need a word."""
    name = match["n"]
    if name.islower() and not _clear(name):
        return False
    if len(name) > 3 and _clear(name) and name[0].isupper():
        return True
    if name.isupper() and len(name) == 3:
        return False
    return _BEFORE.search(_before(text, match.start())) is not None


def _weekday(text: str, match: re.Match[str]) -> bool:
    """Whether it is a weekday: short forms only beside a date or after a word for a day."""
    name = match["w"]
    if name.lower() == "sat" and _SATURATION.match(text, match.end()):
        return False
    if len(name) > 5 or name.lower().endswith("day"):
        return True
    if not name[0].isupper():
        return False
    beside = re.match(
        r"[.,]? {1,2}(?:\d{1,2}[/\-. ]|[A-Z][a-z]{2})|-[A-Z]", text[match.end() :][:8]
    )
    if beside:
        return True
    told = re.search(
        r"\b(?:on|last|this|next|every|each|until|since|by|and|or|through)[ \-]$|[A-Z]-$|, $",
        _before(text, match.start()),
    )
    return told is not None and not name.isupper()


def _day_alone(text: str, match: re.Match[str]) -> bool:
    if not 1 <= int(match["d"]) <= 31 or _NO_DAY_AFTER.match(text, match.end()):
        return False
    return (
        re.search(r"\b(?:on|until|by|since) the $", _before(text, match.start()), re.I) is not None
    )


_NAMING_DAYS = ("iso", "numeric", "year_month_day", "day_month", "month_day", "compact")
_JUDGES = {
    "numeric": _numeric,
    "day_month": _day_month,
    "month_day": _month_day,
    "month": _month,
}
