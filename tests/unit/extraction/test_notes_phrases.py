"""Cue patterns as an automaton, and boxes, tables and headings within a line."""

from __future__ import annotations

from copy import deepcopy

import pytest
from spacy.language import Language

from extraction.notes import load_pipeline
from extraction.notes.assertion.phrases import Phrases, passed
from extraction.notes.components import with_spans
from extraction.notes.tokens import tokenize
from tests.notes.assertion_loader import parse_line


def found(pattern: str, text: str) -> list[str]:
    phrases = Phrases()
    phrases.add(pattern, True)
    tokens = tokenize(text)
    return [" ".join(tokens.words[m.start : m.stop]) for m in phrases.find(tokens)]


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("{has,have} {been ,}ruled out", "PE has been ruled out", ["has been ruled out"]),
        ("{has,have} {been ,}ruled out", "they have ruled out PE", ["have ruled out"]),
        ("cannot be excluded", "this cannot be entirely excluded", ["cannot be entirely excluded"]),
        ("has gone", "it has now completely gone", ["has now completely gone"]),
        ("has gone", "it has not gone", []),
        ("{mother,father}'s side", "on his father's side", ["father's side"]),
        ("# days ago", "seen two days ago", ["two days ago"]),
        ("in #y", "in 2010 and in 90", ["in 2010"]),
        ("follow-up in", "follow up in May", ["follow up in"]),
        ("no", "no no", ["no", "no"]),
    ],
)
def test_a_pattern_stands_for_all_its_choices(pattern: str, text: str, expected: list[str]) -> None:
    assert found(pattern, text) == expected


def test_the_longest_phrase_wins_and_shared_ones_are_merged_in_order() -> None:
    phrases = Phrases(lambda known, more: f"{known}+{more}")
    phrases.add("ruled out", "one")
    phrases.add("{ruled,sorted} out", "two")
    phrases.add("ruled out for", "long")
    tokens = tokenize("ruled out; sorted out; ruled out for PE")
    assert [m.payload for m in phrases.find(tokens)] == ["one+two", "two", "long"]


def test_covered_words_open_no_phrase() -> None:
    phrases = Phrases()
    phrases.add("no", True)
    assert [m.start for m in phrases.find(tokenize("no no"), covered={0})] == [1]


def test_phrases_travel_between_processes() -> None:
    phrases = Phrases()
    phrases.add("{not,never} seen", True)
    tokens = tokenize("never seen")
    first = phrases.find(tokens)
    copied = deepcopy(phrases)  # as a pickle, by its state
    assert not copied.__getstate__()["_states"]
    assert copied.find(tokens) == first != []


def test_adverbs_that_say_something_are_not_passed_over() -> None:
    assert [passed(word) for word in ("safely", "still", "likely", "only", "out")] == [
        True,
        True,
        False,
        False,
        False,
    ]


@pytest.fixture(scope="module")
def nlp() -> Language:
    return load_pipeline("fast")


@pytest.mark.parametrize(
    "marked",
    [
        r"[x] {{condition:present|Hypertension}}\n[ ] {{condition:absent|Asthma}}",
        "☐ {{condition:absent|diabetes}} ☑ {{condition:present|hypertension}}",
        "{{symptom:absent|Cough}} [ ], {{symptom:present|fever}} [x]",
        "{{symptom:absent|Fever}} [-], {{symptom:present|cough}} [+]",
        "{{condition:absent|Diabetes}}: ( ) yes (x) no",
        r"|{{symptom:absent|rash}}|-|\n|{{symptom:present|cough}}|++|",
        "Pertinent negatives: {{symptom:absent|fever}}, {{symptom:absent|rash}}.",
        "Red flags discussed: {{symptom:hypothetical|fever}}, {{symptom:hypothetical|rash}}.",
        "Outstanding at discharge: {{procedure:planned|MRI spine}}.",
        "Stopped: {{medication:historical|aspirin}}.",
        "CT ruled out {{condition:absent|pulmonary embolism}}.",
        "CT to rule out {{condition:possible|pulmonary embolism}}.",
        "{{condition:absent|Pulmonary embolism}} was ruled out by CT.",
        "It is not true that he has no {{symptom:present|pain}}.",
        "Unsure whether the {{condition:present|nodule}} is a {{condition:possible|granuloma}}.",
        "{{medication:absent|Statin}} not restarted; {{medication:present|aspirin}} not increased.",
        "No CT evidence of {{condition:absent|stroke}}.",
    ],
)
def test_structures_and_directions(marked: str, nlp: Language) -> None:
    text, facts = parse_line(marked)
    spans = [(f.start, f.stop, f.type) for f in facts]
    read = with_spans(nlp, text, spans)._.facts  # type: ignore[arg-type]
    given = {(f.start, f.stop): f.assertion for f in read}
    assert [given[f.start, f.stop] for f in facts] == [f.assertion for f in facts]
