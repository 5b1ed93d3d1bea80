"""The spaCy factory `trialtwin_codes`: the last component, which gives every fact its codes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

from spacy.language import Language
from spacy.tokens import Doc

from ..components import FACTS
from .coder import Coder
from .index import Index
from .packaged import indexes, installed


@Language.factory(
    "trialtwin_codes", default_config={"systems": None, "vocabularies": [], "most": 3, "least": 0.1}
)
def create_codes(
    nlp: Language,
    name: str,
    systems: list[str] | None,
    vocabularies: list[str],
    most: int,
    least: float,
) -> CodesComponent:
    """Return the component.

    `systems` names packaged vocabularies (by default those installed), `vocabularies` the folders
    of the user's own, which come first; `most` is how many codes of each are kept, `least` the
    chance that a code must have.
    """
    own = [Index(Path(folder)) for folder in vocabularies]
    packaged = indexes(tuple(installed() if systems is None else systems))
    return CodesComponent(Coder([*own, *packaged], most, least))


@final
class CodesComponent:
    """Adds ranked codes to the facts of a document.

    Parameters
    ----------
    coder
        That finds them.
    """

    def __init__(self, coder: Coder) -> None:
        self.coder = coder

    def __call__(self, doc: Doc) -> Doc:
        """Give one document's facts their codes, whatever their assertion."""
        facts: Sequence[dict[str, Any]] = doc.user_data.get(FACTS, ())
        coded = [fact for fact in facts if fact["type"] in self.coder.types]
        mentions = [(fact["type"], _said(fact), fact["name"]) for fact in coded]
        for fact, codes in zip(coded, self.coder.plain(mentions), strict=True):
            if codes:
                fact["codes"] = codes
        return doc


def _said(fact: dict[str, Any]) -> str:
    """Return the words that codes are looked up by: a condition's with its stage or kind."""
    if fact["type"] == "condition" and "status" in fact:
        return f"{fact['status']} {fact['name']}"
    return str(fact["text"])
