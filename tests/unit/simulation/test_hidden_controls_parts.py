"""Parts of the benchmark of hidden controls: pseudo-values, tilting, intervals, hiding."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from benchmarks.hidden_controls_data import actg320, bank, pilot, tilted
from benchmarks.hidden_controls_methods import Answer, Trials, external_only, weighted_external
from benchmarks.hidden_controls_real import historical
from simulation.analysis.external.time_to_event import pseudo_values
from simulation.analysis.external.weighted import weighted_difference
from simulation.analysis.survival import restricted_mean


def test_pseudo_values_are_the_outcome_without_censoring():
    time = np.array([3.0, 8.0, 20.0, 12.0])
    assert pseudo_values(time, np.ones(4), 10.0) == pytest.approx([3, 8, 10, 10])


def test_pseudo_values_average_to_the_restricted_mean():
    """Up to the jackknife's small-sample error, a hundredth of the standard error here."""
    rng = np.random.default_rng(5)
    time, event = rng.exponential(100, 300), (rng.random(300) < 0.7).astype(float)
    area, se = restricted_mean(time, event, 80.0)
    values = pseudo_values(time, event, 80.0)
    assert values.mean() == pytest.approx(area, abs=0.01 * se)
    assert values.std(ddof=1) / np.sqrt(300) == pytest.approx(se, rel=0.02)


def test_tilting_reaches_its_aims_and_refuses_what_nobody_has():
    rng = np.random.default_rng(1)
    moments = rng.normal(size=(200, 2))
    chances = tilted(moments, np.array([0.5, 0.0]))
    assert chances.sum() == pytest.approx(1)
    assert chances @ moments == pytest.approx([0.5, 0.0], abs=1e-4)
    with pytest.raises(ValueError, match="too large"):
        tilted(moments, np.array([50.0, 0.0]))


def test_an_unmeasured_drift_keeps_the_baseline():
    people = bank("pilot")
    chances = people.drifted("unmeasured", 0.3)
    assert chances @ people.y == pytest.approx(-0.3, abs=1e-3)
    assert chances @ people.x == pytest.approx(people.x.mean(axis=0), rel=1e-3)
    assert people.drifted("measured", 0.5) @ people.score < people.score.mean()


def test_intervals_are_those_of_the_law():
    centre = np.array([0.0, 5.0])
    answer = Answer(centre, lambda v: stats.norm.cdf(v, centre, [1.0, 2.0]))
    low, high = answer.interval()
    assert low == pytest.approx(centre - 1.959964 * np.array([1, 2]), abs=1e-5)
    assert high == pytest.approx(centre + 1.959964 * np.array([1, 2]), abs=1e-5)
    assert answer.covers(1.5).tolist() == [True, True]
    assert answer.covers(0.5).tolist() == [True, False]


def test_methods_are_those_of_a_single_trial():
    trial = pilot("ADAS")
    treated, others = trial.treated, ~trial.treated
    none = np.zeros(treated.size, dtype=bool)
    batch = Trials(trial.y[treated][None], trial.x[treated][None], trial.y[none][None],
                   trial.x[none][None], trial.y[others][None], trial.x[others][None],
                   trial.group[others])
    found = external_only(batch, np.random.default_rng(0))["propensity weights"]
    single = weighted_difference(trial.y, treated.astype(float), trial.x)
    assert found.estimate[0] == pytest.approx(single.estimate)
    assert found.interval()[0][0] == pytest.approx(single.low, abs=1e-6)
    plain = weighted_external(batch.y0, np.ones_like(batch.y0), batch.source)
    assert plain.mean[0] == pytest.approx(trial.y[others].mean())
    assert plain.se[0] == pytest.approx(stats.sem(trial.y[others]))
    assert plain.means.shape == (1, 3)


def test_groups_hold_both_arms_and_sites_stay_whole():
    for trial in (actg320("random"), actg320("case mix"), pilot("ADAS"), pilot("dermatologic")):
        for group in range(3):
            mine = trial.group == group
            assert min(trial.treated[mine].sum(), (~trial.treated[mine]).sum()) > 10
    first, second = pilot("ADAS"), pilot("dermatologic")
    for trial in (first, second):
        sites = [i.split("-")[1] for i in trial.ids]
        assert len(set(zip(sites, trial.group, strict=True))) == len(set(sites))
    home = dict(zip(second.ids, second.group, strict=True))
    assert all(home[i] == g for i, g in zip(first.ids, first.group, strict=True))


def test_the_older_trial_is_refused():
    found = historical(1)
    assert not found.verdict.borrow
    assert any(reason.startswith("endpoint event") for reason in found.verdict.reasons)
    assert any("log CD4" in reason for reason in found.verdict.reasons)
    assert found.randomised[1] < found.randomised[0] < found.randomised[2]
