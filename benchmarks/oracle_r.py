"""R beside us: random group-sequential designs against rpact; the largest differences are printed.

Run: python -m benchmarks.oracle_r [--designs 240] [--seed 20261122]
Without R or rpact it says so and stops without error.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import multivariate_normal

from extraction.records.errors import InputError
from generation.randomness import generator
from simulation.analysis.sequential import GroupSequential, SequentialPlan, solved
from simulation.analysis.sequential.quadrature import Precision, crossing

SCRIPT = Path(__file__).with_name("oracle_r.R")
COLUMNS = ("id", "type", "rates", "alpha", "power", "sided", "delta", "gamma", "interim", "custom",
           "beta_type", "beta_gamma", "futility", "binding")
SPENDING = {
    "asOF": "lan_demets_obrien_fleming", "asP": "lan_demets_pocock", "asHSD": "hwang_shih_decani",
    "asKD": "kim_demets", "asUser": "custom_spending",
}
LOWEST, HIGHEST = -5.9, 6.0  # beyond them rpact cuts its bounds or its tails are inexact
FINE = Precision.of(24, 3.0, 9.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--designs", type=int, default=240)
    parser.add_argument("--seed", type=int, default=20261122)
    options = parser.parse_args()
    version = rpact_version()
    if version is None:
        print("R with rpact is not installed here; nothing was compared")
        return
    drawn = [draw(generator(options.seed, "oracle_r", k), k) for k in range(options.designs)]
    theirs = by_rpact([row for row, _ in drawn])
    print(f"{len(drawn)} random group-sequential designs, seed {options.seed}, against rpact "
          f"{version}")
    report(drawn, theirs)


def rpact_version() -> str | None:
    """Version of rpact, or None where R or rpact is absent."""
    if shutil.which("Rscript") is None:
        return None
    done = subprocess.run(
        ["Rscript", "-e", "cat(as.character(packageVersion('rpact')))"],
        capture_output=True, text=True, check=False,
    )
    return done.stdout.strip() if done.returncode == 0 else None


def draw(rng: np.random.Generator, number: int) -> tuple[dict[str, str], dict[str, Any]]:
    """One design, as a row for R and as a plan for us."""
    looks = int(rng.integers(2, 7))
    inner = np.sort(rng.choice(np.arange(2, 39), looks - 1, replace=False)) / 40
    rates = (*inner.tolist(), 1.0)
    alpha, power = round(rng.uniform(0.005, 0.05), 4), round(rng.uniform(0.7, 0.95), 3)
    sided = 2 if rng.uniform() < 0.25 else 1
    kind = str(rng.choice(["OF", "P", "WT", "HP", *SPENDING]))
    row = dict.fromkeys(COLUMNS, "")
    row.update(id=str(number), type=kind, rates=text(rates), alpha=str(alpha * sided),
               power=str(power), sided=str(sided))
    plan: dict[str, Any] = {"rates": rates, "alpha": alpha * sided, "power": power, "sided": sided}
    plan["boundary"] = boundary(rng, kind, row, alpha * sided, looks)
    if sided == 1 and rng.uniform() < 0.6:
        plan["futility"] = futility(rng, kind, row, looks)
    return row, plan


def boundary(
    rng: np.random.Generator, kind: str, row: dict[str, str], alpha: float, looks: int
) -> dict[str, Any]:
    if kind == "OF":
        return {"family": "obrien_fleming"}
    if kind == "P":
        return {"family": "pocock"}
    if kind == "WT":
        row["delta"] = str(round(rng.uniform(-0.2, 0.6), 3))
        return {"family": "wang_tsiatis", "delta": float(row["delta"])}
    if kind == "HP":
        row["interim"] = str(round(rng.uniform(3.0, 3.6), 2))
        return {"family": "haybittle_peto", "interim": float(row["interim"])}
    out: dict[str, Any] = {"family": SPENDING[kind]}
    if kind == "asHSD":
        row["gamma"] = str(round(rng.uniform(-6, 3), 2))
        out["gamma"] = float(row["gamma"])
    if kind == "asKD":
        row["gamma"] = str(round(rng.uniform(0.6, 4), 2))
        out["rho"] = float(row["gamma"])
    if kind == "asUser":
        shares = np.round(np.sort(rng.uniform(0.02, 0.95, looks - 1)), 4)
        out["cumulative"] = (*shares.tolist(), 1.0)
        row["custom"] = text([share * alpha for share in out["cumulative"]])
    return out


def futility(
    rng: np.random.Generator, kind: str, row: dict[str, str], looks: int
) -> dict[str, Any]:
    binding = bool(rng.uniform() < 0.5)
    row["binding"] = str(int(binding))
    if kind in SPENDING:
        spending = str(rng.choice(["bsOF", "bsP", "bsHSD", "bsKD"]))
        row["beta_type"] = spending
        used: dict[str, Any] = {"family": SPENDING["as" + spending[2:]]}
        if spending in ("bsHSD", "bsKD"):
            low, high, name = (-6, 2, "gamma") if spending == "bsHSD" else (0.8, 4, "rho")
            row["beta_gamma"] = str(round(rng.uniform(low, high), 2))
            used[name] = float(row["beta_gamma"])
        return {"family": "beta_spending", "spending": used, "binding": binding}
    bounds = np.round(np.sort(rng.uniform(-1.5, 0.8, looks - 1)), 3)
    row["futility"] = text(bounds)
    return {"family": "z", "bounds": tuple(bounds.tolist()), "binding": binding}


def text(values: Any) -> str:
    return ",".join(repr(float(value)) for value in values)


def by_rpact(rows: list[dict[str, str]]) -> pd.DataFrame:
    with tempfile.TemporaryDirectory() as folder:
        source, result = Path(folder) / "designs.tsv", Path(folder) / "results.tsv"
        pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(source, sep="\t", index=False)
        subprocess.run(
            ["Rscript", str(SCRIPT), str(source), str(result)], check=True, stdout=sys.stderr
        )
        return pd.read_csv(result, sep="\t", dtype=str, keep_default_na=False)


def compare(ours: GroupSequential, row: pd.Series) -> dict[str, float]:
    """Largest absolute difference of each figure."""

    def apart(mine: Any, theirs: str) -> float:
        return float(np.abs(np.asarray(mine) - numbers(theirs)).max())

    critical = numbers(row["critical"])
    seen = critical < HIGHEST
    out = {"critical": float(np.abs(np.asarray(ours.critical) - critical)[seen].max(initial=0.0))}
    out["own level"] = level_gap(ours, np.asarray(ours.critical))
    out["level of R's bounds"] = level_gap(ours, critical)
    if row["futility"]:
        their = numbers(row["futility"])
        seen = their > LOWEST
        mine = np.asarray(ours.futility)
        out["futility"] = float(np.abs(mine - their)[seen].max(initial=0.0))
    out["drift"] = apart(ours.drift, row["drift"])
    out["inflation"] = apart(ours.inflation, row["inflation"])
    out["cumulative power"] = apart(ours.cumulative_power(), row["power"])
    drifts = ours.drift * np.array([1.0, 0.5, 0.0])
    out["E[N]/N fixed"] = apart(ours.expected_ratio(drifts), row["expected"])
    return out


def level_gap(design: GroupSequential, critical: np.ndarray) -> float:
    """Distance of the type I error of critical values from alpha, by a finer quadrature."""
    lower = -critical if design.plan.sided == 2 else design.level_lower
    up, _ = crossing(critical, np.minimum(lower, critical), design.rates, 0.0, FINE)
    return abs(float(up.sum()) * design.plan.sided - design.alpha)


def by_genz(design: GroupSequential, critical: np.ndarray) -> float:
    """Type I error of one-sided critical values, futility not counted: another's integration."""
    rates = np.asarray(design.rates)
    law = np.sqrt(np.minimum.outer(rates, rates) / np.maximum.outer(rates, rates))
    zero = np.zeros(len(rates))
    return 1 - float(
        multivariate_normal(zero, law, abseps=1e-8, releps=1e-8, maxpts=4_000_000).cdf(critical)
    )


def numbers(words: str) -> np.ndarray:
    return np.array([float(word) for word in words.split(",")])


def report(drawn: list[tuple[dict[str, str], dict[str, Any]]], theirs: pd.DataFrame) -> None:
    found: list[dict[str, Any]] = []
    refused, ours_seconds, r_seconds = [], 0.0, 0.0
    for (row, values), (_, answer) in zip(drawn, theirs.iterrows(), strict=True):
        start = time.process_time()
        try:
            design = solved(SequentialPlan.parse(values))
        except InputError as error:
            refused.append((row, answer, str(error)))
            continue
        ours_seconds += time.process_time() - start
        if answer["failed"]:
            refused.append((row, answer, "rpact: " + answer["failed"]))
            continue
        r_seconds += float(answer["seconds"])
        kind = row["type"] + (" two-sided" if row["sided"] == "2" else "")
        kind += {"": "", "0": " futility", "1": " binding futility"}[row["binding"]]
        found.append({"id": row["id"], "kind": kind, **compare(design, answer)})
    table = pd.DataFrame(found)
    figures = [name for name in table.columns if name not in ("id", "kind")]
    print(f"compared: {len(table)}; not compared: {len(refused)}\n")
    print(table.groupby("kind")[figures].max().to_string(float_format=lambda x: f"{x:.1e}"))
    print("\nfigure                 median      90 %   largest  of design")
    for name in figures:
        worst = table.loc[table[name].idxmax()]
        print(f"{name:<21} {table[name].median():8.1e}  {table[name].quantile(0.9):8.1e}  "
              f"{worst[name]:8.1e}  {worst['id']} ({worst['kind']})")
    print("\nthe three designs furthest apart by drift, and the one by critical value:")
    for place in [*table["drift"].nlargest(3).index, table["critical"].idxmax()]:
        number = int(table.loc[place, "id"])
        row, values = drawn[number]
        answer = theirs.iloc[number]
        design = solved(SequentialPlan.parse(values))
        print(f"  {row['id']} {table.loc[place, 'kind']}, rates {row['rates']}\n"
              f"    ours  {text(np.round(design.critical, 7))}, drift {design.drift:.7f}\n"
              f"    rpact {text(np.round(numbers(answer['critical']), 7))}, "
              f"drift {float(answer['drift']):.7f}\n"
              f"    type I error of one side by scipy's multivariate normal law (Genz), alpha "
              f"{design.alpha / design.plan.sided:.4f}: ours "
              f"{by_genz(design, np.asarray(design.critical)):.7f}, rpact "
              f"{by_genz(design, numbers(answer['critical'])):.7f}")
    for row, _, why in refused:
        print(f"not compared: {row['id']} {row['type']}: {why}")
    print("\n'own level' and 'level of R's bounds': distance of the type I error from alpha by a "
          "finer quadrature\n(24 points on 3 standard deviations, reach 9) for our critical values "
          "and for rpact's: it says whose digits differ.\n'critical' counts values up to "
          f"{HIGHEST}, 'futility' down to {LOWEST}; beyond, rpact cuts its bounds or loses tails.")
    print(f"\nCPU time of {len(table)} designs: ours {ours_seconds:.2f} s, rpact {r_seconds:.2f} s "
          f"(bounds, drift and expected sizes; R's start not counted)")


if __name__ == "__main__":
    main()
