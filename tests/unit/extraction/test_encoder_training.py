"""Training, resuming and storing a tagger, on a tiny encoder and invented notes."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save, save_file

from extraction.notes.encoder.artifact import OWN, Card, Corpus, load_tagger, save_tagger
from extraction.notes.encoder.base import load_base
from extraction.notes.encoder.batches import collate, tagged
from extraction.notes.encoder.checkpoint import Store
from extraction.notes.encoder.documents import Document, Span
from extraction.notes.encoder.frozen import remembered
from extraction.notes.encoder.int8 import Int8Linear, can_quantise
from extraction.notes.encoder.module import TaggerModule
from extraction.notes.encoder.settings import TrainingSettings
from extraction.notes.encoder.swaps import mentions, swapped
from extraction.notes.encoder.training import Task, begin, train
from extraction.notes.encoder.windows import cut, windows
from extraction.records import InputError
from tests.support.encoder_support import invented_notes, tiny_encoder

LABELS = ("Drug", "Dose", "Problem")
SETTINGS = TrainingSettings(
    epochs=12, frozen_layers=0, rate=1e-2, head_rate=2e-2, average=0.5, batch=256, window=40,
    overlap=8,
)  # fmt: skip


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return str(tiny_encoder(tmp_path_factory.mktemp("encoder")))


def task(n=64, held=12):
    return Task("own", LABELS, invented_notes(n), invented_notes(held, 1000))


def trained(encoder, settings=SETTINGS, seed=1, checkpoint=None, **others):
    tasks = (task(**others),)
    tagger = begin(load_base(encoder), tasks, seed)
    return tagger, train(tagger, tasks, settings, seed, checkpoint=checkpoint)


@pytest.fixture(scope="module")
def first(encoder):
    return trained(encoder)


def weights(tagger):
    return {n: p.detach().numpy().copy() for n, p in tagger.network.named_parameters()}


def test_it_learns_and_tags_with_places_and_scores(first):
    tagger, scores = first
    assert scores[-1] > 0.9
    (found,) = tagger.tag(["He took aspirin 20 mg daily for severe gout ."])
    assert [(f.start, f.stop, f.label) for f in found] == [
        (8, 15, "Drug"), (16, 21, "Dose"), (39, 43, "Problem"),
    ]  # fmt: skip
    assert all(0 < f.score <= 1 and f.heads == "own" for f in found)


def test_the_same_seed_gives_the_same_weights(encoder, first):
    again, scores = trained(encoder)
    assert scores == first[1]
    for name, value in weights(again).items():
        np.testing.assert_array_equal(value, weights(first[0])[name], err_msg=name)
    other, _ = trained(encoder, seed=2)
    assert any((v != weights(first[0])[n]).any() for n, v in weights(other).items())


def test_a_training_that_was_killed_goes_on_to_the_same_weights(
    encoder, first, tmp_path, monkeypatch
):
    whole = TaggerModule.on_train_epoch_end

    def killed(self):
        whole(self)
        if self.epochs_done == 5:
            raise RuntimeError("killed")

    monkeypatch.setattr(TaggerModule, "on_train_epoch_end", killed)
    with pytest.raises(RuntimeError, match="killed"):
        trained(encoder, checkpoint=tmp_path / "c")
    monkeypatch.undo()
    on, scores = trained(encoder, checkpoint=tmp_path / "c")
    assert scores == first[1]
    for name, value in weights(on).items():
        np.testing.assert_array_equal(value, weights(first[0])[name], err_msg=name)
    with pytest.raises(InputError, match="another training"):
        trained(encoder, seed=5, checkpoint=tmp_path / "c")
    file = tmp_path / "c" / "training.safetensors"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(InputError, match="damaged"):
        trained(encoder, checkpoint=tmp_path / "c")


def test_swapped_words_are_others_of_their_label_and_all_marks_move_along():
    text = "Aspirin 20 mg and warfarin for gout; colitis ulcerosa noted, no gout."
    spans = tuple(
        Span(text.index(words), text.index(words) + len(words), label)
        for words, label in (
            ("Aspirin", "Drug"), ("20 mg", "Dose"), ("warfarin", "Drug"), ("gout", "Problem"),
            ("colitis", "Problem"), ("colitis ulcerosa", "Problem"), ("noted", "Other"),
        )
    )  # fmt: skip
    document = Document("one", text, spans)
    known = {"Drug": ["ibuprofen"], "Dose": ["1 g"], "Problem": ["heart failure"]}
    changed = swapped(document, known, 1.0, np.random.default_rng(1))
    assert changed.text == (
        "Ibuprofen 1 g and ibuprofen for heart failure; colitis ulcerosa noted, no gout."
    )
    assert [(changed.text[s.start : s.stop], s.label) for s in changed.spans] == [
        ("Ibuprofen", "Drug"), ("1 g", "Dose"), ("ibuprofen", "Drug"),
        ("heart failure", "Problem"), ("colitis", "Problem"), ("colitis ulcerosa", "Problem"),
        ("noted", "Other"),
    ]  # fmt: skip
    assert swapped(document, known, 0.0, np.random.default_rng(1)) == document
    assert mentions([document], ("Drug", "Route")) == {"Drug": ["Aspirin", "warfarin"]}


def test_a_training_with_swapped_words_learns_and_goes_on_to_the_same_weights(encoder, tmp_path):
    tasks = (Task("own", LABELS, invented_notes(64), invented_notes(12, 1000), swap=0.5),)
    settings = SETTINGS.model_copy(update={"epochs": 6, "frozen_layers": 1})
    whole, part, rest = (begin(load_base(encoder), tasks, 1) for _ in range(3))
    scores = train(whole, tasks, settings, 1)
    train(part, tasks, settings, 1, checkpoint=tmp_path / "c", stop_after=3)
    assert train(rest, tasks, settings, 1, checkpoint=tmp_path / "c") == scores
    for name, value in weights(rest).items():
        np.testing.assert_array_equal(value, weights(whole)[name], err_msg=name)
    assert scores[-1] > scores[0]


def test_a_training_with_a_checkpoint_may_leave_a_label_set_out(encoder, tmp_path):
    tasks = (task(32, 0), Task("idle", LABELS, ()))
    settings = SETTINGS.model_copy(update={"epochs": 2})
    tagger = begin(load_base(encoder), tasks, 1)
    train(tagger, tasks[:1], settings, 1, checkpoint=tmp_path / "c")
    again = begin(load_base(encoder), tasks, 1)
    train(again, tasks[:1], settings, 1, checkpoint=tmp_path / "c")
    for name, value in weights(again).items():
        np.testing.assert_array_equal(value, weights(tagger)[name], err_msg=name)


def test_remembered_layers_give_what_computed_ones_give(encoder):
    one = task(8, 0)
    tagger = begin(load_base(encoder), (one,), 1)
    made = tagged("own", one.train, tagger.schemes["own"], tagger.base.tokenizer, 40, 8)
    rows = (0, 1, 2)
    batch = collate([made.windows[i] for i in rows], tagger.marks, tagger.pad)
    tagger.network.eval()
    plain = tagger.network.words(batch)
    with remembered(tagger.network, 2) as memory:
        new = memory.words(batch, made, rows)
        known = memory.words(batch, made, rows)
    real = batch.words
    torch.testing.assert_close(new[real], plain[real])
    torch.testing.assert_close(known[real], plain[real], atol=1e-5, rtol=1e-4)


def test_frozen_layers_stay_as_they_were(encoder):
    before = {
        f"encoder.{n}": p.detach().numpy() for n, p in load_base(encoder).model.named_parameters()
    }
    settings = SETTINGS.model_copy(update={"frozen_layers": 2, "epochs": 2})
    tagger, _ = trained(encoder, settings)
    for name, value in weights(tagger).items():
        below = "layer.0." in name or "layer.1." in name or "embeddings" in name
        if below:
            np.testing.assert_array_equal(value, before[name], err_msg=name)
        elif name in before and value.ndim > 1 and "pooler" not in name:
            assert (value != before[name]).any(), name


def test_training_stops_when_the_held_out_score_no_longer_rises(encoder):
    settings = SETTINGS.model_copy(update={"epochs": 60, "patience": 3})
    _, scores = trained(encoder, settings)
    assert len(scores) < 60
    assert scores.index(max(scores)) == len(scores) - 4


def card(tagger, encoder):
    return Card(
        name="tiny", base=encoder, base_sha256=tagger.base.sha256, heads={"own": LABELS},
        shown={"own": LABELS}, window=40, overlap=8, agreement=SETTINGS.agreement,
    )  # fmt: skip


def test_a_stored_tagger_finds_the_same(encoder, first, tmp_path):
    tagger, _ = first
    stored = save_tagger(tagger, card(tagger, encoder), tmp_path / "t")
    texts = [d.text for d in invented_notes(20, 500)]
    again = load_tagger(tmp_path / "t")
    for ours, theirs in zip(tagger.tag(texts), again.tag(texts), strict=True):
        assert [(f.start, f.label) for f in ours] == [(f.start, f.label) for f in theirs]
        assert [f.score for f in ours] == pytest.approx([f.score for f in theirs], abs=0.02)
    once_more = save_tagger(again, card(again, encoder), tmp_path / "u")
    assert stored.weights_sha256 and once_more.heads == stored.heads


def test_damaged_folders_are_told(encoder, first, tmp_path):
    tagger, _ = first
    folder = tmp_path / "t"
    with pytest.raises(InputError, match="extract train"):
        load_tagger(folder)
    save_tagger(tagger, card(tagger, encoder), folder)
    whole = (folder / "weights.safetensors").read_bytes()
    (folder / "weights.safetensors").write_bytes(whole[:-1])
    with pytest.raises(InputError, match="hash differs"):
        load_tagger(folder)
    (folder / "weights.safetensors").write_bytes(whole)
    raw = json.loads((folder / "card.json").read_text("utf-8"))
    (folder / "card.json").write_text(json.dumps(raw | {"base_sha256": "0" * 64}), "utf-8")
    with pytest.raises(InputError, match="SHA-256"):
        load_tagger(folder)
    (folder / "card.json").write_text(json.dumps(raw | {"window": "wide", "more": 1}), "utf-8")
    with pytest.raises(InputError) as told:
        load_tagger(folder)
    assert len(told.value.faults) == 2


def test_a_matrix_of_another_shape_is_not_spread_out(encoder, first, tmp_path):
    tagger, _ = first
    whole = save_tagger(tagger, card(tagger, encoder), tmp_path / "t")
    path = tmp_path / "t" / "weights.safetensors"
    tensors = load_file(path)
    name = next(n for n, v in tensors.items() if v.dtype == torch.int8)
    packed = save(tensors | {name: tensors[name][:1].clone()})
    path.write_bytes(packed)
    changed = whole.model_copy(update={"weights_sha256": hashlib.sha256(packed).hexdigest()})
    (tmp_path / "t" / "card.json").write_text(changed.model_dump_json(), "utf-8")
    with pytest.raises(InputError, match="does not fit its card"):
        load_tagger(tmp_path / "t")


def test_licences_go_with_what_was_learned_from_others(encoder, first, tmp_path):
    tagger, _ = first
    plain = card(tagger, encoder)
    mine = Corpus(name="m", source=OWN, licence=OWN, heads=("own",), documents=1)
    theirs = mine.model_copy(update={"source": "elsewhere"})
    for corpora, there in (((mine,), False), ((mine, theirs), True)):
        save_tagger(tagger, plain.model_copy(update={"corpora": corpora}), tmp_path / "t")
        assert (tmp_path / "t" / "LICENSES.md").is_file() == there


def test_pickled_weights_are_not_read(encoder, tmp_path):
    for file in Path(encoder).iterdir():
        if file.suffix != ".safetensors":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04N.")
    with pytest.raises(InputError, match="safetensors"):
        load_base(str(tmp_path))


def test_a_damaged_checkpoint_is_told(tmp_path):
    save_file(
        {"other:w": torch.zeros(1)}, tmp_path / "training.safetensors",
        metadata={"training": '{"bound": "b", "epochs": 1}'},
    )  # fmt: skip
    with pytest.raises(InputError, match="damaged"):
        Store(tmp_path, "b").read()


def test_windows_cover_every_word_once_and_fit(encoder):
    tokenizer = load_base(encoder).tokenizer
    long = "took " + "unknownword 5 mg , " * 60 + "."
    texts = [
        "",
        "   \n",
        "Gout .",
        long,
        "She had gout .\n" * 30,
        "\u200f\u200f",
        "x" * 300,
        "a'" * 300 + "a gout",
    ]
    cuts = [cut(t, tokenizer) for t in texts]
    for size, overlap in ((40, 8), (16, 0), (126, 64)):
        kept = {i: np.zeros(len(c.tokens.words), int) for i, c in enumerate(cuts)}
        for one in windows(cuts, size, overlap):
            assert 0 < len(one.pieces) <= size
            assert one.start <= one.keep_from < one.keep_to <= one.stop
            assert one.first.min() >= 0 and one.last.max() < len(one.pieces)
            kept[one.text][one.keep_from : one.keep_to] += 1
        for number, times in kept.items():
            if len(cuts[number].pieces):
                assert (times == 1).all()


def test_tagging_does_not_depend_on_the_company(first):
    tagger, _ = first
    texts = [d.text for d in invented_notes(9, 700)]
    together = tagger.tag([*texts, "", "\n", "a'" * 400])
    assert together[-3:-1] == [[], []]
    for text, found in zip(texts, together, strict=False):
        (alone,) = tagger.tag([text])
        assert [(f.start, f.stop, f.label) for f in alone] == [
            (f.start, f.stop, f.label) for f in found
        ]


def test_an_encoder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(InputError, match="cannot be loaded"):
        load_base(str(tmp_path / "none"))


@pytest.mark.skipif(not can_quantise(), reason="the processor has no eight-bit dot products")
def test_eight_bits_find_the_same_whatever_stands_beside(encoder, first, tmp_path):
    tagger, _ = first
    texts = [d.text for d in invented_notes(40, 300)]
    tagger.measure(texts)
    save_tagger(tagger, card(tagger, encoder), tmp_path / "t")
    fast = load_tagger(tmp_path / "t", fast=True)
    assert sum(isinstance(m, Int8Linear) for m in fast.network.modules()) == 3 * 6
    plain = [[(f.start, f.stop, f.label) for f in found] for found in tagger.tag(texts)]
    quick = [[(f.start, f.stop, f.label) for f in found] for found in fast.tag(texts)]
    assert quick == plain
    for text, found in zip(texts, fast.tag(texts), strict=True):
        (alone,) = fast.tag([text])
        assert [f.score for f in alone] == pytest.approx([f.score for f in found], abs=2e-4)
