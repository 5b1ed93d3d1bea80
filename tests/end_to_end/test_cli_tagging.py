"""`trialtwin extract train` and `trialtwin evaluate notes --gold`, on a tiny encoder."""

import json

import pytest

from serving.cli.commands.tagging import score_lines
from serving.cli.lazy import program
from serving.cli.outcome import run
from tests.support.encoder_support import invented_notes, tiny_encoder


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tagging")
    tiny_encoder(folder / "encoder")
    write_brat(folder / "marked", 0, 60)
    write_brat(folder / "others", 2000, 8)
    return folder


def main(arguments):
    return run(program, arguments)


def write_brat(folder, start, n):
    folder.mkdir()
    for one in invented_notes(n, start):
        (folder / f"{one.name}.txt").write_text(one.text, "utf-8")
        lines = [
            f"T{i}\t{s.label} {s.start} {s.stop}\t{one.text[s.start : s.stop]}"
            for i, s in enumerate(one.spans, 1)
        ]
        (folder / f"{one.name}.ann").write_text("\n".join([*lines, ""]), "utf-8")


def options():
    chosen = {
        "epochs": 12, "frozen_layers": 0, "rate": 0.01, "head_rate": 0.02, "average": 0.5,
        "batch": 256, "window": 40, "overlap": 8,
    }  # fmt: skip
    return [word for name, value in chosen.items() for word in ("--option", f"{name}={value}")]


def test_a_tagger_is_trained_stored_and_judged(place, capsys):
    out = place / "tagger"
    words = ["extract", "train", "--brat", str(place / "marked"), "--out", str(out)]
    assert main([*words, "--base", str(place / "encoder"), *options(), "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert done["labels"] == ["Dose", "Drug", "Problem"]
    assert done["held_out"]["micro"]["strict"]["f1"] > 0.9
    assert sorted(p.name for p in out.iterdir()) == ["card.json", "weights.safetensors"]
    card = json.loads((out / "card.json").read_text("utf-8"))
    assert len(card["corpora"][0]["held_out"]) == done["documents"] - done["trained_on"]

    file = place / "scores.json"
    judge = ["evaluate", "notes", "--gold", str(place / "others"), "--model", str(out)]
    assert main([*judge, "--json", str(file)]) == 0
    told = capsys.readouterr().out
    scores = json.loads(file.read_text("utf-8"))
    assert scores["micro"]["strict"]["f1"] > 0.9 and "strict micro F1" in told
    assert set(scores["types"]) == {"Drug", "Dose", "Problem"}
    assert scores["trained_on_documents"] == 0 and scores["model"] == "tagger"
    assert main([*judge[:3], str(place / "marked"), "--model", str(out)]) == 0
    assert f"{done['trained_on']} of them were trained on" in capsys.readouterr().out
    low, high = scores["types"]["Drug"]["relaxed"]["f1_interval"]
    assert 0 <= low <= high <= 1


def test_faults_of_training_are_told_at_once(place, capsys):
    taken = place / "taken"
    taken.mkdir()
    (taken / "notes.txt").write_text("mine", "utf-8")
    words = ["extract", "train", "--brat", str(place / "none"), "--out", str(taken)]
    assert main([*words, "--option", "epochs=0", "--option", "speed=1"]) == 2
    told = capsys.readouterr().err
    for part in ("no such folder", "epochs", "speed", "taken"):
        assert part in told


def test_unknown_labels_are_told_and_not_scored(place, capsys, tmp_path):
    words = ["extract", "train", "--brat", str(place / "marked"), "--labels", "Drug,Colour"]
    assert main([*words, "--out", str(tmp_path / "t")]) == 2
    assert "Colour" in capsys.readouterr().err


def test_one_document_has_no_interval_and_unknown_labels_are_helped():
    three = {"precision": 1.0, "recall": 1.0, "f1": 1.0, "f1_interval": [1.0, 1.0]}
    judged = {
        "documents": 1,
        "head": "own",
        "micro": {"strict": three, "relaxed": three},
        "types": {},
        "trained_on_documents": 0,
        "not_scored": {"Colour": 2},
        "known_labels": ["Drug", "Dose"],
    }
    told = score_lines(judged)
    assert "strict micro F1 1.000" in told and "one document: it gives no interval" in told
    assert "  to score them, rename to: Drug, Dose" in told
