"""Age and sex of the patient; those of relatives and of past events are left out."""

from __future__ import annotations

from .draft import Draft, Mention
from .lexicon import word_set
from .tokens import number

_FEMALE = word_set("woman female lady girl widow mrs ms miss")
_MALE = word_set("man male gentleman boy widower mr")
_TITLES = word_set("mr mrs ms miss")
_LETTERS = {"f": "female", "m": "male"}
_YEARS = word_set("year years yr yrs y yo")
_KIN = word_set(
    "son daughter mother father brother sister wife husband uncle aunt cousin grandmother "
    "grandfather niece nephew spouse partner child children sibling grandson granddaughter "
    "parent grandchild relative relatives siblings caregiver caretaker partners"
)
_TENS = {
    "twenty": 20,
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
}
_UNITS = {
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
}
_ONES = tuple([unit] for unit in _UNITS)
_AFTER_LETTER = word_set(
    ". , ; with w here who presents presenting c s p admitted h in for on and ) pmh hx now seen "
    "known status"
)
_AGE_WORDS = frozenset({"age", "aged", *_TENS})
_SEX_WORDS = _FEMALE | _MALE | {"sex", "gender"}
_PAST = frozenset({"at", "since", "from", "until", "by", "before"})
_PATIENT = word_set("he she patient pt subject himself herself who client")
_MOST = 120.0


def add_demographics(draft: Draft) -> None:
    """Add the ages and sexes that a note states of its patient."""
    tokens = draft.tokens
    free = 0
    tokens.index()
    for index in tokens.among(tokens.numeric | _AGE_WORDS):
        mention = _age(draft, index) if index >= free else None
        if mention is not None:
            free = mention.stop
            if not _of_another(draft, mention):
                draft.add(mention)
                _letter_within(draft, mention)
                _letter_after(draft, mention)
    for index in tokens.among(_SEX_WORDS):
        _sex(draft, index, draft.words[index])


def _age(draft: Draft, index: int) -> Mention | None:
    words, n = draft.words, len(draft.words)
    word = words[index]
    if word in ("age", "aged"):
        return _labelled(draft, index)
    value = _spelled(draft, index) if word in _TENS else number(word)
    if value is None or not 0 < value <= _MOST or (index and words[index - 1] == "/"):
        return None
    if word in _TENS:
        stop = _expression(draft, index + 2 if words[index + 2 : index + 3] in _ONES else index)
        return None if stop is None else _made(draft, index, stop, value)
    stop = _expression(draft, index)
    joined = index + 1 < n and not draft.tokens.gap(index + 1) and words[index + 1] in _LETTERS
    if stop is None and joined and value >= 10 and _stands_alone(draft, index):
        stop = index + 2
    if stop is None and (
        _apposition(draft, index) or _before_letter(draft, index) or _after_sex(draft, index)
    ):
        stop = index + 1
    return None if stop is None else _made(draft, index, stop, value)


def _spelled(draft: Draft, index: int) -> float:
    """Read `seventy-two` of `seventy-two-year-old`."""
    unit = draft.words[index + 2 : index + 3] if draft.words[index + 1 : index + 2] == ["-"] else []
    return float(_TENS[draft.words[index]] + (_UNITS.get(unit[0], 0) if unit else 0))


def _after_sex(draft: Draft, index: int) -> bool:
    """Whether a number is an age by the sex before it: `Female, 68.`, `F/68`."""
    words, opening, end = draft.words, draft.opening[index], draft.sentence[index]
    whole = words[index].isdecimal() and 18 <= (number(words[index]) or 0) <= _MOST
    after = words[index + 1] if index + 1 < end else "."
    if not whole or index - 2 < opening or after not in (".", ",", ";", ")", "with", "who", "y"):
        return False
    letter = words[index - 2] in _LETTERS and index - 2 == opening
    sexed = words[index - 2] in {"male", "female", "man", "woman"} or letter
    return sexed and words[index - 1] in (",", "/", "(")


def _before_letter(draft: Draft, index: int) -> bool:
    """Whether a number is an age by the sex behind it: `71/F`, `71 M with`."""
    words, end = draft.words, draft.sentence[index]
    letter = index + 2 if words[index + 1 : index + 2] in (["/"], [","]) else index + 1
    whole = words[index].isdecimal()
    if letter >= end or not whole or (number(words[index]) or 0) < 18:
        return False
    if words[letter] in ("male", "female") and index == draft.opening[index]:
        return True
    if words[letter] not in _LETTERS:
        return False
    text = draft.tokens.text[draft.tokens.starts[letter] : draft.tokens.stops[letter]]
    after = words[letter + 1] if letter + 1 < end else "."
    before = words[index - 1] if index > draft.opening[index] else ""
    titled = before == ":" and words[index - 2] in _PATIENT | {"demographics", "hpi", "id"}
    opens = titled or before in ("", "a", "an", "pt", "patient", "(", "-", ",", "is", "subject")
    labelled = "age" in words[max(0, index - 5) : index]
    return text.isupper() and (labelled or (opens and after in _AFTER_LETTER))


def _made(draft: Draft, start: int, stop: int, value: float) -> Mention:
    mention = draft.mention("age", "age", start, stop)
    mention.value, mention.unit = value, "a"
    return mention


def _stands_alone(draft: Draft, index: int) -> bool:
    """Whether `84F` is an age and no temperature: no unit of measurement before it."""
    before = draft.words[max(0, index - 3) : index]
    text = draft.tokens.text[draft.tokens.starts[index + 1] : draft.tokens.stops[index + 1]]
    measured = {"temp", "temperature", "t", "tmax", "to", "was", "max", "of"}
    return text.isupper() and not measured & set(before)


def _labelled(draft: Draft, index: int) -> Mention | None:
    """Read `Age: 69`, `aged 66`, `age 77`."""
    words, n = draft.words, len(draft.words)
    if index and words[index - 1] in ("at", "the", "of", "from", "school", "since", "by"):
        return None
    place = index + 1
    while place < n and words[place] in (":", "=", "is", "of", "-", "(", "at", "years", ")"):
        if words[place] == "at":
            return None
        place += 1
    value = number(words[place]) if place < n else None
    if value is None or not 0 < value <= _MOST:
        return None
    stop = _expression(draft, place) or place + 1
    if stop == place + 1 and stop < n and words[stop] in _YEARS:
        stop += 1
    title = draft.tokens.text[draft.tokens.starts[index]].isupper() or place > index + 1
    return _made(draft, place if title else index, stop, value)


def _expression(draft: Draft, index: int) -> int | None:
    """Return the word after `72-year-old`, `67 y/o`, `55 y.o.`, `65yoM`, `77 y, F`."""
    words, n = draft.words, len(draft.words)
    place = index + 1
    if place < n and words[place] == "-":
        place += 1
    if place >= n:
        return None
    word = words[place]
    for joined in ("yo", "yof", "yom", "yrold", "yearold"):
        if word == joined:
            return place + 1
    if word in ("y", "yr", "yrs"):
        return _short_years(draft, place)
    if word in ("year", "years"):
        return _long_years(words, place)
    return None


def _long_years(words: list[str], place: int) -> int | None:
    after = words[place + 1 : place + 4]
    if after[:2] == ["-", "old"]:
        return place + 3
    if after[:1] == ["old"]:
        return place + 2
    if after[:2] == ["of", "age"]:
        return place + 3
    tail = [w for w in after if w != ","]
    if tail[:1] and tail[0] in {"male", "female", "man", "woman"}:
        return place + 1
    return None


def _short_years(draft: Draft, place: int) -> int | None:
    words = draft.words
    after = words[place + 1 : place + 4]
    if after[:2] in (["/", "o"], ["-", "o"]):
        return place + 3
    if after[:2] == [".", "o"]:
        return place + 4 if after[2:] == ["."] else place + 3
    if after[:2] == [".", "old"] or after[:2] == ["-", "old"]:
        return place + 3
    if after[:1] in (["old"], ["o"]):
        return place + 2
    tail = [w for w in after if w not in ",./"]
    if words[place] in _YEARS and tail[:1] and tail[0] in {"f", "m", "male", "female"}:
        return place + 1
    return None


def _apposition(draft: Draft, index: int) -> bool:
    """Whether a bare number is an age: `Mr. Alvarez, 86, was`, `the patient is 73`."""
    words = draft.words
    opening, end = draft.opening[index], draft.sentence[index]
    after = words[index + 1] if index + 1 < end else "."
    if after not in (",", ".", "and", ")", ";", "who", "-", "with", "today", "now", "last", "at"):
        return False
    if index + 2 < end and after in ".-" and number(words[index + 2]) is not None:
        return False
    before = words[opening:index]
    if before[-1:] in ([","], ["("]) and number(words[index]):
        named = any(w in _TITLES for w in before[:3]) and len(before) <= 6
        patient = len(before) <= 4 and len(before) > 1 and before[-2] in _PATIENT
        return named or (patient and after in (",", ")"))
    if before[-1:] == ["of"] and before[-2:-1] and before[-2] in _FEMALE | _MALE:
        return after != "-"
    known = before[-1:] in (["is"], ["turned"], ["was"], ["now"])
    return known and any(w in _PATIENT or w in _TITLES for w in before[-5:-1])


def _of_another(draft: Draft, mention: Mention) -> bool:
    """Whether the age is a relative's or that of a past event."""
    words = draft.words
    opening, end = draft.opening[mention.start], draft.sentence[mention.start]
    before = words[max(opening, mention.start - 5) : mention.start]
    if before[-1:] and before[-1] in _PAST:
        return True
    clause = []
    for word in words[mention.stop : end]:
        if word in (",", ";", "with", "who", "and", "has", "lives", "presents", "here", "is"):
            break
        clause.append(word)
    if clause[:1] == [] and words[mention.stop : mention.stop + 4] == ["is", "the", "age", "of"]:
        return any(w in _KIN for w in words[mention.stop : mention.stop + 7])
    if any(w in _KIN for w in clause[:2]) and not {"by", "of"} & set(clause[:2]):
        return clause[1:2] != ["of"]
    near = before[-2:]
    return any(w in _KIN for w in near) and not any(w in _PATIENT for w in near)


def _letter_within(draft: Draft, age: Mention) -> None:
    """Add the sex that is the last letter of `84F`: the age keeps the whole of its words."""
    last = draft.words[age.stop - 1]
    if last in _LETTERS and age.stop - age.start == 2:
        draft.mentions.append(draft.mention("sex", _LETTERS[last], age.stop - 1, age.stop))


def _letter_after(draft: Draft, age: Mention) -> None:
    """Add the sex of `81 yo F` and `77 y, F`."""
    index = age.stop
    while index < len(draft.words) and draft.words[index] in (",", "/", "-", "old", "("):
        index += 1
    races = {"white", "black", "asian", "hispanic", "caucasian", "aa", "african", "american", "w"}
    while index < len(draft.words) and draft.words[index] in races:
        index += 1
    if index >= draft.sentence[age.start] or (index == age.stop and not draft.tokens.gap(index)):
        return
    _letter(draft, index)


def _letter(draft: Draft, index: int) -> None:
    text = draft.tokens.text[draft.tokens.starts[index] : draft.tokens.stops[index]]
    if draft.words[index] in _LETTERS and text.isupper():
        draft.add(draft.mention("sex", _LETTERS[draft.words[index]], index, index + 1))


def _sex(draft: Draft, index: int, word: str) -> None:
    words = draft.words
    if word in ("sex", "gender"):
        place = index + 1
        while place < len(words) and words[place] in (":", "=", "is", "-"):
            place += 1
        if place < len(words):
            _letter(draft, place)
        return
    if word not in _FEMALE and word not in _MALE:
        return
    following = words[index + 1] if index + 1 < len(words) else ""
    if following in _KIN or following in ("pattern", "genitalia", "condom", "partner", "partners"):
        return
    if word in _TITLES:
        _title(draft, index, word)
        return
    if index and words[index - 1] in ("first-degree", "other", "another"):
        return
    draft.add(draft.mention("sex", "female" if word in _FEMALE else "male", index, index + 1))


def _title(draft: Draft, index: int, word: str) -> None:
    text, starts = draft.tokens.text, draft.tokens.starts
    stop = index + 1
    spelled = text[starts[index] : draft.tokens.stops[index]]
    if not spelled[0].isupper() or spelled in ("MS", "MR"):
        return
    if stop < len(draft.words) and draft.words[stop] == "." and not draft.tokens.gap(stop):
        stop += 1
    if stop < len(draft.words) and text[starts[stop]].isupper():
        draft.add(draft.mention("sex", "male" if word == "mr" else "female", index, stop))
