"""Type I error of every analysis inside a group-sequential rule, and at one look, in small trials.

Run: python -m benchmarks.trial_levels [--replicates 16000] [--patients 200]
"""

import argparse
from math import sqrt
from typing import Any, Final

from simulation.trial import ParametricPopulation, TrialDesign, simulate

ALPHA: Final = 0.025
LATE: Final = {"kind": "fleming_harrington", "gamma": 1}
EARLY: Final = {"kind": "fleming_harrington", "rho": 1}
ADJUSTED: Final = {"covariates": ["x"]}
ENDPOINTS: Final[dict[str, dict[str, Any]]] = {
    "time_to_event": {},
    "count": {"follow_up": 12},
    "binary": {"visit": 3},
    "continuous": {"visits": [2, 4, 6]},
}
LAWS: Final[dict[str, dict[str, Any]]] = {
    "time_to_event": {"median": 12, "log_hazard_ratios": {"x": 0.5}},
    "count": {"rate": 0.1, "dispersion": 0.8, "log_rate_ratios": {"x": 0.3}},
    "binary": {"probability": 0.3, "log_odds_ratios": {"x": 0.6}},
    "continuous": {"sd": 1, "visit_correlation": 0.7, "correlations": {"x": 0.5}},
}
ANALYSES: Final[dict[str, list[dict[str, Any]]]] = {
    "time_to_event": [
        {"kind": "log_rank"}, {"kind": "log_rank", "strata": ["m"]},
        {"kind": "log_rank", "weighting": LATE}, {"kind": "log_rank", "weighting": EARLY},
        {"kind": "max_combo"}, {"kind": "cox", **ADJUSTED},
        {"kind": "cox", **ADJUSTED, "strata": ["m"]},
    ],
    "count": [{"kind": "rates"}, {"kind": "count_regression", **ADJUSTED}],
    "binary": [
        {"kind": "proportions"}, {"kind": "proportions", "measure": "ratio"},
        {"kind": "standardised", **ADJUSTED},
    ],
    "continuous": [{"kind": "ancova"}, {"kind": "ancova", **ADJUSTED}],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=16_000)
    parser.add_argument("--patients", type=int, default=200)
    options = parser.parse_args()
    error = sqrt(ALPHA * (1 - ALPHA) / options.replicates)
    print(f"{options.patients} patients, {options.replicates} trials without effect, one-sided "
          f"alpha {ALPHA} (Monte Carlo SE {error:.4f}); Pocock's boundary at three equal looks, "
          "and one look")
    for kind, analyses in ANALYSES.items():
        for analysis in analyses:
            three, one = (level(kind, analysis, options, looks) for looks in (3, 1))
            print(f"{kind:14} {named(analysis):44} {three:.4f} ({(three - ALPHA) / error:+5.1f})   "
                  f"{one:.4f} ({(one - ALPHA) / error:+5.1f})", flush=True)


def named(analysis: dict[str, Any]) -> str:
    """An analysis in a few words."""
    return " ".join(str(value).replace("'", "") for value in analysis.values())


def level(kind: str, analysis: dict[str, Any], options: argparse.Namespace, looks: int) -> float:
    """Share of trials without effect that reject."""
    n, events = options.patients, 0.6 * options.patients
    rule: dict[str, Any] = {"kind": "group_sequential", "boundary": "pocock",
                            "looks": {"number": looks}}
    plan: dict[str, Any] = {
        "arms": [{"name": "C", "control": True}, {"name": "A"}], "n": n, "rule": rule,
        "endpoints": [{"kind": kind, "name": "y", **ENDPOINTS[kind]}],
        "hypotheses": [{"endpoint": "y", "analysis": analysis}],
    }
    if kind == "time_to_event":
        rule["looks"] = {"by": "events", "at": [events * (k + 1) / looks for k in range(looks)]}
        plan["enrolment"] = {"duration": 12}
    people = ParametricPopulation(
        covariates=[
            {"kind": "normal", "name": "x"},
            {"kind": "category", "name": "m", "categories": ["no", "yes"], "shares": [0.6, 0.4]},
        ],
        outcomes={"y": {"kind": kind, **LAWS[kind]}},
    )
    found = simulate(TrialDesign.parse(plan), people, options.replicates, seed=8)
    return found.scenario("no effect").any_rejection.value


if __name__ == "__main__":
    main()
