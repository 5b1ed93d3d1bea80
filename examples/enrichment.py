"""Enrichment beside a naive test of the chosen population, and beside a design that cannot narrow.

Then: estimates of the population that was chosen, as if it had been planned and given the choice,
of this trial and of one of times to events with looks by events.

Run: python examples/enrichment.py [replicates]
"""

import sys
from pathlib import Path

from simulation.operating_characteristics.vary import varied
from simulation.trial import TrialDesign, simulate
from simulation.trial.characteristics import OperatingCharacteristics

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
    survival = TrialDesign.read(HERE / "enrichment-survival.yaml")
    for each in (design, survival):
        print(f"estimates where a population was chosen: {each.name}")
        tell_estimates(simulate(each, each.population, replicates))


def tell_estimates(found: OperatingCharacteristics) -> None:
    """Print bias, root mean squared error and coverage, naive and given the choice."""
    for scenario in found.scenarios:
        print(f"  {scenario.name}: any {scenario.any_rejection.value:.4f} "
              f"({scenario.any_rejection.se:.4f})")
        for tested in scenario.hypotheses:
            if tested.chosen is None or tested.truth is None:
                continue
            print(f"    {tested.name}: chosen {tested.chosen.share.value:.3f}, "
                  f"rejected {tested.rejection.value:.4f} ({tested.rejection.se:.4f})")
            kinds = {"naive": tested.chosen.naive, "adjusted": tested.chosen.adjusted}
            for name, held in kinds.items():
                if held is not None and held.bias and held.rmse and held.coverage:
                    print(f"      {name}: bias {held.bias.value:+.4f} ({held.bias.se:.4f}), RMSE "
                          f"{held.rmse.value:.3f}, coverage {held.coverage.value:.4f} "
                          f"({held.coverage.se:.4f})")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
