"""Places smaller than a state, found by their form, by what stands beside them, or by a list."""

from __future__ import annotations

import re
from collections.abc import Iterator

from . import place_forms as forms
from .draws import normal
from .found import Found
from .listed import Lists, terms
from .openings import opening_words
from .place_context import is_address
from .place_words import GENERIC, UPPER
from .sought import Sought, Survey

_STREETS = opening_words(rf"\b{forms.SUFFIX}\b")
_SURE = (
    (Sought(forms.COORDINATES, needs=r"\.\d{3,8}"), "coordinates"),
    (Sought(forms.POSTCODE), "postcode"),
    (Sought(forms.STREET, "numbers", holds=_STREETS), "street"),
    (Sought(forms.SMALL_STREET, "numbers", holds=_STREETS), "street"),
    (Sought(forms.ROUTE, "numbers"), "street"),
    (Sought(forms.NAMED_STREET, holds=_STREETS), "street"),
    (Sought(forms.FOREIGN_STREET), "street"),
    (Sought(forms.BOX, "words"), "street"),
    (Sought(forms.UNIT_ALONE, "words"), "street"),
    (Sought(forms.FOREIGN_ZIP, needs=r"\d{4} "), "zip"),
)
_ZIP_ALONE = Sought(forms.ZIP_ALONE, re.compile(r"(?<!\d)\d{5}"), before=forms.LONGEST_BEFORE_ZIP)
_COUNTY = Sought(forms.COUNTY, holds=("county", "township", "parish", "borough"))
_TOWNS = (  # and whether the words before them are sure to name one
    (Sought(forms.LIVES, "words"), False),
    (Sought(forms.CITY_FIELD, "words"), True),
    (Sought(forms.TOWN_OF, "words"), True),
    (Sought(forms.SITE_FIELD, "words"), True),
    (Sought(forms.FROM, "words"), False),
    (Sought(forms.IN, "words"), False),
)
_WITH_STATE = (
    Sought(forms.CITY_STATE),
    Sought(forms.ANY_CASE_CITY_STATE_ZIP, needs=r"\d{5}"),
)
_FACILITY = Sought(forms.FACILITY)
_SAINT = Sought(forms.SAINT, "words")
_NO_TOWN = GENERIC | terms("no_town")
_TOWN_WORDS = re.compile(rf"[{UPPER}][^\W\d_]*\.?(?:[ \-][^\W\d_]+\.?){{0,4}}")
_WORD = re.compile(r"[^\W\d_]+\.?")
_TOWN_BEGINS = re.compile(
    r"(?<![^\W_])(?:North|South|East|West|New|Old|Upper|Lower|Fort|Ft\.?|Port|Mount|Mt\.?|Lake|Saint|"
    r"St\.?|Point|Cape|Glen|Grand|Great|Little|Big|Camp|Bay|Palm|Santa|San|El|La|Los|Las|Le)[ \-]$"
)
_TOWN_ENDS = re.compile(
    r"[ \-](?:Falls|Heights|Hts\.?|Hills?|Park|Beach|Springs?|City|Village|Township|Grove|"
    r"Valley|Lakes?|Ridge|Creek|Junction|Islands?|Bay|Shores?|Point|Harbor|Landing|Gardens?|Mills?|Station|"
    r"Center|Corners?|Forest|Woods?|Meadows?|Crossing|Bluffs?|Rapids|Rock|Town|Estates|North|South|East|West|"
    r"Upon [A-Z]\w+|on [A-Z]\w+)(?![^\W_])"
)
_NO_CITY = re.compile(
    r"[ \-](?i:coma|scientific|stool|type|score|criteria|outcome|classification|scale|heart)\b"
)


def find_places(survey: Survey, known: Lists) -> Iterator[Found]:
    """Yield places smaller than a state; addresses first, then towns and facilities."""
    for place in _places(survey, known):
        yield _widened(survey.text, place) if place.form == "town" else place


def _widened(text: str, town: Found) -> Found:
    """Take in what a town's name begins or ends with (`West`, `Fort`; `Falls`, `Heights`)."""
    before = _TOWN_BEGINS.search(text[max(0, town.start - 14) : town.start])
    after = _TOWN_ENDS.match(text, town.stop)
    start = town.start - len(before.group()) if before else town.start
    return Found(start, after.end() if after else town.stop, town.kind, town.form)


def _places(survey: Survey, known: Lists) -> Iterator[Found]:
    text = survey.text
    for sought, form in _SURE:
        for match in survey.finditer(sought):
            if not is_address(text, match, form, known):
                continue
            yield Found(match.start(), match.end(), "geographic", form)
            if form == "street":
                yield from _beside_street(text, match.end(), known)
    for match in survey.finditer(_ZIP_ALONE):
        yield Found(match.start("zip"), match.end("zip"), "geographic", "zip")
    yield from _facilities(survey)
    yield from _with_state(survey, known)
    for match in survey.finditer(_COUNTY):
        start = _start_of_town(text, *match.span("city"))
        if start is not None:
            yield Found(start, match.end(), "geographic", "town")
    for sought, sure in _TOWNS:
        for match in survey.finditer(sought):
            yield from _town(text, *match.span("city"), known, sure=sure)
    yield from _listed(text, known)


def _beside_street(text: str, place: int, known: Lists) -> Iterator[Found]:
    """Yield the town that follows a street."""
    match = forms.AFTER_STREET.match(text, place)
    if match is None or re.match(rf"{forms.ANY_STATE}", match["city"]):
        return
    if match["zip"]:
        yield Found(*match.span("zip"), "geographic", "zip")
    if text[place] == "," or match["zip"]:
        yield from _town(text, *match.span("city"), known, sure=False)


def _with_state(survey: Survey, known: Lists) -> Iterator[Found]:
    text = survey.text
    for sought in _WITH_STATE:
        for match in survey.finditer(sought):
            if match["zip"]:
                yield Found(match.start("zip"), match.end("zip"), "geographic", "zip")
            stop = match.end("city")
            start = _start_of_town(text, match.start("city"), stop)
            if start is not None and _is_town(text, start, stop, match, known):
                yield Found(start, stop, "geographic", "town")


def _is_town(text: str, start: int, stop: int, match: re.Match[str], known: Lists) -> bool:
    """Whether the words before a state are a town, and not a name before a degree (`Pop, MD`)."""
    if match["zip"]:
        return True
    state = match["state"]
    town = normal(text[start:stop])
    if state in (
        "MD",
        "PA",
        "PR",
        "DO",
        "DC",
        "MS",
        "MT",
        "OR",
        "IN",
        "CT",
        "PT",
        "CO",
        "AL",
        "ID",
    ):
        return town in known.cities or (
            state not in ("MD", "PA", "CT", "PR") and _clear_town(text, stop, town, known)
        )
    return text[stop : stop + 1] == "," or len(state) > 2


def _clear_town(text: str, stop: int, town: str, known: Lists) -> bool:
    return text[stop : stop + 1] == "," and not any(w in known.clinical for w in town.split())


def _start_of_town(text: str, start: int, stop: int) -> int | None:
    """Drop leading words that are no part of a town's name (`From Springfield`)."""
    for word in re.finditer(r"\S+", text[start:stop]):
        if word.group().lower() not in _NO_TOWN:
            return start + word.start()
    return None


def _town(text: str, start: int, stop: int, known: Lists, *, sure: bool) -> Iterator[Found]:
    words = list(re.finditer(r"[^\s]+", text[start:stop].rstrip(" .")))
    kept = []
    for word in words:
        plain = normal(word.group().strip(".,"))
        if (
            plain in known.never
            or plain in _NO_TOWN
            or (not sure and (plain in known.clinical or plain in known.words))
        ):
            break
        kept.append(word)
    if kept:
        yield Found(start + kept[0].start(), start + kept[-1].end(), "geographic", "town")


def _facilities(survey: Survey) -> Iterator[Found]:
    for match in survey.finditer(_FACILITY):
        words = list(re.finditer(r"\S+", match.group()))
        while words and words[0].group().lower().strip(".,") in GENERIC:
            words.pop(0)
        named = [w for w in words if w.group().lower().strip(".,") not in GENERIC]
        if named and len(words) > 1:
            yield Found(match.start() + words[0].start(), match.end(), "geographic", "facility")
    for match in survey.finditer(_SAINT):
        yield Found(match.start(), match.end(), "geographic", "facility")


def _listed(text: str, known: Lists) -> Iterator[Found]:
    """Yield cities of the list, written with a capital; the longest name at a place."""
    place = 0
    while match := _TOWN_WORDS.search(text, place):
        words = list(_WORD.finditer(text, match.start(), match.end()))
        length = _city_words(text, words, known)
        if length and not _NO_CITY.match(text, words[length - 1].end()):
            stop = words[length - 1].end()
            stop -= text[stop - 1] == "." and length == 1
            yield Found(match.start(), stop, "geographic", "town")
            place = stop
        else:
            place = words[0].end()


def _city_words(text: str, words: list[re.Match[str]], known: Lists) -> int:
    for length in range(min(5, len(words)), 0, -1):
        name = normal(text[words[0].start() : words[length - 1].end()])
        if name in known.cities or name.rstrip(".") in known.cities:
            return length
    return 0
