"""A delayed effect end to end: power, stopping at each look, duration, and what if it is later.

Run: python examples/delayed-effect.py [replicates]
"""

import sys
from pathlib import Path

from simulation.operating_characteristics import surface
from simulation.trial import TrialDesign, simulate

HERE = Path(__file__).parent
LATE = "scenarios.late benefit.effects.0.hazard_ratio.1"


def main(replicates: int = 10_000) -> None:
    """Print the trial's operating characteristics."""
    design = TrialDesign.read(HERE / "delayed-effect.yaml")
    print("\n".join(design.describe()), "\n")
    found = simulate(design, replicates=replicates)
    for scenario in found.scenarios:
        told = ", ".join(
            f"{h.name} {h.rejection.value:.3f} ({h.rejection.se:.3f})" for h in scenario.hypotheses
        )
        print(f"{scenario.name}: rejected {told}; any {scenario.any_rejection.value:.3f}")
        stops = [f"{p.value:.3f}" for p in scenario.efficacy]
        print(f"  stops with success at looks 1 to 3: {', '.join(stops)}; "
              f"months {scenario.duration.value:.1f} ({scenario.duration.se:.2f}), "
              f"patients {scenario.n.value:.0f}")
    grid = surface(
        design, figure="rejection Immunotherapy: OS", replicates=max(replicates // 10, 50),
        over={f"{LATE}.start": [0.5, 3.0, 6.0], f"{LATE}.ratio": [0.5, 0.6, 0.7]},
    )
    grid.columns = ["delay", "hazard ratio", "power on OS", "se"]
    print("\nPower on OS by delay (months) and hazard ratio after it")
    print(grid.pivot(index="delay", columns="hazard ratio", values="power on OS").round(3))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
