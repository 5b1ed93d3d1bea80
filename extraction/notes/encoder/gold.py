"""Judging a tagger on a brat folder: which of its labels are meant, and how well it finds them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ...records.errors import InputError
from .artifact import Card
from .documents import Document, Span
from .scoring import count, report
from .tagger import Tagger

_ALIASES = {
    "specificdisease": "disease",
    "diseaseclass": "disease",
    "compositemention": "disease",
    "modifier": "disease",
    "freq": "frequency",
    "gender": "sex",
    "dose": "dosage",
    "symptom": "sign_symptom",
    "problem": "disease_disorder",
    "drugname": "drug",
}
_ALSO = {"drug": "medication", "drugname": "medication", "medicine": "medication"}
_BATCH = 64


def judge(
    tagger: Tagger,
    card: Card,
    documents: Sequence[Document],
    head: str | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Return strict and relaxed micro F1, and every type's, with intervals over documents.

    Labels that the tagger does not know are counted under ``not_scored``.

    Parameters
    ----------
    documents
        With the marked spans.
    head
        Label set to ask; None takes the one that knows most of the marked spans.
    seed
        Of the bootstrap over documents.

    Raises
    ------
    InputError
        When nothing is marked, or no label is known.
    """
    marked = Counter(s.label for d in documents for s in d.spans)
    if not marked:
        raise InputError("gold: nothing is marked, so there is nothing to judge")
    name = head if head is not None else fitting_head(card.shown, marked)
    if name not in card.shown:
        raise InputError(f"head: {name!r} is not known; allowed: {', '.join(card.shown)}")
    meant = {label: known(label, card.shown[name]) for label in marked}
    labels = tuple(x for x in card.shown[name] if x in set(meant.values()))
    if not labels:
        raise InputError(
            f"gold: the labels {_some(marked)} are unknown to the label set {name}; "
            f"it knows {', '.join(card.shown[name])}"
        )
    counts = count(_pairs(tagger, name, documents, meant), labels)
    unseen = {digest for corpus in card.corpora for digest in corpus.held_out}
    seen = {digest for corpus in card.corpora for digest in corpus.learned}
    return {
        "head": name,
        "labels": {label: target for label, target in meant.items() if target is not None},
        "not_scored": {label: n for label, n in marked.items() if meant[label] is None},
        "held_out_documents": sum(d.digest() in unseen for d in documents),
        "trained_on_documents": sum(d.digest() in seen for d in documents),
        **report(counts, labels, seed),
    }


def _pairs(
    tagger: Tagger, name: str, documents: Sequence[Document], meant: Mapping[str, str | None]
) -> Any:
    for first in range(0, len(documents), _BATCH):
        some = documents[first : first + _BATCH]
        for one, found in zip(some, tagger.tag([d.text for d in some], (name,)), strict=True):
            yield (
                found,
                [
                    Span(s.start, s.stop, target)
                    for s in one.spans
                    if (target := meant[s.label]) is not None
                ],
            )


def fitting_head(shown: Mapping[str, Sequence[str]], marked: Mapping[str, int]) -> str:
    """Return the label set that knows most marked spans, and of equals the one with least else."""

    def fit(name: str) -> tuple[int, int]:
        meant = {label: known(label, shown[name]) for label in marked}
        covered = sum(n for label, n in marked.items() if meant[label] is not None)
        return covered, -len(set(shown[name]) - set(meant.values()))

    return max(shown, key=fit)


def known(label: str, labels: Sequence[str]) -> str | None:
    """Return the label of a set that a corpus's label means, or None.

    Case, hyphens and what stands before the last point or slash do not matter.

    Examples
    --------
    >>> known("Treatment.Drug", ("Drug", "Effect"))
    'Drug'
    """
    plain = {_plain(x): x for x in labels}
    last = _plain(label.replace("/", ".").replace(":", ".").rpartition(".")[2])
    for form in (_plain(label), last, _ALIASES.get(last, ""), _ALSO.get(last, "")):
        if form in plain:
            return plain[form]
    return None


def _plain(label: str) -> str:
    return label.lower().replace("-", "_").replace(" ", "_")


def _some(labels: Mapping[str, int]) -> str:
    names = sorted(labels)
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
