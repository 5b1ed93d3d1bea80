"""Stopping of treatment against closed forms: simulated (400 trials each, combined SE)."""

from math import exp, log
from typing import Any

import pytest
from scipy.stats import norm

from simulation import TrialDesign, simulate
from simulation.trial import ParametricPopulation

REPLICATES = 400
SEED = 20261122
CASES = 7
TOLERANCE = float(norm.isf(0.01 / CASES / 2))
"""Standard errors: false alarms over all cases with probability 1 %."""

PEOPLE = ParametricPopulation(
    outcomes={
        "y": {"kind": "continuous", "visit_correlation": 0.7, "mean": (1.0, 3.0)},
        "b": {"kind": "binary", "probability": 0.5},
        "c": {"kind": "count", "rate": 0.1},
        "OS": {"kind": "time_to_event", "hazard": 0.04},
    }
)
ENDPOINTS: dict[str, dict[str, Any]] = {
    "y": {"kind": "continuous", "name": "y", "visits": [6, 12]},
    "b": {"kind": "binary", "name": "b", "visit": 12},
    "c": {"kind": "count", "name": "c", "follow_up": 20},
    "OS": {"kind": "time_to_event", "name": "OS", "follow_up": 30},
}
SIZES: dict[str, dict[str, float]] = {
    "y": {"shift": 1.0}, "b": {"odds_ratio": 3.0}, "c": {"rate_ratio": 0.5},
    "OS": {"hazard_ratio": 0.5},
}  # fmt: skip
CONTROL, ACTIVE, LEFT = 0.01, 0.05, 0.25


def _mean(endpoint: str, strategy: str, analysis: str, more: dict[str, Any]) -> Any:
    effect = {"arm": "A", "endpoint": endpoint, **SIZES[endpoint]}
    settled = strategy in ("composite", "while on treatment")
    looks = {"by": "time", "at": [40]} if endpoint == "OS" else {"number": 1}
    design = TrialDesign.parse(
        {
            "arms": [{"name": "P", "control": True}, {"name": "A"}],
            "n": 500,
            "endpoints": [ENDPOINTS[endpoint]],
            "enrolment": {"duration": 5},
            # Who stops is known to fail, who leaves is not: leaving would pick the failures.
            "dropout": {"kind": "hazard", "rate": 0.0 if settled else 0.005},
            "discontinuation": {
                "when": {"kind": "hazard", "rate": CONTROL, "arms": {"A": ACTIVE}},
                "effect_after": LEFT,
            },
            "intercurrent_events": {"discontinuation": strategy},
            "hypotheses": [{"endpoint": endpoint, "analysis": {"kind": analysis, **more}}],
            "rule": {"kind": "fixed", "looks": looks},
            "scenarios": [{"name": "planned", "effects": [effect]}],
        }
    )
    return simulate(design, PEOPLE, REPLICATES, seed=SEED).scenario("planned").hypotheses[0]


def _policy_of_means() -> float:
    on = exp(-12 * ACTIVE)
    return on + LEFT * (1 - on)


def _last_on_treatment() -> float:
    """Means of those whose first visit was on treatment; the last is at 12, else at 6."""

    def mean(rate: float, shift: float) -> float:
        on = exp(-6 * rate)
        return on * (3 + shift) + (1 - on) * (1 + shift)

    return mean(ACTIVE, 1.0) - mean(CONTROL, 0.0)


def _policy_of_counts() -> float:
    on = (1 - exp(-20 * ACTIVE)) / ACTIVE
    return log((0.5 * on + 0.5**LEFT * (20 - on)) / 20)


def _failures() -> float:
    return 0.75 * exp(-12 * ACTIVE) - 0.5 * exp(-12 * CONTROL)


@pytest.mark.parametrize(
    ("endpoint", "strategy", "analysis", "more", "truth"),
    [
        ("y", "treatment policy", "ancova", {}, _policy_of_means()),
        ("y", "hypothetical", "mmrm", {"covariance": ["unstructured"]}, 1.0),
        ("y", "while on treatment", "ancova", {}, _last_on_treatment()),
        ("b", "composite", "proportions", {}, _failures()),
        ("c", "treatment policy", "rates", {}, _policy_of_counts()),
        ("OS", "hypothetical", "cox", {}, log(0.5)),
        ("OS", "composite", "cox", {}, log((0.5 * 0.04 + ACTIVE) / (0.04 + CONTROL))),
    ],
)
def test_estimates_are_of_what_the_strategy_asks(
    endpoint: str, strategy: str, analysis: str, more: dict[str, Any], truth: float
) -> None:
    found = _mean(endpoint, strategy, analysis, more)
    assert abs(found.mean.value - truth) <= TOLERANCE * found.mean.se
    # The test can tell: the effect of who takes the treatment is elsewhere.
    if strategy != "hypothetical":
        stated = next(iter(SIZES[endpoint].values()))
        naive = {"y": stated, "b": 0.25}.get(endpoint, log(stated))
        assert abs(found.mean.value - naive) > 5 * found.mean.se


def test_the_bias_is_against_the_mixture_where_it_is_known() -> None:
    found = _mean("y", "treatment policy", "ancova", {})
    assert found.truth == pytest.approx(_policy_of_means())
    assert found.bias is not None and abs(found.bias.value) <= TOLERANCE * found.bias.se
