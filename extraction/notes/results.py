"""Laboratory results told in words: `LFTs normal`, `lipase wnl`, `CBC unremarkable`."""

from __future__ import annotations

from functools import cache

from .draft import Draft
from .lexicon import Lexicon, word_set
from .measurement_terms import Name, names

_PANELS = {
    "liver_tests": "LFTs | LFT | liver function tests | liver enzymes | transaminases",
    "blood_count": "CBC | FBC | complete blood count | full blood count | blood counts",
    "metabolic_panel": "BMP | CMP | basic metabolic panel | comprehensive metabolic panel | chem 7",
    "renal_function": "renal function | kidney function | U&Es | UEs | RFTs",
    "electrolytes": "electrolytes | lytes",
    "thyroid_tests": "TFTs | thyroid function tests | thyroid function | thyroid studies",
    "coagulation": "coags | coagulation studies | coagulation panel | PT/PTT",
    "urinalysis": "UA | urinalysis | urine dipstick",
    "cardiac_enzymes": "cardiac enzymes | cardiac biomarkers",
    "blood_gas": "ABG | VBG | blood gas",
}
_SAID = frozenset({"normal", "wnl", "unremarkable"})
_WITHIN = ("within", "normal", "limits")
_LINKS = word_set("is are was were : all remain remains remained - levels level today again also")
_CLOSERS = word_set(". , ; ) and but with on at today except apart limits")
_LONGEST = 4  # words of a name
_REACH = 3  # words between a name and its result


@cache
def _panels() -> Lexicon:
    lexicon = Lexicon()
    for name, told in _PANELS.items():
        for spelling in told.split(" | "):
            lexicon.add(spelling, Name("laboratory", name))
    return lexicon


def add_results(draft: Draft) -> None:
    """Add laboratory tests whose result is told in a word; `status` is ``normal``."""
    for place in draft.tokens.among(_SAID):
        first, stop = place, place + 1
        if place and tuple(draft.words[place - 1 : place + 2]) == _WITHIN:
            first, stop = place - 1, place + 2
        end = draft.sentence[place]
        if stop < end and draft.words[stop] not in _CLOSERS:
            continue  # `normal saline`
        named = _named(draft, first)
        if named is not None:
            start, name = named
            mention = draft.mention("laboratory", name.name, start, stop)
            mention.status = "normal"
            draft.add(mention)


def _named(draft: Draft, index: int) -> tuple[int, Name] | None:
    """Return the first word and the name of the test in front of a result."""
    opening = draft.opening[index]
    for _ in range(_REACH):
        if index > opening and draft.words[index - 1] in _LINKS:
            index -= 1
    for start in range(max(opening, index - _LONGEST), index):
        for lexicon in (names(), _panels()):
            match = lexicon.at(draft.tokens, start)
            if match is not None and match.stop == index and match.payload.type == "laboratory":
                return start, match.payload
    return None
