"""The evaluation sees what it must see, and keeps quiet where nothing is wrong.

Samples are simulated, so that what is wrong with each of them is known.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from generation.evaluation import evaluate
from generation.evaluation.closeness import fidelity
from generation.evaluation.reference import Fold, Reference
from generation.evaluation.tables import Table, align
from tests.support.evaluation_support import cohort, frame, renamed, schema

N = 300


@pytest.fixture(scope="module")
def train():
    return cohort(N, 1, "T")


@pytest.fixture(scope="module")
def holdout():
    return cohort(N, 2, "H")


@pytest.fixture(scope="module")
def fresh(train, holdout):
    """Real patients that nobody has seen, handed in as synthetic ones."""
    return evaluate(cohort(N, 3, "S"), train, holdout)


@pytest.fixture(scope="module")
def copied(train, holdout):
    rows = np.random.default_rng(4).integers(N, size=N)
    return evaluate(renamed(train.to_table().iloc[rows]), train, holdout)


@pytest.fixture(scope="module")
def independent(train, holdout):
    table = train.to_table()
    rng = np.random.default_rng(5)
    for name in table.columns.drop("subject_id"):
        table[name] = table[name].to_numpy()[rng.permutation(N)]
    return evaluate(renamed(table), train, holdout)


def test_fresh_real_patients_are_not_called_bad(fresh):
    # Seventeen metrics, 5 % of alarms each at most: five or more in fewer than 1 of 500 seeds.
    worse = [m.name for m in fresh.metrics if m.verdict == "worse"]
    assert len(worse) < 5


@pytest.mark.parametrize("name", ["exact_matches", "impossible_rows", "membership_distance"])
def test_fresh_real_patients_give_nobody_away(fresh, name):
    assert fresh[name].verdict != "worse"


def test_false_alarms_keep_to_their_rate():
    """Real against real: at most 2.5 % of the verdicts of a metric may be "worse".

    12 repeats; the limit is mean + 1.96 SD of 40 splits, so up to 5 % is allowed for, and more
    than 4 of 12 come by chance in fewer than 1 of 5,000 runs.
    """
    rng = np.random.default_rng(6)
    alarms: dict[str, int] = {}
    for repeat in range(12):
        tables = align(schema(), [frame(100, rng) for _ in range(3)], real=[0, 1])
        fold = Fold(np.arange(100), np.arange(100, 200), 100, 100)
        reference = Reference(Table.concat(tables[:2]), (fold,), repeat)
        for metric in fidelity(reference, [tables[2]]):
            alarms[metric.name] = alarms.get(metric.name, 0) + (metric.verdict == "worse")
    limit = binom.isf(2e-4, 12, 0.05)
    assert max(alarms.values()) <= limit, alarms


@pytest.mark.parametrize("name", ["membership_distance", "dcr_share", "exact_matches"])
def test_a_copy_is_called_a_copy(copied, name):
    assert copied[name].verdict == "worse"


@pytest.mark.parametrize("name", ["marginals", "pairs", "lag_one"])
def test_a_copy_is_faithful(copied, name):
    # It carries its training patients' own sampling error, so that it may just miss the limit.
    found = copied[name]
    real, planted = (found.controls[c].value for c in ("real", "planted"))
    assert abs(found.value - real) < abs(planted - real) / 2


@pytest.mark.parametrize("name", ["pairs", "worst_pair", "lag_one", "two_sample_auc"])
def test_independent_marginals_are_caught(independent, name):
    assert independent[name].verdict == "worse"


def test_independent_marginals_have_right_marginals(independent):
    assert independent["marginals"].verdict == "within real-against-real"


def test_independent_marginals_are_of_no_use(independent):
    assert independent["utility:SCORE@Week 24"].verdict == "worse"


def test_one_broken_correlation_is_caught(train, holdout):
    table = frame(N, np.random.default_rng(7))
    table["STAGE"] = table["STAGE"].to_numpy()[np.random.default_rng(8).permutation(N)]
    for column in [c for c in table if c.startswith("SCORE")]:
        table[column] = table[column].to_numpy()[np.random.default_rng(9).permutation(N)]
    found = evaluate(renamed(table), train, holdout)
    assert found["worst_pair"].verdict == "worse"
    assert found["two_sample_auc"].verdict == "worse"


def test_a_planted_impossible_patient_is_found(train, holdout):
    synthetic = cohort(N, 10, "S")
    synthetic.observations.loc[synthetic.observations.index[0], "day"] = 9_999.0
    found = evaluate(synthetic, train, holdout)["impossible_rows"]
    assert found.verdict == "worse"
    assert found.details["kinds"] == {"after_follow_up": 1}


def test_small_trials_show_no_privacy():
    found = evaluate(cohort(80, 11, "S"), cohort(80, 12, "T"), cohort(80, 13, "H"))
    assert found["membership_distance"].verdict == "insufficient to show"


def test_small_trials_show_little_fidelity():
    """At 30 patients a side one broken pair passes, so passing shows nothing."""
    found = evaluate(cohort(30, 14, "S"), cohort(30, 15, "T"), cohort(30, 16, "H"))
    assert found["two_sample_auc"].verdict == "not shown"
    assert "not shown" in found["two_sample_auc"].sentence
