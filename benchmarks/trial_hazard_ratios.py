"""The log-rank test's one-step hazard ratio beside Cox's: bias and coverage at ratios and splits.

Run: python -m benchmarks.trial_hazard_ratios [REPLICATES]
"""

import os

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))

import sys

from simulation import TrialDesign, simulate
from simulation.trial import ParametricPopulation
from simulation.trial.characteristics import Measured, Tested

RATIOS = (0.8, 0.67, 0.5)
SPLITS = ((1, 1), (2, 1))
PEOPLE = ParametricPopulation(outcomes={"OS": {"kind": "time_to_event", "median": 12}})


def main() -> None:
    """Print a line for each analysis, split and ratio."""
    replicates = int(sys.argv[1]) if len(sys.argv) > 1 else 4000
    print(f"600 patients, one look at 400 events; {replicates} trials; figures (standard error)")
    for analysis in ("log_rank", "cox"):
        for split in SPLITS:
            for ratio in RATIOS:
                found = fall(analysis, split, ratio, replicates)
                told = ", ".join(
                    f"{name} {shown(held)}"
                    for name, held in (
                        ("bias", found.bias),
                        ("coverage", found.coverage),
                        ("power", found.rejection),
                    )
                    if held is not None
                )
                print(f"{analysis:<9}{split[0]}:{split[1]} HR {ratio:<5g}{told}", flush=True)


def fall(analysis: str, split: tuple[int, int], ratio: float, replicates: int) -> Tested:
    """How estimates fall about a hazard ratio."""
    effect = {"arm": "A", "endpoint": "OS", "hazard_ratio": ratio}
    design = TrialDesign.parse(
        {
            "time_unit": "month",
            "arms": [
                {"name": "C", "control": True, "allocation": split[1]},
                {"name": "A", "allocation": split[0]},
            ],
            "n": 600,
            "enrolment": {"duration": 12},
            "endpoints": [{"kind": "time_to_event", "name": "OS"}],
            "hypotheses": [{"endpoint": "OS", "analysis": {"kind": analysis}}],
            "rule": {"kind": "fixed", "looks": {"by": "events", "at": [400]}},
            "scenarios": [{"name": "works", "effects": [effect]}],
        }
    )
    return simulate(design, PEOPLE, replicates).scenario("works").hypotheses[0]


def shown(held: Measured) -> str:
    """A figure and its standard error."""
    return f"{held.value:.4f} ({held.se:.4f})"


if __name__ == "__main__":
    main()
