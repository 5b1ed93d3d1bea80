"""Each drug with its own dose, unit, route and frequency."""

from __future__ import annotations

from functools import cache

from .draft import Draft, Mention
from .lexicon import Lexicon, keyed, read_lines, word_set
from .tokens import number

_BEFORE = word_set("of oral a the dose doses tablet tablets tab tabs capsule capsules")
_LEFT_EDGE = frozenset({",", ";", ".", "and", "then", "plus", ":", "with", "(", "+", "&"})
_SOLUTIONS = frozenset({"dl", "l", "ml"})
_CHANGED = word_set(
    "increased increase increasing decreased decrease decreasing uptitrated titrated titrate "
    "reduced reduce raised lowered changed change doubled halved adjusted advanced from down"
)
_TIMES = {"h": "h", "hr": "h", "hour": "h", "min": "min", "minute": "min"}
_PER = {"kg": "kg", **_TIMES}  # what a dose is told by; `/day` is a frequency
_FORM_UNITS = {
    **dict.fromkeys(("puff", "puffs", "inhalation", "inhalations"), "{puff}"),
    **dict.fromkeys(("spray", "sprays"), "{spray}"),
    **dict.fromkeys(("drop", "drops", "gtt", "gtts"), "[drp]"),
    **dict.fromkeys(("tablet", "tablets", "tab", "tabs"), "{tablet}"),
    **dict.fromkeys(("capsule", "capsules", "cap", "caps"), "{capsule}"),
    **dict.fromkeys(("patch", "patches"), "{patch}"),
}
_BY = frozenset({"/", "per"})
_FEW = {"one": 1.0, "two": 2.0, "three": 3.0, "four": 4.0}
_MOST_FORMS = 20  # puffs, drops or tablets of a dose
_FURTHEST = 25  # words after a drug in which its attributes stand
_AGE = (["-"], ["year"], ["yr"], ["yo"], ["y"])  # `stopped aspirin, 81-year-old`
_ASPIRIN = (["81"], ["162"], ["325"])  # milligrams of a tablet, said without their unit
# A frequency found later replaces one of these when it says more.
_VAGUE = {"as_needed": 2, "daily": 1, "with_meals": 2, "before_meals": 2}
_MEALS = frozenset({"with_meals", "before_meals"})


@cache
def attributes() -> tuple[Lexicon, Lexicon]:
    """Return the lexicon of routes and frequencies, and the one of dose units."""
    words, units = Lexicon(), Lexicon()
    for head, spellings in keyed(read_lines("medication_attributes.txt")):
        kind, value = head.split(" ", 1)
        for spelling in spellings:
            if kind == "unit":
                units.add(spelling, value)
            else:
                words.add(spelling, (kind, None if value == "-" else value))
    return words, units


def link_attributes(draft: Draft) -> None:
    """Give every medication of a note the attributes that stand beside it."""
    drugs = sorted((m for m in draft.mentions if m.type == "medication"), key=lambda m: m.start)
    left_stops = [0] * len(drugs)
    edges = [m.start for m in drugs]
    for i, drug in enumerate(drugs):
        left_stops[i] = drugs[i - 1].stop if i else 0
        edges[i] = _read_before(draft, drug, max(left_stops[i], draft.opening[drug.start]))
    for i, drug in enumerate(drugs):
        end = _right_edge(draft, drug)
        if i + 1 < len(drugs):
            end = min(end, edges[i + 1])
        _read_after(draft, drug, end)


def _right_edge(draft: Draft, drug: Mention) -> int:
    end = min(draft.sentence[drug.start], drug.stop + _FURTHEST)
    for index in range(drug.stop, end):
        mention = draft.by_start.get(index)
        measured = mention is not None and mention.group == "measure"
        if draft.words[index] == ";" or measured:
            return index
    return end


def _read_before(draft: Draft, drug: Mention, left: int) -> int:
    """Read `20 mg IV furosemide`; return where the drug's own words begin."""
    words_, units = attributes()
    edge = drug.start
    index = drug.start - 1
    while index >= left and draft.words[index] not in _LEFT_EDGE and drug.start - index <= 6:
        found = words_.at(draft.tokens, index)
        if found is not None and found.stop == edge:
            kind, value = found.payload
            if getattr(drug, kind) is None:
                setattr(drug, kind, value)
            edge = index
        unit = units.at(draft.tokens, index + 1)
        if unit is not None and unit.stop == edge and _is_dose(draft, index):
            if index > left or left == draft.opening[drug.start]:
                drug.dose, drug.dose_unit = number(draft.words[index]), str(unit.payload)
                return index
            return drug.start
        if draft.words[index] in _BEFORE and edge == index + 1:
            edge = index
        index -= 1
    return drug.start


def _is_dose(draft: Draft, index: int) -> bool:
    before = draft.words[index - 1] if index else ""
    return number(draft.words[index]) is not None and before != "/"


def _read_after(draft: Draft, drug: Mention, end: int) -> None:
    words_, units = attributes()
    index = drug.stop
    own = drug.dose is not None
    aged = draft.words[index + 1 : index + 2] in _AGE
    bare = draft.words[index : index + 1] in _ASPIRIN and not aged
    if drug.name == "aspirin" and not own and bare:
        drug.dose, drug.dose_unit = number(draft.words[index]), "mg"
        index += 1
    while index < end:
        if number(draft.words[index]) is not None and index + 1 < end:
            unit = units.at(draft.tokens, index + 1)
            if unit is not None and unit.stop <= end and _is_dose(draft, index):
                told, stop = _rated(draft, str(unit.payload), unit.stop, end)
                if not _is_concentration(draft, unit.stop):
                    _dose(draft, drug, index, told, own)
                index = stop
                continue
        found = words_.at(draft.tokens, index)
        if found is not None and found.stop <= end:
            _take(drug, *found.payload)
            index = found.stop
            continue
        index += 1
    if drug.dose is None:
        _counted(draft, drug, end)


def _rated(draft: Draft, unit: str, index: int, end: int) -> tuple[str, int]:
    """Return a unit with what it is told by, `ug/kg/min`, and the word behind it."""
    words = draft.words
    while index + 1 < end and words[index] in _BY and words[index + 1] in _PER:
        if words[index] == "per" or not draft.tokens.gap(index + 1):
            unit = f"{unit}/{_PER[words[index + 1]]}"
        index += 2
    return unit, index


def _counted(draft: Draft, drug: Mention, end: int) -> None:
    """Read `2 puffs` and `one tablet` where no weight or volume is told."""
    words = draft.words
    for index in range(drug.stop, end - 1):
        unit = _FORM_UNITS.get(words[index + 1])
        if unit is not None and words[index - 1] not in ("/", "-"):
            count = _FEW.get(words[index]) or number(words[index])
            if count is not None and count <= _MOST_FORMS:
                drug.dose, drug.dose_unit = count, unit
                return


def _dose(draft: Draft, drug: Mention, index: int, unit: str, own: bool) -> None:
    """Take a dose: the first, or the one that it was changed `to`; keep the one before."""
    dose, before = number(draft.words[index]), draft.words[index - 1]
    if drug.dose is None or (before == "to" and not own):
        if before == "to" and _is_changed(draft, drug, index):
            same = drug.dose is not None and drug.dose_unit == unit
            drug.earlier_dose = drug.dose if same else number(draft.words[index - 2])
        drug.dose, drug.dose_unit = dose, unit
    elif before == "from" and drug.dose_unit == unit:
        drug.earlier_dose = dose


def _is_changed(draft: Draft, drug: Mention, index: int) -> bool:
    """Whether `5 to 10 mg` is a change and no range."""
    words = draft.words[max(draft.opening[drug.start], drug.start - 5) : index]
    return not _CHANGED.isdisjoint(words)


def _is_concentration(draft: Draft, stop: int) -> bool:
    following = draft.words[stop : stop + 2]
    return len(following) == 2 and following[0] == "/" and following[1] in _SOLUTIONS


def _take(drug: Mention, kind: str, value: str | None) -> None:
    if value == "as_needed":
        drug.as_needed = True
    if value is None:
        return
    current = getattr(drug, kind)
    if current is None:
        setattr(drug, kind, value)
        return
    vaguer = kind == "frequency" and _VAGUE.get(current, 0) > _VAGUE.get(value, 0)
    replaced = current == "as_needed" or (current in _MEALS) != (value == "at_bedtime")
    if vaguer and replaced:
        drug.frequency = value
