"""Constraints are met exactly: what is kept follows the engine's law given that they hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from extraction.records import Cohort, CohortSchema, InputError, RefusedError, Variable
from extraction.records.constraints import violations
from generation import fit
from generation.constrained import constrained, first_draw_rate
from generation.randomness import Stream, decision_id
from generation.request import SampleRequest, SamplingReport, subject_names
from tests.support.generation_support import constrained_trial

N_TRAIN = 500


def schema(*constraints: dict[str, object]) -> CohortSchema:
    variables = tuple(Variable(name=name, kind="continuous") for name in ("A", "B", "C"))
    return CohortSchema(study_id="NORMAL", variables=variables).replace(constraints=constraints)


def normals(declared: CohortSchema):
    """An engine of three independent standard normals, keyed by patient."""

    def draw(request: SampleRequest) -> tuple[Cohort, SamplingReport]:
        assert request.given is None
        stream = Stream(request.seed, "normals")
        columns = {
            name: stream.normal(patient=request.patients, decision=decision_id(name))
            for name in "ABC"
        }
        frame = pd.DataFrame({"subject_id": subject_names(request.patients), **columns})
        source = pd.DataFrame([{"source_id": "synthetic:normals", "kind": "table", "action": "-"}])
        cohort = Cohort.build(declared, frame, sources=source)
        return cohort, SamplingReport(request.n, N_TRAIN)

    return draw


def asked(n: int, given: object = None, seed: int = 1) -> SampleRequest:
    return SampleRequest(np.arange(n), given, seed=seed)


def test_redraws_follow_the_law_given_the_constraint() -> None:
    declared = schema({"kind": "order", "columns": ("A", "B")})
    n = 4000
    sample, report = constrained(normals(declared), asked(n), declared)
    a, b = (sample.subjects[name].to_numpy() for name in "AB")
    assert (a <= b).all()
    z = 4.4  # two-sided false-alarm rate 1e-5
    assert report.constraint_rate == pytest.approx(0.5, abs=z * np.sqrt(0.25 / n))
    # The smaller of two standard normals has mean -1/sqrt(pi) and variance 1 - 1/pi.
    for values, mean in ((a, -1 / np.sqrt(np.pi)), (b, 1 / np.sqrt(np.pi))):
        assert values.mean() == pytest.approx(mean, abs=z * np.sqrt((1 - 1 / np.pi) / n))
    assert first_draw_rate(normals(declared), declared) == pytest.approx(
        0.5, abs=z * np.sqrt(0.25 / 512)
    )


def test_a_redraw_belongs_to_its_patient() -> None:
    declared = schema({"kind": "order", "columns": ("A", "B", "C"), "strict": True})
    many = constrained(normals(declared), asked(200), declared)[0]
    few = constrained(normals(declared), asked(10), declared)[0]
    part = SampleRequest(np.array([3, 77, 150]), seed=1)
    some = constrained(normals(declared), part, declared)[0]
    assert few.subjects.equals(many.subjects[:10])
    assert some.subjects.equals(many.subjects.iloc[[3, 77, 150]].reset_index(drop=True))


def test_computed_columns_are_computed_and_conditions_on_them_are_met_exactly() -> None:
    declared = schema({"kind": "sum", "total": "C", "parts": ("A", "B")})
    draw = normals(declared)
    sample, report = constrained(draw, asked(50), declared)
    assert report.constraint_rate == 1
    assert np.allclose(sample.subjects["C"], sample.subjects["A"] + sample.subjects["B"])
    n = 3000
    given = {"C": ">=1"}
    above, told = constrained(draw, asked(n, given), declared)
    # A + B is normal with variance 2; E(A | A + B >= 1) = phi(t) / (1 - Phi(t)) / sqrt(2),
    # t = 1/sqrt(2): phi(.7071) = .31069, 1 - Phi(.7071) = .23975 (NIST normal tables).
    expected = 0.31069 / 0.23975 / np.sqrt(2)
    values = above.subjects["A"].to_numpy()
    assert above.subjects["C"].min() >= 1
    assert values.mean() == pytest.approx(expected, abs=4.4 * values.std() / np.sqrt(n))
    assert told.region_probability == pytest.approx(0.23975, abs=4.4 * np.sqrt(0.18 / 512))


def test_a_condition_on_a_computed_column_stands_before_the_gate() -> None:
    declared = schema({"kind": "sum", "total": "C", "parts": ("A", "B")})
    with pytest.raises(RefusedError, match="at least 20 are needed"):
        constrained(normals(declared), asked(5, {"C": ">=2.9"}), declared)
    with pytest.raises(InputError, match="none of 4096 patients"):
        constrained(normals(declared), asked(5, {"C": ">=40"}), declared)
    open_gate = replace(asked(5, {"C": ">=2.9"}), gate=False)
    sample = constrained(normals(declared), open_gate, declared)[0]
    assert sample.subjects["C"].min() >= 2.9


def test_what_cannot_be_met_is_given_up_with_its_rate() -> None:
    declared = schema({"kind": "order", "columns": ("A", "B")})

    def never(request: SampleRequest) -> tuple[Cohort, SamplingReport]:
        cohort, report = normals(declared)(request)
        return replace(cohort, subjects=cohort.subjects.assign(A=9.0)), report

    with pytest.raises(InputError, match=r"40 of 40 patients .* A <= B is met by 0.0% of draws"):
        constrained(never, asked(40), declared)


def test_nothing_follows_an_end_and_histories_stay_as_they_are() -> None:
    cohort = constrained_trial(80, seed=2)
    model = fit(cohort, "cart", seed=1)
    sample = model.sample(60, seed=3)
    assert violations(sample)["violating"].sum() == 0
    until = sample.subjects["observed_until"].to_numpy()
    happened = sample.endpoint("event")
    seen = happened["observed"].to_numpy()
    assert seen.any()
    assert (until[seen] <= happened["day"].to_numpy()[seen]).all()
    checked = Cohort.build(
        sample.schema, sample.subjects, sample.observations, sample.derived, sample.episodes,
        sample.events, sample.sources,
    )
    assert checked.digest() == sample.digest()
