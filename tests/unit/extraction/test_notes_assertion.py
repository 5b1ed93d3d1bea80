"""Sentences marked in line as in the bank, for each way of asserting."""

from __future__ import annotations

from pathlib import Path

import pytest
from spacy.language import Language

from extraction.notes import load_pipeline
from tests.notes.bank_loader import TYPES, parse

SENTENCES = [
    # negation: lists, pseudo cues, cues behind, termination
    "Patient denies any history of [[stroke|condition|assertion=absent]] or "
    "[[TIA|condition|assertion=absent;name=transient ischemic attack]].",
    "No [[fever|symptom|assertion=absent]] but [[cough|symptom]] and [[fatigue|symptom]].",
    "[[Chest pain|symptom|assertion=absent]]: none; [[dyspnea|symptom]]: yes.",
    "No increase in [[headache|symptom]].",
    "[[Nausea|symptom|assertion=absent]], [[vomiting|symptom|assertion=absent]] and "
    "[[diarrhea|symptom|assertion=absent]] were denied.",
    "She is negative for [[hepatitis B|condition|assertion=absent]]; has [[asthma|condition]].",
    "No distress, mild [[wheezing|symptom|severity=mild]].",
    "No [[metformin|medication|assertion=absent]] for [[diabetes|condition]].",
    # possibility
    "Rule out [[sepsis|condition|assertion=possible]] vs "
    "[[dehydration|condition|assertion=possible]].",
    "[[Gout|condition|assertion=possible]]?",
    "?[[CHF|condition|assertion=possible;name=congestive heart failure]].",
    "[[Osteoarthritis|condition|assertion=possible]], probable.",
    "Cannot exclude [[pneumonia|condition|assertion=possible]]; on [[oxygen|medication]].",
    # history
    "S/p [[hip fracture|condition|assertion=historical]], [[hypertension|condition]].",
    "[[Insomnia|symptom|assertion=historical]] two years ago, none since.",
    "[[Cough|symptom]] that started two weeks ago.",
    "Switched from [[citalopram|medication|assertion=historical]] to [[sertraline|medication]].",
    "Stopped [[metoprolol|medication|assertion=historical]] due to "
    "[[dizziness|symptom|assertion=historical]].",
    "BP [[160|vital|name=systolic_blood_pressure;value=160;unit=mm[Hg];assertion=historical]]/"
    "[[90|vital|name=diastolic_blood_pressure;value=90;unit=mm[Hg];assertion=historical]], now "
    "[[130|vital|name=systolic_blood_pressure;value=130;unit=mm[Hg]]]/"
    "[[70|vital|name=diastolic_blood_pressure;value=70;unit=mm[Hg]]].",
    # family
    "Mother had [[stroke|condition|assertion=family]]; patient has [[gout|condition]].",
    "Daughter reports [[confusion|symptom]].",
    "[[Lupus|condition|assertion=family]] in a maternal aunt.",
    "No family history of [[dementia|condition|assertion=absent]].",
    # sections and kinds
    "Adverse events:\n[[Headache|adverse_event|severity=moderate]], moderate, resolved.",
    "PMH: [[HTN|condition|name=hypertension]].\n\nROS: [[dizziness|symptom]].",
    "Allergies: penicillin, codeine.",
    "[[Rash|symptom]] from amoxicillin.",
]


@pytest.fixture(scope="module")
def nlp() -> Language:
    return load_pipeline("fast")


@pytest.mark.parametrize("marked", SENTENCES)
def test_a_sentence_reads_as_marked(marked: str, nlp: Language) -> None:
    text, expected = parse(marked)
    found = [f for f in nlp(text)._.facts if f.type in TYPES]
    assert [(f.type, f.text, f.name, f.assertion, f.value, f.severity) for f in found] == [
        (f.type, f.text, f.name, f.assertion, f.value, f.severity) for f in expected
    ]


def test_the_cue_is_the_words_that_decided(nlp: Language) -> None:
    text = "Patient denies chest pain."
    (fact,) = nlp(text)._.facts
    assert fact.cue is not None
    assert text[slice(*fact.cue)] == "denies"


def test_a_cue_list_can_be_replaced(tmp_path: Path) -> None:
    cues = tmp_path / "negation.txt"
    cues.write_text("# ours\n[before]\nsin\n", encoding="utf-8")
    nlp = load_pipeline("fast")
    nlp.replace_pipe("trialtwin_negation", "trialtwin_negation", config={"cues": str(cues)})
    facts = nlp("Sin fever. No cough.")._.facts
    assert [f.assertion for f in facts] == ["absent", "present"]


def test_a_component_can_be_left_out() -> None:
    nlp = load_pipeline("fast")
    nlp.remove_pipe("trialtwin_negation")
    assert [f.assertion for f in nlp("No fever.")._.facts] == ["present"]
