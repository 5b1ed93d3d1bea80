import numpy as np
import pytest

from generation.twin_model.hazards import (
    Hazard,
    Shift,
    calibrate,
    kaplan_meier,
)
from generation.twin_model.hazards_cox import fit_cox, shared_folds


def _trial(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.normal(size=n), rng.integers(0, 2, n)])
    day = rng.exponential(100 * np.exp(-0.5 * x[:, 0] + 0.7 * x[:, 1]))
    censored = rng.uniform(20, 200, n)
    return x, np.minimum(day, censored), day <= censored


def test_without_a_penalty_on_the_arm_it_agrees_with_lifelines() -> None:
    import pandas as pd
    from lifelines import CoxPHFitter

    x, day, event = _trial(400, 1)
    arm = x[:, 1:]
    beta = fit_cox(arm, 1, day, event, seed=0).beta
    frame = pd.DataFrame({"arm": arm[:, 0], "day": day, "event": event})
    reference = CoxPHFitter().fit(frame, "day", "event")
    assert beta[0] == pytest.approx(reference.params_["arm"], abs=1e-3)


def test_survival_averaged_over_the_population_is_the_kaplan_meier_curve() -> None:
    x, day, event = _trial(500, 2)
    cox = fit_cox(x, 1, day, event, seed=0)
    hazard = calibrate(cox, x, x, day, event)
    knots = hazard.knots[1:]
    average = np.exp(hazard.log_survival(x[:, None, :].repeat(len(knots), 1).reshape(-1, 2),
                                         np.tile(knots, len(x)))).reshape(len(x), -1).mean(0)
    assert average == pytest.approx(kaplan_meier(day, event, knots), abs=1e-6)


def test_drawn_days_follow_the_survival_function() -> None:
    x, day, event = _trial(500, 3)
    hazard = calibrate(fit_cox(x, 1, day, event, seed=0), x, x, day, event)
    level = np.random.default_rng(1).random(200)
    drawn = hazard.draw(np.tile(x[:1], (200, 1)), level)
    survival = np.exp(hazard.log_survival(x[:1].repeat(200, 0), drawn))
    assert survival == pytest.approx(level, abs=1e-9)


def test_days_drawn_after_a_day_are_later() -> None:
    x, day, event = _trial(300, 4)
    hazard = calibrate(fit_cox(x, 1, day, event, seed=0), x, x, day, event)
    drawn = hazard.draw(x, np.random.default_rng(2).random(len(x)), after=80.0)
    assert (drawn > 80).all()


def test_the_rate_is_the_slope_of_the_integral() -> None:
    hazard = Hazard(np.zeros(1), np.zeros(1), np.array([0.0, 10, 30]), np.array([0, 0.1, 0.9]), 0.2)
    assert hazard.rate(np.array([5.0, 20.0, 50.0])) == pytest.approx([0.01, 0.04, 0.2])
    assert hazard.integral(40.0) == pytest.approx(0.9 + 10 * 0.2)
    assert hazard.invert(np.array([0.05, 0.5, 1.9])) == pytest.approx([5, 20, 35])


@pytest.mark.parametrize("events", [0, 3])
def test_next_to_no_events_give_a_constant_hazard(events: int) -> None:
    x, day, _ = _trial(60, 5)
    event = np.arange(60) < events
    cox = fit_cox(x, 1, day, event, seed=0)
    hazard = calibrate(cox, x, x, day, event)
    assert not cox.beta.any()
    assert hazard.tail == pytest.approx(events / day.sum())


def test_kaplan_meier_by_hand() -> None:
    day = np.array([1.0, 2, 2, 3, 4])
    event = np.array([True, True, False, True, False])
    assert kaplan_meier(day, event, np.array([0.5, 1, 2, 3.5])) == pytest.approx(
        [1, 4 / 5, 4 / 5 * 3 / 4, 4 / 5 * 3 / 4 * 1 / 2]
    )


def _shifted(seed: int) -> tuple[Hazard, np.ndarray]:
    rng = np.random.default_rng(seed)
    p, pieces, hidden = 4, 3, 5
    shift = Shift(
        np.array([20.0, 60.0]), rng.normal(size=p), rng.uniform(0.5, 2, p),
        rng.normal(size=(p, pieces)) / 2, np.array([0]), np.array([3]), np.array([0.3]),
        rng.normal(size=(p, hidden)), rng.normal(size=hidden),
        rng.normal(size=(hidden, pieces)) / 2,
    )
    knots = np.array([0.0, 10, 30, 70, 100])
    levels = np.array([0.0, 0.1, 0.15, 0.6, 0.7])
    hazard = Hazard(rng.normal(size=p) / 2, np.zeros(p), knots, levels, 0.01, shift)
    return hazard, rng.normal(size=(300, p))


def test_a_shifted_hazard_is_inverted_exactly() -> None:
    hazard, x = _shifted(1)
    day = np.random.default_rng(2).uniform(0, 200, len(x))
    assert hazard.invert_for(x, hazard.cumulative(x, day)) == pytest.approx(day, abs=1e-9)
    drawn = hazard.draw(x, np.full(len(x), 0.4), after=day)
    gained = hazard.cumulative(x, drawn) - hazard.cumulative(x, day)
    assert gained == pytest.approx(-np.log(0.4), abs=1e-9)


def test_a_shifted_rate_is_the_slope_of_the_cumulative_hazard() -> None:
    hazard, x = _shifted(3)
    for day in (5.0, 15, 25, 65, 90, 150):
        slope = (hazard.cumulative(x, day + 1e-3) - hazard.cumulative(x, day - 1e-3)) / 2e-3
        assert np.exp(hazard.log_rate(x, np.full(len(x), day))) == pytest.approx(slope, rel=1e-6)


def test_a_patient_has_the_same_hazard_in_any_batch() -> None:
    hazard, x = _shifted(4)
    whole = hazard.log_risks(x)
    assert (whole[250:] == hazard.log_risks(x[250:])).all()
    assert (whole[7] == hazard.log_risks(x[7:8])[0]).all()


def test_a_shifted_hazard_survives_its_state() -> None:
    hazard, x = _shifted(5)
    again = Hazard.from_state(hazard.state())
    assert (again.cumulative(x, 50.0) == hazard.cumulative(x, 50.0)).all()


def test_a_shift_is_cut_where_its_events_cease_and_never_lost() -> None:
    x, day, event = _trial(500, 6)
    early = event & (day < 60)  # a cause that ceases, in pieces of time told by every cause
    none = np.zeros(0, dtype=np.int64)
    pieces = np.array([[0.0, 0.0, 0.0], [-0.8, 0.8, 0.3]])
    shift = Shift(
        np.array([25.0, 90.0]), np.zeros(2), np.ones(2), pieces, none, none, np.zeros(0),
        np.zeros((2, 0)), np.zeros(0), np.zeros((0, 3)),
    )
    hazard = calibrate(fit_cox(x, 1, day, early, seed=0), x, x, day, early, shift)
    assert hazard.shift is not None
    assert hazard.edges == pytest.approx([25.0])
    assert (hazard.shift.log_shift(x)[:, 1] == 0.8 * x[:, 1]).all()
    average = np.exp(-hazard.cumulative(x, hazard.knots[-1])).mean()
    last = kaplan_meier(day, early, hazard.knots[-1:])[0]
    assert average == pytest.approx(last, abs=1e-6)


def test_copies_of_a_patient_share_a_fold_and_others_are_parted_as_before() -> None:
    x, day, _ = _trial(200, 7)
    plain = shared_folds(x, day, np.random.default_rng(1), 5)
    assert (plain == np.random.default_rng(1).permutation(200) % 5).all()
    rows = np.random.default_rng(2).integers(0, 200, 200)
    folds = shared_folds(x[rows], day[rows], np.random.default_rng(1), 5)
    pairs = {(int(row), int(fold)) for row, fold in zip(rows, folds, strict=True)}
    assert len(pairs) == len(set(rows.tolist()))
    assert set(folds.tolist()) == set(range(5))
    alike = shared_folds(np.ones((200, 1)), np.full(200, 9.0), np.random.default_rng(1), 5)
    assert (np.bincount(alike) == 40).all()
