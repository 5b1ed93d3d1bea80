"""Searches for the smallest trial beside the sizes that formulas give.

Run: python -m benchmarks.design_search [--most 20000]
"""

import argparse
from typing import Any

from simulation.operating_characteristics import Effort, Goal, search_design
from simulation.trial import ParametricPopulation, TrialDesign

ARMS = [{"name": "Control", "control": True}, {"name": "Active"}]


def _effect(endpoint: str, **size: float) -> list[dict[str, Any]]:
    return [{"name": "planned", "effects": [{"arm": "Active", "endpoint": endpoint, **size}]}]


TRIALS: dict[str, tuple[str, dict[str, Any], ParametricPopulation]] = {
    "t test, d .5, power .9: patients": (
        "n",
        {
            "arms": ARMS, "n": 100, "endpoints": [{"kind": "continuous", "name": "y"}],
            "hypotheses": [{"endpoint": "y", "analysis": {"kind": "ancova"}}],
            "scenarios": _effect("y", shift=0.5),
        },
        ParametricPopulation(outcomes={"y": {"kind": "continuous"}}),
    ),
    "two proportions, .6 v .4, power .9: patients": (
        "n",
        {
            "arms": ARMS, "n": 200, "endpoints": [{"kind": "binary", "name": "y", "visit": 1}],
            "scenarios": _effect("y", odds_ratio=2.25),
        },
        ParametricPopulation(outcomes={"y": {"kind": "binary", "probability": 0.4}}),
    ),
    "log-rank, HR .7, Lan-DeMets O'Brien-Fleming with 3 looks, power .9: events": (
        "events",
        {
            "arms": ARMS, "n": 480, "time_unit": "month", "enrolment": {"duration": 12},
            "endpoints": [{"kind": "time_to_event", "name": "OS"}],
            "rule": {
                "kind": "group_sequential", "boundary": "lan_demets_obrien_fleming",
                "looks": {"by": "events", "at": [100, 200, 300]},
            },
            "scenarios": _effect("OS", hazard_ratio=0.7),
        },
        ParametricPopulation(outcomes={"OS": {"kind": "time_to_event", "median": 12}}),
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=20_000)
    most = parser.parse_args().most
    for name, (over, plan, people) in TRIALS.items():
        found = search_design(
            TrialDesign.parse(plan), people, goal=Goal(at_least=0.9), over=over,
            effort=Effort(first=min(1000, most), most=most),
        )
        assert found.formula is not None
        away = (found.root - found.formula.value) / found.root_se
        print(f"\n{name}\n  formula {found.formula.value:.2f}; search {found.root:.2f} (MC SE "
              f"{found.root_se:.2f}), {away:+.2f} SE away\n  {found.reason}")
        print(found.path.round(4).to_string(index=False))


if __name__ == "__main__":
    main()
