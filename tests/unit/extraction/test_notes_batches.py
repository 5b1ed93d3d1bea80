"""Notes read a batch at a time: each is read, in order, and no words of theirs are kept."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from spacy.language import Language

from extraction.notes import Note, batches, extract, pipeline


def _notes(n: int) -> Iterator[Note]:
    for i in range(n):
        yield Note(f"n{i}", "S", "P", 0.0, "visit", f"Denies fever. Lives at Plume{i}wick. HR {i}.")


def test_notes_come_in_batches_that_hold_them_all_and_no_more_than_needed() -> None:
    cut = [[note.note_id for note in batch] for batch in batches.batches(_notes(130))]
    assert [len(batch) for batch in cut] == [64, 64, 2]
    assert [name for batch in cut for name in batch] == [note.note_id for note in _notes(130)]
    long = [Note(f"n{i}", "S", "P", 0.0, "visit", "a" * 150_000) for i in range(3)]
    assert [len(batch) for batch in batches.batches(long)] == [1, 1, 1]


def test_extract_keeps_no_word_of_the_notes_that_it_has_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nlp = pipeline.load_pipeline(codes=False)
    monkeypatch.setattr(pipeline, "load_pipeline", lambda *_: nlp)
    plain = [facts for _, facts in extract(_notes(130))]

    def words(read: Language) -> int:
        return len(read.vocab.strings)

    monkeypatch.setattr(batches, "_MOST_WORDS", 0)
    before = words(nlp)
    other = (
        Note(n.note_id, "S", "P", 0.0, "visit", n.text.replace("Plume", "Quill"))
        for n in _notes(130)
    )
    kept = [facts for _, facts in extract(other)]
    assert words(nlp) == before
    assert [[f.name for f in facts] for facts in kept] == [
        [f.name for f in facts] for facts in plain
    ]
    assert "Plume129wick" in nlp.vocab.strings and "Quill129wick" not in nlp.vocab.strings


def test_the_notes_before_one_that_fails_are_read() -> None:
    notes = list(_notes(5))
    huge = Note("huge", "S", "P", 0.0, "visit", "a " * (pipeline.LONGEST_NOTE // 2 + 1))
    found = extract([*notes, huge, *notes])
    assert [next(found)[0] for _ in notes] == notes
    with pytest.raises(ValueError, match="maximum"):
        next(found)
