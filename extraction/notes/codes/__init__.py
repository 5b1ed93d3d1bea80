"""Codes for facts: ICD-10-CM, HPO, DrugBank, and vocabularies of one's own (docs/codes.md).

Importing this package is light; vocabularies are read when codes are first asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from ...lazy import lazy
from .code import Code

if TYPE_CHECKING:
    from .coder import Coder
    from .own import Vocabulary, load_vocabulary, vocabulary_of

SURE = 0.8
"""Chance from which a code is taken for the mention's: only then it goes into a cohort."""


def rank(
    text: str,
    fact_type: str,
    *,
    name: str = "",
    systems: Sequence[str] | None = None,
    vocabularies: Sequence[Vocabulary] = (),
    most: int = 5,
) -> tuple[Code, ...]:
    """Return the codes of a mention, best first; none where no vocabulary has a likely one.

    Parameters
    ----------
    text
        The mention's words (`HTN`, `renal cell ca`).
    fact_type
        Type of the fact; it decides which vocabularies are asked.
    name
        Its normalised name, where it has one.
    systems
        Packaged vocabularies; by default those whose packages are installed.
    vocabularies
        Of the user's own.
    most
        Codes of one vocabulary, at most 5.

    Raises
    ------
    InputError
        When a vocabulary that was asked for by name is not there.

    Examples
    --------
    >>> [code.code for code in rank("HTN", "condition", systems=["ICD-10-CM"])]
    ['I10']
    """
    folders = tuple(vocabularies)
    coder = _coder(None if systems is None else tuple(systems), folders, most)
    return coder.codes([(fact_type, text, name)])[0]


@lru_cache(maxsize=4)
def _coder(
    systems: tuple[str, ...] | None, vocabularies: tuple[Vocabulary, ...], most: int
) -> Coder:
    from .coder import Coder
    from .index import Index
    from .packaged import indexes, installed

    own = [Index(vocabulary.folder) for vocabulary in vocabularies]
    packaged = indexes(tuple(installed()) if systems is None else systems)
    return Coder([*own, *packaged], most)


def best_code(codes: Sequence[Code]) -> str | None:
    """Return the first code of at least `SURE` as `system|code`, or None."""
    return next((f"{c.system}|{c.code}" for c in codes if c.score >= SURE), None)


__all__ = ["SURE", "Code", "Vocabulary", "best_code", "load_vocabulary", "rank", "vocabulary_of"]

__getattr__, __dir__ = lazy(
    __name__, {"Vocabulary": "own", "load_vocabulary": "own", "vocabulary_of": "own"}
)
