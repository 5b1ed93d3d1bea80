"""The tagger inside spaCy: spans with scores, merged with the rules, over two processes."""

from pathlib import Path

import pytest
import spacy

from extraction.notes.encoder import component
from extraction.notes.encoder.artifact import Card, save_tagger
from extraction.notes.encoder.base import load_base
from extraction.notes.encoder.documents import Document, Span
from extraction.notes.encoder.gold import fitting_head, judge, known
from extraction.notes.encoder.own import train_own
from extraction.notes.encoder.relations import pairs
from extraction.notes.encoder.settings import TrainingSettings
from extraction.notes.encoder.tagger import Found
from extraction.notes.encoder.training import Task, begin, train
from extraction.notes.pipeline import PRESETS, load_pipeline
from extraction.records import InputError
from tests.support.encoder_support import invented_notes, tiny_encoder

LABELS = ("Drug", "Dose", "Problem")


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("component")
    encoder = str(tiny_encoder(folder / "encoder"))
    task = Task("own", LABELS, invented_notes(64))
    tagger = begin(load_base(encoder), (task,), 1)
    settings = TrainingSettings(
        epochs=12, frozen_layers=0, rate=1e-2, head_rate=2e-2, average=0.5, batch=256, window=40,
        overlap=8,
    )  # fmt: skip
    assert train(tagger, (task,), settings, 1) == []  # nothing is held out, so nothing is scored
    card = Card(
        name="tiny", base=encoder, base_sha256=tagger.base.sha256, heads={"own": LABELS},
        shown={"own": LABELS}, window=40, overlap=8,
    )  # fmt: skip
    save_tagger(tagger, card, folder / "tagger")
    return tagger, card, str(folder / "tagger")


def accurate(model, floor=0.8):
    nlp = spacy.blank("en")
    load_pipeline("fast")  # registers the rules' components
    for name in PRESETS["fast"][:2]:
        nlp.add_pipe(name)
    nlp.add_pipe("trialtwin_encoder", first=True, config={"model": model})
    nlp.add_pipe("trialtwin_merge", config={"floor": floor})
    for name in PRESETS["fast"][2:]:
        nlp.add_pipe(name)
    return nlp


def test_spans_and_scores_are_the_same_over_two_processes(stored):
    nlp = accurate(stored[2])
    texts = [d.text for d in invented_notes(12, 300)]
    alone = list(nlp.pipe(texts))
    shared = list(nlp.pipe(texts, n_process=2, batch_size=4))
    for one, other, text in zip(alone, shared, texts, strict=True):
        assert component.spans_of(one) == component.spans_of(other) != ()
        group = other.spans["encoder"]
        assert len(group.attrs["scores"]) == len(group) == len(component.spans_of(one))
        assert {s.label_ for s in group} == set(LABELS)
        assert one._.facts == other._.facts
        start, stop, label, _ = component.spans_of(one)[0]
        assert label == "Drug" and text[start:stop] in text.split()


def found(text, *marks):
    return [
        Found(text.index(w), text.index(w) + len(w), label, score, "reports")
        for w, label, score in marks
    ]


def merged(monkeypatch, text, *marks, floor=0.8):
    """The accurate pipeline's document when the tagger finds these marks."""

    class Told:
        def __init__(self):
            self.schemes = {"reports": None}

        def tag(self, texts, names):
            return [found(text, *marks) for _ in texts]

    monkeypatch.setattr(component, "loaded", lambda folder: Told())
    return accurate(None, floor)(text)


def test_the_tagger_adds_what_no_rule_took_and_rules_keep_their_values(monkeypatch):
    text = "Started zorbitol 40 mg daily and aspirin 81 mg. Denies glowing ears."
    doc = merged(
        monkeypatch, text, ("zorbitol", "Medication", 0.95), ("aspirin", "Medication", 0.99),
        ("glowing ears", "Sign_symptom", 0.9), ("daily", "Frequency", 0.97),
    )  # fmt: skip
    facts = {f.text: f for f in doc._.facts}
    assert facts["zorbitol"].dose == 40 and facts["zorbitol"].frequency == "daily"
    assert facts["aspirin"].name == "aspirin" and facts["aspirin"].dose == 81
    assert facts["glowing ears"].type == "symptom"
    assert facts["glowing ears"].assertion == "absent"
    both = dict(zip((s.text for s in doc.spans["merged"]), doc.spans["merged"].attrs["scores"],
                    strict=True))  # fmt: skip
    assert both == {"zorbitol": 0.95, "daily": 0.97, "aspirin": 1.0, "glowing ears": 0.9}


def test_unsure_spans_become_no_facts(monkeypatch):
    text = "Started zorbitol 40 mg."
    doc = merged(monkeypatch, text, ("zorbitol", "Medication", 0.5))
    assert doc._.facts == ()
    assert [s.text for s in doc.spans["encoder"]] == ["zorbitol"]


def test_labels_of_a_corpus_are_mapped_and_the_unknown_told(stored):
    tagger, card, _ = stored
    assert known("Treatment.Drug", LABELS) == "Drug"
    assert known("SpecificDisease", ("Disease",)) == "Disease"
    assert known("Drug", ("Medication", "Dosage")) == "Medication"
    assert known("Drug", ("Medication", "Drug")) == "Drug"
    assert known("Colour", LABELS) is None
    heads = {"a": ("Chemical", "Disease"), "b": ("Disease",), "c": LABELS}
    assert fitting_head(heads, {"Disease": 3}) == "b"
    assert fitting_head(heads, {"Disease": 3, "Chemical": 1}) == "a"
    notes = [
        Document(d.name, d.text, (*d.spans, Span(0, 2, "Who"))) for d in invented_notes(9, 400)
    ]
    scores = judge(tagger, card, notes)
    assert scores["not_scored"] == {"Who": 9}
    assert scores["micro"]["strict"]["f1"] > 0.9
    with pytest.raises(InputError, match="nothing is marked"):
        judge(tagger, card, [Document("x", "text")])
    with pytest.raises(InputError, match="unknown to the label set"):
        judge(tagger, card, [Document("x", "text", (Span(0, 4, "Who"),))])
    with pytest.raises(InputError, match="allowed: own"):
        judge(tagger, card, notes, "other")


def test_a_drug_goes_with_the_effects_of_its_sentence():
    text = "Aspirin gave rash. Heparin 5 mg gave fever."
    spans = [
        Span(0, 7, "Drug"), Span(13, 17, "Effect"), Span(19, 26, "Drug"), Span(27, 31, "Dosage"),
        Span(37, 42, "Effect"),
    ]  # fmt: skip
    assert pairs(text, spans, "effect") == [(spans[0], spans[1]), (spans[2], spans[4])]
    assert pairs(text, spans, "dose") == [(spans[2], spans[3])]
    assert len(pairs(text, spans, "effect", one_unit=True)) == 4


def test_own_documents_are_learned_on_top_of_a_stored_tagger(stored):
    notes = tuple(
        Document(d.name, d.text, tuple(s for s in d.spans if s.label == "Drug"))
        for d in invented_notes(40, 600)
    )
    settings = TrainingSettings(
        epochs=2, frozen_layers=2, rate=1e-3, head_rate=5e-2, average=0.5, batch=256, window=40,
        overlap=8, held_out=0.2,
    )  # fmt: skip
    tagger, card = train_own(notes, "mine", start=Path(stored[2]), settings=settings, seed=3)
    assert card.heads == {"own": ("Drug",)} and tagger.ranges
    assert card.scores["held_out"]["micro"]["relaxed"]["f1"] > 0.5
    seen = {d.digest() for d in notes} - set(card.corpora[0].held_out)
    assert len(seen) == card.corpora[0].documents < len(notes)
    with pytest.raises(InputError) as told:
        train_own(notes[:2], "mine", ("Colour",), start=Path(stored[2]))
    assert len(told.value.faults) == 2
