"""A small model of a simulated trial, and a design on its patients."""

from functools import cache
from typing import Any

from generation import fit
from generation.engine import Model
from simulation.trial import TrialDesign
from tests.support.generation_support import simulated_trial


@cache
def model() -> Model:
    """Fit the quickest engine to 160 simulated patients."""
    return fit(simulated_trial(160, seed=5), engine="cart", seed=0)


def design(**changes: Any) -> TrialDesign:
    """A score at week 24 and an event, compared between two arms of 20."""
    plan: dict[str, Any] = {
        "name": "next",
        "arms": [{"name": "Placebo", "control": True}, {"name": "Active"}],
        "n": 40,
        "endpoints": [
            {"kind": "continuous", "name": "SCORE", "visits": [168], "at": ["Week 24"]},
            {"kind": "time_to_event", "name": "event"},
        ],
        "hypotheses": [{"endpoint": "SCORE"}],
        "scenarios": [
            {"name": "better", "effects": [{"arm": "Active", "endpoint": "SCORE", "shift": 6}]}
        ],
    }
    return TrialDesign.parse(plan | changes)
