"""Days on which facts began and ended, from the dates and durations of invented sentences."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from math import isnan
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.language import Language

from extraction.notes import extract, load_pipeline, to_cohort
from extraction.notes.batch.parts import Part, stored_pairs
from extraction.notes.batch.records import note_of
from extraction.notes.dating.anchor import Anchor
from extraction.notes.dating.component import dated
from extraction.notes.deidentification import Deidentifier
from extraction.notes.facts import Bounds, Fact
from extraction.notes.note import Note
from extraction.records import InputError

THURSDAY = "2024-03-14"
FORMS = (
    "%d %B %Y", "%B %d, %Y", "%Y-%m-%d", "%d-%b-%Y", "%b %d %Y", "%d %b '%y", "%d-%b-%y",
)  # fmt: skip


@cache
def nlp() -> Language:
    return load_pipeline("fast")


def facts(text: str, day: str | None = None, day_first: bool | None = None) -> tuple[Fact, ...]:
    note = Note("n", "S", "P", 0.0, "visit", text, date=day, day_first=day_first)
    found: tuple[Fact, ...] = nlp()(dated(nlp(), note))._.facts
    return found


def began(text: str, day: str | None = THURSDAY, day_first: bool | None = None) -> Bounds | None:
    found = [f for f in facts(text, day, day_first) if f.type not in ("age", "sex")]
    return found[0].began


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("CABG on 3 March 2024.", (-11, -11)),
        ("CABG on March 3rd, 2024.", (-11, -11)),
        ("CABG on the 3rd of March 2024.", (-11, -11)),
        ("CABG 2024-03-03.", (-11, -11)),
        ("CABG on 13/03/2024.", (-1, -1)),
        ("CABG on 13.03.2024.", (-1, -1)),
        ("CABG on 3-Mar-24.", (-11, -11)),
        ("CABG on March 3.", (-11, -11)),
        ("CABG on 20 March.", (-360, -360)),  # the last one: that of the year before
        ("CABG in February.", (-42, -14)),
        ("CABG in March 2019.", (-1840, -1810)),
        ("CABG 03/2019.", (-1840, -1810)),
        ("CABG in 2010.", (-5186, -4822)),
        ("CABG in 2024.", (-73, 0)),  # not later than the note
        ("CABG in the 1990s.", (-12491, -8840)),
        ("CABG yesterday.", (-1, -1)),
        ("CABG the day before yesterday.", (-2, -2)),
        ("CABG last Tuesday.", (-2, -2)),
        ("CABG last month.", (-42, -14)),
        ("CABG last year.", (-438, -74)),
        ("CABG two weeks ago.", (-17, -11)),
        ("CABG 3-4 days ago.", (-4, -3)),
        ("CABG a couple of days ago.", (-2, -2)),
        ("CABG years ago.", (None, -548)),
        ("CABG 3 days prior to admission.", (None, -3)),
        ("POD 3 after CABG.", (-3, -3)),
        ("Post-operative day #2 s/p CABG.", (-2, -2)),
        ("Fever since Monday.", (-3, -3)),
        ("Fever for the past 6 months.", (-198, -168)),
        ("Fever in the past 2 days.", (-2, 0)),
        ("Fever x 3 days.", (-3, -3)),
        ("Fever for 36 hours.", (-2, -1)),
        ("Presented after 3 days of fever.", (-3, -3)),
        ("Fever started today.", (0, 0)),
        ("Asthma since childhood.", (None, 0)),
    ],
)
def test_a_time_is_counted_from_the_note(text: str, days: Bounds) -> None:
    assert began(text) == days


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("Fever since yesterday.", (-1, -1)),
        ("Fever since Monday.", (-7, 0)),
        ("CABG last month.", (-61, -1)),
        ("CABG in March 2019.", None),
        ("CABG on March 3.", None),
    ],
)
def test_without_a_date_only_what_counts_from_the_note_is_known(
    text: str, days: Bounds | None
) -> None:
    assert began(text, day=None) == days


@pytest.mark.parametrize(
    "text",
    [
        "Colonoscopy on 31/02/2023.",
        "Colonoscopy 2/30/2024 was normal.",
        "Colonoscopy on 2023-13-01.",
        "Colonoscopy on 29 February 2023.",
        "Colonoscopy on 0/0/0000 and 00/00/00.",
        "Colonoscopy; strength 5/5, murmur 2/6, pain 3/10.",
        "Colonoscopy and CT of 1/2 of the 2000 mL sample.",
        "No colonoscopy in 2010.",
        "DOB: 1/2/1950. Colonoscopy.",
        "Colonoscopy, admitted 3/2/2024.",
        "Murmur heard on exam today.",
        "Colonoscopy unchanged in comparison to last year.",
        "Depression has been doing well for the past year.",
        "Colonoscopy was reviewed today.",
        "Weakness began at 13 months of age.",
        "Ice 5 times a day for 20 minutes to help with the swelling.",
    ],
)
def test_what_is_no_date_of_the_fact_gives_no_day(text: str) -> None:
    assert began(text) is None


def test_leap_days_and_year_ends() -> None:
    assert began("CABG on 29 February 2024.") == (-14, -14)
    assert began("CABG on February 29.", "2023-03-01") == (-1096, -1096)
    assert began("CABG on 12/31/2023.", "2024-01-01") == (-1, -1)
    assert began("CABG on December 31.", "2024-01-01") == (-1, -1)


def test_two_digits_of_a_year_mean_the_nearest_century() -> None:
    assert began("CABG on 3/13/24.") == (-1, -1)
    low, high = began("CABG on 3/13/85.") or (None, None)
    assert low == high == (date(1985, 3, 13) - date(2024, 3, 14)).days


def test_two_numbers_are_read_in_every_order_that_can_be() -> None:
    assert began("Rash since 3/2/2024.") == (-40, -12)
    assert began("Rash since 3/2/2024.", day_first=False) == (-12, -12)
    assert began("Rash since 3/2/2024.", day_first=True) == (-40, -40)
    assert began("Rash since 3/2/2024. Seen before on 25/1/2024.") == (-40, -40)
    assert began("Rash since 3/2/2024. Seen before on 1/25/2024.") == (-12, -12)
    assert began("Rash since 3/4/2024.") == (-10, -10)  # not three weeks after the note


@pytest.mark.parametrize(
    "head",
    ["Date of visit: 14 March 2024", "DATE OF SERVICE: 2024-03-14", "Date: 03/14/2024", "3/14/24"],
)
def test_the_head_of_a_note_tells_its_day(head: str) -> None:
    (fact,) = facts(f"{head}\nChest pain since March 10.")
    assert fact.began == (-4, -4)


def test_a_date_given_with_the_note_counts_more_than_its_head() -> None:
    assert began("Date of visit: 10 March 2024\nRash since March 8, 2024.") == (-6, -6)


def test_an_ambiguous_head_is_read_as_the_other_dates() -> None:
    text = "Date of visit: 03/04/2021\nRash since {}."
    assert began(text.format("02/04/2021"), day=None) == (-28, -1)
    assert began(text.format("25/03/2021"), day=None) == (-9, -9)


def test_an_age_tells_when_a_part_of_life_was() -> None:
    text = "A 45-year-old man with asthma since childhood and diabetes since age 30."
    days = [f.began for f in facts(text) if f.type == "condition"]
    assert days == [(-16802, -9862), (-5844, -5114)]


def test_each_time_belongs_to_its_own_fact() -> None:
    text = (
        "Appendectomy two weeks ago, pneumonia in 2015. Creatinine 1.4 on 3/13/2024, 2.1 today. "
        "Underwent colonoscopy for anemia yesterday. No fever for 3 days. "
        "Mother had breast cancer in 2010. Cough and fatigue for 5 days."
    )
    days = [(f.name, f.began) for f in facts(text, THURSDAY)]
    assert days == [
        ("appendectomy", (-17, -11)),
        ("pneumonia", (-3360, -2996)),
        ("creatinine", (-1, -1)),
        ("creatinine", (0, 0)),
        ("colonoscopy", (-1, -1)),
        ("anemia", None),
        ("fever", None),
        ("breast cancer", None),
        ("cough", (-5, -5)),
        ("fatigue", (-5, -5)),
    ]


def test_a_dated_head_holds_for_its_lines() -> None:
    found = facts("Labs (3/13):\nNa 140\nK 4.0\n\nHgb 9.0", THURSDAY)
    assert [f.began for f in found] == [(-1, -1), (-1, -1), None]


def test_what_is_planned_is_dated_forwards() -> None:
    found = facts("CT abdomen on Friday. MRI tomorrow. Will start apixaban in 2 days.", THURSDAY)
    assert [f.began for f in found] == [(1, 1), (1, 1), (2, 2)]


def test_the_words_of_a_day_are_kept() -> None:
    text = "Headache since last Tuesday, resolved yesterday."
    (fact,) = facts(text, THURSDAY)
    assert fact.began_at is not None and text[slice(*fact.began_at)] == "last Tuesday"
    assert fact.ended_at is not None and text[slice(*fact.ended_at)] == "yesterday"
    assert (fact.began, fact.ended) == ((-2, -2), (-1, -1))


@settings(max_examples=40, deadline=None)
@given(
    note=st.dates(date(1960, 1, 1), date(2035, 12, 31)),
    back=st.integers(0, 3000),
    by=st.integers(-4000, 4000),
    form=st.sampled_from(FORMS),
)
def test_moving_all_dates_changes_no_fact(note: date, back: int, by: int, form: str) -> None:
    def days(shift: int) -> list[tuple[Bounds | None, Bounds | None]]:
        day, then = (d + timedelta(days=shift) for d in (note, note - timedelta(days=back)))
        text = (
            f"Date of visit: {day:%d %B %Y}\nCABG on {then.strftime(form)}. "
            f"Rash since {then.strftime(form)}, resolved {day.strftime(form)}."
        )
        return [(f.began, f.ended) for f in facts(text)]

    assert days(0) == days(by) == [((-back, -back), None), ((-back, -back), (0, 0))]


@pytest.mark.parametrize("head", [False, True])
def test_surrogate_dates_keep_the_days(head: bool) -> None:
    text = "Rash since 25/02/2024, CABG on 3/3/2024, MRI 10/03/2024. Asthma since 2015."
    text = f"Date of visit: 14/03/2024\n{text}" if head else text
    plain = Note("n", "S", "P", 0.0, "visit", text, date=None if head else THURSDAY)
    stored = Deidentifier(bytes(32)).apply(plain).note
    assert stored.text != text and (stored.date != THURSDAY or head)
    before, after = ([f.began for f in found] for _, found in extract([plain, stored]))
    assert before[:3] == after[:3] == [(-18, -18), (-11, -11), (-4, -4)]
    (low, high), (wide_low, wide_high) = before[3], after[3]  # type: ignore[misc]
    assert wide_low <= low <= high <= wide_high  # type: ignore[operator]


def test_a_date_comes_in_with_its_note() -> None:
    made = note_of("x: 1", {"subject": "P", "text": "Rash.", "date": "2024-03-14 10:15"}, "S")
    assert isinstance(made, Note) and made.date == THURSDAY
    refused = note_of("x: 1", {"subject": "P", "text": "Rash.", "date": "14/03/2024"}, "S")
    assert not isinstance(refused, Note) and "YYYY-MM-DD" in refused.reason


def test_days_are_stored_and_read_back(tmp_path: Path) -> None:
    note = Note("n", "S", "P", 0.0, "visit", "Asthma since childhood. CABG yesterday.")
    ((_, found),) = extract([note])
    for name in ("notes.parquet", "facts.parquet"):
        (tmp_path / name).mkdir()
    with Part(tmp_path, 0) as part:
        part.add(note, found)
    assert list(stored_pairs(tmp_path)) == [(note, found)]


def test_a_cohort_has_the_bounds_of_its_episodes_and_the_day_of_a_value() -> None:
    text = (
        "Rash since 10 March 2024, resolved yesterday. Asthma since 2015. On aspirin. "
        "Creatinine 1.4 mg/dL on 12 March 2024. Last month creatinine was 1.2 mg/dL. "
        "MRI planned tomorrow."
    )
    note = Note("n", "S", "P", 100.0, "visit", text, date=THURSDAY)
    report: dict[str, int] = {}
    cohort = to_cohort(extract([note]), report=report)
    times = ["start", "start_low", "start_high", "stop", "stop_low", "stop_high"]
    rows = cohort.episodes.set_index("term")[times].T.to_dict("list")
    assert rows["rash"] == [96, 96, 96, 99, 99, 99]
    assert rows["asthma"][1:3] == [-3260, -2896]
    assert [isnan(day) for day in rows["asthma"]] == [True, False, False, True, True, True]
    assert rows["aspirin"][2] == 100
    assert all(isnan(day) for day in rows["magnetic resonance imaging"])
    assert cohort.observations["day"].tolist() == [98]
    assert report["left out: its day is known in bounds only"] == 1


def test_the_anchor_decides_what_a_moved_text_can_mean() -> None:
    from extraction.notes.components import draft_of
    from extraction.notes.dating.when import find_times

    doc = nlp().make_doc("MI in 2010 and again in March 2019.")
    kept = find_times(draft_of(doc), Anchor(date(2024, 3, 14)))
    moved = find_times(draft_of(doc), Anchor(date(2024, 3, 14), moved=True))
    assert [w.past for w in kept] == [(-5186, -4822), (-1840, -1810)]
    assert [w.past for w in moved] == [(-5369, -4639), (-1871, -1779)]


def test_a_date_is_read_alike_whatever_the_order_of_sets() -> None:
    assert began("Rash since March 4 April 5 worse.") == (-10, -10)  # the first keeps its words


@pytest.mark.parametrize("text", ["Operative day 3: CABG done.", "CABG planned, pre-op day 3."])
def test_only_days_after_an_operation_count_from_it(text: str) -> None:
    assert began(text) is None


def test_an_age_to_come_is_dated_forwards() -> None:
    man = "A 45-year-old man. "
    (fact,) = (f for f in facts(f"{man}Plan colonoscopy at age 50.") if f.type == "procedure")
    assert fact.began == (1461.0, 2192.0)
    (asthma,) = (f for f in facts(f"{man}Asthma since age 50.") if f.type == "condition")
    assert asthma.began is None and began("Plan colonoscopy at age 50.") is None


@pytest.mark.parametrize("day", ["14/03/2024", "2024-13-14", "soon"])
def test_a_note_with_no_date_at_all_is_refused_without_its_words(day: str) -> None:
    with pytest.raises(InputError, match="YYYY-MM-DD") as told:
        facts("CABG.", day)
    assert day not in str(told.value)


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_the_ends_of_the_calendar_are_no_fault(day: str) -> None:
    facts("CABG on March 20, rash last year, fever since Monday, asthma in the 1990s.", day)


def test_a_procedure_that_was_done_again_is_kept_apart() -> None:
    text = (
        "Colonoscopy in 2015 and a colonoscopy on 3 March 2024. Asthma since 2015. Asthma since "
        "childhood. Colonoscopy in March 2024. Colonoscopy was normal."
    )
    note = Note("n", "S", "P", 0.0, "visit", text, date=THURSDAY)
    other = replace(note, note_id="m", day=10.0, date="2024-03-24", text="Colonoscopy in 2015.")
    cohort = to_cohort(extract([note, other]))
    told = cohort.episodes[cohort.episodes["start_low"].notna()].groupby("term")["start_high"]
    assert sorted(told.get_group("colonoscopy")) == [-2996, -11]
    assert len(told.get_group("asthma")) == 1
