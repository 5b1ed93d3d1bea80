"""What kind of a condition it is, told beside its name: `CKD stage 3b`, `seropositive RA`."""

from __future__ import annotations

from .draft import Draft, Mention
from .lexicon import word_set

_KIDNEY = "chronic kidney disease"
_JOINTS = "rheumatoid arthritis"
_STAGED = word_set("stage stg stages g")
_STEPS = {"1": "1", "2": "2", "3": "3", "4": "4", "5": "5"} | {
    roman: str(step) for step, roman in enumerate(("i", "ii", "iii", "iv", "v"), start=1)
}
_PARTS = {f"{roman}{part}": f"3{part}" for roman in ("iii",) for part in "ab"}
_SIGNS = frozenset({"(", "-", ":", "kdigo", ","})
# Behind a stage that no word names (`CKD 3b with`); `CKD 3 years` is none.
_BEHIND = word_set(". , ; ) ( : with and on at w not secondary due from stable baseline h")
_SIGNED = {
    **dict.fromkeys(("seropositive", "sero-positive"), "seropositive"),
    **dict.fromkeys(("seronegative", "sero-negative"), "seronegative"),
}
_FACTORS = frozenset({"rf", "factor", "ccp", "anti-ccp", "acpa"})
_SIGN_OF = {"positive": "seropositive", "+": "seropositive", "negative": "seronegative"}
_REACH = 4  # words from a name to what is told of it


def add_stages(draft: Draft) -> None:
    """Give chronic kidney disease its stage and rheumatoid arthritis its serology, as `status`.

    The codes go by it: ICD-10-CM has a code for each.
    """
    for mention in draft.mentions:
        if mention.name == _KIDNEY:
            mention.status = _stage(draft, mention)
        elif mention.name == _JOINTS:
            mention.status = _serology(draft, mention)


def _stage(draft: Draft, mention: Mention) -> str | None:
    """Read `CKD stage 3b`, `CKD (G3a)`, `CKD4`, `stage IV CKD`."""
    words, opening = draft.words, draft.opening[mention.start]
    for place in range(mention.start - 3, mention.start - 1):
        if place >= opening and words[place] in _STAGED:
            found = _step(draft, place + 1, mention.start, named=True)
            if found is not None:
                return found
    index, end = mention.stop, min(draft.sentence[mention.start], mention.stop + _REACH)
    named = False
    while index < end and (words[index] in _STAGED or words[index] in _SIGNS):
        named = named or words[index] in _STAGED
        index += 1
    far = index >= end or (words[index - 1] == "," and not named)
    return None if far else _step(draft, index, draft.sentence[mention.start], named)


def _step(draft: Draft, index: int, end: int, named: bool) -> str | None:
    """Return `stage 3b` of the words `3b`, `3 b` or `iiib`."""
    words = draft.words
    word = words[index]
    if word in _PARTS:
        return f"stage {_PARTS[word]}"
    step = _STEPS.get(word)
    if step is None:
        return None
    after = words[index + 1] if index + 1 < end else ""
    if step == "3" and after in ("a", "b") and not draft.tokens.gap(index + 1):
        return f"stage 3{after}"
    told = named or not after or after in _BEHIND
    return f"stage {step}" if told and after not in ("/", "-") else None


def _serology(draft: Draft, mention: Mention) -> str | None:
    """Read `seropositive RA` and `RF positive RA`."""
    words = draft.words
    first = max(draft.opening[mention.start], mention.start - _REACH)
    for place in range(mention.start - 1, first - 1, -1):
        word = words[place]
        if word in _SIGNED:
            return _SIGNED[word]
        if word in _SIGN_OF and not _FACTORS.isdisjoint(words[first:place]):
            return _SIGN_OF[word]
        if word in (",", ";", "and"):
            return None
    return _SIGNED.get(words[mention.stop]) if mention.stop < len(words) else None
