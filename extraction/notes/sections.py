"""Sentences and sections: where scopes end, and under which title a word stands."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from functools import cache

from .draft import Draft
from .lexicon import Lexicon, keyed, read_lines, word_set
from .tokens import Tokens

# A full stop after these does not end a sentence.
_ABBREVIATIONS = word_set(
    "mr mrs ms dr vs approx st gr temp resp wt ht alk phos prof resp tot sp spec ca no fig pt "
    "incl inc hx dx rx max min avg prev est dob"
)
_BULLETS = frozenset("-*•·‣–—")
_STOPS = frozenset(".!?")
_LINE_END = re.compile(r"[\n\r]\s*")
# A line that ends with one of these goes on in the next.
_LEADING = word_set(
    "of since on in at with for from to by until till after before during and or the a an his her "
    "no any nor without than about into per via as was is were had has been"
)
# In front of a `no` that goes on in the next line; else it is an answer: `Allergies no`.
_BEFORE_NO = word_set(
    "is are was were has have had with there shows showed shown reveals revealed and but reports "
    "reported found also currently"
)
_NUMBERED = re.compile(r"\d{1,2}[.)](?!\d)")  # `2. Asthma`: a list's next line
_LONGEST_ROW, _MOST_COLUMNS = 200, 9
_LONGEST_TITLE = 6  # words
_LONGEST_SENTENCE = 400  # words; a longer one is cut, so that work stays linear in the text


@cache
def titles() -> Lexicon:
    """Return the lexicon of section titles; the payload is the kind of section."""
    lexicon = Lexicon()
    for kind, spellings in keyed(read_lines("sections.txt")):
        for spelling in spellings:
            lexicon.add(spelling, kind)
    return lexicon


def mark_sections(draft: Draft) -> None:
    """Fill in sentences, sections and headers of a draft."""
    tokens = draft.tokens
    ends = _sentence_ends(tokens)
    start, kind = 0, "other"
    for end in ends:
        kind = _sentence_section(draft, start, end, kind)
        length = end - start
        draft.sentence += [end] * length
        draft.opening += [start] * length
        draft.section += [kind] * length
        start = end


def _sentence_section(draft: Draft, start: int, end: int, kind: str) -> str:
    gap = draft.tokens.gap(start)
    line_start = start == 0 or "\n" in gap
    if gap.count("\n") > 1 and not (start and start - 1 in draft.headers):
        kind = "other"
    title = start
    while title < end and draft.words[title] in _BULLETS:
        title += 1
    if title >= end:
        return kind
    found = titles().at(draft.tokens, title)
    if found is not None and _is_title(draft, found.stop, end, line_start):
        draft.headers.update(range(title, found.stop))
        draft.titles.append(title)
        if found.stop < end:
            draft.headers.add(found.stop)
        return str(found.payload)
    if line_start and ":" in draft.words[title : min(end, title + _LONGEST_TITLE)]:
        return "other" if kind != "family" else kind
    return kind


def _is_title(draft: Draft, stop: int, end: int, line_start: bool) -> bool:
    if stop >= end:
        return line_start
    return draft.words[stop] == ":"


def _sentence_ends(tokens: Tokens) -> list[int]:
    """Return the index behind the last word of each sentence."""
    last = len(tokens.words) - 1
    ends: list[int] = []
    start = 0
    places = {*tokens.among(_STOPS), *_before_lines(tokens)}
    for index in [*sorted(p for p in places if 0 <= p < last), last]:
        while index + 1 - start > _LONGEST_SENTENCE:
            start += _LONGEST_SENTENCE
            ends.append(start)
        whole = index == last or index + 1 - start == _LONGEST_SENTENCE
        if whole or _ends_after(tokens, index):
            start = index + 1
            ends.append(start)
    return ends if tokens.words else []


def _before_lines(tokens: Tokens) -> Iterator[int]:
    """Yield the words behind which a line ends."""
    for match in _LINE_END.finditer(tokens.text):
        yield bisect_left(tokens.starts, match.end()) - 1


def _ends_after(tokens: Tokens, index: int) -> bool:
    """Whether a sentence ends between this word and the next."""
    gap = tokens.gap(index + 1)
    word = tokens.words[index]
    if "\n" in gap or "\r" in gap:
        return "\n\n" in gap or word in ".:" or not _goes_over(tokens, index)
    if word == ".":
        return bool(gap) and _is_full_stop(tokens, index)
    if word in "!?" and gap:
        opening = index == 0 or tokens.words[index - 1] in ".,;:(" or bool(tokens.gap(index))
        return not opening and tokens.text[tokens.starts[index + 1]].isupper()
    return False


def _goes_over(tokens: Tokens, index: int) -> bool:
    """Whether the sentence goes on behind the line break that follows this word."""
    text, start = tokens.text, tokens.starts[index + 1]
    if not text[start].isalnum():
        return False
    answer = tokens.words[index] == "no" and tokens.words[index - 1] not in _BEFORE_NO
    if tokens.words[index] in _LEADING and not answer:  # `since` / `4 October`
        return not _NUMBERED.match(text, start)
    return text[start].islower() and not _is_row(text, tokens.stops[index], start)


def _is_row(text: str, stop: int, start: int) -> bool:
    """Whether the lines around a break are of a table: parted by tabs or bars, or its titles."""
    first = max(0, stop - _LONGEST_ROW)
    line = text[text.rfind("\n", first, stop) + 1 or first : stop]
    if "\t" in line.strip() or "|" in line:
        return True
    titles = line.split()
    return 2 < len(titles) <= _MOST_COLUMNS and all(word[0].isupper() for word in titles)


def _is_full_stop(tokens: Tokens, index: int) -> bool:
    if index == 0 or tokens.gap(index):
        return True
    before = tokens.words[index - 1]
    following = tokens.text[tokens.starts[index + 1]]
    if before in _ABBREVIATIONS:
        return following.isupper() and before not in ("mr", "mrs", "ms", "dr", "prof", "st", "vs")
    inside_initials = len(before) == 1 and before.isalpha()
    letter = tokens.stops[index + 1] - tokens.starts[index + 1] == 1
    if inside_initials and letter and following.isalpha():
        return False  # `63 y.o. F`
    if inside_initials and index >= 2 and tokens.words[index - 2] == ".":
        return following.isupper()
    return True
