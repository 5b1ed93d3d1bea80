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
_OWNED = word_set("the a our an to under")
_PLACES = word_set(
    "hospital icu floor ward medicine telemetry service unit inpatient surgery surgical medical "
    "cardiology neurology oncology team hospitalist obs observation psychiatry stepdown osh"
)
_MATTER = frozenset({"pus", "fluid", "material", "icd", "device", "shock", "shocks"})


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
    after = draft.words[match.stop : match.stop + 3]
    if words == ["admitted"]:
        if after[:1] == ["to"]:
            return next((w for w in after if w not in _OWNED), "") not in _PLACES
        return after[:1] == ["that"]
    if words == ["discharged"]:
        return not _MATTER.isdisjoint((*after, *draft.words[match.start - 1 : match.start]))
    return False
