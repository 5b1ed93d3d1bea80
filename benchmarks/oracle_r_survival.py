"""R beside us: survival analyses of random data sets; the largest differences are printed.

Run: python -m benchmarks.oracle_r_survival [--sets 50] [--seed 20261122]
Without R or its survival package it says so and stops without error.
"""

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from generation.randomness import generator
from simulation.analysis.competing import (
    cause_specific_cox,
    fine_gray_batch,
    incidence_difference_batch,
)
from simulation.analysis.cox import cox, cox_batch
from simulation.analysis.logrank import Weight, logrank
from simulation.analysis.rmst import curves_batch

SCRIPT = Path(__file__).with_suffix(".R")
VERSION = "cat(R.version.string, '| survival', as.character(packageVersion('survival')))"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=50)
    parser.add_argument("--seed", type=int, default=20261122)
    options = parser.parse_args()
    version = r_version()
    if version is None:
        print("R with its survival package is not installed here; nothing was compared")
        return
    sets = [drawn(generator(options.seed, "oracle_r_survival", k), k) for k in range(options.sets)]
    theirs = by_r(pd.concat(sets))
    tied = sum(s["time"].duplicated().any() for s in sets)
    print(f"{len(sets)} random data sets, seed {options.seed}, {tied} with ties, "
          f"{min(map(len, sets))} to {max(map(len, sets))} patients, against {version}")
    report(sets, theirs)


def r_version() -> str | None:
    """Version of R and survival, or None where either is absent."""
    if shutil.which("Rscript") is None:
        return None
    done = subprocess.run(["Rscript", "-e", VERSION], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def drawn(rng: np.random.Generator, number: int) -> pd.DataFrame:
    """One data set: two causes, censoring, strata, weights, an offset; ties in every second."""
    n = int(rng.integers(60, 400))
    arm = (rng.random(n) < rng.uniform(0.3, 0.7)).astype(int)
    x = rng.normal(size=(n, 2))
    linear = rng.normal(0, 0.5, 3) @ np.column_stack([arm, x]).T
    time = rng.weibull(rng.uniform(0.7, 1.6), n) * 50 * np.exp(-linear)
    censoring = rng.uniform(5, 150, n)
    event = (time <= censoring).astype(int)
    time = np.minimum(time, censoring) + 0.01
    if number % 2:
        time = np.ceil(time)
    stratum = rng.integers(1, int(rng.integers(2, 6)), n)
    shortest = min(time[arm == a].max() for a in (0, 1))
    return pd.DataFrame({
        "id": number, "time": time, "event": event, "arm": arm, "x1": x[:, 0], "x2": x[:, 1],
        "stratum": stratum, "weight": rng.uniform(0.2, 3, n), "shift": rng.normal(0, 0.3, n),
        "cause": event * (1 + (rng.random(n) < 0.4)), "horizon": 0.7 * shortest,
    })


def by_r(frame: pd.DataFrame) -> dict[tuple[int, str], np.ndarray[Any, Any]]:
    """Figures of R by data set and analysis."""
    with tempfile.TemporaryDirectory() as folder:
        data, results = Path(folder) / "data.csv", Path(folder) / "results.txt"
        frame.to_csv(data, index=False, float_format="%.17g")
        subprocess.run(["Rscript", str(SCRIPT), str(data), str(results)], check=True)
        found = {}
        for line in results.read_text().splitlines():
            number, name, figures = line.split("|")
            found[int(number), name] = np.array(figures.split(), dtype=float)
    return found


def ours(d: pd.DataFrame) -> dict[str, Any]:
    """The same figures by this package."""
    time, event, arm = (d[name].to_numpy(dtype=float) for name in ("time", "event", "arm"))
    stratum, cause = d["stratum"].to_numpy(), d["cause"].to_numpy()
    end = float(d["horizon"].iloc[0])
    found: dict[str, Any] = {}
    tests = {"log-rank": (None, Weight()), "log-rank in strata": (stratum, Weight()),
             "rho 1 in strata": (stratum, Weight(rho=1))}
    for name, (strata, weight) in tests.items():
        test = logrank(time, event, arm, strata, weight=weight)
        found[name] = (test.difference, test.variance, test.chi2)
    for ties in ("efron", "breslow"):
        full = cox(time, event, {"arm": arm, "x1": d["x1"], "x2": d["x2"]}, ties=ties)
        found[f"Cox {ties}"] = (full.coefficients, full.covariance, full.null_log_likelihood,
                                full.log_likelihood, full.score_chi2)
        columns = np.column_stack([arm, d["x1"]])[None]
        codes = np.unique(stratum, return_inverse=True)[1][None]
        part = cox_batch(time[None], event[None], columns, codes, ties=ties, robust=True,
                         weights=d["weight"].to_numpy()[None], offset=d["shift"].to_numpy()[None])
        found[f"Cox weighted {ties}"] = (part.coefficients, part.naive, part.covariance)
    curves = curves_batch(time[None], event[None], arm[None], end)
    found["landmark"] = (curves.survival, np.sqrt(curves.survival_variance))
    found["restricted mean"] = (curves.mean, np.sqrt(curves.mean_variance))
    difference = incidence_difference_batch(time[None], cause[None], arm[None], end)
    found["cumulative incidence"] = (difference.estimate, difference.se)
    one = cause_specific_cox(time, cause, {"arm": arm, "x1": d["x1"]})
    found["cause-specific Cox"] = (one.coefficients, one.covariance)
    sub = fine_gray_batch(time[None], cause[None], np.column_stack([arm, d["x1"]])[None],
                          known_weights=True)
    found["Fine-Gray"] = (sub.coefficients, sub.naive, sub.covariance)
    return found


def report(sets: list[pd.DataFrame], theirs: dict[tuple[int, str], Any]) -> None:
    """Largest difference of each analysis, against the larger of 1 and R's figure."""
    largest: dict[str, float] = {}
    for number, d in enumerate(sets):
        for name, values in ours(d).items():
            mine = np.concatenate([np.ravel(np.asarray(v, dtype=float)) for v in values])
            peer = theirs[number, name]
            if name == "cumulative incidence":
                peer = np.array([peer[1] - peer[0], np.hypot(peer[2], peer[3])])
            gap = float((np.abs(mine - peer) / np.maximum(1, np.abs(peer))).max())
            largest[name] = max(largest.get(name, 0.0), gap)
    for name, gap in largest.items():
        print(f"  {name:<24}largest difference {gap:.1e}")


if __name__ == "__main__":
    main()
