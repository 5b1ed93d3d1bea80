"""Imaging and staging: size of a lesion, response by RECIST, TNM, stage and grade of a tumour."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from .draft import Draft
from .lexicon import word_set

# Bounded throughout, so that the time is linear in the text.
_TNM = re.compile(
    r"\b[ypcra]{0,2}T(?:is|[0-4X])[a-d]?(?:\([a-z0-9,]{1,6}\))?[ ,/]{0,2}[ypc]{0,2}N[0-3X][a-c]?"
    r"(?:\([a-z0-9+,/ ]{1,8}\))?(?:[ ,/]{0,2}[cp]?M[01X][a-d]?)?\b"
)
_STAGE = re.compile(
    r"\b[Ss](?:tage|TAGE)[ :]{1,3}(?:group )?(I{1,3}V?[ABC]?\d?|IV[ABC]?|[0-4][ABCabc]?)\b"
)
_GRADE = re.compile(
    r"\b(?:[Hh]istologic(?:al)? |[Tt]umou?r |[Nn]uclear |WHO )[Gg]rade[ :]{1,3}(I{1,3}|IV|[1-4])\b"
)
_DIFFERENTIATED = re.compile(r"\b([Pp]oorly|[Ww]ell|[Mm]oderately)[ -]differentiated\b")
_RESPONSE = re.compile(
    r"\b(?:([Cc]omplete|[Pp]artial|[Mm]ixed|[Nn]ear[ -]complete) "
    r"(?:metabolic |pathologic(?:al)? |radiographic )?response"
    r"|([Ss]table) disease|([Pp]rogressive) disease|[Dd]isease (progression)"
    r"|RECIST[ :]{1,3}(?:1\.1[ :]{1,3})?(CR|PR|SD|PD))\b"
)
_SIZE = re.compile(
    r"(?<![\d.])(\d{1,3}(?:\.\d{1,2})?)(?: ?(?:x|×|by) ?(\d{1,3}(?:\.\d{1,2})?))?"
    r"(?: ?(?:x|×|by) ?(\d{1,3}(?:\.\d{1,2})?))? ?-?(mm|cm)\b"
)
_TUMOR = re.compile(r"T(?:is|[0-4X])")
_LENGTH = re.compile(r"[cm]m\b")
_LONGEST_SIZE = 32  # characters of `_SIZE` in front of its unit
_STAGED = word_set(
    "ckd gold copd cirrhosis parkinson kidney pressure ulcer sleep labor labour "
    "hypertension fibrosis decubitus"
)
_RESPONSES = {
    "complete": "complete_response",
    "cr": "complete_response",
    "partial": "partial_response",
    "pr": "partial_response",
    "stable": "stable_disease",
    "sd": "stable_disease",
    "progressive": "progressive_disease",
    "progression": "progressive_disease",
    "pd": "progressive_disease",
    "mixed": "mixed_response",
    "near": "partial_response",
}
_LESIONS = word_set(
    "mass masses nodule nodules lesion lesions tumor tumors cyst cysts polyp polyps metastasis "
    "metastases node nodes lymphadenopathy opacity density stone stones calculus calculi aneurysm "
    "abscess hematoma fibroid fibroids adenoma adenomas infarct hemangioma goiter collection "
    "effusion cavity bleb plaque ulcer wound laceration defect hernia mole nevus papule carcinoma"
)
_NEAR = 7  # words between a size and its lesion


def add_imaging_findings(draft: Draft) -> None:
    """Add stages, grades, responses, and sizes beside the word of a lesion."""
    text = draft.tokens.text
    if _TUMOR.search(text):
        for match in _TNM.finditer(text):
            _add(draft, match.span(), "tnm", " ".join(match.group().split()))
    for match in _where(_STAGE, text, "tage", "TAGE"):
        _stage(draft, match)
    for match in _where(_GRADE, text, "rade"):
        _add(draft, match.span(), "tumor_grade", match[1])
    for match in _where(_DIFFERENTIATED, text, "differentiated"):
        _add(draft, match.span(), "differentiation", match[1].lower())
    for match in _where(_RESPONSE, text, "response", "isease", "RECIST"):
        said = next(g for g in match.groups() if g is not None)
        key = said.lower().replace("-", " ").split()[0]
        _add(draft, match.span(), "response", _RESPONSES[key])
    for match in _sizes(text):
        _size(draft, match)


def _where(pattern: re.Pattern[str], text: str, *parts: str) -> Iterable[re.Match[str]]:
    """Return the matches of a pattern, which cannot match a text without one of these parts."""
    return pattern.finditer(text) if any(part in text for part in parts) else ()


def _sizes(text: str) -> Iterator[re.Match[str]]:
    """Yield the matches of `_SIZE`, which is tried only in front of a unit of length."""
    free = 0
    for unit in _LENGTH.finditer(text):
        match = _SIZE.search(text, max(free, unit.start() - _LONGEST_SIZE), unit.end())
        if match is not None:
            free = match.end()
            yield match


def _add(draft: Draft, span: tuple[int, int], name: str, status: str | None) -> None:
    words = draft.between(*span)
    if words is None:
        return
    mention = draft.mention("imaging_finding", name, *words)
    mention.status = status
    draft.add(mention)


def _stage(draft: Draft, match: re.Match[str]) -> None:
    words = draft.between(*match.span())
    if words is None:
        return
    near = draft.words[max(0, words[0] - 4) : words[1] + 4]
    if _STAGED.isdisjoint(near):
        _add(draft, match.span(), "stage", match[1].upper())


def _size(draft: Draft, match: re.Match[str]) -> None:
    """Add the longest side in mm when the word of a lesion stands near."""
    words = draft.between(*match.span())
    if words is None:
        return
    start = max(draft.opening[words[0]], words[0] - _NEAR)
    stop = min(draft.sentence[words[0]], words[1] + _NEAR)
    if _LESIONS.isdisjoint(draft.words[start:stop]):
        return
    mention = draft.mention("imaging_finding", "lesion_size", *words)
    longest = max(float(side) for side in match.groups()[:3] if side is not None)
    mention.value, mention.unit = longest * (10.0 if match[4] == "cm" else 1.0), "mm"
    draft.add(mention)
