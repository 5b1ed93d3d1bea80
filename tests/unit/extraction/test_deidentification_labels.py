"""After a label: names that are words of the calendar, and what somebody says."""

import pytest

from extraction.notes.deidentification.deidentifier import find


def names(text: str) -> list[str]:
    return [text[f.start : f.stop] for f in find(text) if f.kind == "name"]


@pytest.mark.parametrize(
    "name",
    [
        "Jun Nakagawa",
        "May Okafor",
        "June Park",
        "April Delgado",
        "Will Mark",
        "Grace Young",
        "Faith Rose",
        "Sunday Okonkwo",
        "Nakagawa, Jun",
        "Hope Summer",
        "Jan Kowalski",
    ],
)
@pytest.mark.parametrize("text", ["Patient: {}", "Name:\t{}\tMRN: 448812", "Patient Name: {}\n"])
def test_the_label_makes_a_name_of_a_month_or_a_common_word(name: str, text: str) -> None:
    assert names(text.format(name)) == [name]


def test_titles_make_names_of_months() -> None:
    assert names("Mr. Will May was seen. Mrs. April June agrees.") == ["Will May", "April June"]


@pytest.mark.parametrize(
    "text", ["Patient: seen in June.", "Name: June 5, 2021", "From: March to May", "Visit: Monday"]
)
def test_months_and_weekdays_stay_dates(text: str) -> None:
    assert names(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "Patient: Never have.",
        "Patient: sometimes at night.",
        "Doctor: Good morning, how are you?\nPatient: Yeah, 100.9",
        "Doctor: Any chest pain?\nPatient: Sometimes.\nDoctor: Okay. Let's see.\nPatient: Fine.",
        "Patient: Penicillin makes me itch. Doctor: Understood. Nurse: Roll up your sleeve.",
        "Mother: Worried about fever. Patient: Will do. Doctor: May I look?",
        "Patient: Zonked.\nPatient: Gobsmacked.",
    ],
)
def test_what_somebody_says_is_no_name(text: str) -> None:
    assert names(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Patient: Xqztu\nDOB: 1961", ["Xqztu"]),
        ("Patient: Xqztu is a 60-year-old man.", ["Xqztu"]),
        ("Nurse: Karen Doyle, RN", ["Karen Doyle"]),
        (
            "Patient: Maria Keller\nDoctor: Good morning Maria.\nPatient: Morning.",
            ["Maria Keller", "Maria"],
        ),
    ],
)
def test_names_after_such_labels_are_still_found(text: str, expected: list[str]) -> None:
    assert names(text) == expected
