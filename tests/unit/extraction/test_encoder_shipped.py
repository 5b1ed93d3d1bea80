"""The weights that come with the package: whole, small, licensed, and of use."""

from importlib import metadata

import pytest

from extraction.notes.encoder.artifact import SHIPPED, load_tagger, read_card
from extraction.notes.encoder.base import DEFAULT
from extraction.notes.pipeline import load_pipeline

try:
    metadata.distribution(DEFAULT)
    THERE = True
except metadata.PackageNotFoundError:
    THERE = False
needs_encoder = pytest.mark.skipif(not THERE, reason=f"{DEFAULT} is not installed")

NOTE = (
    "A 54-year-old woman was admitted with severe abdominal pain and vomiting. Computed tomography "
    "showed acute pancreatitis. She was started on meropenem 1 g intravenously every 8 hours."
)


def test_they_are_small_and_every_corpus_has_its_licence():
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 25_000_000
    card = read_card(SHIPPED)
    told = (SHIPPED / "LICENSES.md").read_text("utf-8")
    assert {head for corpus in card.corpora for head in corpus.heads} == set(card.heads)
    for corpus in card.corpora:
        assert corpus.name.split(" ")[0] in told and corpus.licence in told
        # What was not held out is named, so that nobody takes its score for one of unseen texts.
        assert corpus.held_out or len(corpus.learned) == corpus.documents
    for head, labels in card.shown.items():
        assert set(labels) <= set(card.heads[head])


@needs_encoder
def test_they_find_what_a_case_report_says():
    (found,) = load_tagger(fast=True).tag([NOTE], ("reports",))
    marked = {(NOTE[f.start : f.stop], f.label) for f in found}
    assert {
        ("54-year-old", "Age"), ("woman", "Sex"), ("severe", "Severity"),
        ("vomiting", "Sign_symptom"), ("Computed tomography", "Diagnostic_procedure"),
        ("meropenem", "Medication"),
    } <= marked  # fmt: skip


@needs_encoder
def test_accurate_keeps_the_rules_facts_and_is_the_same_over_two_processes():
    texts = [NOTE, "Denies chest pain; on Aricept 10 mg daily.", "", "Fever: none.\n" * 3]
    fast, accurate = load_pipeline("fast"), load_pipeline("accurate")
    alone = list(accurate.pipe(texts))
    shared = list(accurate.pipe(texts, n_process=2, batch_size=2))
    for one, other, plain in zip(alone, shared, fast.pipe(texts), strict=True):
        assert one._.facts == other._.facts
        kept = {(f.start, f.stop): (f.name, f.dose, f.assertion) for f in one._.facts}
        for fact in plain._.facts:
            assert kept[fact.start, fact.stop] == (fact.name, fact.dose, fact.assertion)
        assert len(other.spans["merged"].attrs["scores"]) == len(other.spans["merged"])
