"""Dates of two numbers (`7/15`), told from scores, fractions, ratios, doses and pages.

The words beside one decide, and the other dates of the note: where a note holds dates, its other
pairs of numbers are dates too unless something says otherwise, so that no true date stays beside
one that was moved.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from .dates import is_date, month_of

_NEAR = 30
# What two numbers count or grade, before them in the same clause: with any number after the
# stroke, or only where it could also be a month.
_COUNTED_BEFORE = re.compile(
    r"\b(?:scor(?:e|es|ed|ing)|scale|gcs|nihss|mmse|moca|phq|phq-?\d|gad|gad-?\d|apgars?|bp|b/p|"
    r"page|pg|pages|day|week|hd|pod|nodes?|lns?|cores?|ratio|proportion|fraction|siblings?|"
    r"vision|acuit(?:y|ies)|sirs|agreement|barthel|katz|adls?|iadls?|dilution|titer|titre|x|every|c[dk]|"
    r"version|recall)(?:[ :=(]|-\d?)[^.;,\n\d]{0,14}$",
    re.IGNORECASE,
)
_GRADED_BEFORE = re.compile(
    r"\b(?:strength|motor|power|murmurs?|pain|pressures?|va|o[dsu]|reflex(?:es)?|dtrs?|"
    r"patellar?|achilles|pulses?|radial|edema|grade|stage|cycles?|course|doses?|rounds?|steps?|"
    r"parts?|sessions?|rat(?:ed|es|ing)|ecog|nyha|asa|muscles?|deltoids?|biceps|triceps|grip|"
    r"quad(?:riceps|s)?|flex(?:ion|ors?)|extension|extensors?|dorsiflexion|plantarflexion|"
    r"[lr]?[ul]e|severity|intensity|level|wells|criteria|bishop|bristol|borg|tumou?rs?|"
    r"samples?|specimens?|sets|lobes?|visual|snellen|eye|figure|table|fig)"
    r"(?:[ :=(]|-\d?)(?![^.;,\n\d]{0,8}(?:[^t]ed|better|gone|since) $)[^.;,\n\d]{0,14}$",
    re.IGNORECASE,
)
_COUNTED_AFTER = re.compile(
    r"[ \-]?(?:mg|mcg|ml|mm|tablets?|tabs?|caps?(?:ules?)?|pills?|puffs?|lbs?|inch(?:es)?|cm|"
    r"ppd|packs?|cups?|pints?|drinks?|nodes?|lns?|lymph|cores?|siblings?|brothers?|sisters?|"
    r"patients?|subjects?|cases?|cells?|teeth|eyes?|trials|questions|items?|points?|joints?|"
    r"nights|days|weeks|months|hours|times|fields|criteria|slides?|teaspoons?|tsp|tbsp|"
    r"bottles?|sets?|apgar|scale|score|recall|objects|(?:out )?of (?:the|an?|his|her)|"
    r"dilution|vision|samples|specimens)\b|\"|”|[ \-]?%",
    re.IGNORECASE,
)
_GRADED_AFTER = re.compile(
    r"[ \-]?(?:strengths?|systolic|diastolic|sem|hsm|murmur|motor|power|pain|pulses?|"
    r"in (?:the |all |both )?(?:upper|lower|bilateral|right|left|ext|limbs|arms?|legs?|scale)|"
    r"(?:out of|on) (?:the )?(?:pain|scale)|reflex|full|doses?|cultures?|quadrants?|limbs?|"
    r"extremit(?:y|ies)|positive|negative|neg|pos|strips?|positions?|normal saline|ns|"
    r"throughout|bilat\w*|b/l|symmetric\w*|lead|liters?|units?|severity|intensity|words|way)\b",
    re.IGNORECASE,
)
# Further words of what is graded, wherever they stand beside a pair in its sentence.
_GRADED_NEAR = re.compile(
    r"strength|weak|pain|murmur|grade|motor|reflex|pulse|scale|scor|abduct|adduct|extremit|sets|"
    r"bottles|\b(?:as|is|was|of|a|than|to) $",
    re.IGNORECASE,
)
_SEEN_NEAR = re.compile(r"acuit|vision|visual|snellen|\b(?:o[dsu]|[rl]e|va)\b", re.IGNORECASE)
_LETTER_OR_BRACKET = re.compile(r"[A-Za-z\]]")
_ON = re.compile(r"\b(?:on|since|until|till|dated) $", re.IGNORECASE)
_SHORT_STAYS = re.compile(r"\b(?:for|x) $", re.IGNORECASE)
_TOLD = re.compile(
    r"\b(?:on|since|until|till|as of|dated?|dob|dos|seen|done|taken|drawn|admitted|discharged|"
    r"visit|signed|dictated|transcribed|performed|collected|received|obtained|scheduled|from|by|"
    r"before|after|appointment|last|in|d|t)(?: (?:on|of|date|is|was))?[ :\-=]{0,3}$",
    re.IGNORECASE,
)
_EVENT = re.compile(
    r"\b(?:ct|cta|mri|mra|cxr|x-?rays?|xr|us|ultrasound|echo|tte|tee|ekg|ecg|eeg|emg|pet|dexa|"
    r"kub|cx|bcx|ucx|cultures?|labs?|biops(?:y|ies)|bx|egd|colonoscopy|scan|lp|cath|imaging|"
    r"surger(?:y|ies)|operation|procedure|or|intubat(?:ion|ed)|extubat(?:ion|ed)|d/?c(?:'?e?d)?|"
    r"dc['’]d|transfus(?:ion|ed)|admi(?:t|tted|ssion)|transfer(?:red)?|discharged?|deliver(?:y|ed)|"
    r"ed|clinic|f/u|follow[ \-]?up|appt|seen|start(?:ed)?|stopped|began|begun|held|resumed|"
    r"removed|placed|inserted|chemo|dialysis|hd cath|stent|fall|fell|onset|lmp|edd|edc|"
    r"consult(?:ed)?|note|post-?op|pre-?op|call(?:ed)?|injur(?:y|ed)|vaccine|mammogram|pap)"
    r"[ :,(\-]{1,2}$",
    re.IGNORECASE,
)
_RANGE = re.compile(r" ?(?:-|–|to|through) ?\d{1,2}/\d{1,2}/\d{2}")
_NAMED = re.compile(r"\b(?:dated|date|dob|dos)[ :]{1,3}$", re.IGNORECASE)
_FRACTIONS = {(1, 2), (1, 3), (2, 3), (1, 4), (3, 4)}


def short_dates(
    text: str, pairs: Iterable[re.Match[str]], dated: Iterable[str], day_first: bool
) -> Iterator[re.Match[str]]:
    """Yield the pairs of numbers that are a month and a day.

    Parameters
    ----------
    text
        Of the note.
    pairs
        Matches of two numbers with a sign between, in the groups `a`, `s` and `b`.
    dated
        The note's dates of other forms that name a day.
    day_first
        Whether 3/4 is the third of April in this note.
    """
    open_pairs: list[re.Match[str]] = []
    sure: list[re.Match[str]] = []
    for pair in pairs:
        before = text[max(0, pair.start() - _NEAR) : pair.start()]
        if pair["s"] != "/":
            if is_date(pair.group()) and _NAMED.search(before):
                yield pair
        elif _allowed(text, pair, before):
            (sure if _is_told(text, pair, before) else open_pairs).append(pair)
    yield from sure
    if not open_pairs:
        return
    months = {month_of(pair.group(), day_first) for pair in sure}
    months |= {month_of(date, day_first) for date in dated}
    if months:
        yield from (
            p
            for p in open_pairs
            if not _slight(p)
            or (month_of(p[0], day_first) in months and not _beside(text, p, _GRADED_NEAR))
        )


def days_come_first(text: str, pairs: Iterable[re.Match[str]]) -> bool:
    """Whether a pair that is surely a date can only be read with the day before the month."""
    days = {
        int(pair["a"]) > 12
        for pair in pairs
        if pair["s"] == "/" and max(int(pair["a"]), int(pair["b"])) > 12
        if _allowed(text, pair, before := text[max(0, pair.start() - _NEAR) : pair.start()])
        if _is_told(text, pair, before)
    }
    return days == {True}


def _allowed(text: str, pair: re.Match[str], before: str) -> bool:
    """Whether a pair can be a date: nothing beside it says that it counts, grades or doses."""
    if not is_date(pair.group()) or pair.group() == "24/7":
        return False
    if _COUNTED_AFTER.match(text, pair.end()) or _LETTER_OR_BRACKET.match(text, pair.end()):
        return False
    if pair["a"] == "6" and _beside(text, pair, _SEEN_NEAR):
        return False  # metres
    small = int(pair["b"]) <= 12
    if small and _GRADED_AFTER.match(text, pair.end()) and not _ON.search(before):
        return False
    if pair["b"] == "7" and _SHORT_STAYS.search(before):
        return False  # `for 5/7`: five days
    if _TOLD.search(before):
        return True
    return not (_COUNTED_BEFORE.search(before) or (small and _GRADED_BEFORE.search(before)))


def _beside(text: str, pair: re.Match[str], words: re.Pattern[str]) -> bool:
    """Whether words stand beside a pair, in its sentence."""
    before = re.split(r"[.;\n] ?", text[max(0, pair.start() - 2 * _NEAR) : pair.start()])[-1]
    after = re.split(r"[.;\n]", text[pair.end() : pair.end() + _NEAR])[0]
    return words.search(before) is not None or words.search(after) is not None


def _is_told(text: str, pair: re.Match[str], before: str) -> bool:
    """Whether a pair is a date by itself: its zeros, a range with a year, the words before it."""
    if pair.group().startswith("0") or pair["b"].startswith("0"):
        return True
    if _RANGE.match(text, pair.end()):
        return True
    if _TOLD.search(before):
        return pair["b"] not in ("10", "5")
    return not _slight(pair) and _EVENT.search(before) is not None


def _slight(pair: re.Match[str]) -> bool:
    """Whether two numbers are as often a fraction or a score: a half, all of five, some of ten."""
    a, b = int(pair["a"]), int(pair["b"])
    return a == b or (a, b) in _FRACTIONS or b == 10 or (a <= b and b in (4, 5, 6))
