"""Dates of two numbers: told from scores, fractions and doses, and moved all alike."""

import pytest

from extraction.notes import Note
from extraction.notes.deidentification import Deidentifier
from extraction.notes.deidentification.deidentifier import find


def dates(text: str) -> list[str]:
    return [text[f.start : f.stop] for f in find(text) if f.kind == "date"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dc'd 7/17; intubation 7/15, extubated 7/18.", ["7/17", "7/15", "7/18"]),
        ("Blood cx 7/15, repeat cx 7/17.", ["7/15", "7/17"]),
        ("CT 7/15: clear", ["7/15"]),
        ("Surgery 7/15.", ["7/15"]),
        ("Admitted 3/4. Febrile 3/5, surgery planned for 3/9.", ["3/4", "3/5", "3/9"]),
        ("Visit 07/14/2024. Pain resolved 7/18, swelling gone 7/19.", None),
        ("On 3/4 pain 7/10, motor 5/5, 2/6 SEM, 1/2 tab; drain out 3/8.", ["3/4", "3/8"]),
        ("Seen on 7/15 in shock; on 7/16 better; 7/18 home.", ["7/15", "7/16", "7/18"]),
        ("Since 15/7 cough, CT 16/7, echo 3/7.", ["15/7", "16/7", "3/7"]),
    ],
)
def test_short_dates_of_a_note_are_found_alike(text: str, expected: list[str] | None) -> None:
    assert dates(text) == (["07/14/2024", "7/18", "7/19"] if expected is None else expected)


@pytest.mark.parametrize(
    "text",
    [
        "Strength 5/5, murmur 2/6, pain 7/10, 3/4 siblings alive, 1/2 tab daily, page 2/3.",
        "GCS 12/15, MMSE 10/30, PHQ-9 12/27, nodes 3/14 involved, 5/14 nodes positive.",
        "Day 5/14 of meropenem, cycle 2/6, dose 2/3, AKI 2/2 sepsis, GPC in 2/4 bottles.",
        "BP 90/60, vision 20/30, open 24/7, for 5/7, every 2/3 weeks, DTR 2/4, smokes 1/2 ppd.",
    ],
)
@pytest.mark.parametrize("head", ["", "Seen on 01/09/2024. "])
def test_what_counts_or_grades_is_no_date(text: str, head: str) -> None:
    assert dates(head + text) == (["01/09/2024"] if head else [])


def test_intervals_between_short_dates_stay() -> None:
    text = "Intubation 7/15, extubated 7/18, dc'd 7/21."
    done = Deidentifier(bytes(32)).apply(Note("1", "S", "P-1", 0.0, "visit", text))
    moved = [r.surrogate for r in done.replacements]
    assert len(moved) == 3 and not {"7/15", "7/18", "7/21"} & set(moved)


def test_days_come_first_in_short_dates_too() -> None:
    text = "CT 16/7, echo on 3/8."
    done = Deidentifier(bytes(32)).apply(Note("1", "S", "P-1", 0.0, "visit", text))
    assert done.note.day_first is True


def test_a_temperature_in_words_is_no_age() -> None:
    assert dates("Her temperature was 99 F, temp max 98 F.") == []
