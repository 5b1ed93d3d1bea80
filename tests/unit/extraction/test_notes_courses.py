"""When drugs were started and stopped, and their dose before and after a change."""

from __future__ import annotations

from functools import cache

import pytest
from spacy.language import Language

from extraction.notes import load_pipeline
from extraction.notes.dating.component import dated
from extraction.notes.facts import Bounds, Fact
from extraction.notes.note import Note

THURSDAY = "2024-03-14"


@cache
def nlp() -> Language:
    return load_pipeline("fast")


def drugs(text: str, day: str = THURSDAY) -> list[Fact]:
    note = Note("n", "S", "P", 0.0, "visit", text, date=day, day_first=False)
    return [f for f in nlp()(dated(nlp(), note))._.facts if f.type == "medication"]


@pytest.mark.parametrize(
    ("text", "began", "ended"),
    [
        ("Started metoprolol yesterday.", (-1, -1), None),
        ("Metoprolol was started 2 weeks ago.", (-17, -11), None),
        ("Discontinued lisinopril on 3/4.", None, (-10, -10)),
        ("Lisinopril (stopped 3/4/2024).", None, (-10, -10)),
        ("Amoxicillin was started on 3/10 and stopped 3/12 because of rash.", (-4, -4), (-2, -2)),
        ("Amoxicillin 3/1-3/10/24.", (-13, -13), (-4, -4)),
        ("Metformin from 3 March to 10 March 2024.", (-11, -11), (-4, -4)),
        ("On warfarin since 2015.", (-3360, -2996), None),
        ("Off warfarin since March 1.", None, (-13, -13)),
        ("Aspirin held since 3/1.", None, (-13, -13)),
        ("On warfarin for 5 years.", (-2009, -1643), None),
        ("Has been on prednisone for 3 weeks.", (-24, -18), None),
        ("Vancomycin day 3/7.", (-2, -2), None),
        ("Day 5 of ceftriaxone.", (-4, -4), None),
        ("Continue amoxicillin until Monday.", None, (4, 4)),
        ("Hold aspirin until Monday.", None, None),
        ("Increased metoprolol from 25 to 50 mg BID yesterday.", None, None),
        ("Completed a 7-day course of amoxicillin.", None, None),
        ("Metoprolol 25 mg BID. Seen on 3/4.", None, None),
        ("Never took metoprolol in 2010.", None, None),
    ],
)
def test_when_a_drug_was_started_and_stopped(
    text: str, began: Bounds | None, ended: Bounds | None
) -> None:
    (drug,) = drugs(text)
    assert (drug.began, drug.ended) == (began, ended)


def test_each_drug_has_its_own_days() -> None:
    found = drugs(
        "Switched from lisinopril to losartan on 3/1/2024. Lisinopril, started 3/4/2024, and "
        "amlodipine, stopped 3/5/2024. Started aspirin and clopidogrel yesterday."
    )
    assert [(f.name, f.began, f.ended) for f in found] == [
        ("lisinopril", None, (-13, -13)),
        ("losartan", (-13, -13), None),
        ("lisinopril", (-10, -10), None),
        ("amlodipine", None, (-9, -9)),
        ("aspirin", (-1, -1), None),
        ("clopidogrel", (-1, -1), None),
    ]


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("Amoxicillin 500 mg TID for 7 days.", 7),
        ("Amoxicillin x 5 days.", 5),
        ("Completed a 7-day course of amoxicillin.", 7),
        ("Started on amoxicillin 3 days ago for 7 days.", 7),
        ("On warfarin for 5 years.", None),
    ],
)
def test_a_course_has_its_length(text: str, days: float | None) -> None:
    (drug,) = drugs(text)
    assert drug.duration == days


@pytest.mark.parametrize(
    ("text", "dose", "earlier"),
    [
        ("Increased metoprolol from 25 to 50 mg BID.", 50, 25),
        ("Prednisone decreased from 40 mg to 20 mg daily.", 20, 40),
        ("Lisinopril increased to 20 mg from 10 mg daily.", 20, 10),
        ("Increased lisinopril 10 mg to 20 mg daily.", 20, 10),
        ("Morphine 5 to 10 mg PRN.", 10, None),
        ("Metformin 500 mg, up to 1000 mg daily.", 1000, None),
        ("Metformin up from 500 mg to 1000 mg daily.", 1000, 500),
        ("Metoprolol 25 mg BID.", 25, None),
    ],
)
def test_a_changed_dose_is_the_new_one(text: str, dose: float, earlier: float | None) -> None:
    (drug,) = drugs(text)
    assert (drug.dose, drug.earlier_dose) == (dose, earlier)


@pytest.mark.parametrize(
    ("text", "day", "began", "ended"),
    [
        ("Amoxicillin 12/28-1/3.", "2023-12-30", (-2, -2), (4, 4)),
        ("Amoxicillin 12/28-1/3/24.", THURSDAY, (-77, -77), (-71, -71)),
        ("Amoxicillin from 28 December to 3 January 2024.", THURSDAY, (-77, -77), (-71, -71)),
        ("Metformin from 10 March 2024 to 1 March 2024.", THURSDAY, (-4, -4), None),
        ("Amoxicillin started 3/10/2024, stopped 3/1/2024.", THURSDAY, (-4, -4), None),
        ("Stopped lisinopril 3/1/2024, restarted 3/10/2024.", THURSDAY, (-4, -4), None),
    ],
)
def test_nothing_ends_before_it_began(
    text: str, day: str, began: Bounds, ended: Bounds | None
) -> None:
    (drug,) = drugs(text, day)
    assert (drug.began, drug.ended) == (began, ended)
