"""The spaCy factory of this concept."""

from __future__ import annotations

from spacy.language import Language

from ...components import AssertionComponent
from . import logic

NAME = "trialtwin_planning"


@Language.factory(NAME, default_config={"cues": None})
def create(nlp: Language, name: str, cues: str | None) -> AssertionComponent:
    """Return the component; `cues` is the path of a cue list to use in place of the own one."""
    return AssertionComponent(logic.CONCEPT, logic.assess, cues)


__all__ = ["NAME", "create"]
