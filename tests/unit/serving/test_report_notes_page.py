"""The page of notes: everything marked, everything told in words, nothing of a note is code."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner

from extraction.notes import Fact, Note
from extraction.notes.codes.code import Code
from extraction.notes.facts import ASSERTIONS, FACT_TYPES
from extraction.records import InputError
from serving import service
from serving.cli.lazy import program
from serving.report.notes_page import marked, notes_page

ABOUT = {"preset": "fast", "identifiers": "replaced", "total": 1, "set_aside": []}
SPITE = "\"><img src=x onerror=alert(1)> & '<script>"


class _Seen(HTMLParser):
    """Tags, ids, what refers to them, and the words of the notes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.wanted: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            assert name not in ("src", "onerror", "onclick")
            if name == "id":
                self.ids.append(value or "")
            if name in ("aria-describedby", "aria-labelledby"):
                self.wanted.add(value or "")
            if name == "href":
                assert (value or "").startswith("#")
                self.wanted.add((value or "")[1:])


def _pair() -> tuple[Note, tuple[Fact, ...]]:
    text = f"Denies chest pain {SPITE} BP <160"
    start = text.index("160")
    return Note(SPITE, "S", SPITE, 3.0, "visit", text), (
        Fact("symptom", "chest pain", 7, 17, "absent", SPITE, cue=(0, 6)),
        Fact("symptom", "pain", 12, 17, "absent", "pain", cue=(0, 6)),
        Fact("vital", "160", start, start + 3, name="pressure", value=160, unit="mm[Hg]"),
    )


@pytest.mark.parametrize(
    ("began", "told"),
    [
        ((-3.0, -3.0), "began 3 days before"),
        ((-17.0, -11.0), "began 17 to 11 days before"),
        ((None, -1.0), "began 1 day before or earlier"),
        ((0.0, 0.0), "began on the note&#39;s day"),
        ((2.0, 9.0), "began 2 to 9 days after"),
    ],
)
def test_when_a_fact_began_is_told_in_words(
    began: tuple[float | None, float | None], told: str
) -> None:
    note = Note("n", "S", "P", 3.0, "visit", "Rash.")
    assert told in notes_page([(note, (Fact("symptom", "Rash", 0, 4, began=began),))], ABOUT)


def test_what_is_planned_is_due() -> None:
    fact = Fact("procedure", "MRI", 0, 3, "planned", began=(1.0, 1.0))
    page = notes_page([(Note("n", "S", "P", 3.0, "visit", "MRI tomorrow."), (fact,))], ABOUT)
    assert "due 1 day after" in page and "done" not in page[page.index("<body>") :]


def test_facts_that_say_the_same_share_a_row_and_its_number() -> None:
    text = "Mr. A, a man, is not a woman."
    facts = [
        Fact("sex", text[start:stop], start, stop, name=name)
        for start, stop, name in ((0, 3, "male"), (9, 12, "male"), (23, 28, "female"))
    ]
    page = notes_page([(Note("n", "S", "P", 3.0, "visit", text), facts)], ABOUT)
    assert page.count("<mark ") == 3 and page.count('aria-describedby="n1f1"') == 2
    assert page.count('<tr id="n1f') == 2 and page.count("2 times") == 1
    assert "3 facts in 1 note" in page


def test_codes_stand_beside_a_fact_the_first_at_once_and_all_on_paper() -> None:
    codes = tuple(Code("HPO", f"HP:{i}", "1", 0.9, "Rash") for i in range(4))
    note = Note("n", "S", "P", 3.0, "visit", "Rash.")
    page = notes_page([(note, (Fact("symptom", "Rash", 0, 4, codes=codes),))], ABOUT)
    assert "HPO HP:0 Rash (0.90)" in page and "2 more codes" in page and "HP:3" not in page
    assert "details::details-content" in page[page.index("@media print") :]


def test_every_fact_is_told_and_nothing_of_a_note_is_code() -> None:
    page = notes_page([_pair()], ABOUT)
    seen = _Seen(page)
    assert not seen.tags & {"script", "img", "link", "iframe"}
    assert "http" not in page and "url(" not in page and "@import" not in page
    assert seen.wanted <= set(seen.ids) and len(seen.ids) == len(set(seen.ids))
    assert {"n1f1", "n1f2", "n1f3"} <= set(seen.ids)  # an overlapping one is in the table too
    assert page.count("<mark ") == 2
    assert '<span class="cue">Denies</span>' in page and "cue: “Denies”" in page
    assert "160 mmHg" in page and "day 3" in page
    assert "@media print" in page and "prefers-color-scheme: dark" in page


def test_the_words_of_the_note_stay_as_they_are() -> None:
    note, facts = _pair()
    shown = [
        {
            "key": "k",
            "number": i,
            "cue": None,
            "cue_span": f.cue,
            "details": [],
            "codes": [],
            **{n: getattr(f, n) for n in ("type", "assertion", "start", "stop", "name", "text")},
        }
        for i, f in enumerate(facts)
    ]
    html = re.sub(r'<span class="tip".*?</b>.*?</span>|<sup.*?</sup>', "", marked(note.text, shown))
    plain = re.sub(r"<[^>]*>", "", html)
    for mark, sign in (
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&#34;", '"'),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ):
        plain = plain.replace(mark, sign)
    assert plain == note.text


def test_every_type_and_assertion_has_its_look() -> None:
    text = "x " * 200
    facts = [
        Fact(kind, "x", 2 * (len(ASSERTIONS) * i + j), 2 * (len(ASSERTIONS) * i + j) + 1, said)
        for i, kind in enumerate(FACT_TYPES)
        for j, said in enumerate(ASSERTIONS)
    ]
    page = notes_page([(Note("1", "S", "P", 0.0, "visit", text), facts)], ABOUT)
    styles = page[: page.index("</style>")]
    assert all(f".t-{kind} {{ --h: " in styles for kind in FACT_TYPES)
    assert all(f".a-{said} {{" in styles for said in ASSERTIONS)


def test_a_page_of_files_and_of_an_extraction(tmp_path: Path) -> None:
    folder, page = tmp_path / "notes", tmp_path / "page.html"
    folder.mkdir()
    (folder / "P1@3.txt").write_text("Mr. Kowalski denies fever.", "utf-8")
    (folder / "P2.txt").write_text("BP 120/80.", "utf-8")
    (folder / "P3.txt").write_text(" ", "utf-8")
    done = service.show_notes(folder, page)
    text = page.read_text("utf-8")
    assert (done["n_notes"], done["total"]) == (2, 2) and len(done["set_aside"]) == 1
    assert "Kowalski" not in text and "were replaced" in text
    with pytest.raises(InputError, match="it exists") as caught:
        service.show_notes(folder, page, "quick", most=0)
    assert len(caught.value.faults) == 3
    words = ["extract", "show", str(folder / "P2.txt"), "--out", str(page), "--overwrite"]
    told = CliRunner().invoke(program, words)
    assert told.exit_code == 0 and "2 facts in 1 note." in told.output
    service.extract_notes(folder, tmp_path / "facts")
    done = service.show_notes(tmp_path / "facts", page, most=1, overwrite=True)
    assert (done["n_notes"], done["total"]) == (1, 2)
    assert "The first 1 of 2 notes" in page.read_text("utf-8")
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_ranges_counted_doses_and_what_is_taken_as_needed_are_told():
    facts = (
        Fact("medication", "Albuterol", 0, 9, dose=2.0, dose_unit="{puff}", as_needed=True,
             frequency="every_6_hours"),
        Fact("vital", "EF", 10, 12, value=55.0, upper=60.0, unit="%"),
    )
    page = notes_page([(Note("n", "S", "P", 3.0, "visit", "Albuterol EF"), facts)], ABOUT)
    assert "2 puff every 6 hours as needed" in page
    assert "55\u201360 %" in page
