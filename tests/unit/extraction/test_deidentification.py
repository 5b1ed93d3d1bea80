"""De-identification: what is found, what is written instead, and how it can be turned back."""

import datetime
import re
from pathlib import Path

import pytest

from extraction.notes import Note
from extraction.notes.deidentification import (
    KINDS,
    Deidentifier,
    OffsetMap,
    Vault,
    new_key,
    read_key,
)
from extraction.notes.deidentification.dates import moved, ninety_or_older
from extraction.notes.deidentification.deidentifier import find
from extraction.notes.deidentification.draws import Draws
from extraction.notes.deidentification.places import surrogate as place
from extraction.records import InputError
from tests.support import canary

KEY = bytes(range(32))


def note(text: str, subject: str = "P-1", number: str = "1") -> Note:
    return Note(number, "STUDY", subject, 0.0, "visit", text)


def marked(text: str) -> tuple[str, list[tuple[int, int, str]]]:
    """Split `[[words|kind]]` into plain text and places."""
    plain, places, end = "", [], 0
    for match in re.finditer(r"\[\[(.+?)\|(\w+)\]\]", text):
        plain += text[end : match.start()]
        places.append((len(plain), len(plain) + len(match[1]), match[2]))
        plain += match[1]
        end = match.end()
    return plain + text[end:], places


CASES = [
    "Patient: [[KOWALSKI, Anna M.|name]]  MRN: [[00-4471-229|mrn]]  DOB: [[03/04/1961|date]]",
    "Attending: [[Oluwaseun Adeyemi|name]], MD; seen with dr. [[nguyen thi lan|name]] today.",
    "Mrs. [[O'Brien|name]]'s daughter, [[Siobhan|name]], called from [[+44 20 7946 0958|phone]].",
    "[[Zbigniew Wisniewski|name]] is a 45-year-old man; his wife [[Beata|name]] agrees.",
    "Sincerely,\n[[Jose Garcia-Lopez|name]], MD\ncc: Dr. [[Wang|name]]",
    "She lives at [[12 Baker St|geographic]], [[Leeds|geographic]] [[LS1 4AP|geographic]].",
    "Address: [[1428 Elm Street Apt. 4B|geographic]], [[Springfield|geographic]], IL "
    "[[62704|geographic]]",
    "Transferred to [[Mercy General Hospital|geographic]], [[Cook County|geographic]].",
    "Admitted [[2021-02-28|date]], seen on [[4 March 2021|date]] and last [[Tuesday|date]].",
    "A [[97-year-old|date]] woman, here since [[March|date]]; next visit [[May 5|date]].",
    "Phone: [[(217) 555-0143|phone]]  Fax: [[217.555.0199|fax]]",
    "Mail to [[anna.k@example.com|email]] or see [[https://chart.example.org/u?id=33|url]].",
    "SSN [[123-45-6789|ssn]]; Member ID: [[XJH 448 221 09|health_plan]]; "
    "Acct # [[9983-221|account]]",
    "DEA [[BK1234563|licence]], license plate [[KLM 4423|vehicle]], "
    "VIN [[1HGCM82633A004352|vehicle]]",
    "Pacemaker serial number is [[PJN-293-8812|device]]; IP [[10.22.31.4|ip]].",
    "Fingerprint template [[FP-88123-A|biometric]]; photo [[IMG_20210304_11.jpg|photo]].",
    "Study ID [[TT-004-0192|other]], accession [[S21-11892|other]].",
]
PLAIN = [
    "BP 120/80, strength 5/5, murmur 3/6, pain 7/10, Hgb 9.9 g/dL, platelets 266 x10^9/L.",
    "Parkinson disease, Crohn's disease, Hodgkin's lymphoma, a positive Murphy's sign.",
    "ASSESSMENT AND PLAN\nHypertension: continue lisinopril 40 mg daily. He may march.",
    "AST 19 U/L, Baso 0.05; NPI: 14.6; T 97 F; stage T2N0M0; CYP2C19; COVID-19; NCT00050349.",
    "A 50-year-old woman in Ohio, well since 2019. Treated with ERT for 3 weeks.",
    "Foley catheter, Glasgow coma scale 15, Wagner classification, Doppler normal.",
]


@pytest.mark.parametrize("text", CASES)
def test_identifiers_are_found_whole_and_by_kind(text: str) -> None:
    plain, places = marked(text)
    found = [(f.start, f.stop, f.kind) for f in find(plain)]
    assert found == places


@pytest.mark.parametrize("text", PLAIN)
def test_clinical_words_are_left_alone(text: str) -> None:
    assert [text[f.start : f.stop] for f in find(text)] == []


def test_every_kind_of_safe_harbor_is_tried() -> None:
    assert {kind for text in CASES for _, _, kind in marked(text)[1]} == set(KINDS)


def test_a_name_keeps_its_surrogate_over_notes_and_mentions() -> None:
    plain = Deidentifier(KEY)
    one = plain.apply(note("Anna Kowalska is a 60-year-old woman. Ms. KOWALSKA agrees."))
    two = plain.apply(note("I saw Mrs. Kowalska again.", number="2"))
    names = [r.surrogate for r in one.replacements]
    assert names[0].split()[1].upper() == names[1]
    assert two.replacements[0].surrogate == names[0].split()[1]
    other = plain.apply(note("I saw Mrs. Kowalska again.", subject="P-2"))
    assert other.replacements[0].surrogate != two.replacements[0].surrogate
    another = Deidentifier(bytes(32)).apply(note("I saw Mrs. Kowalska again."))
    assert another.replacements[0].surrogate != two.replacements[0].surrogate


def test_a_number_keeps_its_surrogate_however_it_is_written() -> None:
    plain = Deidentifier(KEY)
    done = plain.apply(note("MRN: 448-812-77. Later: MRN 44881277."))
    first, second = (r.surrogate for r in done.replacements)
    assert first.replace("-", "") == second
    assert first != "448-812-77"


@pytest.mark.parametrize(
    ("name", "sex"), [("Gareth", "male"), ("Rosa", "female"), ("Beata", "female")]
)
def test_the_sex_of_given_names_is_known_for_other_countries_too(name: str, sex: str) -> None:
    from extraction.notes.deidentification.listed import lists

    assert lists().sex_of(name.lower()) == sex
    done = Deidentifier(KEY).apply(note(f"Her friend {name} called."))
    pool = lists().female if sex == "female" else lists().male
    assert done.replacements[0].surrogate in pool


def test_a_given_name_keeps_its_usual_sex() -> None:
    from extraction.notes.deidentification.listed import lists

    made = [
        Deidentifier(KEY).apply(note("Martha Collins is a patient.", subject=f"P-{n}"))
        for n in range(20)
    ]
    assert {d.note.text.split()[0] for d in made} <= set(lists().female)


@pytest.mark.parametrize(
    ("text", "shift", "expected"),
    [
        ("March 28th, 2021", 5, "April 2nd, 2021"),
        ("28-MAR-21", 5, "2-APR-21"),
        ("2021-03-28", -28, "2021-02-28"),
        ("03/04/2021", 5, "03/09/2021"),
        ("3/4/21", -100, "11/24/20"),
        ("20210304", 1, "20210305"),
        ("13.04.2021", 5, "18.04.2021"),
        ("March 28 to 31, 2020", 5, "April 2 to 5, 2020"),
        ("4th of March, 2021", 5, "9th of March, 2021"),
        ("March 2021", 3, "April 2021"),
        ("Mondays", -2, "Saturdays"),
        ("twenty-first of March", 5, "twenty-sixth of March"),
        ("MAR 2021", 40, "APR 2021"),
        ("12/31/1920", 40, "2/9/1931"),
    ],
)
def test_dates_move_in_the_form_they_had(text: str, shift: int, expected: str) -> None:
    assert moved(text, shift, newest=2021) == expected


def test_what_is_no_date_is_not_moved() -> None:
    assert moved("02/30/2021", 5) is None
    assert moved("Anna", 5) is None


def test_ages_over_89_become_one_group() -> None:
    assert ninety_or_older("94-year-old") == "90-year-old or older"
    done = Deidentifier(KEY).apply(note("Aged 104. A 91 y.o. man. An 89-year-old woman."))
    assert done.note.text == "Aged 90 or older. A 90 y.o. or older man. An 89-year-old woman."


def test_zip_codes_keep_three_digits_unless_few_people_live_there() -> None:
    draws = Draws(KEY, "P-1")
    assert place(draws, "zip", "62704-1234") == "627XX"
    assert place(draws, "zip", "03601") == "000XX"


def test_shifts_are_spread_over_a_year_and_never_zero() -> None:
    shifts = [Draws(KEY, f"P-{n}").day_shift(False) for n in range(4000)]
    assert min(shifts) == -182 and max(shifts) == 182 and 0 not in shifts
    weeks = {Draws(KEY, f"P-{n}").day_shift(True) for n in range(400)}
    assert all(w % 7 == 0 and 0 < abs(w) <= 182 for w in weeks)


def test_whole_weeks_keep_weekdays() -> None:
    done = Deidentifier(KEY, whole_weeks=True).apply(note("Seen on Tuesday, March 2, 2021."))
    day = re.search(r"(\w+ \d+, \d{4})", done.note.text.split(", ", 1)[1])
    assert day is not None
    assert datetime.datetime.strptime(day[1], "%B %d, %Y").weekday() == 1
    assert "Tuesday" in done.note.text


def test_a_note_that_is_done_stays_as_it_is() -> None:
    plain = Deidentifier(KEY)
    once = plain.apply(note(canary.NOTE))
    twice = plain.apply(once.note)
    assert twice.note == once.note and twice.replacements == ()


def test_nothing_of_the_canary_is_left() -> None:
    done = Deidentifier().apply(note(canary.NOTE))
    assert canary.leaks([done.note.text, repr(done)]) == []
    assert done.counts() == {"date": 2, "mrn": 1, "name": 2, "phone": 1}


def test_known_names_are_found_wherever_they_stand() -> None:
    text = "Then Xqzt went home; xqzt was well."
    assert find(text) == []
    done = Deidentifier(KEY).apply(note(text), known=["Xqzt"])
    assert "xqzt" not in done.note.text.lower()


def test_ids_can_be_coded() -> None:
    plain = Deidentifier(KEY, code_ids=True)
    one, two = (plain.apply(note("Well.", canary.MRN, number)).note for number in ("1", "2"))
    assert one.subject_id == two.subject_id and one.note_id != two.note_id
    assert re.fullmatch(r"P-[0-9a-f]{12}", one.subject_id)


def test_offsets_inside_a_replacement_widen_to_it() -> None:
    places = OffsetMap(((3, 7, 3, 9),))
    assert places.to_stored(0, 3) == (0, 3)
    assert places.to_stored(5, 6) == (3, 9)
    assert places.to_original(9, 12) == (7, 10)


def test_the_vault_turns_notes_back_and_holds_nothing_in_clear(tmp_path: Path) -> None:
    key = new_key(tmp_path / "keys" / "notes.key")
    plain = Deidentifier(key, code_ids=True)
    before = note(canary.NOTE, canary.MRN)
    done = plain.apply(before)
    vault = Vault(tmp_path / "safe" / "vault", key, notes=[tmp_path / "out" / "notes"])
    file = vault.write(plain, [(before, done)])
    assert canary.leaks([file.read_bytes().decode("latin-1"), file.name]) == []
    assert list(vault.restore([done.note])) == [before]
    assert next(vault.read()).day_shift == plain.day_shift(before)


def test_a_vault_of_another_key_or_a_changed_one_is_refused(tmp_path: Path) -> None:
    plain = Deidentifier(KEY)
    before = note("Mrs. Kowalska is well.")
    file = Vault(tmp_path / "v", KEY).write(plain, [(before, plain.apply(before))])
    with pytest.raises(InputError, match="another key"):
        list(Vault(tmp_path / "v", bytes(32)).read())
    raw = bytearray(file.read_bytes())
    raw[-1] ^= 1
    file.write_bytes(bytes(raw))
    with pytest.raises(InputError, match="was changed"):
        list(Vault(tmp_path / "v", KEY).read())


@pytest.mark.parametrize("where", ["notes", "notes/vault", "vault", "."])
def test_a_vault_never_lies_with_the_notes(tmp_path: Path, where: str) -> None:
    with pytest.raises(InputError, match="apart from them"):
        Vault(tmp_path / where, KEY, notes=[tmp_path / "notes"])


def test_keys_are_read_only_from_files_of_their_owner(tmp_path: Path) -> None:
    path = tmp_path / "key"
    key = new_key(path)
    assert read_key(path) == key and path.stat().st_mode & 0o077 == 0
    with pytest.raises(InputError, match="never overwritten"):
        new_key(path)
    path.chmod(0o644)
    with pytest.raises(InputError, match="mode 600"):
        read_key(path)
    path.chmod(0o600)
    path.write_text("12", "ascii")
    with pytest.raises(InputError, match="64 hexadecimal"):
        read_key(path)
    with pytest.raises(InputError, match="no such file"):
        read_key(tmp_path / "none")
    with pytest.raises(InputError, match="fewer than 32"):
        Deidentifier(b"short")


def test_a_note_that_the_vault_does_not_describe_is_refused(tmp_path: Path) -> None:
    plain = Deidentifier(KEY)
    before = note("Mrs. Kowalska is well.")
    vault = Vault(tmp_path / "v", KEY)
    vault.write(plain, [(before, plain.apply(before))])
    with pytest.raises(InputError, match="holds nothing of it"):
        list(vault.restore([note("Well.", number="9")]))
    with pytest.raises(InputError, match="not the text"):
        list(vault.restore([note("M")]))
