"""Addresses and telephone numbers by their form: what has the form and is none stays."""

import pytest

from extraction.notes.deidentification.deidentifier import find


def found(text: str, kind: str) -> list[str]:
    return [text[f.start : f.stop] for f in find(text) if f.kind == kind]


@pytest.mark.parametrize(
    "text",
    [
        "BP 128/76, RR 18, SpO2 98%",
        "T 37.2 P 88 R 18 RR 22 Wt 81\nRR 14\nHR 72",
        "RR 18, Sat 98, HC 35 42 cm, box 3 checked, 5 RT 20 sessions.",
        "Enoxaparin 40 units sq daily; 2 Head CT scans; 1 abdominal ct; 2 Axillary LN positive.",
        "A 10 minute walk, a 3 beat run of VT, 6 Minute Walk test, 2 Degree AV block, 12 Lead ST.",
        "2 mm st depression, 3 New ST elevations, 20 Gauge Pl, 2 Dr visits.",
        "BNP 1200 Troponin, WBC 12000 Platelets, in 2019 Colonoscopy, clear.",
    ],
)
def test_vital_signs_doses_and_findings_are_no_address(text: str) -> None:
    assert find(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Address: RR 4, Salem, OH 44460", ["RR 4", "Salem", "44460"]),
        ("Mail to RR 4 Box 112.", ["RR 4 Box 112"]),
        ("She lives at RR 3.", ["RR 3"]),
        ("Lives at 12 First St, Leeds.", ["12 First St", "Leeds"]),
        ("Home: 45 oak dr", ["45 oak dr"]),
        ("P.O. Box 77", ["P.O. Box 77"]),
    ],
)
def test_addresses_with_such_words_are_found(text: str, expected: list[str]) -> None:
    assert found(text, "geographic") == expected


@pytest.mark.parametrize(
    "number",
    [
        "020 7946 0018",
        "(020) 7946 0018",
        "07700 900123",
        "07700 900 123",
        "07700900123",
        "0161 496 0000",
        "01632 960 001",
        "0412 345 678",
        "02 9876 5432",
        "(02) 9876 5432",
        "1300 975 707",
        "06 12 34 56 78",
        "01.42.68.53.00",
        "030 12345678",
        "089/1234567",
    ],
)
@pytest.mark.parametrize(
    "text", ["{}", "Write to ana.pop@example.org, {}, or wait.", "Call 555-0143. {}. Done."]
)
def test_national_telephone_numbers_are_found_whole(number: str, text: str) -> None:
    assert number in found(text.format(number), "phone")


def test_lists_of_values_are_no_telephone_number() -> None:
    assert find("0 5 10 15 20 30 min; at 0800 1400 2200; 0.5 012 333; 00 12 34") == []
