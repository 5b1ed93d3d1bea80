from __future__ import annotations

import numpy as np
import pytest

from extraction.records.units import convert
from generation.narratives.measurements import (
    PRECISION,
    Concept,
    Observed,
    concept_of,
    concepts,
    converted,
    plain,
    written,
)
from generation.narratives.phrases import Chooser, Mark, assemble, fill, load, phrases

BY_NAME = {concept.name: concept for concept in concepts().values()}
SCALED = [(c, unit) for c in BY_NAME.values() for unit in c.scales if len(c.scales) > 1]


@pytest.mark.parametrize(("concept", "unit"), SCALED, ids=lambda v: getattr(v, "name", v))
def test_factors_agree_with_the_units_of_the_record(concept: Concept, unit: str) -> None:
    base = next(iter(concept.units))
    mass = load("measurements.yaml")[concept.name].get("molar_mass")
    if {base, unit} == {"mmol/L", "meq/L"}:
        assert concept.convert(140.0, base, unit) == 140.0  # ions of one charge
        return
    values = np.array([0.5, 36.6, 120.0])
    expected = convert(values, base, unit, molar_mass=mass)
    got = [concept.convert(v, base, unit) for v in values]
    np.testing.assert_allclose(got, expected, rtol=1e-9)
    back = [concept.convert(v, unit, base) for v in got]
    np.testing.assert_allclose(back, values, rtol=1e-12)


def test_known_conversions() -> None:
    # 98.6 F is 37 C; 1 lb is 0.45359237 kg (exact by definition); glucose 18.016 mg/dL a mmol/L.
    assert converted(BY_NAME["temperature"], 37.0, "Cel", "[degF]") == "98.6"
    assert converted(BY_NAME["weight"], 45.359237, "kg", "[lb_av]") == "100"
    assert converted(BY_NAME["glucose"], 5.5, "mmol/L", "mg/dL") == "99.1"


@pytest.mark.parametrize(("concept", "unit"), SCALED, ids=lambda v: getattr(v, "name", v))
def test_a_converted_value_reads_back_within_the_stated_share(concept: Concept, unit: str) -> None:
    base = next(iter(concept.units))
    for value in np.geomspace(0.5, 500, 60).round(3).tolist():
        text = converted(concept, value, base, unit)
        assert text is not None
        back = concept.convert(float(text), unit, base)
        assert abs(back - value) <= PRECISION * value


def test_a_value_too_small_for_the_other_unit_stays_in_the_records() -> None:
    creatinine = BY_NAME["creatinine"]
    assert converted(creatinine, 0.0001, "umol/L", "mg/dL") is None
    marks = [written(creatinine, Observed("CREAT", 0.0001, "umol/L", d))[0] for d in (0.1, 0.9)]
    assert {(m.text, m.attributes["unit"]) for m in marks} == {("0.0001", "umol/L")}


def test_a_value_in_the_records_unit_is_printed_as_recorded() -> None:
    texts = [plain(BY_NAME["calcium"], v) for v in (120.0, 2.71955, 0.05, 0.0)]
    assert texts == ["120", "2.71955", "0.05", "0"]


def test_a_value_of_too_many_decimals_is_shortened_within_the_stated_share() -> None:
    assert plain(BY_NAME["pulse"], 72.123456789) == "72.1"


def test_a_unit_without_a_phrasing_is_left_as_it_came() -> None:
    mark, spelling, _ = written(BY_NAME["glucose"], Observed("GLUC", 5.5, "g/L", 0.7))
    assert (mark.text, spelling, mark.attributes["unit"]) == ("5.5", "g/L", "g/L")


def test_variables_are_known_without_case_and_strange_ones_are_not() -> None:
    concept = concept_of("sysbp")
    assert concept is not None and concept.name == "systolic_blood_pressure"
    assert concept_of("UNHEARD_OF") is None


def test_a_chooser_spreads_evenly_over_several_choices() -> None:
    # 4,000 draws on a fine grid; each of 3 x 4 outcomes is due a twelfth.
    draws = (np.arange(4000) + 0.5) / 4000
    seen: dict[tuple[int, int], int] = {}
    for draw in draws:
        chooser = Chooser(float(draw))
        outcome = (chooser.pick(range(3)), chooser.pick(range(4)))
        seen[outcome] = seen.get(outcome, 0) + 1
    assert len(seen) == 12
    assert max(seen.values()) - min(seen.values()) <= 2


def test_pieces_are_put_together_with_their_spans() -> None:
    pieces = fill("No {items}.", items=Mark("rash", "symptom", {"assertion": "absent"}))
    text, (fact,) = assemble(pieces)
    assert text == "No rash."
    assert (fact.start, fact.stop, fact.assertion) == (3, 7, "absent")


def test_every_recorded_code_leads_to_a_word() -> None:
    words = phrases()
    for codes, wordings in (("route_codes", "routes"), ("frequency_codes", "frequencies")):
        assert {code for code in words[codes].values() if code} <= set(words[wordings])
