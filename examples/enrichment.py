"""Enrichment beside a naive test of the chosen population, and beside a design that cannot narrow.

Run: python examples/enrichment.py [replicates]
"""

import sys
from pathlib import Path

from simulation.operating_characteristics.vary import varied
from simulation.trial import TrialDesign, simulate

HERE = Path(__file__).parent


def main(replicates: int = 10_000) -> None:
    """Print rejections of each hypothesis by each design."""
    design = TrialDesign.read(HERE / "enrichment.yaml")
    naive, _ = varied(design, None, {
        "rule.test": "naive",
        # The most tempting choice: whichever population looks better.
        "rule.selection": {"kind": "higher"},
    })
    plan = design.model_dump(mode="json", exclude={"population"})
    fixed = TrialDesign.parse(plan | {
        "hypotheses": plan["hypotheses"][:1],
        "rule": {"kind": "group_sequential", "boundary": "pocock", "looks": {"at": [150, 300]}},
    })
    named = {"closed test": design, "naive test (invalid)": naive, "all patients only": fixed}
    for name, each in named.items():
        print(name)
        for scenario in simulate(each, design.population, replicates).scenarios:
            told = ", ".join(
                f"{h.name} {h.rejection.value:.4f} ({h.rejection.se:.4f})"
                for h in scenario.hypotheses
            )
            print(f"  {scenario.name}: any {scenario.any_rejection.value:.4f} "
                  f"({scenario.any_rejection.se:.4f}); {told}; screened "
                  f"{scenario.screened.value:.0f}, weeks {scenario.duration.value:.0f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
