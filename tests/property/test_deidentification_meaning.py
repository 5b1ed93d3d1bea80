"""What holds for any note: places agree, intervals stay, nothing is lost, nothing breaks."""

import datetime
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from extraction.notes import Note, load_pipeline
from extraction.notes.deidentification import Deidentifier
from extraction.notes.deidentification.deidentifier import find

PLAIN = Deidentifier(bytes(range(32)))
PIECES = st.sampled_from(
    [
        "Mrs. Kowalska",
        "Dr. Oluwaseun Adeyemi",
        "denies chest pain",
        "has hypertension",
        "on 03/04/2021",
        "since March 4, 2021",
        "takes lisinopril 40 mg daily",
        "MRN: 448-812",
        "lives in Leeds",
        "call (617) 555-0142",
        "BP 120/80",
        "a 94-year-old woman",
        "\n",
        ". ",
        "and",
        "§",
        "É",
        "\t",
    ]
)
DATES = st.dates(datetime.date(1950, 1, 1), datetime.date(2030, 12, 31))
FORMATS = st.sampled_from(["%Y-%m-%d", "%m/%d/%Y", "%d %B %Y", "%B %d, %Y", "%d%b%Y", "%Y%m%d"])


def note(text: str) -> Note:
    return Note("1", "STUDY", "P-1", 0.0, "visit", text)


@given(st.lists(PIECES, max_size=25))
def test_places_go_over_and_come_back(pieces: list[str]) -> None:
    text = " ".join(pieces)
    done = PLAIN.apply(note(text))
    stored = done.note.text
    inside = {i for r in done.replacements for i in range(r.start, r.stop)}
    for place in range(len(text)):
        if place in inside:
            continue
        start, stop = done.map.to_stored(place, place + 1)
        assert stored[start:stop] == text[place]
        assert done.map.to_original(start, stop) == (place, place + 1)
    for r in done.replacements:
        assert stored[r.stored_start : r.stored_stop] == r.surrogate
        assert done.map.to_stored(r.start, r.stop) == (r.stored_start, r.stored_stop)
        assert done.map.to_original(r.stored_start, r.stored_stop) == (r.start, r.stop)


def test_facts_stand_at_the_mapped_places() -> None:
    text = (
        "Mrs. Kowalska, MRN 448-812, was seen on 03/04/2021. She has hypertension and denies chest "
        "pain. Dr. Oluwaseun Adeyemi started lisinopril 40 mg daily."
    )
    nlp = load_pipeline("fast")
    done = PLAIN.apply(note(text))
    before, after = nlp(text)._.facts, nlp(done.note.text)._.facts
    assert [(f.type, f.name, f.assertion) for f in before] == [
        (f.type, f.name, f.assertion) for f in after
    ]
    for one, two in zip(before, after, strict=True):
        assert done.map.to_stored(one.start, one.stop) == (two.start, two.stop)
        assert done.note.text[two.start : two.stop] == two.text == one.text


@given(DATES, DATES, FORMATS, FORMATS)
def test_intervals_stay(one: datetime.date, two: datetime.date, form: str, other: str) -> None:
    text = f"Seen on {one.strftime(form)}; again on {two.strftime(other)}."
    done = PLAIN.apply(note(text))
    moved = [
        datetime.datetime.strptime(r.surrogate.title() if "b" in f or "B" in f else r.surrogate, f)
        for r, f in zip(done.replacements, (form, other), strict=True)
    ]
    assert (moved[1] - moved[0]).days == (two - one).days
    assert (moved[0].date() - one).days == PLAIN.day_shift(note(text))


@given(st.text(max_size=400))
def test_any_text_is_read(text: str) -> None:
    found = find(text)
    assert all(0 <= f.start < f.stop <= len(text) for f in found)
    assert all(a.stop <= b.start for a, b in pairwise(found))
    assert PLAIN.apply(note(text)).note.deidentified


@given(st.lists(PIECES, max_size=25))
def test_the_same_note_gives_the_same_bytes(pieces: list[str]) -> None:
    text = " ".join(pieces)
    assert PLAIN.apply(note(text)) == Deidentifier(bytes(range(32))).apply(note(text))
