from __future__ import annotations

from collections import Counter

import pytest

from tests.notes.bank_loader import ASSERTIONS, Snippet, load_bank, parse

CELLS = [
    ("age", "present"),
    ("sex", "present"),
    *(("condition", assertion) for assertion in ASSERTIONS),
    *((t, a) for t in ("medication", "symptom", "adverse_event") for a in ASSERTIONS[:4]),
    *((t, a) for t in ("vital", "laboratory") for a in ("present", "historical")),
]


@pytest.fixture(scope="module", params=["dev", "test"])
def half(request: pytest.FixtureRequest) -> list[Snippet]:
    return load_bank(request.param)


def test_spans_index_the_plain_text(half: list[Snippet]) -> None:
    for snippet in half:
        assert "[[" not in snippet.text
        assert "]]" not in snippet.text
        assert all(snippet.text[f.start : f.stop] == f.text for f in snippet.facts)


def test_every_type_and_assertion_has_a_dozen_snippets(half: list[Snippet]) -> None:
    counts = Counter(cell for s in half for cell in {(f.type, f.assertion) for f in s.facts})
    assert {cell: counts[cell] for cell in CELLS if counts[cell] < 12} == {}


def test_the_halves_share_no_snippet() -> None:
    dev, test = ({s.text for s in load_bank(name)} for name in ("dev", "test"))
    assert not dev & test


def test_a_bracket_inside_a_mark_is_matched() -> None:
    text, (fact,) = parse("BP [[128|vital|name=systolic_blood_pressure;value=128;unit=mm[Hg]]]/76")
    assert text == "BP 128/76"
    assert (fact.unit, fact.value, fact.start, fact.stop) == ("mm[Hg]", 128.0, 3, 6)


@pytest.mark.parametrize(
    "block", ["[[rash|symptom", "[[rash]]", "[[rash|disease]]", "[[rash|symptom|grade=2]]"]
)
def test_a_faulty_mark_is_refused(block: str) -> None:
    with pytest.raises(ValueError, match="mark"):
        parse(block)
