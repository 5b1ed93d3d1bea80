"""What else stands beside a drug: its form, and the problem it is taken for."""

from __future__ import annotations

from .draft import Draft, Mention

_FORMS = {
    "tablet": "tablet tablets tab tabs caplet caplets",
    "capsule": "capsule capsules cap caps",
    "patch": "patch patches",
    "cream": "cream",
    "ointment": "ointment",
    "gel": "gel",
    "solution": "solution syrup elixir suspension liquid",
    "drops": "drops eyedrops",
    "inhaler": "inhaler puffs puff hfa mdi diskus",
    "nebulizer": "nebulizer neb nebs nebulised nebulized",
    "spray": "spray",
    "injection": "injection injections pen vial",
    "infusion": "infusion drip",
    "suppository": "suppository suppositories",
    "lozenge": "lozenge lozenges",
    "film": "film",
    "powder": "powder sachet sachets",
}
_BY_WORD = {word: form for form, words in _FORMS.items() for word in words.split()}
_REACH = 10  # words from a drug to its form or reason
_FILLING = frozenset({"his", "her", "the", "a", "an", "their", "presumed", "suspected", "chronic"})


def add_details(draft: Draft) -> None:
    """Give each drug its form and its indication, up to the next drug."""
    drugs = sorted((m for m in draft.mentions if m.type == "medication"), key=lambda m: m.start)
    for drug, following in zip(drugs, [*drugs, None][1:], strict=True):
        end = min(draft.sentence[drug.start], drug.stop + _REACH)
        if following is not None:
            end = min(end, following.start)
        _read(draft, drug, end)


def _read(draft: Draft, drug: Mention, end: int) -> None:
    for index in range(drug.stop, end):
        word = draft.words[index]
        if word == ";":
            return
        if drug.form is None and word in _BY_WORD:
            drug.form = _BY_WORD[word]
        if word == "for" and drug.indication is None:
            place = index + 1
            while place < end and draft.words[place] in _FILLING:
                place += 1
            reason = draft.by_start.get(place)
            if reason is not None and reason.group == "problem":
                drug.indication = reason.name
