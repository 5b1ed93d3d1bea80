"""The spaCy components of the tagger: one finds spans, one brings them among the rules' facts."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spacy.language import Language
from spacy.tokens import Doc, Span, SpanGroup

from ..components import draft_of
from ..draft import Draft, Mention
from ..facts import FactType
from ..medications import link_attributes

if TYPE_CHECKING:
    from .tagger import Found, Tagger

GROUP = "encoder"
FOUND = "trialtwin_encoder"
MERGED = "merged"
HEADS = ("reports",)
TYPES: dict[str, FactType] = {
    "Medication": "medication",
    "Sign_symptom": "symptom",
    "Disease_disorder": "condition",
}
"""Labels that become facts; the others stay in the span group."""
FLOOR = 0.85
"""Least score of a span that becomes a fact; below it the model is wrong too often."""


@lru_cache(maxsize=4)
def loaded(folder: str | None) -> Tagger:
    """Return the tagger of a folder, None for the shipped one; it is read once a process."""
    from .artifact import SHIPPED, load_tagger

    return load_tagger(SHIPPED if folder is None else Path(folder), fast=True)


class EncoderComponent:
    """Writes the tagger's spans into `doc.spans["encoder"]`, their scores into its `attrs`.

    The weights are read when the first document comes, in every process of its own.

    Parameters
    ----------
    model
        Folder of a tagger; None for the shipped one.
    heads
        Label sets to ask.
    """

    def __init__(self, model: str | None, heads: tuple[str, ...]) -> None:
        self.model, self.heads = model, heads

    def __call__(self, doc: Doc) -> Doc:
        """Tag one document."""
        return next(self.pipe([doc], batch_size=1))

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 64) -> Iterator[Doc]:
        """Tag documents, many at once: windows of like length are computed together."""
        rest = iter(stream)
        while docs := list(islice(rest, batch_size)):
            tagger = loaded(self.model)
            for doc, found in zip(
                docs, tagger.tag([doc.text for doc in docs], self._asked(tagger)), strict=True
            ):
                mark(doc, found)
                yield doc

    def _asked(self, tagger: Tagger) -> tuple[str, ...]:
        known = tuple(h for h in self.heads if h in tagger.schemes)
        return known or tuple(tagger.schemes)


def mark(doc: Doc, found: Iterable[Found]) -> None:
    """Write spans and scores into a document; exact places go beside the words' edges."""
    kept = list(found)
    doc.user_data[FOUND] = [(f.start, f.stop, f.label, f.score) for f in kept]
    spans, scores = [], []
    for one in kept:
        span = doc.char_span(one.start, one.stop, label=one.label, alignment_mode="expand")
        if span is not None:
            spans.append(span)
            scores.append(one.score)
    doc.spans[GROUP] = SpanGroup(doc, name=GROUP, spans=spans, attrs={"scores": scores})


@Language.factory(
    "trialtwin_encoder",
    default_config={"model": None, "heads": list(HEADS)},
    assigns=["doc.spans"],
)
def create_encoder(
    nlp: Language, name: str, model: str | None, heads: list[str]
) -> EncoderComponent:
    """Return the tagging component; `model` is a folder of `trialtwin extract train`."""
    return EncoderComponent(model, tuple(heads))


@Language.factory("trialtwin_merge", default_config={"floor": FLOOR})
def create_merge(nlp: Language, name: str, floor: float) -> MergeComponent:
    """Return the merging component; `floor` is the least score of a span that becomes a fact."""
    return MergeComponent(floor)


class MergeComponent:
    """Adds what the tagger found and the rules did not; where both did, the rules' value stays.

    Stands behind the rules' entities and before the assertion, so that negation and the others
    judge the added ones too. `doc.spans["merged"]` holds both with scores; a rule's is 1.

    Parameters
    ----------
    floor
        Least score of a span that becomes a fact.
    """

    def __init__(self, floor: float) -> None:
        self.floor = floor

    def __call__(self, doc: Doc) -> Doc:
        """Merge one document."""
        draft = draft_of(doc)
        rows: list[tuple[int, int, str, float]] = [(*m.chars, m.type, 1.0) for m in draft.mentions]
        for start, stop, label, score in doc.user_data.get(FOUND, ()):
            if score < self.floor:
                continue
            type_ = TYPES.get(label)
            mention = None if type_ is None else _mention(draft, type_, start, stop)
            if type_ is None:
                rows.append((start, stop, label, score))
            elif mention is not None:
                rows.append((start, stop, type_, score))
        if any(row[3] < 1.0 and row[2] == "medication" for row in rows):
            _link_again(draft)
        doc.spans[MERGED] = _group(doc, sorted(rows))
        return doc


def _mention(draft: Draft, type_: FactType, start: int, stop: int) -> Mention | None:
    """Add a mention of words that no rule has taken; return it, or None."""
    tokens = draft.tokens
    words = range(bisect_right(tokens.stops, start), bisect_left(tokens.starts, stop))
    if not words or not draft.covered.isdisjoint(words) or not draft.headers.isdisjoint(words):
        return None
    name = " ".join(tokens.text[start:stop].lower().split())
    mention = draft.mention(type_, name, words[0], words[-1] + 1)
    draft.add(mention)
    return mention


def _link_again(draft: Draft) -> None:
    """Link doses anew: a drug that came between takes its own."""
    for mention in draft.mentions:
        if mention.type == "medication":
            mention.dose = mention.dose_unit = mention.route = mention.frequency = None
    link_attributes(draft)


def _group(doc: Doc, rows: list[tuple[int, int, str, float]]) -> SpanGroup:
    spans: list[Span] = []
    scores: list[float] = []
    for start, stop, label, score in rows:
        span = doc.char_span(start, stop, label=label, alignment_mode="expand")
        if span is not None:
            spans.append(span)
            scores.append(score)
    return SpanGroup(doc, name=MERGED, spans=spans, attrs={"scores": scores})


def spans_of(doc: Doc) -> tuple[tuple[int, int, str, float], ...]:
    """Return the tagger's spans with exact places: start, stop, label, score."""
    found: list[Any] = doc.user_data.get(FOUND, [])
    return tuple((int(a), int(b), str(label), float(score)) for a, b, label, score in found)
