"""Whether what has the form of an address is one: `RR 18`, `40 units sq` and `2 Head CT` are not.

Short words for streets and routes are also abbreviations of vital signs, doses and findings. They
count where a name stands with them, or where an address is told by the words before or after.
"""

from __future__ import annotations

import re

from ..lexicon import word_set
from . import place_forms as forms
from .draws import normal
from .listed import Lists, terms

_TOLD_BEFORE = re.compile(
    r"\b(?:address|addr|(?:liv|resid|stay|locat|mov|relocat)\w{1,4}(?: (?:at|on|to|off))?|"
    r"home|mail\w*(?: to)?|sent to|deliver\w*(?: to)?|street|residence|domicile|pickup at)"
    r"(?: is| was)?[ :,\t]{0,4}$",
    re.IGNORECASE,
)
_UNIT_AFTER = re.compile(
    r"\.?,?\s{1,2}(?:apt|apartment|unit|suite|floor|#)\.? ?#?\w{1,5}\b", re.IGNORECASE
)
_TOWN_AFTER = re.compile(
    rf"\.?(?:,|\n|,\n| ) ?(?P<city>{forms.TOWN})(?:,? (?:{forms.ANY_STATE})(?![A-Za-z])|"
    r",? \d{5})?"
)
_FINDING_AFTER = re.compile(
    r"\.? ?(?:elevations?|depressions?|segments?|changes?|deviations?|scans?|angio\w*|positive|"
    r"negative|blocks?|daily|nightly|weekly|bid|tid|qid|q\d|qhs|qam|qpm|prn|before|per|of|tests?|"
    r"visits?|waves?|abnormal\w*)\b"
)
_RISKY = word_set(
    "st dr ct ln sq av pl ter terr cir trl run path walk way row loop place close drive trail "
    "ridge court circle crossing mews grove pike cres square"
)
_LOOSE_ROUTE = re.compile(r"\d{1,2} (?:(?:N|S|E|W)\.? )?(?:rt|rte|fm|route) ", re.IGNORECASE)
_LOOSE_BOX = re.compile(r"(?:rr|r\.r\.|hc|box)\b", re.IGNORECASE)
_BOX_NUMBER = re.compile(r"(?:rr|r\.r\.|hc)\b.*box", re.IGNORECASE)
_YEAR = re.compile(r"(?:19|20)\d\d ")
_AFTER_YEAR_WORD = re.compile(
    r"\b(?:in|since|of|from|until|till|by|during|early|late|mid)[ \-]$", re.I
)
_WORD = re.compile(r"[^\W\d_]+")
_NO_STREET = terms("no_street")


def is_address(text: str, match: re.Match[str], form: str, known: Lists) -> bool:
    """Whether a match of a form of address is one.

    Parameters
    ----------
    text
        Of the note.
    match
        Of one of the patterns of `place_forms`.
    form
        ``street`` or ``zip``; any other form needs no word beside it.
    known
        Lists of names, towns and clinical words.
    """
    if form == "zip":
        return _is_zip(text, match, known)
    if form != "street":
        return True
    written = match.group()
    if _LOOSE_BOX.match(written):
        return bool(_BOX_NUMBER.match(written)) or _told(text, match, known)
    if _LOOSE_ROUTE.match(written):
        return _told(text, match, known)
    words = [normal(w) for w in _WORD.findall(re.split(r",|\s{2}", written)[0])]
    suffix = next((n for n in range(len(words) - 1, 0, -1) if words[n] in _RISKY), 0)
    if not written[0].isdigit() or not suffix:
        return True
    named = any(_names(word, known) for word in words[:suffix])
    if named and not _FINDING_AFTER.match(text, match.end()):
        return True
    return _told(text, match, known)


def _names(word: str, known: Lists) -> bool:
    """Whether a word can be the name of a street."""
    return (
        len(word) > 2
        and word not in known.clinical
        and word not in known.never
        and word not in _NO_STREET
    )


def _told(text: str, match: re.Match[str], known: Lists) -> bool:
    """Whether words before or after tell of an address."""
    if _TOLD_BEFORE.search(text[max(0, match.start() - 30) : match.start()]):
        return True
    if _UNIT_AFTER.match(text, match.end()):
        return True
    town = _TOWN_AFTER.match(text, match.end())
    if town is None:
        return False
    return town.end() > town.end("city") or normal(town["city"]) in known.cities


def _is_zip(text: str, match: re.Match[str], known: Lists) -> bool:
    """Whether a number before a word with a capital is a post code, and no value or year."""
    word = _WORD.search(text, match.end())
    plain = normal(word.group()) if word else ""
    if plain in known.clinical or plain in known.never or plain in _NO_STREET:
        return False
    before = text[max(0, match.start() - 10) : match.start()]
    return not (_YEAR.match(match.group()) and _AFTER_YEAR_WORD.search(before))
