"""Keyed draws: the same value of the same subject gives the same draw, and no other does."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from hashlib import blake2b

from .keys import subkey

_DAYS = 182
_WEEKS = 26


class Draws:
    """Draws of one subject under one key.

    Parameters
    ----------
    key
        Of the de-identification.
    subject
        Whose notes they are for; another subject's draws are independent of these.
    """

    def __init__(self, key: bytes, subject: str) -> None:
        person = blake2b(subject.encode("utf-8", "surrogatepass"), digest_size=32).digest()
        self._values = blake2b(person, key=subkey(key, "surrogates"), digest_size=32).digest()
        self._shift = blake2b(person, key=subkey(key, "shift"), digest_size=32).digest()

    def number(self, kind: str, value: str, below: int, turn: int = 0) -> int:
        """Return a whole number in [0, below) that belongs to the value."""
        message = f"{kind}\0{value}\0{turn}".encode("utf-8", "surrogatepass")
        drawn = blake2b(message, key=self._values, digest_size=8).digest()
        return int.from_bytes(drawn, "big") % below

    def choose(self, kind: str, value: str, pool: Sequence[str]) -> str:
        """Return the pool's entry that belongs to the value, and is not the value."""
        for turn in range(8):
            chosen = pool[self.number(kind, value, len(pool), turn)]
            if normal(chosen) != value:
                return chosen
        return chosen

    def disguise(self, kind: str, text: str) -> str:
        """Return the text with other letters and digits, written as it was.

        Draws belong to the letters and digits alone, so a number keeps its surrogate whether it
        is written with blanks, hyphens or none.
        """
        plain = "".join(c for c in normal(text) if c.isalnum())
        turn = 0
        while True:
            drawn = _spell(self, kind, plain, text, turn)
            turn += 1
            if drawn != text or turn == 4:
                return drawn

    def renumber(self, kind: str, text: str) -> str:
        """Return the text with other digits; its letters stay."""
        made = self.disguise(kind, text)
        return "".join(m if c.isdigit() else c for c, m in zip(text, made, strict=True))

    def code(self, prefix: str, value: str) -> str:
        """Return a code of twelve hexadecimal digits for an id."""
        return f"{prefix}-{self.number(f'id {prefix}', value, 16**12):012x}"

    def day_shift(self, whole_weeks: bool) -> int:
        """Return the days by which the subject's dates are moved: uniform, never 0."""
        drawn = int.from_bytes(self._shift[:8], "big")
        if whole_weeks:
            return 7 * _signed(drawn, _WEEKS)
        return _signed(drawn, _DAYS)


def _signed(drawn: int, largest: int) -> int:
    step = drawn % (2 * largest) - largest
    return step if step < 0 else step + 1


def _spell(draws: Draws, kind: str, plain: str, text: str, turn: int) -> str:
    made = []
    place = 0
    for character in text:
        if not character.isalnum():
            made.append(character)
            continue
        at = draws.number(kind, f"{plain}\0{place}", 26 * 10, turn)
        place += 1
        if character.isdigit():
            made.append(str(at % 10))
        else:
            letter = chr(ord("a") + at % 26)
            made.append(letter.upper() if character.isupper() else letter)
    return "".join(made)


def normal(text: str) -> str:
    """Return the form in which values are compared: no accents, no case."""
    if text.isascii():
        return text.casefold()
    apart = unicodedata.normalize("NFKD", text)
    return "".join(c for c in apart if not unicodedata.combining(c)).casefold().replace("’", "'")
