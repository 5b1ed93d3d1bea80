"""Covariates that say much by themselves say as much in the population, and no chance does."""

import numpy as np
import pytest

from generation.twin_model.hazards import calibrate
from generation.twin_model.hazards_cox import Cox, arm_effects
from generation.twin_model.hazards_effects import Margins, match_effects


def _patients(
    n: int, seed: int, effect: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.random.Generator]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    time = rng.exponential(400 * np.exp(-effect * x[:, 0]))
    end = rng.uniform(200, 500, n)
    return x, np.minimum(time, end), time <= end, rng


def _cox(beta: list[float]) -> Cox:
    return Cox(np.array(beta), np.zeros(len(beta)), 1.0)


def test_a_strong_covariate_that_was_shrunk_shows_more_of_its_effect() -> None:
    x, day, event, rng = _patients(600, 1, 0.8)
    shrunk, people = _cox([0.4, 0.0]), rng.normal(size=(4000, 2))
    hazard = match_effects(shrunk, 0, people, x, day, event, None, covariates=True)
    left_alone = match_effects(shrunk, 0, people, x, day, event, None)
    np.testing.assert_array_equal(left_alone.beta, shrunk.beta)
    wanted = arm_effects(x[:, :1], day, event)[0]
    drawn = hazard.draw(people, rng.random(4000))
    shown = arm_effects(
        people[:, :1], np.minimum(drawn, 350.0), drawn <= 350.0
    )[0]
    assert 0.4 + 0.5 * (wanted - 0.4) < shown < wanted + 0.1
    assert abs(hazard.beta[1]) < 0.1


@pytest.mark.parametrize("events", [0, 1, 3])
def test_next_to_no_events_move_no_covariate(events: int) -> None:
    x, day, _, rng = _patients(40, 2, 0.0)
    x[:, 1] = np.arange(40) == 0
    event = np.isin(np.arange(40), np.argsort(-x[:, 0])[:events])
    for cox in (_cox([0.0, 0.0]), _cox([0.3, -0.2])):
        hazard = match_effects(
            cox, 0, rng.normal(size=(500, 2)), x, day, event, None, covariates=True
        )
        np.testing.assert_array_equal(hazard.beta, cox.beta)


def test_a_rare_covariate_needs_events_of_its_own() -> None:
    x, day, event, rng = _patients(400, 3, 0.0)
    order = np.argsort(np.where(event, day, np.inf))
    for carriers, kept in ((2, False), (12, True)):
        x[:, 1] = 0.0
        x[order[:carriers], 1] = 1.0  # the first who had the event, who are all who have it
        people = np.column_stack([rng.normal(size=2000), rng.random(2000) < carriers / 400])
        found = Margins.of(x, people, day, event, True)
        assert (1 in found.columns) == kept
        hazard = match_effects(
            _cox([0.0, 0.0]), 0, people, x, day, event, None, covariates=True
        )
        # At most half a log hazard ratio a standard deviation, round and third.
        assert np.all(np.abs(hazard.beta) * x.std(axis=0) <= 0.5 + 1e-9)


def test_constant_and_missing_covariates_are_left_out() -> None:
    x, day, event, rng = _patients(300, 4, 0.8)
    x = np.column_stack([x, np.zeros(300), np.ones(300)])
    people = np.column_stack([rng.normal(size=(800, 2)), np.zeros(800), np.ones(800)])
    hazard = match_effects(
        _cox([0.4, 0.0, 0.0, 0.0]), 0, people, x, day, event, None, covariates=True
    )
    assert np.isfinite(hazard.beta).all()
    np.testing.assert_array_equal(hazard.beta[2:], 0.0)
    flat = np.zeros((300, 2))
    same = match_effects(
        _cox([0.0, 0.0]), 0, flat, flat, day, event, None, covariates=True
    )
    np.testing.assert_array_equal(same.knots, calibrate(
        _cox([0.0, 0.0]), flat, flat, day, event
    ).knots)
