"""A hybrid trial by each way of borrowing: what it gains, and the most that it may cost.

Run: python examples/hybrid.py [replicates]

Beside the power gained where external controls do not drift stands the largest type I error over
the drifts of the scenarios: no trial's data show which of them is true.
"""

import sys
from pathlib import Path
from typing import Any

import yaml

from simulation.trial import TrialDesign, simulate
from simulation.trial.characteristics import OperatingCharacteristics

PLAN = Path(__file__).parent / "hybrid.yaml"
ANALYSES = ("power_prior", "normalised_power_prior", "commensurate_prior", "robust_map")


def borrowed(plan: dict[str, Any], kind: str, replicates: int) -> OperatingCharacteristics:
    """The trial with another analysis of the same hypothesis."""
    analysis = {"kind": kind, "covariates": ["age"]}
    held = {"hypotheses": [{"endpoint": "score", "analysis": analysis}]}
    return simulate(TrialDesign.parse(plan | held), replicates=replicates)


def alone(plan: dict[str, Any], replicates: int) -> OperatingCharacteristics:
    """The trial with its own controls alone, on the same patients."""
    left = {k: v for k, v in plan.items() if k not in ("external_controls", "hypotheses")}
    scenarios = [s for s in plan["scenarios"] if "external_drift" not in s]
    return simulate(TrialDesign.parse(left | {"scenarios": scenarios}), replicates=replicates)


def told(found: OperatingCharacteristics, without: float) -> list[str]:
    """A line for each drift under which nothing works, and one that sums up."""
    lines, worst = [], 0.0
    for scenario, truth in zip(found.scenarios, found.design.truths, strict=True):
        verdict = scenario.hypotheses[0].borrowing
        assert verdict is not None
        if truth.null:
            worst = max(worst, scenario.any_rejection.value)
            lines.append(
                f"  drift {verdict.drift:+g}: stopped {verdict.stopped.value:.3f}, type I error "
                f"{scenario.any_rejection.value:.4f} ({scenario.any_rejection.se:.4f}), given not "
                f"stopped {verdict.rejection.value:.3f} ({verdict.rejection.se:.3f})"
            )
    power = found.scenario("works").any_rejection
    return [
        f"power {power.value:.4f} ({power.se:.4f}), gained {power.value - without:+.3f}; largest "
        f"type I error {worst:.4f}",
        *lines,
    ]


def main(replicates: int = 10_000) -> None:
    """Print what each analysis does."""
    plan = yaml.safe_load(PLAN.read_text(encoding="utf-8"))
    own = alone(plan, replicates)
    print(
        f"own controls alone: power {own.power.value:.4f} ({own.power.se:.4f}), type I error "
        f"{own.type_one_error.value:.4f} ({own.type_one_error.se:.4f})"
    )
    for kind in ANALYSES:
        lines = told(borrowed(plan, kind, replicates), own.power.value)
        print(f"{kind.replace('_', ' ')}: " + "\n".join(lines))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
