"""Words of a note with their places, in the one form that all term lists are compared in."""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass, field
from functools import lru_cache
from unicodedata import combining, normalize

_TOKEN = re.compile(
    r"[^\W\d_]+(?:['’][^\W\d_]+)*|\d+(?:,\d{3}(?!\d))*(?:\.\d+)?|\.\d+|[^\w\s]|_", re.UNICODE
)
_LONGEST = 50  # characters of a piece whose words are kept
# British spellings become American ones, in the text and in the term lists alike.
_RESPELL = (
    ("haem", "hem"),
    ("aemi", "emi"),
    ("oedem", "edem"),
    ("rrhoea", "rrhea"),
    ("pnoea", "pnea"),
    ("oesoph", "esoph"),
    ("oestr", "estr"),
    ("tumour", "tumor"),
    ("colour", "color"),
    ("odour", "odor"),
    ("faec", "fec"),
    ("paed", "ped"),
    ("foet", "fet"),
    ("ischaem", "ischem"),
    ("aesthe", "esthe"),
    ("caecal", "cecal"),
    ("leucoc", "leukoc"),
    ("leucop", "leukop"),
    ("gynaec", "gynec"),
    ("behaviour", "behavior"),
    ("coeliac", "celiac"),
    ("goitre", "goiter"),
    ("litre", "liter"),
    ("hospitalis", "hospitaliz"),
    ("sulph", "sulf"),
    ("fibre", "fiber"),
    ("anaes", "anes"),
)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Words in normal form with character places.

    Parameters
    ----------
    text
        The text they were cut from.
    words
        Lower case, American spelling, straight apostrophes; numbers and signs as written.
    starts, stops
        Character places, half open.
    places
        Where each word stands; filled by `index` at the first look-up.
    numeric
        The words among them that may be numbers in digits; filled with `places`.
    """

    text: str
    words: list[str]
    starts: list[int]
    stops: list[int]
    places: dict[str, list[int]] = field(default_factory=dict)
    numeric: set[str] = field(default_factory=set)

    def index(self) -> dict[str, list[int]]:
        """Return where each word stands, in order."""
        places = self.places
        if not places:
            for place, word in enumerate(self.words):
                known = places.get(word)
                if known is None:
                    places[word] = [place]
                    if word[0].isdigit() or (word[0] == "." and len(word) > 1):
                        self.numeric.add(word)
                else:
                    known.append(place)
        return places

    def among(self, words: Set[str]) -> list[int]:
        """Return where any of these words stands, in order."""
        index = self.index()
        present = index.keys() & words
        return sorted([place for word in present for place in index[word]])

    def gap(self, index: int) -> str:
        """Return what stands between this word and the one before."""
        before = self.stops[index - 1] if index else 0
        return self.text[before : self.starts[index]]


def tokenize(text: str) -> Tokens:
    """Cut a text into words, numbers and single signs; blanks are left out.

    Examples
    --------
    >>> tokenize("Anaemia, Hgb 9.9 g/dL").words
    ['anemia', ',', 'hgb', '9.9', 'g', '/', 'dl']
    """
    words: list[str] = []
    starts: list[int] = []
    stops: list[int] = []
    place = 0
    for piece in text.split():
        place = text.find(piece, place)
        for word, start, stop in _known(piece) if len(piece) <= _LONGEST else _cut(piece):
            words.append(word)
            starts.append(place + start)
            stops.append(place + stop)
        place += len(piece)
    return Tokens(text, words, starts, stops)


def _cut(piece: str) -> tuple[tuple[str, int, int], ...]:
    """Return the words of what stands between blanks, with their places in it."""
    return tuple((normal(match[0]), *match.span()) for match in _TOKEN.finditer(piece))


_known = lru_cache(maxsize=32768)(_cut)


def normal(word: str) -> str:
    """Return a word's normal form: lower case without accents, American spelling."""
    word = word.lower().replace("’", "'").replace("−", "-")
    if not word.isascii():
        word = "".join(c for c in normalize("NFD", word) if not combining(c)) or word
    if len(word) > 4:
        for british, american in _RESPELL:
            if british in word:
                word = word.replace(british, american)
    return word


def number(word: str) -> float | None:
    """Return the number a word writes, or None.

    Examples
    --------
    >>> number("12,000"), number("q")
    (12000.0, None)
    """
    if not word or not (word[0].isdigit() or (word[0] == "." and len(word) > 1)):
        return None
    try:
        return float(word.replace(",", ""))
    except ValueError:
        return None
