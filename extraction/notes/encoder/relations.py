"""Which drug goes with which effect and dose: those of one sentence.

In sentences about drug reactions every drug belongs to every effect more often than any nearer
choice does: with the marked spans of PHEE given, all pairs reach an F1 of .98 (drug to effect and
drug to dose), the nearest drug .90 and .80.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from ..tokens import tokenize
from .scoring import Labelled
from .windows import sentence_starts

PAIRS = {"effect": ("Drug", "Effect"), "dose": ("Drug", "Dosage")}


def pairs(
    text: str, spans: Sequence[Labelled], relation: str, one_unit: bool = False
) -> list[tuple[Labelled, Labelled]]:
    """Return the pairs of a relation.

    Parameters
    ----------
    relation
        `effect` or `dose`.
    one_unit
        Whether the text is one statement, so that sentences do not part it.
    """
    head, tail = PAIRS[relation]
    opens = [0]
    if not one_unit:
        tokens = tokenize(text)
        opens = [tokens.starts[i] for i in sentence_starts(tokens)] if tokens.words else [0]
    return [
        (a, b)
        for a in spans
        if a.label == head
        for b in spans
        if b.label == tail and bisect_right(opens, a.start) == bisect_right(opens, b.start)
    ]
