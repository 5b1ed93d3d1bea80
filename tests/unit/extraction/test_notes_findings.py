"""Each further type of fact in a sentence or two."""

from __future__ import annotations

import pytest
from spacy.language import Language

from extraction.notes import load_pipeline, to_cohort
from extraction.notes.facts import Fact
from extraction.notes.note import Note
from extraction.records import CohortSchema, Variable


@pytest.fixture(scope="module")
def nlp() -> Language:
    return load_pipeline("fast")


def found(nlp: Language, text: str, kind: str) -> list[Fact]:
    return [f for f in nlp(text)._.facts if f.type == kind]


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("ECOG 1.", "ecog", 1),
        ("KPS of 80%.", "karnofsky", 80),
        ("NYHA class III.", "nyha", 3),
        ("GCS 14/15 on arrival.", "gcs", 14),
        ("PHQ-9 score of 12.", "phq9", 12),
        ("Gleason 3+4.", "gleason", 7),
        ("EDSS 3.5", "edss", 3.5),
    ],
)
def test_a_score_has_its_number(nlp: Language, text: str, name: str, value: float) -> None:
    assert [(f.name, f.value) for f in found(nlp, text, "score")] == [(name, value)]


@pytest.mark.parametrize("text", ["ECOG 9.", "ECOG unknown, 3 visits.", "KPS in 2 weeks."])
def test_a_number_that_is_no_score_is_left(nlp: Language, text: str) -> None:
    assert found(nlp, text, "score") == []


@pytest.mark.parametrize(
    ("text", "kind", "status", "value", "unit"),
    [
        ("Former smoker, 30 pack-years.", "smoking", "former", 30, "{pack}.a"),
        ("Smokes 1 ppd.", "smoking", "current", 1, "{pack}/d"),
        ("Never smoker.", "smoking", "never", None, None),
        ("Drinks 2 glasses of wine per day.", "alcohol", "current", 14, "{drink}/wk"),
        ("Denies alcohol.", "alcohol", "never", None, None),
    ],
)
def test_a_habit_has_status_and_amount(
    nlp: Language, text: str, kind: str, status: str, value: float | None, unit: str | None
) -> None:
    (fact,) = found(nlp, text, kind)
    assert (fact.status, fact.value, fact.unit) == (status, value, unit)


def test_the_habit_of_a_relative_is_left_out(nlp: Language) -> None:
    assert found(nlp, "Her father was a heavy smoker.", "smoking") == []


@pytest.mark.parametrize(
    ("text", "gene", "status", "variant", "zygosity"),
    [
        ("EGFR L858R mutation positive.", "EGFR", "mutated", "L858R", None),
        ("BRAF V600E not detected.", "BRAF", "negative", "V600E", None),
        ("BRCA1 c.68_69delAG, heterozygous.", "BRCA1", "mutated", "c.68_69delAG", "heterozygous"),
        ("KRAS wild type.", "KRAS", "wild_type", None, None),
        ("HER2 negative.", "HER2", "negative", None, None),
        ("TP53 p.Arg175His.", "TP53", "mutated", "p.Arg175His", None),
        ("MSI-H.", "microsatellite instability", "positive", None, None),
    ],
)
def test_a_genomic_finding(
    nlp: Language, text: str, gene: str, status: str, variant: str | None, zygosity: str | None
) -> None:
    (fact,) = found(nlp, text, "genomic_finding")
    assert (fact.name, fact.status, fact.variant, fact.zygosity) == (
        gene,
        status,
        variant,
        zygosity,
    )


def test_capitals_of_a_gene_alone_say_nothing(nlp: Language) -> None:
    assert found(nlp, "MET the patient today. KIT given.", "genomic_finding") == []


@pytest.mark.parametrize(
    ("text", "name", "status", "value"),
    [
        ("Stage IIIB lung cancer.", "stage", "IIIB", None),
        ("pT2aN1M0.", "tnm", "pT2aN1M0", None),
        ("Partial response.", "response", "partial_response", None),
        ("RECIST: PD.", "response", "progressive_disease", None),
        ("A 3.2 x 2.1 cm mass.", "lesion_size", None, 32),
        ("6 mm nodule.", "lesion_size", None, 6),
        ("Histologic grade 2.", "tumor_grade", "2", None),
    ],
)
def test_an_imaging_finding(
    nlp: Language, text: str, name: str, status: str | None, value: float | None
) -> None:
    (fact,) = found(nlp, text, "imaging_finding")
    assert (fact.name, fact.status, fact.value) == (name, status, value)


@pytest.mark.parametrize("text", ["Stage 3 CKD.", "The wire is 3 cm away."])
def test_what_is_no_imaging_finding(nlp: Language, text: str) -> None:
    assert found(nlp, text, "imaging_finding") == []


def test_allergies_are_no_drugs_taken(nlp: Language) -> None:
    text = "Allergies: penicillin (rash), shellfish.\nMeds: aspirin."
    facts = nlp(text)._.facts
    assert [f.text for f in facts if f.type == "allergy"] == ["penicillin", "shellfish"]
    assert [f.text for f in facts if f.type == "medication"] == ["aspirin"]
    (none,) = found(nlp, "NKDA.", "allergy")
    assert none.assertion == "absent"


def test_procedures_by_when(nlp: Language) -> None:
    text = "S/p appendectomy. CT abdomen today. Colonoscopy scheduled. Biopsy declined."
    assert [(f.text, f.assertion) for f in found(nlp, text, "procedure")] == [
        ("appendectomy", "historical"),
        ("CT abdomen", "present"),
        ("Colonoscopy", "planned"),
        ("Biopsy", "absent"),
    ]


def test_the_cohort_keeps_what_has_a_table_and_counts_the_rest(nlp: Language) -> None:
    text = "S/p appendectomy. Start aspirin tomorrow. ECOG 1. Never smoker. Allergic to latex."
    ecog = Variable(name="ECOG", kind="continuous", role="longitudinal", unit="{score}")
    note = Note("n", "S", "P", 3.0, "visit", text)
    report: dict[str, int] = {}
    schema = CohortSchema(study_id="S", variables=(ecog,))
    cohort = to_cohort([(note, nlp(text)._.facts)], schema, report)
    assert cohort.observations["value"].tolist() == [1.0]
    rows = cohort.episodes.set_index("term")
    assert rows["assertion"].to_dict() == {
        "appendectomy": "historical",
        "aspirin": "planned",
        "latex": "present",
    }
    assert rows["start_high"].isna().to_dict() == {
        "appendectomy": False,
        "aspirin": True,
        "latex": False,
    }
    assert report == {"left out: no table for its type": 1}


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("Cough for three days.", (-3, -3)),
        ("Headache x3d.", (-3, -3)),
        ("A 2-week history of fatigue.", (-17, -11)),
        ("Nausea that started 2 weeks ago.", (-17, -11)),
        ("Fatigue for the past 2 days.", (-2, -2)),
        ("Fatigue, stopped aspirin 2 weeks ago.", None),
    ],
)
def test_when_a_symptom_began(nlp: Language, text: str, days: tuple[float, float] | None) -> None:
    (fact,) = found(nlp, text, "symptom")
    assert fact.began == days


def test_an_episode_starts_when_its_words_say(nlp: Language) -> None:
    text = "Cough for three days."
    cohort = to_cohort([(Note("n", "S", "P", 10.0, "visit", text), nlp(text)._.facts)])
    assert cohort.episodes["start"].tolist() == [7.0]


def test_each_drug_has_its_own_form_duration_and_reason(nlp: Language) -> None:
    text = "Amoxicillin capsules for 7 days, lisinopril 10 mg tablet for hypertension."
    drugs = found(nlp, text, "medication")
    assert [(f.form, f.duration, f.indication) for f in drugs] == [
        ("capsule", 7, None),
        ("tablet", None, "hypertension"),
    ]


def test_an_adverse_event_has_seriousness_relation_and_outcome(nlp: Language) -> None:
    text = "AE: neutropenia, grade 3, serious, possibly related to study drug, ongoing."
    (fact,) = found(nlp, text, "adverse_event")
    assert (fact.serious, fact.related, fact.outcome) == (True, "possible", "not_recovered")


def test_a_laboratory_value_has_its_reference_range(nlp: Language) -> None:
    (fact,) = found(nlp, "Potassium 3.2 mmol/L (ref 3.5-5.1).", "laboratory")
    assert (fact.value, fact.low, fact.high) == (3.2, 3.5, 5.1)


@pytest.mark.parametrize(
    ("text", "certainty"),
    [
        ("Likely gout.", "likely"),
        ("Possible gout.", "possible"),
        ("Gout is unlikely.", "unlikely"),
        ("Gout.", None),
    ],
)
def test_a_possible_fact_is_graded(nlp: Language, text: str, certainty: str | None) -> None:
    (fact,) = found(nlp, text, "condition")
    assert fact.certainty == certainty


def test_the_scope_is_what_the_cue_reaches(nlp: Language) -> None:
    text = "Denies fever or chills but reports cough."
    fever, chills, cough = found(nlp, text, "symptom")
    assert fever.scope == chills.scope == (0, text.index(" but"))
    assert cough.scope is None
