"""Places smaller than a state, found by their form, by what stands beside them, or by a list."""

from __future__ import annotations

import re
from collections.abc import Iterator

from . import place_forms as forms
from .draws import normal
from .found import Found
from .listed import Lists, terms
from .place_words import GENERIC, UPPER

_SURE = (
    (forms.COORDINATES, "coordinates"),
    (forms.POSTCODE, "postcode"),
    (forms.STREET, "street"),
    (forms.SMALL_STREET, "street"),
    (forms.ROUTE, "street"),
    (forms.NAMED_STREET, "street"),
    (forms.FOREIGN_STREET, "street"),
    (forms.BOX, "street"),
    (forms.UNIT_ALONE, "street"),
    (forms.FOREIGN_ZIP, "zip"),
)
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


def find_places(text: str, known: Lists) -> Iterator[Found]:
    """Yield places smaller than a state; addresses first, then towns and facilities."""
    for place in _places(text, known):
        yield _widened(text, place) if place.form == "town" else place


def _widened(text: str, town: Found) -> Found:
    """Take in what a town's name begins or ends with (`West`, `Fort`; `Falls`, `Heights`)."""
    before = _TOWN_BEGINS.search(text[max(0, town.start - 14) : town.start])
    after = _TOWN_ENDS.match(text, town.stop)
    start = town.start - len(before.group()) if before else town.start
    return Found(start, after.end() if after else town.stop, town.kind, town.form)


def _places(text: str, known: Lists) -> Iterator[Found]:
    for pattern, form in _SURE:
        for match in pattern.finditer(text):
            yield Found(match.start(), match.end(), "geographic", form)
            if form == "street":
                yield from _beside_street(text, match.end(), known)
    for match in forms.ZIP_ALONE.finditer(text):
        yield Found(match.start("zip"), match.end("zip"), "geographic", "zip")
    yield from _facilities(text)
    yield from _with_state(text, known)
    for match in forms.COUNTY.finditer(text):
        start = _start_of_town(text, *match.span("city"))
        if start is not None:
            yield Found(start, match.end(), "geographic", "town")
    for pattern in (
        forms.LIVES,
        forms.CITY_FIELD,
        forms.TOWN_OF,
        forms.SITE_FIELD,
        forms.FROM,
        forms.IN,
    ):
        for match in pattern.finditer(text):
            yield from _town(
                text,
                *match.span("city"),
                known,
                sure=pattern not in (forms.LIVES, forms.FROM, forms.IN),
            )
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


def _with_state(text: str, known: Lists) -> Iterator[Found]:
    for pattern in (forms.CITY_STATE, forms.ANY_CASE_CITY_STATE_ZIP):
        for match in pattern.finditer(text):
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


def _facilities(text: str) -> Iterator[Found]:
    for match in forms.FACILITY.finditer(text):
        words = list(re.finditer(r"\S+", match.group()))
        while words and words[0].group().lower().strip(".,") in GENERIC:
            words.pop(0)
        named = [w for w in words if w.group().lower().strip(".,") not in GENERIC]
        if named and len(words) > 1:
            yield Found(match.start() + words[0].start(), match.end(), "geographic", "facility")
    for match in forms.SAINT.finditer(text):
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
