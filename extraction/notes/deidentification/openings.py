"""With which words a pattern can begin, read from the pattern itself.

A pattern of many alternatives is slow to try at every letter of a text. Where all alternatives
begin with a known word, the places of those words are the only ones at which it can match.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import final

_LETTER = re.compile(r"[A-Za-z]")
_OPENS = re.compile(r"(?:\(\?i:)?(?:\\b|\(\?<!(?:\\w|\[(?:\\w|A-Za-z))|\(\?<=\[[a-z,\-\]]+ \))")
_ENDS_WORD = ("[a-z", "[A-Za-z", r"\w", r"[\w")  # insides of (?!...) that end a word of letters
_GROUP = re.compile(r"\?(?:P<\w+>|(?:[a-z]+)?(?:-[a-z]+)?:)")
_CLASS = re.compile(r"(\^?\]?(?:\\.|[^\]\\])*)\]", re.DOTALL)
_PIECE = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)
_REPEAT = re.compile(r"[?*+]|\{(\d+)(?:,(\d*))?\}")


def opening_words(pattern: str) -> frozenset[str]:
    r"""Return the words (of the letters a to z, in small letters) that a match can begin with.

    Parameters
    ----------
    pattern
        Of the module `re`. Every match must begin with a letter that no letter of a to z stands
        before, and none may follow its first word; what stands behind that does not matter.

    Raises
    ------
    ValueError
        When the pattern can begin otherwise, or uses what this reader does not know.

    Examples
    --------
    >>> sorted(opening_words(r"(?<!\w)(?i:dr|nurses?|next[ -]?of) (?=[A-Z])"))
    ['dr', 'next', 'nextof', 'nurse', 'nurses']
    """
    if not _OPENS.match(pattern):
        raise ValueError(f"it can begin inside a word: {pattern[:60]!r}")
    reach = _Reader(pattern).whole()
    if reach.open or any(not word or _ANY in word for word in reach.closed):
        raise ValueError(f"it can begin with no word or end inside one: {pattern[:60]!r}")
    return frozenset(reach.closed)


@final
@dataclass
class _Reach:
    """Words that a piece of a pattern can begin with: still growing, and finished ones."""

    open: set[str] = field(default_factory=set)
    closed: set[str] = field(default_factory=set)

    def then(self, following: _Reach) -> _Reach:
        """Return what both together can begin with."""
        joined = {a + b for a in self.open for b in following.open}
        ended = {a + b for a in self.open for b in following.closed}
        return _Reach(joined, self.closed | ended)

    def or_else(self, other: _Reach) -> _Reach:
        """Return what either can begin with."""
        return _Reach(self.open | other.open, self.closed | other.closed)

    def end(self) -> _Reach:
        """Return the same where no letter can follow; at the very start nothing ends."""
        return _Reach(self.open & {""}, self.closed | (self.open - {""}))


_ANY = "\0"  # stands for letters that cannot be told
_NOTHING, _BARRIER, _UNKNOWN = _Reach({""}), _Reach(set(), {""}), _Reach({_ANY})
_END = _Reach()
_SIGNS = {"^": _NOTHING, "$": _END, ".": _UNKNOWN}
_ESCAPED = {"A": _NOTHING, "b": _END, **dict.fromkeys("wWDS", _UNKNOWN)}


@final
class _Reader:
    """Reads a pattern once from left to right."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.place = 0

    def whole(self) -> _Reach:
        reach = self._either()
        if self.place < len(self.pattern):
            raise ValueError("a bracket too many")
        return reach

    def _either(self) -> _Reach:
        reach = self._sequence()
        while self._next("|"):
            reach = reach.or_else(self._sequence())
        return reach

    def _sequence(self) -> _Reach:
        reach = _NOTHING
        while self.place < len(self.pattern) and self.pattern[self.place] not in "|)":
            piece = self._piece()
            if piece is _END:
                reach = reach.end()
                continue
            least, most = self._repeat()
            if most > 1 and piece.open - {""}:
                piece = _UNKNOWN
            reach = reach.then(piece if least else piece.or_else(_NOTHING))
        return reach

    def _next(self, sign: str) -> bool:
        found = self.pattern.startswith(sign, self.place)
        self.place += len(sign) if found else 0
        return found

    def _repeat(self) -> tuple[int, int]:
        """Return how often the piece before may stand, at least and at most (2 for more)."""
        match = _REPEAT.match(self.pattern, self.place)
        if match is None:
            return 1, 1
        self.place = match.end()
        found = {"?": (0, 1), "*": (0, 2), "+": (1, 2)}.get(match.group())
        if found is None:
            found = int(match[1]), int((match[1] if match[2] is None else match[2]) or 2)
        self._next("?")
        return found

    def _piece(self) -> _Reach:
        if self._next("("):
            return self._group()
        if self._next("["):
            return self._class()
        sign = self.pattern[self.place]
        self.place += 1
        if sign == "\\":
            self.place += 1
            return _ESCAPED.get(self.pattern[self.place - 1], _BARRIER)
        return _Reach({sign.lower()}) if _LETTER.match(sign) else _SIGNS.get(sign, _BARRIER)

    def _class(self) -> _Reach:
        match = _CLASS.match(self.pattern, self.place)
        if match is None:
            raise ValueError("a bracket is missing")
        self.place = match.end()
        inside = match[1].replace("\\-", "#")
        if inside[0] == "^" or "-" in inside[1:-1] or re.search(r"\\[wWDS]", inside):
            return _BARRIER if re.fullmatch(r"[\d*#\-\\]+", inside) else _UNKNOWN
        letters = set(_LETTER.findall(re.sub(r"\\.", "", inside)))
        if not letters:
            return _BARRIER
        return _Reach(
            {c.lower() for c in letters}, set() if inside.isascii() and inside.isalpha() else {""}
        )

    def _group(self) -> _Reach:
        for sign in ("?=", "?<=", "?<!", "?!", "?P="):
            if self._next(sign):
                ends = sign == "?!" and self.pattern.startswith(_ENDS_WORD, self.place)
                self._skip()
                return _UNKNOWN if sign == "?P=" else _END if ends else _NOTHING
        match = _GROUP.match(self.pattern, self.place)
        self.place = match.end() if match else self.place
        reach = self._either()
        if not self._next(")"):
            raise ValueError("a bracket is missing")
        return reach

    def _skip(self) -> None:
        """Pass over the rest of a group that takes in no letter."""
        depth = 1
        while depth:
            match = _PIECE.match(self.pattern, self.place)
            if match is None:
                raise ValueError("a bracket is missing")
            self.place = match.end()
            depth += {"(": 1, ")": -1}.get(match.group(), 0)
