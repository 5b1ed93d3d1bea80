"""The residual of the hazards finds planted effects and invents none.

Planted: an arm effect that begins on day 50, one that crosses, one by a covariate. Nulls:
proportional hazards. A term stays where its held-out gain exceeds 1.645 standard errors. With four
terms tried, at most one null data set in ten should keep any: of 20 nulls at most 7 (binomial with
.1: false-alarm rate 4e-4).
"""

import numpy as np
import pytest

from generation.twin_model.hazards import calibrate
from generation.twin_model.hazards_cox import fit_cox
from generation.twin_model.residual_choice import fit_residuals

Trial = tuple[np.ndarray, np.ndarray, np.ndarray]
_SWITCH = 50.0


def _trial(n: int, seed: int, early: float, late: float, varying: float = 0.0) -> Trial:
    """Six covariates and an arm: its log hazard ratio early, late, and by the fourth covariate."""
    rng = np.random.default_rng(seed)
    x, arm = rng.normal(size=(n, 6)), rng.integers(0, 2, n)
    rate = np.exp(0.5 * x[:, 0] - 0.4 * x[:, 1] + varying * arm * x[:, 3]) / 100
    first, then = rate * np.exp(early * arm), rate * np.exp(late * arm)
    level = -np.log(rng.random(n))
    day = np.where(
        level < first * _SWITCH, level / first, _SWITCH + (level - first * _SWITCH) / then
    )
    end = np.minimum(rng.uniform(30, 250, n), 200)
    features = np.column_stack([x, np.maximum(x, 0), arm])
    return features, np.minimum(day, end), day <= end


def _kept(trial: Trial, seed: int) -> tuple[str, ...]:
    x, day, event = trial
    cox = fit_cox(x, 1, day, event, seed)
    return fit_residuals(x, 1, day, [event], [cox], False, seed)[0].kept


@pytest.mark.parametrize(
    ("early", "late", "varying", "term"),
    [(0.0, -0.9, 0.0, "arm x time"), (0.6, -0.9, 0.0, "arm x time"),
     (-0.5, -0.5, 0.7, "arm x covariates")],
)
def test_a_planted_effect_is_found(early: float, late: float, varying: float, term: str) -> None:
    assert term in _kept(_trial(2000, 1, early, late, varying), 1)


def test_a_crossing_effect_is_drawn() -> None:
    x, day, event = _trial(2000, 2, 0.6, -0.9)
    cox = fit_cox(x, 1, day, event, 2)
    found = fit_residuals(x, 1, day, [event], [cox], False, 2)[0]
    hazard = calibrate(cox, x, x, day, event, found.shift)
    treated, control = x.copy(), x.copy()
    treated[:, -1], control[:, -1] = 1, 0
    ratio = [
        np.log(hazard.cumulative(treated, b) - hazard.cumulative(treated, a)).mean()
        - np.log(hazard.cumulative(control, b) - hazard.cumulative(control, a)).mean()
        for a, b in ((0.0, 40.0), (60.0, 180.0))
    ]
    # About 600 events early and 500 late: standard errors .08 and .09; z = 3.9, and smoothing .1.
    assert ratio[0] == pytest.approx(0.6, abs=0.42)
    assert ratio[1] == pytest.approx(-0.9, abs=0.45)
    assert ratio[0] > 0.2 and ratio[1] < -0.4


def test_under_proportional_hazards_next_to_nothing_is_kept() -> None:
    kept = sum(bool(_kept(_trial(400, 100 + s, -0.6, -0.6), s)) for s in range(20))
    assert kept <= 7
