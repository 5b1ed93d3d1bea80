"""Patterns looked for only where they can begin, which saves most of the time of finding.

The matches are those of `re.Pattern.finditer`, every one and no other.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from functools import cached_property
from typing import Literal, final

from .openings import opening_words

At = Literal["anywhere", "words", "numbers"] | re.Pattern[str]
_RUN = re.compile(r"[A-Za-z]+")
_DIGITS = re.compile(r"\d+")
_ALIKE = re.compile("[\u0130\u0131\u017f\u212a]")  # what `re` takes for i, s and k, case apart
_WITH: dict[str, list[int]] = {}  # a word, and the numbers of the groups of words that it is in


@final
class Sought:
    """A pattern, and where it can match.

    Parameters
    ----------
    pattern
        Matches at least one character.
    at
        Where a match can begin: at one of the words that the pattern opens with (they are read
        from it), at the first digit of a number, where another pattern matches, or anywhere.
    before
        Characters by which it may begin before such a word or number.
    opening
        Pattern of the words, where it is not the pattern itself that begins with them.
    holds
        Words of which a text must hold one, parted by blanks; empty for no such need.
    needs
        What a text in small letters must hold; a pattern that is quick to look for.
    """

    made = 0
    """Groups of words known so far."""

    def __init__(
        self,
        pattern: re.Pattern[str],
        at: At = "anywhere",
        *,
        before: int = 0,
        opening: str = "",
        holds: Collection[str] = (),
        needs: str = "",
    ) -> None:
        self.pattern, self.at, self.before = pattern, at, before
        self.needs = re.compile(needs) if needs else None
        words = opening_words(opening or pattern.pattern) if at == "words" else ()
        self.opens, self.held = self._group(words), self._group(holds)

    @classmethod
    def _group(cls, words: Collection[str]) -> int:
        """Return the number under which a text lists where these words stand; 0 for no words."""
        if not words:
            return 0
        cls.made += 1
        for word in words:
            _WITH.setdefault(word, []).append(cls.made)
        return cls.made


@final
class Survey:
    """A text of which is known where its words and numbers begin.

    Parameters
    ----------
    text
        Any.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.lower = text.lower()
        self._plain = text.isascii() or not _ALIKE.search(text)
        self._known = Sought.made
        self._words: dict[int, list[int]] = {}
        for match in _RUN.finditer(text):
            for number in _WITH.get(match.group().lower(), ()):
                known = self._words.get(number)
                if known is None:
                    self._words[number] = [match.start()]
                else:
                    known.append(match.start())

    @cached_property
    def _numbers(self) -> list[int]:
        return [match.start() for match in _DIGITS.finditer(self.text)]

    def finditer(self, sought: Sought) -> Iterator[re.Match[str]]:
        """Return the matches in order, none overlapping another."""
        if not self._plain or max(sought.opens, sought.held) > self._known:
            return sought.pattern.finditer(self.text)
        if sought.needs is not None and not sought.needs.search(self.lower):
            return iter(())
        if sought.held and sought.held not in self._words:
            return iter(())
        if sought.at == "anywhere":
            return sought.pattern.finditer(self.text)
        places = self._places(sought)
        return self._at(sought, places) if places else iter(())

    def _places(self, sought: Sought) -> list[int]:
        if isinstance(sought.at, re.Pattern):
            return [match.start() for match in sought.at.finditer(self.text)]
        return self._numbers if sought.at == "numbers" else self._words.get(sought.opens, [])

    def _at(self, sought: Sought, places: Iterable[int]) -> Iterator[re.Match[str]]:
        match_at, text, least = sought.pattern.match, self.text, 0
        for place in places:
            start = max(least, place - sought.before)
            while start <= place:
                match = match_at(text, start)
                if match is None:
                    start += 1
                else:
                    yield match
                    start = match.end()
            least = max(least, start)
