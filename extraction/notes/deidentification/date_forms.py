"""How dates are written: one pattern a form, each bounded, with the parts as named groups."""

from __future__ import annotations

import re

MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    r"sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)(?![a-z])"
)
_FULL_YEAR = r"(?:18|19|20)\d\d"
_YEAR = rf"(?:{_FULL_YEAR}|['’]\d\d)(?!\d)"
_ORDINAL = r"(?:first|second|third|(?:twenty[- ]|thirty[- ])?(?:fir|seco|thi|four|fif|six|seven|eigh|nin)(?:st|nd|rd|th)|tenth|eleventh|twelfth|\w{3,5}teenth|twentieth|thirtieth)"  # noqa: E501
_UNIT = r"(?! ?(?:mg|mcg|ml|g|%|units?|mm|cm|weeks?|days?|months?|years?|hours?|times|x)\b)"


def _form(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


FORMS: dict[str, re.Pattern[str]] = {
    "iso": _form(
        rf"(?<![\d.])(?P<y>{_FULL_YEAR})(?P<s>[-/.])(?P<m>0?[1-9]|1[0-2])(?P=s)"
        r"(?P<d>3[01]|[12]\d|0?[1-9])(?!\d)"
    ),
    "numeric": _form(
        r"(?<![\d/.\-])(?P<a>\d{1,2}) ?(?P<s>[/.\-]) ?(?P<b>\d{1,2}) ?(?P=s) ?"
        r"(?P<y>\d{4}|['’]?\d{2})(?![\d/]|[.\-]\d)"
    ),
    "spaced": _form(r"(?<![\d/.\-] )(?<!\d)(?P<a>\d{2}) (?P<b>\d{2}) (?P<y>(?:19|20)\d\d)(?!\d)"),
    "year_month_day": _form(
        rf"(?<!\d)(?P<y>{_FULL_YEAR})[ ,\-/]{{1,2}}(?P<n>{MONTH})\.?[ \-/]{{1,2}}"
        r"(?P<d>\d{1,2})(?P<o>st|nd|rd|th)?(?!\d)"
    ),
    "day_month": _form(
        rf"(?<![\d/.\-])(?P<d>\d{{1,2}})(?P<o>st|nd|rd|th)?"
        rf"(?:(?P<r> ?(?:-|–|to|through|and|&|until) ?)(?P<d2>\d{{1,2}})(?P<o2>st|nd|rd|th)?)?"
        rf"(?:[ \-./]{{0,2}}|(?: day)? of )(?P<n>{MONTH})\.?"
        rf"(?:[ ,\-/]{{0,3}}(?:of )?(?P<y>{_YEAR})|[\-/](?P<y2>\d\d)(?!\d)|"
        rf"(?<=[A-Z]{{3}})(?P<y3>\d\d)(?!\d))?"
    ),
    "month_day": _form(
        rf"(?<![A-Za-z])(?P<n>{MONTH})\.?[ \-]{{1,2}}(?:the )?(?P<d>\d{{1,2}})(?P<o>st|nd|rd|th)?"
        rf"(?!\d|[/%.:]\d){_UNIT}"
        r"(?:(?P<r> ?(?:-|–|to|through|and|&|until) ?)(?P<d2>\d{1,2})(?P<o2>st|nd|rd|th)?"
        rf"(?!\d|[/%.:]\d){_UNIT})?"
        rf"(?:(?:,? ?|-|/|, of |\. ?)(?P<y>{_YEAR}))?"
    ),
    "month_ordinal": _form(
        rf"(?<![A-Za-z])(?P<n>{MONTH})\.? (?:the )?(?P<w>{_ORDINAL})(?![a-z])(?:,? "
        rf"?(?P<y>{_YEAR}))?"
    ),
    "ordinal_month": _form(
        rf"(?<![A-Za-z])(?P<w>{_ORDINAL})(?: day)? of (?P<n>{MONTH})\.?(?:,? ?(?P<y>{_YEAR}))?"
    ),
    "month_year": _form(
        rf"(?<![A-Za-z])(?P<n>{MONTH})\.?(?:,? |-|/|,? of |,? in |)(?P<y>{_YEAR}|"
        r"(?<=[-/])\d\d(?!\d))"
    ),
    "compact": _form(
        r"(?<![\dA-Za-z\-])(?P<y>(?:19|20)\d\d)(?P<m>0[1-9]|1[0-2])(?P<d>0[1-9]|[12]\d|3[01])"
        r"(?=\d{4}(?:\d\d)?(?!\d)|t\d|_|(?![\dA-Za-z\-]))"
    ),
    "number_year": _form(
        r"(?<![\d/.\-])(?P<m>0?[1-9]|1[0-2])[/\-](?P<y>(?:19|20)\d\d)(?![\d/]|[.\-]\d)"
    ),
    "year_number": _form(
        r"(?<![\d/.\-])(?P<y>(?:19|20)\d\d)[\-/](?P<m>0[1-9]|1[0-2])(?![\d/]|[.\-]\d)"
    ),
    "short": _form(r"(?<![\d/.\-])(?P<a>\d{1,2})(?P<s>[/\-.])(?P<b>\d{1,2})(?![\d/]|[.\-]\d|%)"),
    "month": _form(rf"(?<![A-Za-z])(?P<n>{MONTH})"),
}
"""Forms in the order in which they are looked for; the longer ones first."""

WEEKDAY = re.compile(
    r"(?<![A-Za-z])(?P<w>(?:mon|tues|wednes|thurs|fri|satur|sun)day"
    r"|(?:mon|tue|tues|wed|weds|thu|thur|thurs|fri|sat|sun)(?=[.,)\-/ ]|$))(?P<p>s?)(?![A-Za-z])",
    re.IGNORECASE,
)
DAY_OF_MONTH = re.compile(r"(?P<d>\d{1,2})(?P<o>st|nd|rd|th)", re.IGNORECASE)
AGE = re.compile(
    r"(?P<n>\d{2,3})(?P<u>[ \-]?(?:years?|yrs?|y)?(?:[ \-]?olds?|[ \-]?of[ \-]age|[/.]?o\.?)?)",
    re.I,
)
