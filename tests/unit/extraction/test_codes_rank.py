"""Codes of mentions out of the packaged vocabularies."""

import pickle  # noqa: TID251 - what the code must refuse, and how workers get it

import pytest

from extraction.notes import Note, load_pipeline, to_cohort
from extraction.notes.codes import SURE, Code, best_code, rank
from extraction.notes.codes.coder import Coder
from extraction.notes.codes.packaged import packaged_coder
from extraction.notes.codes.vocabularies.drugbank import plain_data
from extraction.notes.codes.vocabularies.icd10cm import variants
from extraction.notes.codes.words import content, key
from extraction.records import InputError


def best(text: str, fact_type: str, system: str) -> Code | None:
    found = rank(text, fact_type, systems=[system])
    return found[0] if found and found[0].score >= SURE else None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("hypertension", "I10"),
        ("essential hypertension", "I10"),
        ("Hypertension, essential", "I10"),
        ("HTN", "I10"),
        ("T2DM", "E11.9"),
        ("diabetes mellitus type II", "E11.9"),
        ("COPD", "J44.9"),
        ("MI", "I21.9"),
        ("NSTEMI", "I21.4"),
        ("CHF", "I50.9"),
        ("iron-deficiency anaemia", "D50.9"),
        ("kidney stones", "N20.0"),
        ("hepatitis C", "B19.20"),
        ("Crohn's disease", "K50.90"),
        ("cancer of the lung", "C34.90"),
        ("pneumonia", "J18.9"),
    ],
)
def test_a_problem_has_its_icd_code(text: str, code: str) -> None:
    found = best(text, "condition", "ICD-10-CM")
    assert found is not None and found.code == code and found.version.startswith("20")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("chest pain", "HP:0100749"),
        ("shortness of breath", "HP:0002094"),
        ("haematuria", "HP:0000790"),
        ("seizures", "HP:0001250"),
    ],
)
def test_a_sign_has_its_hpo_code(text: str, code: str) -> None:
    found = rank(text, "symptom", systems=["HPO"])
    assert code in {c.code for c in found[:2]}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Aricept", "DB00843"),
        ("Tylenol", "DB00316"),
        ("paracetamol", "DB00316"),
        ("warfarin", "DB00682"),
        ("amilorid", "DB00594"),
    ],
)
def test_a_brand_or_spelling_leads_to_the_drug(text: str, code: str) -> None:
    found = rank(text, "medication", systems=["DrugBank"])
    assert found[0].code == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("hepatitis A", "B15.9"),
        ("hepatitis B", "B19.10"),
        ("type 1 diabetes mellitus", "E10.9"),
        ("hypokalemia", "E87.6"),
        ("hyperkalemia", "E87.5"),
    ],
)
def test_one_letter_or_number_makes_another_code(text: str, code: str) -> None:
    assert rank(text, "condition", systems=["ICD-10-CM"])[0].code == code


def test_a_word_that_excludes_the_mentions_own_is_held_against_a_code() -> None:
    found = rank("increased phosphate reabsorption of the tubules", "symptom", systems=["HPO"])
    assert found and not found[0].display.startswith("Decreased")


def test_words_that_mean_nothing_get_no_sure_code() -> None:
    for text in ("zxqv", "thing", "", "1234", "the of and"):
        assert all(code.score < SURE for code in rank(text, "condition"))


def test_codes_are_ranked_and_alike_in_every_run() -> None:
    found = rank("left hip fracture", "condition")
    assert len(found) > 1 and [c.score for c in found] == sorted(
        (c.score for c in found), reverse=True
    )
    fresh = Coder(packaged_coder().indexes, 5)
    assert fresh.codes([("condition", "left hip fracture", "")])[0] == found
    batch = fresh.codes([("condition", t, "") for t in ("hip fractures", "left hip fracture")])
    assert batch[1] == found
    assert all(0 < c.score <= 1 for c in found)


def test_a_type_without_vocabulary_has_no_codes() -> None:
    assert rank("cholecystectomy", "procedure") == ()


def test_facts_carry_codes_whatever_their_assertion_and_process() -> None:
    text = "Denies chest pain; on Aricept 10 mg daily. HTN, s/p NSTEMI. Temp 37 C. NKDA."
    nlp = load_pipeline("fast")
    facts = nlp(text)._.facts
    told = {f.name: best_code(f.codes) for f in facts}
    assert told["chest pain"] == "ICD-10-CM|R07.9" and told["donepezil"] == "DrugBank|DB00843"
    assert told["hypertension"] == "ICD-10-CM|I10" and told["any"] is None
    assert all(isinstance(c, Code) for f in facts for c in f.codes)
    apart = [doc._.facts for doc in nlp.pipe([text, text], n_process=2)]
    assert apart == [facts, facts]
    coder = nlp.get_pipe("trialtwin_codes").coder
    again = pickle.loads(pickle.dumps(coder))  # noqa: S301 - our own bytes
    assert again.versions == coder.versions


def test_codes_can_be_left_out_or_chosen() -> None:
    assert "trialtwin_codes" not in load_pipeline("fast", codes=False).pipe_names
    nlp = load_pipeline("fast", codes=["ICD-10-CM"])
    (fact,) = nlp("Hypertension.")._.facts
    assert {c.system for c in fact.codes} == {"ICD-10-CM"}
    with pytest.raises(InputError, match="'MedDRA' is not known; allowed: ICD-10-CM, HPO"):
        load_pipeline("fast", codes=["MedDRA"])


def test_a_cohort_keeps_sure_codes_with_their_system() -> None:
    note = Note(
        "n1", "S", "p1", 3.0, "visit", "Hypertension. Chest pain. On Aricept. Left toe rash."
    )
    nlp = load_pipeline("fast")
    cohort = to_cohort([(note, nlp(note.text)._.facts)])
    codes = dict(zip(cohort.episodes["term"], cohort.episodes["code"], strict=True))
    assert codes["hypertension"] == "ICD-10-CM|I10" and codes["donepezil"] == "DrugBank|DB00843"
    assert codes["chest pain"] == "trialtwin|symptom"


def test_order_plurals_and_equal_words_make_no_difference() -> None:
    assert key(content("Neoplasms of the kidneys")) == key(content("renal tumour"))
    assert key(content("hepatitis A")) != key(content("hepatitis"))


def test_asides_of_a_title_are_optional() -> None:
    names = [name for name, _ in variants("Hypertension (arterial) (benign), unspecified")]
    assert {"Hypertension", "arterial Hypertension, unspecified"} & set(names)


def test_a_pickle_that_could_run_code_is_not_followed() -> None:
    harmless = {"a": ["b", 1.5, True, False, {}], "c": []}
    assert plain_data(pickle.dumps(harmless, 4)) == harmless
    with pytest.raises(InputError, match="is not followed"):
        plain_data(pickle.dumps(print, 4))
