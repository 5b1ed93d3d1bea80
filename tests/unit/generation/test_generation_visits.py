from functools import cache

import numpy as np
import pytest
from scipy import stats

from extraction.records import Cohort, Variable
from generation import fit
from generation.randomness import Stream
from generation.twin_model.attendance import GapModel, fit_gaps, fit_panel
from generation.twin_model.conformal import LEVELS, Calibration, between, scores, summarised
from generation.twin_model.course import Clock, Course, CourseRun, MarkerEffect, marker_design
from generation.twin_model.hazards import Hazard
from generation.twin_model.lens import fit_lens, preferred_digits
from generation.twin_model.memory import History, Occasion
from generation.twin_model.model import TwinModel
from generation.twin_model.outcome import EndpointModel, OutcomeModel
from generation.twin_model.transforms import PowerScale, fit_residuals, fit_scale
from tests.support.generation_support import simulated_trial


@pytest.mark.parametrize("power", [1.0, 0.5, 0.0, -0.5, -1.0])
def test_a_power_scale_goes_forth_and_back(power: float) -> None:
    values = np.array([0.3, 1.0, 4.0, 50.0])
    scale = PowerScale(power, 0.1, 0.2, 1.7)
    assert scale.backward(scale.forward(values)) == pytest.approx(values)
    slope = (scale.forward(values + 1e-5) - scale.forward(values - 1e-5)) / 2e-5
    assert scale.log_slope(values) == pytest.approx(np.log(slope), abs=1e-4)


def test_the_logarithm_is_chosen_for_a_measurement_that_changes_by_factors() -> None:
    rng = np.random.default_rng(1)
    last = np.exp(rng.normal(size=400))
    now = last * np.exp(0.3 * rng.normal(size=400))
    assert fit_scale(now, last, 0.0).power == 0.0
    level = rng.normal(100, 5, 400)
    assert fit_scale(level + rng.normal(size=400) - 200, level - 200, 0.0).power == 1.0


def test_a_residual_law_and_its_distribution_function_are_inverse() -> None:
    law = fit_residuals(np.random.default_rng(2).standard_t(4, 800))
    place = np.concatenate([[1e-6, 1e-4], np.linspace(0.01, 0.99, 50), [1 - 1e-4]])
    assert law.below(law.quantile(place)) == pytest.approx(place, abs=1e-6)
    grid = np.linspace(-80, 80, 200_001)
    mass = np.exp(law.log_density(grid)).sum() * (grid[1] - grid[0])
    assert mass == pytest.approx(1.0, abs=0.01)


def _gaps() -> tuple[GapModel, np.ndarray]:
    rng = np.random.default_rng(3)
    long = rng.random(1500) < 0.5
    gap = np.where(long, rng.normal(360, 12, 1500), rng.normal(180, 8, 1500))
    x = long[:, None].astype(np.float64)
    cut = rng.exponential(2000, 1500)
    came = gap < cut
    return fit_gaps(x, np.minimum(gap, cut), came, np.arange(1500)), x


def test_gaps_keep_the_rhythm_that_the_features_tell() -> None:
    model, _ = _gaps()
    assert model.shares(np.array([[0.0], [1.0]])).sum(axis=1) == pytest.approx(np.ones(2))
    place = (np.arange(400) + 0.5) / 400
    for flag, middle in ((0.0, 180), (1.0, 360)):
        drawn = model.draw(np.full((400, 1), flag), place, np.zeros(400))
        assert np.median(drawn) == pytest.approx(middle, abs=10)


def test_who_has_waited_waits_longer() -> None:
    model, _ = _gaps()
    place = (np.arange(200) + 0.5) / 200
    drawn = model.draw(np.ones((200, 1)), place, np.full(200, 350.0))
    assert drawn.min() >= 350
    fresh = model.draw(np.ones((4000, 1)), (np.arange(4000) + 0.5) / 4000, np.zeros(4000))
    assert np.median(drawn) == pytest.approx(np.median(fresh[fresh > 350]), abs=1.0)


def test_a_gaps_probabilities_add_up_to_its_survival() -> None:
    model, _ = _gaps()
    days = np.arange(1.0, 600.0)
    x = np.ones((len(days), 1))
    came = np.exp(model.log_prob(x, days, np.ones(len(days), dtype=bool)))
    none = np.exp(model.log_prob(x, days + 0.5, np.zeros(len(days), dtype=bool)))
    assert 1 - came.sum() == pytest.approx(none[-1], abs=1e-3)


def _visits(n: int) -> tuple[Occasion, History]:
    history = History.empty(("A", "B", "C"), n)
    nothing = np.zeros((n, 0))
    return Occasion(nothing, nothing, np.zeros(n), np.zeros(n)), history


def test_a_panel_is_measured_together_and_never_empty() -> None:
    here, history = _visits(600)
    rng = np.random.default_rng(4)
    first = rng.random(600) < 0.4
    held = np.column_stack([first, first, ~first | (rng.random(600) < 0.3)])
    panel = fit_panel(here, history, held, np.zeros(600, dtype=np.int64), 1, False, np.arange(600))
    assert panel.leader.tolist() == [-1, 0, -1]
    drawn = panel.draw(here, history, Stream(1, "panel"), np.arange(600), 0)
    assert drawn.any(axis=1).all()
    assert (drawn[:, 0] == drawn[:, 1]).all()
    assert abs(drawn[:, 0].mean() - 0.4) < 3.9 * np.sqrt(0.24 * 2 / 600)
    assert drawn[~drawn[:, 0], 2].all()


def test_what_hardly_ever_lacks_is_not_said_to_stay_away() -> None:
    here, history = _visits(900)
    rng = np.random.default_rng(6)
    everyone = np.ones(900, dtype=bool)
    known = {name: rng.normal(size=900) for name in "ABC"}
    known["B"][:3] = np.nan
    history = history.see(np.zeros(900), everyone, known, True, everyone)
    held = np.column_stack([everyone, rng.random(900) < 0.95, everyone])
    held[:3, 1] = False
    panel = fit_panel(here, history, held, np.zeros(900, dtype=np.int64), 1, False, np.arange(900))
    chance = panel.chance(1, here, history, held.astype(np.float64), 0)
    assert chance.min() > 0.8


def test_a_visit_that_lacks_the_expected_raises_the_hazard_alone() -> None:
    history = History.empty(("A", "B"), 3)
    nothing = np.zeros((3, 0))
    before = marker_design((), ("B",), history, np.zeros(3), nothing)
    assert before[:, 0].tolist() == [0.0, 0.0, 0.0]
    came = np.array([True, True, False])
    values = {"A": np.array([1.0, 1.0, np.nan]), "B": np.array([1.0, np.nan, np.nan])}
    history = history.see(np.full(3, 5.0), came, values, True, came)
    after = marker_design((), ("B",), history, np.zeros(3), nothing)
    assert after[:, 0].tolist() == [0.0, 1.0, 0.0]


def _outcome() -> OutcomeModel:
    nothing = np.zeros(0)
    flat = Hazard(nothing, nothing, np.array([0.0, 1000.0]), np.array([0.0, 10.0]), 0.01)
    death = EndpointModel("death", (flat,), None, True, 0.0, 0.0, None, np.zeros(1))
    return OutcomeModel((death,), None, 1e9, 0.0, {})


def _course(weight: float, n: int) -> CourseRun:
    effect = MarkerEffect("death:1", np.array([weight, 0.0, 0.0]), 0.0, np.zeros(2))
    course = Course(("A",), np.array([40.0]), (effect,))
    nothing = np.zeros((n, 0))
    return course.begin(_outcome(), nothing, nothing, Stream(5, "twin"), np.arange(n), 0.0, True)


def test_without_an_effect_events_come_as_their_hazard_has_them() -> None:
    n, run = 500, _course(0.0, 500)
    history = History.empty(("A",), n)
    for day in (10.0, 25.0, np.inf):
        run.advance(history, np.full(n, day))
    drawn, _ = _outcome().draw_events(np.zeros((n, 0)), Stream(5, "twin"), np.arange(n))["death"]
    # Recorded days lie on a grid of a thousandth.
    assert run.latent()["death:1"] == pytest.approx(drawn, abs=1e-3)
    assert run.bound() == pytest.approx(drawn, abs=1e-3)


def test_events_follow_the_piecewise_hazard_of_the_marker() -> None:
    # Hazard .01 a day until day 50, then .02: the transformed times are unit exponential.
    n, run = 4000, _course(np.log(2.0), 4000)
    history = History.empty(("A",), n)
    run.advance(history, np.full(n, 50.0))
    everyone = np.ones(n, dtype=bool)
    seen = history.see(np.full(n, 50.0), everyone, {"A": np.ones(n)}, True, everyone)
    run.advance(seen, np.full(n, np.inf))
    day = run.latent()["death:1"]
    spent = 0.01 * np.minimum(day, 50) + 0.02 * np.maximum(day - 50, 0)
    # False-alarm rate 1e-4.
    assert stats.kstest(spent, "expon").pvalue > 1e-4
    assert stats.kstest(0.01 * day, "expon").pvalue < 1e-4


def test_a_clock_with_log_factors_is_inverted() -> None:
    hazard = _outcome().endpoints[0].causes[0]
    clock = Clock(hazard, np.zeros((3, 0)), np.array([40.0, 90.0]), np.array([0.5, -0.7, 0.1]))
    day = np.array([5.0, 60.0, 2000.0])
    assert clock.when(clock.at(day)) == pytest.approx(day)


def test_a_history_remembers_values_gaps_and_what_was_measured() -> None:
    history, everyone = History.empty(("A", "B"), 2), np.ones(2, dtype=bool)
    nothing = np.full(2, np.nan)
    for day, value in ((10.0, 1.0), (30.0, 3.0), (40.0, np.nan)):
        values = {"A": np.array([value, 5.0]), "B": nothing}
        history = history.see(np.full(2, day), everyone, values, True, everyone)
    memory = history.memory["A"]
    assert memory.last.tolist() == [3.0, 5.0]
    assert memory.mean.tolist() == [2.0, 5.0]
    assert memory.swing.tolist() == [2.0, 0.0]
    assert memory.day.tolist() == [30.0, 40.0]
    assert np.exp(history.gap) == pytest.approx([10.0, 10.0])
    assert history.measured.tolist() == [[0.0, 0.0], [1.0, 0.0]]
    assert history.measured_share[:, 0] == pytest.approx([2 / 3, 1.0])


def test_conformal_factors_cover_what_too_narrow_intervals_miss() -> None:
    rng = np.random.default_rng(6)
    n = 1200
    truth, drawn = rng.normal(0, 2.0, n), rng.normal(0, 1.0, (n, 80))  # half as wide as needed
    distance, enough = scores(drawn, truth)
    assert enough.all()
    half = np.arange(n) < n // 2
    patient, zero = np.arange(n), np.zeros(n, dtype=np.int64)
    found = Calibration(patient[half], zero[half], np.ones(n // 2), distance[half])
    learnt = summarised(found, ("A",))
    assert learnt is not None
    for j, level in enumerate(LEVELS):
        factor, behind = learnt.factor("A", 1.0, level)
        assert behind == n // 2
        share = float(np.mean(distance[~half][:, j] <= factor))
        # Both halves are samples: 3.9 standard errors, false-alarm rate 1 in 10,000.
        assert abs(share - level) < 3.9 * np.sqrt(level * (1 - level) * 2 / (n // 2))
        assert float(np.mean(distance[~half][:, j] <= 1.0)) < level - 0.1


def test_few_patients_give_no_factor() -> None:
    rows = np.arange(19)
    found = Calibration(rows, rows * 0, np.ones(19), np.ones((19, len(LEVELS))))
    assert summarised(found, ("A",)) is None


def test_values_between_measurements_are_interpolated_and_none_is_made_up_behind() -> None:
    days = np.array([[0.0, 10.0, np.nan], [0.0, 10.0, 20.0]])
    values = np.array([[1.0, 3.0, np.nan], [1.0, np.nan, 5.0]])
    assert between(days, values, np.array([5.0, 5.0])) == pytest.approx([2.0, 2.0])
    assert np.isnan(between(days, values, np.array([15.0, 25.0]))).all()


@cache
def trial() -> Cohort:
    return simulated_trial(150, seed=21)


@cache
def twin() -> TwinModel:
    model = fit(trial(), seed=2, epochs=5, members=1)
    assert isinstance(model, TwinModel)
    return model


def test_the_likelihood_is_the_sum_of_its_parts_and_knows_a_patients_own_values() -> None:
    parts = twin().log_prob_parts(trial())
    assert parts.total == pytest.approx(twin().log_prob(trial()))
    assert np.isfinite(parts.visits).all()
    rows = trial().observations
    shuffled = rows.assign(value=np.random.default_rng(7).permutation(rows["value"].to_numpy()))
    others = Cohort.build(
        trial().schema, trial().subjects, observations=shuffled, events=trial().events
    )
    other = twin().log_prob_parts(others)
    assert parts.visits.sum() > other.visits.sum() + 50
    assert parts.outcome.sum() == pytest.approx(other.outcome.sum(), abs=30)


def test_simulated_patients_are_as_likely_as_real_ones() -> None:
    drawn = twin().log_prob_parts(twin().sample(600, seed=8)).visits
    real = twin().log_prob_parts(trial()).visits
    error = np.sqrt(drawn.var() / len(drawn) + real.var() / len(real))
    # In-sample real patients may be a little likelier; 3.9 standard errors and 5 %.
    assert abs(drawn.mean() - real.mean()) < 3.9 * error + 0.05 * abs(real.mean())


def test_a_saved_twin_keeps_course_and_conformal_factors(tmp_path: object) -> None:
    folder = twin().save(f"{tmp_path}/twin")
    again = TwinModel.load(folder)
    assert twin().conformal is not None
    assert again.conformal is not None
    assert again.conformal.factors == pytest.approx(twin().conformal.factors, nan_ok=True)
    one, two = twin().draw(30, seed=4)[0], again.draw(30, seed=4)[0]
    np.testing.assert_array_equal(one.values["SCORE"], two.values["SCORE"])
    np.testing.assert_array_equal(one.events["event"][0], two.events["event"][0])


def test_preferred_last_digits_are_recorded_as_often_as_they_were() -> None:
    rng = np.random.default_rng(8)
    smooth = rng.normal(130, 18, size=4000)
    rounded = np.where(rng.random(4000) < 0.4, np.round(smooth / 10) * 10, np.round(smooth))
    variable = Variable(name="SYSBP", kind="continuous", role="longitudinal")
    lens = fit_lens(variable, rounded.reshape(1000, 4))
    assert lens is not None and lens.scale is not None
    drawn = lens.settle(lens.scale.forward(rng.normal(130, 18, size=4000)))
    tens = (np.mod(drawn, 10) == 0).mean()
    # Both shares are of 4,000 values; false alarms once in 10,000.
    assert abs(tens - (np.mod(rounded, 10) == 0).mean()) < 3.9 * np.sqrt(2 * 0.25 / 4000)
    assert (lens.values(lens.scale.forward(drawn)) == drawn).all()
    assert np.abs(lens.smooth(drawn) - drawn).max() < 5


def test_no_digit_is_preferred_by_a_sloping_law() -> None:
    counts = np.round(np.random.default_rng(9).exponential(12, size=3000))
    assert preferred_digits(np.sort(counts), 1.0) == ()
