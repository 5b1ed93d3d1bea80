"""R beside us: simulated group-sequential trials against rpact; the largest differences are told.

Means and rates are held against rpact's integrals, survival against its simulator (the formula for
survival is of first order: with two to one randomisation its power is out by a point).

Run: python -m benchmarks.oracle_r_trials [--trials 30] [--replicates 4000] [--seed 20261123]
Without R or rpact it says so and stops without error.
"""

import argparse
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from math import log, sqrt
from pathlib import Path
from typing import Any, Final, Self, final

from scipy.stats import norm

from benchmarks.oracle_r import SPENDING, numbers, rpact_version
from simulation.trial import ParametricPopulation, TrialDesign, simulate

SCRIPT = Path(__file__).with_name("oracle_r_trials.R")
FAMILIES: Final = {**SPENDING, "OF": "obrien_fleming", "P": "pocock", "WT": "wang_tsiatis"}
PARAMETERS: Final = {"asHSD": "gamma", "asKD": "rho", "WT": "delta"}
KINDS: Final = {
    "means": {"kind": "continuous", "name": "y", "visits": [1]},
    "rates": {"kind": "binary", "name": "y", "visit": 1},
    "survival": {"kind": "time_to_event", "name": "y"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--replicates", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=20261123)
    options = parser.parse_args()
    version = rpact_version()
    if version is None:
        print("R or its package rpact is not installed here; nothing was compared")
        return
    print(f"{options.trials} random trials, {options.replicates} replicates of each, seed "
          f"{options.seed}, against rpact {version}")
    errors: dict[str, list[float]] = {}
    for number, line in enumerate(by_rpact(options)):
        trial = Trial.of(line)
        found = trial.compared(options.replicates, options.seed)
        told = ", ".join(f"{name} {value:+.1f}" for name, value in found.items())
        print(f"{number:3d} {trial.told}: {told}", flush=True)
        for name, value in found.items():
            errors.setdefault(name.split()[0], []).append(value)
    figures = sum(len(held) for held in errors.values())
    print(f"\nlargest distances in combined standard errors; {norm.isf(0.005 / figures):.2f} is "
          f"the limit at 1 % over all {figures}")
    for name, held in errors.items():
        print(f"  {name:<10} {max(map(abs, held)):.2f} of {len(held)}")


def by_rpact(options: argparse.Namespace) -> list[str]:
    """One line for each trial, as the script writes it."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "results.txt"
        subprocess.run(
            ["Rscript", str(SCRIPT), str(options.seed), str(options.trials),
             str(options.replicates), str(result)], check=True, stdout=sys.stderr,
        )
        return result.read_text(encoding="utf-8").splitlines()


@final
@dataclass(frozen=True)
class Trial:
    """One trial and what rpact says of it.

    Attributes
    ----------
    told
        In a few words.
    design, law
        For `simulate`: the plan, and the law of the outcome under control.
    exact
        Whether rpact's figures are integrals, else of as many replicates as ours.
    figures
        By name; patients and months are means, all others probabilities.
    """

    told: str
    design: TrialDesign
    law: dict[str, Any]
    exact: bool
    figures: dict[str, float]

    @classmethod
    def of(cls, line: str) -> Self:
        """Read one line of the script."""
        kind, rates, family, figure, futility, ratio, n, *rest = line.split("|")
        truth, means, reject, stop = rest
        size, at = int(n), numbers(rates)
        boundary: dict[str, Any] = {"family": FAMILIES[family]}
        if family in PARAMETERS:
            boundary[PARAMETERS[family]] = float(figure)
        rule: dict[str, Any] = {"kind": "group_sequential", "boundary": boundary}
        if futility:
            rule["futility"] = {"family": "z", "bounds": numbers(futility).tolist()}
        plan: dict[str, Any] = {
            "arms": [{"name": "C", "control": True}, {"name": "A", "allocation": int(ratio)}],
            "n": size, "rule": rule, "endpoints": [KINDS[kind]],
        }
        law, effect = _outcome(kind, numbers(truth).tolist())
        rule["looks"] = {"at": [float(rate) * size for rate in at]}
        if kind == "survival":
            events = [round(float(rate) * numbers(truth)[1] + 1e-9) for rate in at]
            rule["looks"] = {"by": "events", "at": events, "information": at.tolist()}
            plan |= {"enrolment": {"duration": 12, "process": "even"},
                     "dropout": {"kind": "hazard", "rate": -log(0.95) / 12}}
        plan["scenarios"] = [{"name": "truth", "effects": [effect]}]
        names = ["power", "patients", *(["months"] if kind == "survival" else [])]
        figures = dict(zip(names, numbers(means), strict=False))
        figures |= {f"success at look {k + 1}": v for k, v in enumerate(numbers(reject))}
        if futility:
            figures |= {f"futility at look {k + 1}": v for k, v in enumerate(numbers(stop)[:-1])}
        told = f"{kind}, {len(at)} looks, {family}, {ratio}:1, {size} patients"
        return cls(told, TrialDesign.parse(plan), law, kind != "survival", figures)

    def compared(self, replicates: int, seed: int) -> dict[str, float]:
        """Distance of each figure in combined standard errors."""
        population = ParametricPopulation(outcomes={"y": self.law})
        found = simulate(self.design, population, replicates, seed=seed).scenario("truth")
        double = 1 if self.exact else 2
        out = {}
        for name, theirs in self.figures.items():
            if name in ("patients", "months"):
                ours = found.n if name == "patients" else found.duration
                if ours.se > 0.02:
                    out[name] = (ours.value - theirs) / (ours.se * sqrt(double))
                continue
            what, _, place = name.partition(" at look ")
            held = {"power": (found.any_rejection,), "success": found.efficacy,
                    "futility": found.futility}[what]
            share = min(max(theirs, 1e-3), 1 - 1e-3)
            error = sqrt(share * (1 - share) * double / replicates)
            out[name] = (held[int(place or 1) - 1].value - theirs) / error
        return out


def _outcome(kind: str, truth: list[float]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Law under control, and the effect, of rpact's figures of the truth."""
    on = {"arm": "A", "endpoint": "y"}
    if kind == "means":
        return {"kind": "continuous"}, on | {"shift": truth[0]}
    if kind == "rates":
        high, low = truth
        odds = high / (1 - high) / (low / (1 - low))
        return {"kind": "binary", "probability": low}, on | {"odds_ratio": odds}
    return {"kind": "time_to_event", "median": 12}, on | {"hazard_ratio": truth[0]}


if __name__ == "__main__":
    main()
