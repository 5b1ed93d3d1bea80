"""Invented sentences and the status of facts in them, by what had been read wrong."""

from __future__ import annotations

import pytest
from spacy.language import Language

from extraction.notes import load_pipeline

LISTS = [
    (
        "A man with a history of CHF, atrial fibrillation on apixaban, CKD stage 3 and type 2 "
        "diabetes.",
        "CHF historical; atrial fibrillation present; CKD historical; type 2 diabetes historical",
    ),
    (
        "She has a history of asthma, hypothyroidism on levothyroxine 50 mcg daily, gout and "
        "migraine.",
        "asthma historical; hypothyroidism present; gout historical; migraine historical",
    ),
    (
        "History of COPD on home oxygen, hypertension and gout.",
        "COPD present; hypertension historical; gout historical",
    ),
    ("History of gout on allopurinol, headache today.", "gout present; headache present"),
]
REASONS = [
    ("Metformin - STOPPED due to AKI.", "Metformin historical; AKI present"),
    ("Lisinopril was held because of hyperkalemia.", "Lisinopril historical; hyperkalemia present"),
    ("Stopped metoprolol due to dizziness.", "metoprolol historical; dizziness historical"),
]
TIMES = [
    ("then osimertinib 80 mg daily since April 2023.", "osimertinib present"),
    ("Prednisone was given from May to August 2020.", "Prednisone historical"),
    ("He took carbamazepine from March to June 2019.", "carbamazepine historical"),
    ("Yesterday we increased metoprolol.", "metoprolol present"),
    ("Creatinine stable at 1.2, sodium 138.", "1.2 present; 138 present"),
]
REACTIONS = [
    ("Allergies: penicillin (rash), codeine (nausea).", "penicillin present; rash historical"),
    ("Patient: I quit lisinopril in January. It made me cough.", "cough historical"),
    ("She takes lisinopril. It made her cough.", "cough present"),
]
SEEN = [
    ("Lung nodule, indeterminate.", "Lung nodule present"),
    ("Pneumonia, indeterminate.", "Pneumonia possible"),
]
GOALS = [
    ("Keep SpO2 > 92%, HR < 110.", "92 hypothetical; 110 hypothetical"),
    ("Goals: SpO2 > 92%.", "92 hypothetical"),
    ("Aim for LDL < 70.", "70 hypothetical"),
    ("Keep warm, temp 38.2 C.", "38.2 present"),
    ("Keep SpO2 > 92%, HR 110.", "92 hypothetical; 110 present"),
]
TESTS = [
    ("We start adalimumab once her TB screen is back.", "adalimumab planned; TB possible"),
    ("Hepatitis C serology pending.", "Hepatitis C possible"),
    ("Hepatitis B screen negative.", "Hepatitis B absent"),
]
LINES = [
    (
        "Medication Dose Start Stop Reason\nwarfarin 5 mg 2019 2021 gout",
        "warfarin present; gout present",
    ),
    ("Drug\tStart\tStop\naspirin\t2019\t\nwarfarin\t2021\t", "aspirin present; warfarin present"),
    ("He has no history of\nGout or\nasthma.", "Gout absent; asthma absent"),
    ("Allergies no\nHypertension\nPacemaker? no\nGout", "Hypertension present; Gout present"),
    ("Chest X-ray showed no\nPneumonia. Denies any\nFever.", "Pneumonia absent; Fever absent"),
    ("Plt 62, HIT possible, heparin held.", "62 present; heparin historical"),
]
TELEGRAMS = [
    ("MRI 2/52.", "MRI planned"),
    ("X-ray wk 6.", "X-ray planned"),
]
ANSWERS = [
    ("Dr: Headaches? Pt: Gone since the new glasses.", "Headaches historical"),
    ("Dr: Diabetes? Pt: Nobody.", "Diabetes absent"),
    ("Is there any cough? - Yes, a little.", "cough present"),
]
CORRECTED = [
    ("Initially thought gout, turned out septic arthritis.", "gout absent"),
    ("There is no evidence that the aneurysm has grown.", "aneurysm present"),
    ("She has never had asthma. Her brother died.", "asthma absent"),
    ("DVT '98.", "DVT historical"),
    ("Treated for pneumonia with ceftriaxone, changed to doxycycline.", "pneumonia present"),
    ("Admitted with heart failure, diuretics revised.", "heart failure present"),
    ("Originally diagnosed with lupus in 2001 and is now seen with nephritis.", "lupus present"),
    ("Initially admitted with sepsis, was found to have endocarditis.", "sepsis present"),
    ("Reported to have asthma, which has actually worsened.", "asthma present"),
    ("Diagnosed with diabetes, which changed his life.", "diabetes present"),
    ("Thought to be pneumonia but actually heart failure.", "pneumonia absent"),
    ("Treated as cellulitis at first; doppler showed DVT.", "cellulitis absent; DVT present"),
    ("This was not the first seizure.", "seizure present"),
    ("RF negative RA on methotrexate.", "RA present"),
]
ANSWERED = [
    ("COVID PCR positive today.", "COVID present"),
    ("TB smear positive, treatment due.", "TB present"),
    ("Sepsis workup negative.", "Sepsis absent"),
    ("Sepsis screen sent.", "Sepsis possible"),
]
DONE = [
    ("Intubated urgently.", "Intubated present"),
    ("Underwent cesarean section urgently.", "cesarean section historical"),
    ("CT abdomen urgent.", "CT abdomen planned"),
    ("Chemotherapy day 8, tolerating well.", "Chemotherapy present"),
    ("Changed to doxycycline on day 3.", "doxycycline present"),
    ("Prophylactic valganciclovir from day 10.", "valganciclovir planned"),
    ("Stepped down from IV ceftriaxone to oral cephalexin.", "cephalexin present"),
    ("Pt swapped ramipril for losartan.", "ramipril historical; losartan present"),
    ("Losartan (stopped: cough).", "Losartan historical; cough historical"),
]


@pytest.fixture(scope="module")
def nlp() -> Language:
    return load_pipeline("fast", codes=False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *LISTS,
        *REASONS,
        *TIMES,
        *REACTIONS,
        *SEEN,
        *GOALS,
        *TESTS,
        *LINES,
        *TELEGRAMS,
        *ANSWERS,
        *CORRECTED,
        *ANSWERED,
        *DONE,
    ],
)
def test_facts_have_the_status_the_text_tells(text: str, expected: str, nlp: Language) -> None:
    found = {f.text: f.assertion for f in nlp(text)._.facts}
    wanted = dict(pair.rsplit(" ", 1) for pair in expected.split("; "))
    assert {span: found.get(span) for span in wanted} == wanted


def test_the_cue_is_the_verb_and_not_the_time(nlp: Language) -> None:
    text = "Yesterday we stopped lisinopril."
    (fact,) = nlp(text)._.facts
    assert fact.cue is not None
    assert text[slice(*fact.cue)] == "we stopped"
