"""Events of care: admission, discharge, transfer, consultation, code status, hospice, death."""

from __future__ import annotations

from .draft import Draft
from .lexicon import Lexicon, Match, expand, keyed, read_lines, word_set

_SPECIALTIES = (
    "cardiology cardiac_surgery colorectal_surgery critical_care dermatology dietetics "
    "electrophysiology endocrinology ENT gastroenterology general_surgery geriatrics gynecology "
    "hematology hepatology ICU infectious_disease interventional_radiology nephrology neurology "
    "neurosurgery nutrition obstetrics oncology ophthalmology orthopedics orthopedic_surgery "
    "otolaryngology palliative palliative_care pathology pediatrics plastic_surgery "
    "plastics podiatry psychiatry psychology pulmonary pulmonology radiation_oncology renal "
    "rheumatology social_work surgery thoracic_surgery toxicology transplant trauma "
    "trauma_surgery urology vascular vascular_surgery wound_care GI ID IR EP GYN OB ortho "
    "heme heme/onc psych PT OT speech"
)
_CONSULTED = (
    "{} consulted", "{} consult", "{} consultation", "{} was consulted", "{} were consulted",
    "{} has been consulted", "{} c/s", "consult {}", "consulted {}", "consult to {}",
    "consulted with {}", "consultation with {}",
)  # fmt: skip
# Behind a bare `admitted`: it is to a place, not `admitted to drinking`.
_DATED = word_set("evening morning during following")
_OWNED = word_set("the a our an to under")
_PLACES = word_set(
    "hospital icu floor ward medicine telemetry service unit inpatient surgery surgical medical "
    "cardiology neurology oncology team hospitalist obs observation psychiatry stepdown osh"
)
_MATTER = word_set(
    "pus fluid material icd device shock shocks battery pacemaker gun weapon ear nipple nose wound "
    "ulcer sinus abscess fistula boil"
)
# Behind `admitted`: what somebody owns up to.
_TOLD = word_set("that he she they having being he's she's")
_NO_STAY = word_set(
    "bed chair commode toilet wheelchair funds money care embryo embryos blastocyst call weight "
    "tube shower bath"
)
_FALLEN = word_set("fell fall falls slid slipped slumped lowered rolled crawled down mat hoisted")
_HELPING = word_set("was is been be being got has had have then will subsequently later")
_PERSONS = frozenset({"pt", "patient", "he", "she"})
_PEOPLE = word_set("patients nurse nurses team staff doctor doctors resident attending")


def add_care(lexicon: Lexicon) -> None:
    """Add the terms of care; the payload is ("care", event, status)."""
    for head, spellings in keyed(read_lines("care_events.txt")):
        event, status = head.split(" ")
        for spelling in (s for told in spellings for s in expand(told)):
            lexicon.add(spelling, ("care", (event, None if status == "-" else status)))
    for specialty in _SPECIALTIES.split():
        name = specialty.replace("_", " ")
        for pattern in _CONSULTED:
            lexicon.add(pattern.format(name), ("care", ("consultation", specialty.lower())))


def add_care_events(draft: Draft, matches: list[Match]) -> None:
    """Add the events of care that a note tells of."""
    for match in matches:
        if match.payload[0] != "care" or _is_other(draft, match):
            continue
        event, status = match.payload[1]
        mention = draft.mention("care_event", event, match.start, match.stop)
        mention.status = status
        draft.add(mention)


def _is_other(draft: Draft, match: Match) -> bool:
    """Whether it is no event: `admitted to smoking`, `the wound discharged pus`."""
    words = draft.words[match.start : match.stop]
    if words == ["admitted"]:
        return _is_owned_up(draft, match)
    opening, end = draft.opening[match.start], draft.sentence[match.start]
    before = draft.words[max(opening, match.start - 3) : match.start]
    after = draft.words[match.stop : min(end, match.stop + 4)]
    if words == ["discharged"]:
        return not _MATTER.isdisjoint((*after[:3], *before[-1:]))
    if words == ["dc'd"]:
        return _is_stopped(draft, match)
    if words == ["transferred"]:
        return not _NO_STAY.isdisjoint((*before, *after))
    if words[-1] == "floor":
        return not _FALLEN.isdisjoint(draft.words[opening : match.start])
    return words[0] == "in" and not _PEOPLE.isdisjoint(after[:1])


def _is_owned_up(draft: Draft, match: Match) -> bool:
    after = draft.words[match.stop : min(draft.sentence[match.start], match.stop + 3)]
    if after[:1] == ["to"]:
        return next((w for w in after[1:] if w not in _OWNED), "") not in _PLACES
    first = after[0] if after else ""
    return first in _TOLD or (first.endswith("ing") and first not in _DATED)


def _is_stopped(draft: Draft, match: Match) -> bool:
    """Whether a drug or a line was stopped, and nobody sent home: `Metformin dc'd`."""
    if draft.words[match.stop : match.stop + 1] in (["to"], ["from"]):
        return False
    place, opening = match.start, draft.opening[match.start]
    while place > opening and draft.words[place - 1] in _HELPING:
        place -= 1
    return place == opening or draft.words[place - 1] not in _PERSONS
