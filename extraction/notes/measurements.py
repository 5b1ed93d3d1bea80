"""Vitals, rating scales and laboratory values: a name, then its number, then its unit."""

from __future__ import annotations

from .draft import Draft, Mention
from .lexicon import Match, is_year
from .measurement_parts import flag_at, flag_of, flowing, in_plausible, is_plausible, unit_at
from .measurement_terms import (
    COMPARATORS,
    COUNTED,
    DEFAULT_UNITS,
    DEFINITE,
    DOSE_UNITS,
    FURTHEST,
    GLUE,
    GOALS,
    LATER,
    MONTHS,
    MOVED,
    NOW,
    ONLY_FOR,
    PAST,
    RANGED,
    SCORES,
    TELLING,
    TIME_UNITS,
    TURNS,
    VITALS,
    Name,
    names,
)
from .tokens import number

_THEN = tuple([word] for word in (*LATER, *MOVED))
_SLASH = frozenset({"/"})
_TELLING_FIRST = frozenset(s[0] for spellings in TELLING.values() for s in spellings)


def add_measurements(draft: Draft, terms: list[Match]) -> None:
    """Add the vitals and laboratory values of a note.

    Parameters
    ----------
    terms
        Matches of the term lists; a longer term (weight loss) keeps its words from a name.
    """
    inside = {i: m for m in terms for i in range(m.start, m.stop)}
    drugs = {m.start for m in terms if m.payload[0] == "medication"}
    found = names().find(draft.tokens)
    for match in found:
        name: Name = match.payload
        if _part_of(inside.get(match.start), match):
            continue
        if name.type == "other" or match.start in draft.covered:
            continue
        if match.start and draft.words[match.start - 1] in GOALS:
            continue
        _Reader(draft, match.start in drugs).read(match)
    _bare_pressures(draft)
    _bare_values(draft)


def _part_of(term: Match | None, name: Match) -> bool:
    """Whether a name is only a part of a term: `potassium chloride`, but `high blood pressure`."""
    if term is None or term.stop - term.start <= name.stop - name.start:
        return False
    return term.stop != name.stop or term.payload[0] == "medication"


class _Reader:
    """Reads the numbers that belong to one name."""

    def __init__(self, draft: Draft, drug: bool) -> None:
        self.draft = draft
        self.words = draft.words
        self.drug = drug

    def read(self, match: Match) -> None:
        name: Name = match.payload
        end = self.draft.sentence[match.start]
        if name.name == "blood_pressure":
            self._pressure(match, end)
            return
        chain = self._chain(match)
        if len(chain) > 1 and self._joined(chain, end):
            return
        direct, ranged = name.type == "direct", name.name in RANGED
        place = self._place(match.stop, end, direct=direct, ranged=ranged)
        if place is None and name.name in SCORES:
            place = self._scored(match)
        if place is None or not self._credible(match, place, end):
            return
        if ranged and not self._is_measured(name, place, end):
            return
        name = flowing(self.draft, match, place)
        mention = self._mention(name, match.start, place, end)
        self.draft.covered.update(range(match.start, match.stop))
        self._more(name, mention, end)

    def _scored(self, match: Match) -> int | None:
        """Return the number of `scored 22/30 on the MMSE`."""
        index = match.start - 1
        opening = self.draft.opening[match.start]
        steps = {"on", "the", "in", "points", "out", "of", "/", "30", "70", "a", "at", "his", "her"}
        while index > opening and self.words[index] in steps:
            index -= 1
        while index < match.start and number(self.words[index]) is None:
            index += 1
        linked = {"on", "in", "at"} & set(self.words[index : match.start])
        return index if index < match.start - 1 and linked else None

    def _credible(self, match: Match, place: int, end: int) -> bool:
        name: Name = match.payload
        value = number(self.words[place])
        after = self.words[place + 1] if place + 1 < end else ""
        dosed = self.drug and (
            after in DOSE_UNITS or (after == "meq" and self.words[place + 2 : place + 3] != ["/"])
        )
        if value is None or (dosed and self.words[place + 2 : place + 3] != ["/"]):
            return False
        if after in ("x", "times") and self.words[place + 2 : place + 3] in (["uln"], ["the"]):
            return False
        if name.type != "direct":
            return is_plausible(flowing(self.draft, match, place).name, value)
        if not self.draft.tokens.text[self.draft.tokens.starts[match.start]].isupper():
            return False
        apart = self.draft.tokens.gap(match.stop) != "" or self.words[match.stop] in ":="
        return apart and in_plausible(name.name, value)

    def _place(
        self, start: int, end: int, direct: bool = False, ranged: bool = False
    ) -> int | None:
        """Return the word that is the number which follows a name, or None."""
        index = start
        last = min(end, start + (2 if direct else FURTHEST))
        while index < last:
            word = self.words[index]
            if word == "(" and _in_range_note(self.words, index, end):
                index = _closing(self.words, index, end)
            elif word == "from" and "to" in self.words[index + 2 : min(end, index + 6)]:
                index = self.words.index("to", index)
            elif number(word) is not None:
                skipped = self._no_value(index, end)
                if skipped is None:
                    whole = ranged or not _is_interval(self.words, index, end)
                    return index if whole else None
                index = skipped
                continue
            elif word not in GLUE and not (word == "day" or word in TIME_UNITS):
                return None
            index += 1
        return None

    def _no_value(self, index: int, end: int) -> int | None:
        """Return where to go on if this number is a date, a visit or a span of time."""
        words = self.words
        before = words[index - 1]
        after = words[index + 1] if index + 1 < end else ""
        date = after in "/-" and words[index + 3 : index + 4] == [after] and after != ""
        if date and index + 4 < end and number(words[index + 2]) and number(words[index + 4]):
            return index + 5
        year = is_year(words[index]) and before in MONTHS | {"in", "since", "of", "on", "from"}
        counted = before in MONTHS or (
            before in COUNTED and words[index - 2] not in DEFINITE and words[index - 1] != "last"
        )
        lasting = after in TIME_UNITS and not flag_at(self.draft, index + 1)
        if year or counted or lasting or after in MONTHS:
            return index + 1
        return None

    def _chain(self, match: Match) -> list[Match]:
        """Return names joined by slashes (`ALT/AST`), this one first."""
        chain = [match]
        stop = match.stop
        while stop + 1 < len(self.words) and self.words[stop] == "/":
            following = names().at(self.draft.tokens, stop + 1)
            if following is None or following.payload.type == "other":
                break
            chain.append(following)
            stop = following.stop
        return chain

    def _joined(self, chain: list[Match], end: int) -> bool:
        """Read `ALT/AST 22/25`: as many numbers as names, joined by slashes."""
        place = self._place(chain[-1].stop, end)
        if place is None:
            return False
        places = [place + 2 * i for i in range(len(chain))]
        fits = places[-1] < end and all(number(self.words[p]) is not None for p in places)
        if not fits or any(self.words[p - 1] != "/" for p in places[1:]):
            return False
        for match, where in zip(chain, places, strict=True):
            mention = self._mention(match.payload, chain[0].start, where, end)
            unit, _ = unit_at(self.draft, places[-1] + 1, end, match.payload.name)
            mention.unit = mention.unit or unit
        self.draft.covered.update(range(chain[0].start, chain[-1].stop))
        return True

    def _mention(self, name: Name, first: int, place: int, end: int) -> Mention:
        type_ = "vital" if name.name in VITALS else "laboratory"
        last = self._upper_end(name, place, end)
        mention = self.draft.mention(type_, name.name, place, last + 1)  # type: ignore[arg-type]
        mention.first = first
        mention.value = number(self.words[place])
        if last > place:
            mention.upper = number(self.words[last])
        unit, stop = unit_at(self.draft, last + 1, end, name.name)
        if unit == "%" and name.name in ("fev1", "fvc"):
            mention.name = f"{name.name}_percent_predicted"
        if name.name == "oxygen_flow":
            unit = "L/min"
        mention.unit = unit or DEFAULT_UNITS.get(name.name)
        before = self.words[place - 1]
        mention.comparator = before if before in COMPARATORS else None
        if name.name not in ONLY_FOR["L"]:
            mention.flag = flag_of(self.draft, last + 1, stop, end)
        self.draft.add(mention)
        return mention

    def _upper_end(self, name: Name, place: int, end: int) -> int:
        """Return the last word of a value, which is the upper end of a range: `55-60`."""
        if name.name not in RANGED or not _is_interval(self.words, place, end):
            return place
        lower, upper = number(self.words[place]), number(self.words[place + 2])
        return place if lower is None or upper is None or upper <= lower else place + 2

    def _is_measured(self, name: Name, place: int, end: int) -> bool:
        """Whether a range is of measured values: no telephone number, and no `pulse (60-100)`."""
        if not _is_interval(self.words, place, end):
            return True
        last = self._upper_end(name, place, end)
        aside = name.name == "pulse" and self.words[place - 1] == "("
        return last > place and in_plausible(name.name, number(self.words[last])) and not aside

    def _earlier(self, mention: Mention, later: Mention) -> None:
        """`170, now 160` and `160, previously 170`: the one that is not of now is of the past."""
        span = range(later.first, min(later.start + 3, len(self.words)))
        now = [i for i in span if self.words[i] in LATER]
        past = [i for i in span if self.words[i] in PAST]
        if now:
            mention.cues.setdefault("history", (now[0], now[0] + 1))
        elif past:
            later.cues.setdefault("history", (past[0], past[0] + 1))
        elif self._is_moved(later.start - 1):
            mention.cues.setdefault("history", (later.start - 1, later.start))

    def _is_moved(self, index: int) -> bool:
        """Whether a word is the `to` of `improved to`."""
        return self.words[index] == "to" and self.words[index - 1] in MOVED

    def _more(self, name: Name, mention: Mention, end: int) -> None:
        """Read further numbers of the same name: `18.4, today 12.1`; `86% ..., 96% now`."""
        index = mention.stop
        for _ in range(3):
            place = self._turn(index, end, name.name)
            if place is None:
                return
            first = place
            while self.words[first - 1] not in ",;(" and first > index + 1:
                first -= 1
            later = self._mention(name, first, place, end)
            self._earlier(mention, later)
            mention, index = later, place + 1

    def _turn(self, start: int, end: int, name: str) -> int | None:
        """Return the number after a comma and a word of time, or before `now`."""
        _, index = unit_at(self.draft, start, end, name)
        last = min(end, index + 10)
        while index < last and self.words[index] not in ",;(":
            word = self.words[index]
            if word == "and" and self.words[index + 1 : index + 2] in _THEN:
                break
            if word not in GLUE and number(word) is None and word not in "/hl)" and word != "and":
                return None
            index += 1
        turned = False
        for place in range(index + 1, min(end, index + 6)):
            word = self.words[place]
            if number(word) is not None:
                after = self.words[place + 1] if place + 1 < end else ""
                dosed = after in DOSE_UNITS and self.words[place + 2 : place + 3] != ["/"]
                if after in TIME_UNITS or dosed:
                    turned = turned or after in TIME_UNITS
                    continue
                if is_year(word) or _is_interval(self.words, place, end):
                    continue
                _, stop = unit_at(self.draft, place + 1, end, name)
                late = any(w in NOW for w in self.words[stop : min(end, stop + 2)])
                apart = self.words[index] == "(" and self.words[stop : stop + 1] != [")"]
                dated = apart and any(w in PAST for w in self.words[stop : min(end, stop + 3)])
                return place if turned or late or dated else None
            if word not in GLUE and word not in TURNS and word not in TIME_UNITS:
                return None
            turned = turned or word in TURNS or self._is_moved(place)
        return None

    def _pressure(self, match: Match, end: int) -> None:
        place = self._place(match.stop, end)
        pair = None if place is None else _pair(self.draft, place, end)
        if place is None or pair is None:
            return
        self.draft.covered.update(range(match.start, match.stop))
        first = match.start
        before: list[Mention] = []
        while pair is not None:
            later = self._pair(first, place, pair, end)
            if before:
                for one, other in zip(before, later, strict=True):
                    self._earlier(one, other)
            before = later
            first, place, pair = self._next_pair(pair + 1, end)

    def _pair(self, first: int, upper: int, lower: int, end: int) -> list[Mention]:
        made = []
        for where, name in ((upper, "systolic"), (lower, "diastolic")):
            mention = self._mention(Name("vital", f"{name}_blood_pressure"), first, where, end)
            mention.unit = "mm[Hg]"
            made.append(mention)
        return made

    def _next_pair(self, start: int, end: int) -> tuple[int, int, int | None]:
        """Return first word, systolic and diastolic place of a further reading."""
        for index in range(start, min(end, start + 9)):
            if number(self.words[index]) is not None:
                pair = _pair(self.draft, index, end)
                if pair is not None:
                    first = index
                    while first > start and self.words[first - 1] not in (",", ";", "and"):
                        first -= 1
                    return first, index, pair
            elif names().at(self.draft.tokens, index) is not None:
                break
        return start, start, None


def _bare_pressures(draft: Draft) -> None:
    """Add pairs that are pressures by their unit alone (`142/88 mmHg`)."""
    words = draft.words
    reader = _Reader(draft, False)
    for index in draft.tokens.among(_SLASH):
        outside = not 1 <= index < len(words) - 1
        if outside or index - 1 in draft.covered or number(words[index - 1]) is None:
            continue
        end = draft.sentence[index]
        pair = _pair(draft, index - 1, end)
        if pair is not None and unit_at(draft, pair + 1, end, "blood_pressure")[0] == "mm[Hg]":
            reader._pair(index - 1, index - 1, pair, end)


def _bare_values(draft: Draft) -> None:
    """Add numbers whose unit alone says what they are: `72 bpm`, `38.5 °C`, `96% on room air`."""
    words = draft.words
    reader = _Reader(draft, False)
    draft.tokens.index()
    for index in draft.tokens.among(draft.tokens.numeric):
        following = words[index + 1] if index + 1 < len(words) else ""
        if following not in _TELLING_FIRST or index in draft.covered:
            continue
        if number(words[index]) is None or (index and words[index - 1] in "-/"):
            continue
        end = draft.sentence[index]
        for name, spellings in TELLING.items():
            if any(tuple(words[index + 1 : index + 1 + len(s)]) == s for s in spellings):
                reader._mention(Name("vital", name), index, index, end)
                break


def _pair(draft: Draft, place: int, end: int) -> int | None:
    """Return the place of the diastolic number if a pressure starts here."""
    words = draft.words
    if place + 2 >= end or words[place + 1] not in ("/", "over", "\\"):
        return None
    upper, lower = number(words[place]), number(words[place + 2])
    if upper is None or lower is None or not (50 <= upper <= 300 and 20 <= lower <= 200):
        return None
    longer = place + 3 < end and words[place + 3] == "/" and place + 4 < end
    if longer and number(words[place + 4]) is not None:
        return None
    return place + 2


def _is_interval(words: list[str], index: int, end: int) -> bool:
    """Whether the number is one side of a range such as 3.5-5.1."""
    after = index + 2 < end and words[index + 1] in ("-", "–") and number(words[index + 2])
    before = index >= 2 and words[index - 1] in ("-", "–") and number(words[index - 2])
    return bool(after or before)


def _in_range_note(words: list[str], index: int, end: int) -> bool:
    return any(w in GOALS or w in ("n", "nl", "uln", "lln") for w in words[index + 1 : index + 3])


def _closing(words: list[str], index: int, end: int) -> int:
    while index < end - 1 and words[index] != ")":
        index += 1
    return index
