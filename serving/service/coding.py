"""Which codes the facts of notes get."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from extraction.records.errors import Faults

if TYPE_CHECKING:
    from extraction.notes.codes import Vocabulary


@dataclass(frozen=True)
class Coding:
    """Which codes facts get.

    Parameters
    ----------
    codes
        Whether they get any.
    vocabularies
        Of the user's own, each as ``KIND=PATH`` (`extraction.notes.codes.vocabulary_of`).
    """

    codes: bool = True
    vocabularies: tuple[str, ...] = ()

    def loaded(self) -> list[Vocabulary]:
        """Load the user's vocabularies; all their faults at once."""
        from extraction.notes.codes import vocabulary_of

        faults = Faults()
        own: list[Vocabulary] = []
        for told in self.vocabularies:
            with faults.catch():
                own.append(vocabulary_of(told))
        faults.raise_if_any()
        return own

    def wanted(self) -> dict[str, Any]:
        """Return what a worker is told, the versions, and what tells the users' own apart.

        Indexes are built here, before any worker starts.
        """
        from extraction.notes.codes.packaged import packaged_coder

        own = self.loaded()
        packaged = packaged_coder().versions if self.codes else {}
        return {
            "codes": self.codes,
            "vocabularies": [[str(v.folder), v.fact_type] for v in own],
            "own": [[v.folder.name.rsplit("-", 1)[-1], v.fact_type] for v in own],
            "versions": {**{v.system: v.version for v in own}, **packaged},
        }
