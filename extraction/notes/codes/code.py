"""A code of a vocabulary, as a candidate for what a mention means."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import final


@final
@dataclass(frozen=True, slots=True)
class Code:
    """One candidate.

    Parameters
    ----------
    system
        Name of the vocabulary: ``ICD-10-CM``, ``HPO``, ``DrugBank``, or a vocabulary of one's own.
    code
        Code within it, as written there (``I50.9``, ``HP:0001635``).
    version
        Release of the vocabulary.
    score
        Estimated chance, from 0 to 1, that this is the mention's code.
    display
        Name of the code in the vocabulary.
    """

    system: str
    code: str
    version: str
    score: float
    display: str


Plain = tuple[str, str, str, float, str]
"""The values of a `Code`, which travel between processes."""


@lru_cache(maxsize=1 << 14)
def codes_of(values: tuple[Plain, ...]) -> tuple[Code, ...]:
    """Return codes from their plain values."""
    return tuple(Code(*plain) for plain in values)
