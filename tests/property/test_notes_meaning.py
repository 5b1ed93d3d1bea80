"""What holds of every text: places are true, company does not matter, nothing is carried over."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.language import Language

from extraction.notes import load_pipeline
from tests.notes.bank_loader import load_bank

SPANS = ("cue", "scope", "began_at", "ended_at")
TEXTS = [s.text for s in load_bank("dev")]
PIECES = st.sampled_from([*TEXTS, "no", "?", "BP", "120/80", "mg", "\n\n", ":", "mother", "12"])
SHORT = settings(max_examples=60, deadline=None)


@cache
def nlp() -> Language:
    return load_pipeline("fast")


@SHORT
@given(st.lists(PIECES, max_size=6).map(" ".join) | st.text(max_size=200))
def test_spans_and_cues_index_the_text(text: str) -> None:
    facts = nlp()(text)._.facts
    assert all(text[f.start : f.stop] == f.text and f.text for f in facts)
    assert all(0 <= f.cue[0] < f.cue[1] <= len(text) for f in facts if f.cue)
    assert all((f.cue is None) == (f.scope is None) for f in facts)
    assert all(f.scope[0] <= min(f.start, f.cue[0]) for f in facts if f.cue and f.scope)
    assert all(f.scope[1] >= max(f.stop, f.cue[1]) for f in facts if f.cue and f.scope)
    places = [(f.start, f.stop) for f in facts]
    assert all(a[1] <= b[0] for a, b in pairwise(places))


@SHORT
@given(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=5))
def test_a_pipe_reads_as_one_by_one(texts: list[str]) -> None:
    together = [doc._.facts for doc in nlp().pipe(texts, batch_size=2)]
    assert together == [nlp()(text)._.facts for text in texts]


def _shifted(span: tuple[int, int] | None, by: int) -> tuple[int, int] | None:
    return None if span is None else (span[0] + by, span[1] + by)


@SHORT
@given(st.sampled_from(TEXTS), st.booleans())
def test_an_unrelated_paragraph_changes_nothing(text: str, ahead: bool) -> None:
    alone = nlp()(text)._.facts
    other = "The clinic is on the second floor."
    joined = f"{other}\n\n{text}" if ahead else f"{text}\n\n{other}"
    shift = len(other) + 2 if ahead else 0
    moved = tuple(
        replace(
            f,
            start=f.start + shift,
            stop=f.stop + shift,
            **{name: _shifted(getattr(f, name), shift) for name in SPANS},
        )
        for f in alone
    )
    assert nlp()(joined)._.facts == moved


@SHORT
@given(st.sampled_from(TEXTS))
def test_blanks_do_not_matter(text: str) -> None:
    wide = text.replace(" ", "  ")
    ours = [(f.type, f.name, f.assertion, f.value) for f in nlp()(wide)._.facts]
    assert ours == [(f.type, f.name, f.assertion, f.value) for f in nlp()(text)._.facts]


def test_a_later_value_is_the_cue_of_an_earlier_one() -> None:
    text = "Sat was 86% on arrival last Tuesday, 96% now."
    first = nlp()(text)._.facts[0]
    assert first.assertion == "historical" and first.cue is not None
    assert text[first.cue[0] : first.cue[1]] == "now"
