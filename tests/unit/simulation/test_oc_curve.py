"""Power over effect sizes: the planned size is the design's own, and power rises with size."""

from typing import Any

import numpy as np
import pytest

from extraction.records import InputError
from simulation.operating_characteristics.curve import power_curve
from simulation.trial import ParametricPopulation, TrialDesign, simulate

PLAN: dict[str, Any] = {
    "arms": [{"name": "P", "control": True}, {"name": "A"}],
    "endpoints": [{"kind": "time_to_event", "name": "OS", "follow_up": 30}],
    "n": 80,
    "rule": {"kind": "fixed", "looks": {"by": "events", "at": [60]}},
    "scenarios": [
        {"name": "real", "effects": [{"arm": "A", "endpoint": "OS", "hazard_ratio": 0.5}]},
        {
            "name": "late",
            "effects": [
                {
                    "arm": "A",
                    "endpoint": "OS",
                    "hazard_ratio": [{"start": 0, "ratio": 1}, {"start": 3, "ratio": 0.5}],
                }
            ],
        },
    ],
}
DESIGN = TrialDesign.parse(PLAN)
PEOPLE = ParametricPopulation(outcomes={"OS": {"kind": "time_to_event", "median": 10}})


def test_the_planned_size_is_the_scenario_itself_and_zero_the_null() -> None:
    curve = power_curve(DESIGN, PEOPLE, factors=(1.0, 0.5), replicates=200, seed=2)
    whole = simulate(DESIGN, PEOPLE, 200, seed=2)
    assert curve["factor"].tolist() == [0.0, 0.5, 1.0]
    assert np.allclose(curve["size"], [1.0, 0.5**0.5, 0.5])
    assert curve["power"].iloc[0] == whole.type_one_error.value
    assert curve["power"].iloc[-1] == whole.power.value
    assert curve["power_se"].iloc[-1] == whole.power.se
    assert curve["power"].is_monotonic_increasing


def test_steps_are_scaled_too_and_have_no_single_size() -> None:
    curve = power_curve(DESIGN, PEOPLE, factors=(1.0,), scenario="late", replicates=60)
    assert curve["size"].isna().all() and len(curve) == 2


def test_nothing_to_scale_and_wrong_factors_are_told_together() -> None:
    with pytest.raises(InputError) as caught:
        power_curve(DESIGN, PEOPLE, factors=(0.0,), scenario="no effect")
    assert len(caught.value.faults) == 2
