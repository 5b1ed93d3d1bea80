"""What the rules reach on the bank; a change of cues or terms must not lose it.

`dev` was looked at while writing the rules; `test` was not, and only its totals are compared here.
"""

from __future__ import annotations

from functools import cache

import pytest

from extraction.notes import load_pipeline
from extraction.notes.scoring import Scores, score
from tests.notes.bank_loader import TYPES, as_in_bank, load_bank


@cache
def scores(half: str) -> Scores:
    nlp = load_pipeline("fast")
    bank = load_bank(half)
    docs = nlp.pipe([s.text for s in bank])
    found = ([as_in_bank(f) for f in doc._.facts if f.type in TYPES] for doc in docs)
    return score((facts, s.facts) for facts, s in zip(found, bank, strict=True))


@pytest.mark.parametrize(("half", "least"), [("dev", 0.985), ("test", 0.92)])
def test_all_facts(half: str, least: float) -> None:
    assert scores(half).strict.f1 >= least
    assert scores(half).relaxed.f1 >= scores(half).strict.f1


@pytest.mark.parametrize("half", ["dev", "test"])
@pytest.mark.parametrize("kind", TYPES)
def test_no_type_is_left_behind(half: str, kind: str) -> None:
    assert scores(half).types[kind].f1 >= 0.85


@pytest.mark.parametrize("half", ["dev", "test"])
def test_attributes_of_matched_facts(half: str) -> None:
    for name, (right, of) in scores(half).attributes.items():
        assert right >= 0.92 * of, name
