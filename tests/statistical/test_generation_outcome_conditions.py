"""Conditions on visits and endpoints against brute force: a large sample, filtered.

Allowed: z = 4.4 standard errors of both sides (false-alarm rate 1 in 100,000 a comparison, some
fifty comparisons). The share of a region stands on the first 100 patients of a fixed lot who are in
it, so its own relative standard error is a tenth at most.
"""

from functools import cache

import numpy as np
import pandas as pd
import pytest

from extraction.records import (
    Cohort,
    CohortSchema,
    Endpoint,
    InputError,
    RefusedError,
    Variable,
    conditions,
)
from generation import fit
from generation.constrained import constrained
from generation.engine import Model
from generation.randomness import Stream, decision_id
from generation.request import SampleRequest, SamplingReport, subject_names
from tests.support.generation_support import simulated_trial

Z, LARGE, DRAWS = 4.4, 8000, 500
OPTIONS = {"twin": {"epochs": 20, "members": 1}, "mixture": {"classes": 3}, "cart": {}}
REGIONS = {
    "visit": {"SCORE@Week 24": ">=55"},
    "endpoint": {"event_time": "<=60"},
    "both": {"event_event": 1, "SCORE@Week 8": "<50"},
    "either": {"any": [{"AGE": ">75"}, {"SCORE@Week 16": ">=62"}]},
}


@cache
def model(engine: str) -> Model:
    return fit(simulated_trial(300, seed=3), engine, seed=1, **OPTIONS[engine])


@cache
def crowd(engine: str) -> Cohort:
    return model(engine).sample(LARGE, seed=9)


def columns(cohort: Cohort) -> dict[str, np.ndarray]:
    return {
        "AGE": cohort.subjects["AGE"].to_numpy(dtype=float),
        "LAB": cohort.subjects["LAB"].to_numpy(dtype=float),
        "women": (cohort.subjects["SEX"] == "F").to_numpy(dtype=float),
        "active": (cohort.subjects["arm"] == "Active").to_numpy(dtype=float),
        "week 16": cohort.at_visit("SCORE", "Week 16").to_numpy(dtype=float),
        "event": cohort.endpoint("event")["observed"].to_numpy(dtype=float),
    }


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("engine", OPTIONS)
def test_a_condition_on_the_outcome_agrees_with_brute_force(engine: str, region: str) -> None:
    given = REGIONS[region]
    sample, report = model(engine).sample_with_report(DRAWS, given, seed=2)
    assert len(sample) == DRAWS
    assert (sample.mask(given) == 1).all()
    inside = crowd(engine).mask(given) == 1
    share = float(inside.mean())
    spread = share * np.sqrt(1 / 100 + (1 - share) / share / LARGE)
    assert report.region_probability == pytest.approx(share, abs=Z * spread)
    assert report.effective_sample_size == 1
    assert 1 <= report.draws_per_patient < 3 / share
    assert "exact rejection" in report.method
    expected = columns(crowd(engine).take(inside))
    for name, values in columns(sample).items():
        mine, truth = values[~np.isnan(values)], expected[name][~np.isnan(expected[name])]
        error = np.sqrt(mine.var() / len(mine) + truth.var() / len(truth))
        assert mine.mean() == pytest.approx(truth.mean(), abs=Z * error + 1e-9), name


@pytest.mark.parametrize("engine", OPTIONS)
def test_a_patient_belongs_to_the_number_and_a_rare_region_is_refused(engine: str) -> None:
    given = {"SCORE@Week 24": ">=55", "AGE": "<=70"}
    many = model(engine).sample(60, given, arm="Active", seed=5)
    few = model(engine).sample(7, given, arm="Active", seed=5)
    later = model(engine).sample(9, given, arm="Active", seed=5, first=4)
    assert set(many.subjects["arm"]) == {"Active"}
    assert few.digest() == many.select(few.subject_ids).digest()
    assert later.digest() == many.select(later.subject_ids).digest()
    scores = crowd(engine).at_visit("SCORE", "Week 24").to_numpy(dtype=float)
    rare = {"SCORE@Week 24": [float(np.nanquantile(scores, 0.97)), None]}
    for n in (1, 30):
        with pytest.raises(RefusedError, match=r"at least 20 are needed.*Widen the conditions"):
            model(engine).sample(n, rare, seed=n)
    assert len(model(engine).sample(8, rare, gate=False)) == 8


def test_a_mixture_meets_a_visit_without_rejection() -> None:
    report = model("mixture").sample_with_report(200, REGIONS["visit"], seed=2)[1]
    assert report.draws_per_patient < 1.3  # dropout takes some visits away


def test_engines_that_are_not_keyed_meet_it_as_well() -> None:
    sdv = fit(simulated_trial(150, seed=3), "sdv-gaussian-copula", seed=1)
    given = {"SCORE@Week 8": ">=50", "SEX": "F"}
    sample, report = sdv.sample_with_report(60, given, seed=2)
    assert (sample.mask(given) == 1).all()
    assert len(set(sample.subject_ids)) == len(sample) == 60
    assert sample.subjects["AGE"].nunique() > 15  # redraws are no copies
    assert report.draws_per_patient > 1
    assert sdv.sample(60, given, seed=2).digest() == sample.digest()


def waiting_times(declared: CohortSchema):
    """An engine of exponential days of death (mean 100) and of censoring (mean 200)."""

    def draw(request: SampleRequest) -> tuple[Cohort, SamplingReport]:
        assert request.given is None
        stream = Stream(request.seed, "times")
        death, end = (
            -mean * np.log(stream.uniform(patient=request.patients, decision=decision_id(name)))
            for name, mean in (("death", 100.0), ("end", 200.0))
        )
        names = subject_names(request.patients)
        events = pd.DataFrame({
            "subject_id": names, "endpoint": "death", "day": np.minimum(death, end),
            "observed": death <= end, "cause": np.where(death <= end, "event", None),
        })
        subjects = pd.DataFrame({"subject_id": names, "X": end})
        source = pd.DataFrame([{"source_id": "synthetic:times", "kind": "table", "action": "-"}])
        cohort = Cohort.build(declared, subjects, events=events, sources=source)
        return cohort, SamplingReport(request.n, 5000)

    return draw


SCHEMA = CohortSchema(
    study_id="TIMES",
    variables=(Variable(name="X", kind="continuous"),),
    endpoints=(Endpoint(name="death"),),
)


def test_a_rare_event_is_drawn_by_its_exact_law_and_by_number() -> None:
    n, rate = 1500, 1 / 100 + 1 / 200
    rare = {"death_time": "<=2"}
    draw = waiting_times(SCHEMA)
    sample, report = constrained(draw, SampleRequest(np.arange(n), rare, seed=4), SCHEMA)
    days = sample.endpoint("death")["day"].to_numpy(dtype=float)
    # Seen deaths by day 2: (1/100) / rate * (1 - exp(-2 rate)); nearly even within two days.
    share = (1 / 100) / rate * (1 - np.exp(-2 * rate))
    assert report.region_probability == pytest.approx(share, abs=Z * share / np.sqrt(80))
    assert report.draws_per_patient * share < 2
    mean = 1 / rate - 2 * np.exp(-2 * rate) / (1 - np.exp(-2 * rate))
    assert days.max() <= 2
    assert days.mean() == pytest.approx(mean, abs=Z * days.std() / np.sqrt(n))
    part = constrained(draw, SampleRequest(np.array([0, 8, 700]), rare, seed=4), SCHEMA)[0]
    assert part.digest() == sample.select(part.subject_ids).digest()
    assert len(part) == 3


def test_a_tree_of_another_schema_is_refused_by_name() -> None:
    late = conditions.Interval(high=9.0)
    strange = conditions.Not(conditions.Test(conditions.Target("death_tiem"), late))
    with pytest.raises(InputError, match="did you mean death_time"):
        constrained(waiting_times(SCHEMA), SampleRequest(np.arange(3), strange), SCHEMA)


def test_what_no_patient_meets_is_said_plainly() -> None:
    never = {"death_time": "<0"}
    with pytest.raises(InputError, match=r"none of 4096 patients .* death_time < 0; widen it"):
        constrained(waiting_times(SCHEMA), SampleRequest(np.arange(3), never), SCHEMA)
