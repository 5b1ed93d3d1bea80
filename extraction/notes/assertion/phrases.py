"""Phrases of cues: patterns with choices, found with adverbs between their words too.

A pattern such as `{has,have} {been ,}ruled out` stands for the product of its choices. The products
of whole cue lists would be hundreds of thousands of phrases, so patterns are kept as a small
non-deterministic automaton over words, whose sets of states are joined as texts come by them
(lazy subset construction, as regular expression engines do).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from functools import lru_cache
from itertools import product
from operator import itemgetter
from typing import Any

from ..lexicon import NUMBER_WORDS, Match, is_year, word_set
from ..tokens import Tokens, tokenize

_first = itemgetter(0)
_ROOT = frozenset((0,))
_CHOICE = re.compile(r"\{([^{}]*)\}")
_HYPHEN = re.compile(r"(?<=\w)-(?=\w)")
_PASSED = word_set(
    "also now already since then therefore thus hence quite very really ever just still soon again "
    "both all meanwhile so perhaps indeed much altogether yet"
)
# What ends in -ly and says something of its own.
_SAYING = word_set(
    "only family likely unlikely possibly probably presumably hardly scarcely barely rarely "
    "potentially conceivably supposedly allegedly reportedly formerly previously daily weekly "
    "monthly yearly hourly early belly july apply rely supply reply imply comply partly partially "
    "seemingly apparently doubtfully questionably merely simply solely fly multiply bodily elderly "
    "friendly nightly fortnightly remotely currently presently poorly costly lonely ugly "
    "historically"
)


class _State:
    """A set of places in the patterns.

    Parameters
    ----------
    payload
        What the phrases say that end here, or None.
    targets
        By word, the places that it leads to.
    alone
        Whether one word in front of it may be enough for a phrase: one ends, or a number goes on.
    following
        By word, the state of those places, as far as it has been needed.
    """

    __slots__ = ("alone", "following", "payload", "targets")

    def __init__(self, payload: Any, targets: dict[str, frozenset[int]]) -> None:
        self.payload = payload
        self.targets = targets
        self.alone = payload is not None or "#" in targets or "#y" in targets
        self.following: dict[str, _State] = {}


class Phrases:
    """Patterns of phrases with payloads; look-up takes time linear in the text.

    Parameters
    ----------
    merge
        Makes one payload of those of patterns that share a phrase, in their order.
    """

    def __init__(self, merge: Callable[[Any, Any], Any] | None = None) -> None:
        self.size = 0  # patterns
        self._merge = merge
        self._words: list[dict[str, list[int]]] = [{}]  # by place, words and where they lead
        self._skips: list[list[int]] = [[]]  # by place, the places it is one with
        self._ends: dict[int, tuple[int, Any]] = {}  # by place, number and payload of its pattern
        self._states: dict[frozenset[int], _State] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_states": {}}

    def add(self, pattern: str, payload: Any) -> None:
        """Add a pattern; `#` in it stands for a number or number word, `#y` for a year."""
        place = 0
        for choices in _elements(pattern):
            behind = self._place()
            for words in sorted({w for text in choices for w in _spelled(text)}):
                self._chain(place, words, behind)
            place = behind
        if place:
            self._ends[place] = (self.size, payload)
            self.size += 1
            self._states.clear()

    def _place(self) -> int:
        self._words.append({})
        self._skips.append([])
        return len(self._words) - 1

    def _chain(self, place: int, words: tuple[str, ...], behind: int) -> None:
        if not words:
            self._skips[place].append(behind)
            return
        for word in words[:-1]:
            following = self._place()
            self._words[place].setdefault(word, []).append(following)
            place = following
        self._words[place].setdefault(words[-1], []).append(behind)

    def _state(self, places: frozenset[int]) -> _State:
        state = self._states.get(places)
        if state is None:
            state = self._states[places] = self._joined(places)
        return state

    def _joined(self, places: frozenset[int]) -> _State:
        closed, fresh = set(places), list(places)
        while fresh:
            for place in self._skips[fresh.pop()]:
                if place not in closed:
                    closed.add(place)
                    fresh.append(place)
        targets: dict[str, set[int]] = {}
        for place in closed:
            for word, to in self._words[place].items():
                targets.setdefault(word, set()).update(to)
        ended = [self._ends[place] for place in closed if place in self._ends]
        payload = None
        for _, each in sorted(ended, key=lambda end: end[0]):
            payload = each if payload is None or self._merge is None else self._merge(payload, each)
        return _State(payload, {word: frozenset(to) for word, to in targets.items()})

    def _step(self, state: _State, word: str) -> _State | None:
        """Return the state behind a word, or None where no phrase goes on with it."""
        following = state.following.get(word)
        if following is not None:
            return following
        targets = state.targets
        places = targets.get(word)
        if "#y" in targets and is_year(word):
            places = targets["#y"] | (places or frozenset())
        elif "#" in targets and (word[0].isdigit() or word in NUMBER_WORDS):
            places = targets["#"] | (places or frozenset())
        if places is None:
            return None
        following = self._state(places)
        if word in targets:  # numbers have no end
            state.following[word] = following
        return following

    @property
    def opening(self) -> Collection[str]:
        """Words that a phrase can begin with, besides numbers."""
        return self._state(_ROOT).targets.keys()

    def at(self, tokens: Tokens, index: int, end: int | None = None) -> Match | None:
        """Return the longest phrase that starts at this word and ends by `end`, or None."""
        end = len(tokens.words) if end is None else end
        return self._walk(self._state(_ROOT), tokens.words, index, index, end)

    def _walk(
        self, state: _State, words: list[str], start: int, index: int, end: int
    ) -> Match | None:
        best: Match | None = None
        while True:
            if state.payload is not None:
                best = Match(start, index, state.payload)
            if index >= end:
                return best
            word = words[index]
            following = state.following.get(word) or self._step(state, word)
            if index > start and passed(word):
                return self._over(state, following, words, start, index, end) or best
            if following is None:
                return best
            state = following
            index += 1

    def _over(
        self,
        state: _State,
        following: _State | None,
        words: list[str],
        start: int,
        index: int,
        end: int,
    ) -> Match | None:
        """Return the longer of what goes on with an adverb and what goes on behind it."""
        taken = None
        if following is not None:
            taken = self._walk(following, words, start, index + 1, end)
        behind = index + 1
        if behind < end and passed(words[behind]):
            behind += 1
        beyond = self._step(state, words[behind]) if behind < end else None
        over = None if beyond is None else self._walk(beyond, words, start, behind + 1, end)
        if taken is None or over is None:
            return taken or over
        return taken if taken.stop >= over.stop else over

    def find(self, tokens: Tokens, covered: Collection[int] = ()) -> list[Match]:
        """Return the longest phrases from left to right, none overlapping another.

        Parameters
        ----------
        covered
            Places at which none begins.
        """
        found: list[Match] = []
        free, words = 0, tokens.words
        for place, state in self._openings(tokens):
            if place >= free and place not in covered:
                match = self._walk(state, words, place, place + 1, len(words))
                if match is not None:
                    found.append(match)
                    free = match.stop
        return found

    def _openings(self, tokens: Tokens) -> list[tuple[int, _State]]:
        """Return where a phrase can begin, judged by two words, and the state behind the first."""
        root, index = self._state(_ROOT), tokens.index()
        following = [*tokens.words[1:], ""]
        present = index.keys() & root.targets.keys()
        if "#" in root.targets or "#y" in root.targets:
            present |= tokens.numeric | (index.keys() & NUMBER_WORDS)
        places: list[tuple[int, _State]] = []
        for word in present:
            state = root.following.get(word) or self._step(root, word)
            if state is None:
                continue
            for place in index[word]:
                behind = following[place]
                if state.alone or behind in state.targets or passed(behind):
                    places.append((place, state))
        places.sort(key=_first)
        return places


def _elements(pattern: str) -> list[list[str]]:
    """Cut a pattern into parts that follow each other, each a list of choices.

    Parts that touch within a word (`{mother,father}'s`) are multiplied out.
    """
    parts: list[list[str]] = []
    for place, piece in enumerate(_CHOICE.split(pattern)):
        choices = piece.split(",") if place % 2 else [piece]
        if choices == [""]:
            continue
        if parts and _touch(parts[-1], choices):
            parts[-1] = [a + b for a, b in product(parts[-1], choices)]
        else:
            parts.append(choices)
    return parts


def _touch(before: list[str], behind: list[str]) -> bool:
    """Whether a word of one part may go on in the next."""
    open_before = any(text and not text[-1].isspace() for text in before)
    return open_before and any(text and not text[0].isspace() for text in behind)


def _spelled(text: str) -> list[tuple[str, ...]]:
    """Return the words of a text, with and without hyphen and possessive."""
    spellings = {text, _HYPHEN.sub(" ", text)}
    if "'s" in text:
        spellings |= {text.replace("'s", ""), text.replace("'s", "s")}
    return [_cut(spelling) for spelling in spellings]


def _cut(text: str) -> tuple[str, ...]:
    words: list[str] = []
    for word in tokenize(text.replace("#y", " 0y ").replace("#", " 0 ")).words:
        if word == "y" and words and words[-1] == "#":
            words[-1] = "#y"
        else:
            words.append("#" if word == "0" and "#" in text else word)
    return tuple(words)


@lru_cache(maxsize=65536)
def passed(word: str) -> bool:
    """Return whether a word is an adverb that leaves a cue as it is.

    Examples
    --------
    >>> passed("entirely"), passed("likely")
    (True, False)
    """
    return word in _PASSED or (word.endswith("ly") and word not in _SAYING)
