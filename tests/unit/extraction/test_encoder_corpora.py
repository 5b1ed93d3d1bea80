"""The readers of marked corpora, on small invented files."""

import json

import pytest

from extraction.notes.encoder.brat import parse_brat, read_brat
from extraction.notes.encoder.corpora import parse_iob, read_phee
from extraction.notes.encoder.documents import Document, Link, Span, flat, split
from extraction.records import InputError

TEXT = "Took aspirin 81 mg, then left and right knee pain."


def test_brat_reads_entities_events_and_relations():
    read = parse_brat("a", TEXT, [
        "T1\tDrug 5 12\taspirin",
        "E1\tDrug:T1 ",
        "T2\tDose 13 18\t81 mg",
        "R1\tMODIFY Arg1:T2 Arg2:E1\t",
        "*\tOR T1 T2",
        "A1\tX E1 Y",
        "#1\tNote T1\tanything",
        "",
    ])  # fmt: skip
    assert read.spans == (Span(5, 12, "Drug"), Span(13, 18, "Dose"))
    assert read.links == (Link(1, 0, "MODIFY"),)


def test_a_gap_with_another_entity_in_it_leaves_the_longest_fragment():
    whole = "T1\tSign 25 29;44 48\tleft pain"
    alone = parse_brat("a", TEXT, [whole])
    assert alone.spans == (Span(25, 48, "Sign"),)
    shared = parse_brat(
        "a", TEXT, ["T1\tSign 25 29;39 48\tleft knee pain", "T2\tSide 34 39\tright"]
    )
    assert shared.spans[0] == Span(39, 48, "Sign")


def test_every_fault_of_a_folder_is_told_at_once_without_its_words(tmp_path):
    (tmp_path / "a.txt").write_text("secretname took x", "utf-8")
    (tmp_path / "a.ann").write_text(
        "T1\tDrug 5 99\tsecretname\nT2 broken secretname\nR1\tX Arg1:T1\nR2\tX Arg1:T8 Arg2:T9\n",
        "utf-8",
    )
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe")
    (tmp_path / "b.ann").write_text("", "utf-8")
    (tmp_path / "c.ann").write_text("", "utf-8")
    (tmp_path / "d.txt").write_text("x", "utf-8")
    (tmp_path / "e.txt").mkdir()
    (tmp_path / "e.ann").write_text("", "utf-8")
    with pytest.raises(InputError) as told:
        read_brat(tmp_path)
    faults = "\n".join(told.value.faults)
    assert len(told.value.faults) == 8
    for where in (
        "c.ann", "a.ann line 1", "a.ann line 2", "a.ann line 3", "a.ann line 4", "b.txt", "d.ann",
        "e.txt",
    ):  # fmt: skip
        assert where in faults
    assert "secretname" not in faults


def test_a_folder_without_texts_or_that_is_not_there_is_told(tmp_path):
    with pytest.raises(InputError, match="a brat folder holds"):
        read_brat(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        read_brat(tmp_path / "none")


def test_iob_sentences_become_text_with_places():
    lines = ["Severe\tO", "joint\tB-Disease", "pain\tI-Disease", "", "gout\tB-Disease", "x\tI-Drug"]
    (block,) = parse_iob("t", lines)
    assert block.text == "Severe joint pain\ngout x\n"
    assert [(block.text[s.start : s.stop], s.label) for s in block.spans] == [
        ("joint pain", "Disease"), ("gout", "Disease"), ("x", "Drug"),
    ]  # fmt: skip
    with pytest.raises(InputError) as told:
        list(parse_iob("t", ["a b c", "x\tZ", "fine\tO"]))
    assert len(told.value.faults) == 2


def test_phee_links_each_drug_to_its_effect_and_dose(tmp_path):
    def part(text, start):
        return {"text": [[text]], "start": [[start]], "entity_id": [["T1"]]}

    text = "aspirin 81 mg caused gout"
    event = {
        "event_id": "E1", "event_type": "Adverse_event", "Trigger": part("caused", 14),
        "Effect": part("gout", 21),
        "Treatment": {
            **part("aspirin 81 mg", 0), "Drug": part("aspirin", 0), "Dosage": part("81 mg", 8),
        },
    }  # fmt: skip
    raw = {"id": "1", "context": text, "annotations": [{"events": [event]}]}
    path = tmp_path / "dev.json"
    path.write_text(json.dumps(raw) + "\n", "utf-8")
    (read,) = read_phee(path)
    named = [text[s.start : s.stop] for s in read.spans]
    assert {(named[k.head], named[k.tail], k.label) for k in read.links} == {
        ("aspirin", "gout", "effect"), ("aspirin", "81 mg", "dose"),
    }  # fmt: skip
    path.write_text('{"id": 1}\nnonsense\n', "utf-8")
    with pytest.raises(InputError) as told:
        read_phee(path)
    assert len(told.value.faults) == 2


def test_flat_keeps_the_outer_span_unless_the_inner_is_preferred():
    outer, inner, other = Span(0, 20, "History"), Span(11, 20, "Disease"), Span(22, 25, "Drug")
    assert flat([inner, other, outer]) == (outer, other)
    assert flat([inner, other, outer], frozenset({"Disease"})) == (inner, other)


def test_equal_texts_fall_on_the_same_side_of_a_split():
    documents = [Document(f"d{i}", f"note {i % 40}") for i in range(80)]
    train, out = split(documents, 0.3)
    assert len(train) + len(out) == 80
    assert not {d.text for d in train} & {d.text for d in out}
    assert 0 < len(out) < 60
