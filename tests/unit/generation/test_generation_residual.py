"""Parts of a hazard's residual, and endpoints whose hazard changes after another's event."""

import numpy as np
import pytest

from generation.assembly import TrialArrays
from generation.randomness import Stream
from generation.twin_model.hazards import calibrate, kaplan_meier
from generation.twin_model.hazards_cox import arm_effects, fit_cox
from generation.twin_model.hazards_effects import match_effects
from generation.twin_model.outcome import OutcomeModel
from generation.twin_model.outcome_fitting import fit_outcome
from generation.twin_model.outcome_survival import survival
from generation.twin_model.recalibration import calibration_slope, recalibrated
from generation.twin_model.residual import (
    Design,
    cross_fit,
    fit_term,
    held_out_gain,
    prepare,
)
from generation.twin_model.residual_choice import fit_residuals


def _trial(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two covariates and an arm that works from day 50 only."""
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.normal(size=(n, 2)), rng.integers(0, 2, n)])
    rate = np.exp(0.4 * x[:, 0]) / 100
    level = -np.log(rng.random(n))
    late = 50 + (level - 50 * rate) / (rate * 0.3)
    day = np.where((level < 50 * rate) | (x[:, 2] == 0), level / rate, late)
    censored = rng.uniform(30, 250, n)
    return x, np.minimum(day, censored), day <= censored


def test_pieces_spend_what_the_cox_model_expects() -> None:
    x, day, event = _trial(400, 1)
    cox = fit_cox(x, 1, day, event, 0)
    design = Design.of(x, 1, day, event, 0)
    cause = prepare(design, x, day, event, cross_fit(design, x, day, event, cox, 0))
    assert cause.spent[-1].sum(axis=0) == pytest.approx(cause.events.sum(axis=0), rel=1e-9)
    assert cause.events.sum() == event.sum()
    assert held_out_gain(design, cause, cause.shift).sum() == pytest.approx(0.0, abs=2.0)


def test_a_term_without_time_is_a_poisson_regression() -> None:
    rng = np.random.default_rng(2)
    x, spent = rng.normal(size=(500, 1)), rng.exponential(size=(500, 1))
    events = rng.poisson(spent * np.exp(0.5 * x)).astype(float)
    theta = fit_term(x, False, 1e-9, spent, events)
    weight = spent * np.exp(x * theta)
    expected = (weight * x).sum() / weight.sum() * events.sum()
    assert (events * x).sum() == pytest.approx(expected, rel=1e-6)


def test_shifted_survival_averaged_over_the_population_is_the_kaplan_meier_curve() -> None:
    x, day, event = _trial(800, 3)
    cox = fit_cox(x, 1, day, event, 0)
    found = fit_residuals(x, 1, day, [event], [cox], False, 0)[0]
    assert "arm x time" in found.kept
    hazard = calibrate(cox, x, x, day, event, found.shift)
    mean = [np.exp(hazard.log_survival(x, d)).mean() for d in hazard.knots[1:]]
    assert mean == pytest.approx(kaplan_meier(day, event, hazard.knots[1:]), abs=1e-6)


def test_off_tries_nothing_and_on_keeps_all() -> None:
    x, day, event = _trial(300, 4)
    cox = fit_cox(x, 1, day, event, 0)
    assert fit_residuals(x, 1, day, [event], [cox], False, 0, "off")[0].shift is None
    kept = fit_residuals(x, 1, day, [event], [cox], False, 0, "on")[0].kept
    assert kept == ("arm x time", "risk x time", "arm x covariates", "net")


def test_the_same_seed_finds_the_same_shift() -> None:
    x, day, event = _trial(300, 5)
    cox = fit_cox(x, 1, day, event, 0)
    one, two = (
        fit_residuals(x, 1, day, [event, ~event], [cox, cox], True, 0, "on") for _ in range(2)
    )
    for first, second in zip(one, two, strict=True):
        assert first.shift is not None and second.shift is not None
        assert (first.shift.log_shift(x) == second.shift.log_shift(x)).all()


def test_matched_arms_show_the_training_patients_hazard_ratio() -> None:
    rng = np.random.default_rng(6)
    x, day, event = _trial(1500, 6)
    # In the sampled baseline the covariate is out of balance between arms.
    sampled = np.column_stack([rng.normal(size=(4000, 2)), rng.integers(0, 2, 4000)])
    sampled[:, 0] += sampled[:, 2]
    cox = fit_cox(x, 1, day, event, 0)
    real = arm_effects(x[:, 2:], day, event)[0]
    shown = []
    for hazard in (match_effects(cox, 1, sampled, x, day, event, None),
                   calibrate(cox, sampled, x, day, event)):
        drawn = hazard.draw(sampled, rng.random(4000))
        end = rng.uniform(30, 250, 4000)
        effect = arm_effects(sampled[:, 2:], np.minimum(drawn, end), drawn <= end)[0]
        shown.append(abs(effect - real))
    # Standard error of a log hazard ratio of some 2,500 events: .04; z = 3.9.
    assert shown[0] < 0.16 < shown[1]


def test_matched_covariates_show_the_hazard_ratio_that_the_data_show_beyond_doubt() -> None:
    rng = np.random.default_rng(8)
    n, m, p = 300, 8000, 12
    x = rng.normal(size=(n, p)) + rng.normal(size=(n, 1))  # correlations of .5
    # As a baseline drawn too independently: correlations of .35.
    sampled = rng.normal(size=(m, p)) * np.sqrt(1.3) + rng.normal(size=(m, 1)) * np.sqrt(0.7)
    level = -np.log(rng.random(n)) * 100 * np.exp(-0.15 * x.sum(axis=1))
    end = rng.uniform(30, 250, n)
    day, event = np.minimum(level, end), level <= end
    cox = fit_cox(x, 0, day, event, 0)
    real = arm_effects(x[:, :1], day, event)[0]
    shown = {}
    for covariates in (True, False):
        hazard = match_effects(cox, 0, sampled, x, day, event, None, covariates=covariates)
        drawn, until = hazard.draw(sampled, rng.random(m)), rng.uniform(30, 250, m)
        shown[covariates] = arm_effects(sampled[:, :1], np.minimum(drawn, until), drawn <= until)[0]
        # The share that is expected to be free of events stays the training patients'.
        kept = [np.exp(hazard.log_survival(sampled, d)).mean() for d in hazard.knots[1:]]
        assert kept == pytest.approx(kaplan_meier(day, event, hazard.knots[1:]), abs=1e-6)
    # Matching stops early; standard error among 8,000 patients: .014.
    assert abs(shown[True] - real) < 0.7 * (real - shown[False])


def test_weak_covariates_stay_as_the_ridge_left_them() -> None:
    rng = np.random.default_rng(9)
    x, day = rng.normal(size=(200, 3)), rng.exponential(100, 200)
    event = rng.random(200) < 0.5
    cox = fit_cox(x, 0, day, event, 0)
    hazard = match_effects(cox, 0, x, x, day, event, None, covariates=True)
    assert (hazard.beta == cox.beta).all()


def _two_endpoints(n: int, seed: int) -> TrialArrays:
    """Recurrence, and death that is ten times as frequent after it."""
    rng = np.random.default_rng(seed)
    recurrence, early = rng.exponential(300, n), rng.exponential(2000, n)
    death = np.where(early < recurrence, early, recurrence + rng.exponential(200, n))
    end = rng.uniform(200, 900, n)
    until = np.minimum(death, end)
    events = {
        "recurrence": (np.minimum(recurrence, until), (recurrence <= until).astype(np.int64)),
        "death": (until, (death <= end).astype(np.int64)),
    }
    return TrialArrays({}, np.full(n, None, object), until, np.full(n, None, object), events)


@pytest.fixture(scope="module")
def illness_death() -> tuple[OutcomeModel, TrialArrays]:
    from extraction.records import CohortSchema, Endpoint

    arrays = _two_endpoints(700, 7)
    schema = CohortSchema(
        study_id="TWO", variables=(), arms=(),
        endpoints=(Endpoint(name="death"), Endpoint(name="recurrence")),
    )
    x = np.random.default_rng(8).normal(size=(700, 1))
    return fit_outcome(schema, arrays, x, x, 0, 0, False), arrays


def test_death_comes_sooner_after_recurrence(
    illness_death: tuple[OutcomeModel, TrialArrays],
) -> None:
    model, arrays = illness_death
    assert model.endpoints[-1].name == "death" and model.endpoints[-1].then is not None
    n = 6000
    x = np.random.default_rng(9).normal(size=(n, 1))
    events = model.draw_events(x, Stream(1, "t"), np.arange(n))
    leaving = model.draw_follow_up(x, Stream(1, "t"), np.arange(n), 0.0, True)
    until = model.close(leaving, events)
    share = [np.mean((events[e][1] > 0) & (events[e][0] <= until)) for e in model_names(model)]
    real = [np.mean(arrays.events[e][1] > 0) for e in model_names(model)]
    # Standard error of a share of 700 patients: .019; z = 3.9.
    assert share == pytest.approx(real, abs=0.075)


def model_names(model: OutcomeModel) -> list[str]:
    return [e.name for e in model.endpoints]


def test_an_endpoint_that_turns_survives_its_state(
    illness_death: tuple[OutcomeModel, TrialArrays],
) -> None:
    model, arrays = illness_death
    x = np.random.default_rng(10).normal(size=(700, 1))
    again = OutcomeModel.from_state(model.state())
    found = model.log_prob(x, arrays)
    assert np.isfinite(found).all()
    assert (again.log_prob(x, arrays) == found).all()


def test_a_rare_cause_shares_the_hazard_of_all() -> None:
    from extraction.records import CohortSchema, Endpoint

    arrays = _two_endpoints(400, 11)
    day, status = arrays.events.pop("death")
    status = np.where((status > 0) & (np.cumsum(status > 0) <= 3), 2, status)
    arrays.events = {"end": (day, status)}
    schema = CohortSchema(
        study_id="TWO", variables=(), arms=(),
        endpoints=(Endpoint(name="end", causes=("often", "seldom")),),
    )
    x = np.random.default_rng(12).normal(size=(400, 1))
    model = fit_outcome(schema, arrays, x, x, 0, 0, False).endpoints[0]
    often, seldom = (h.cumulative(x, 400.0).mean() for h in model.causes)
    assert seldom / often == pytest.approx(3 / (status == 1).sum(), rel=0.25)


def test_the_calibration_slope_agrees_with_lifelines() -> None:
    import pandas as pd
    from lifelines import CoxPHFitter

    x, day, event = _trial(500, 13)
    slope, error = calibration_slope(0.5 * x[:, 0], day, event)
    frame = pd.DataFrame({"risk": 0.5 * x[:, 0], "day": day, "event": event})
    reference = CoxPHFitter().fit(frame, "day", "event")
    assert slope == pytest.approx(reference.params_["risk"], abs=1e-4)
    assert error == pytest.approx(reference.standard_errors_["risk"], rel=1e-3)


def test_only_a_slope_off_beyond_noise_recalibrates() -> None:
    x, day, event = _trial(300, 14)
    cox = fit_cox(x, 1, day, event, 0)
    assert recalibrated(cox, 1, 1.3, 0.2) == (cox, 1.0)
    wider, factor = recalibrated(cox, 1, 1.5, 0.2)
    assert factor == 1.5
    assert wider.beta == pytest.approx(cox.beta * [1.5, 1.5, 1.0])


def test_the_probability_of_no_event_is_the_share_of_draws_without_one(
    illness_death: tuple[OutcomeModel, TrialArrays],
) -> None:
    model, _ = illness_death
    n = 8000
    x = np.tile([[0.3]], (n, 1))
    events = model.draw_events(x, Stream(2, "w"), np.arange(n))
    for name, until in (("recurrence", 300), ("death", 200), ("death", 400)):
        day, status = events[name]
        shown = 1 - np.mean((status > 0) & (day <= until))
        expected = survival(model, name, x[:1], until)[0]
        assert expected == pytest.approx(shown, abs=3.9 * 0.5 / np.sqrt(n))
