"""Engines and peers on public trials: closeness, usefulness, privacy and cost, beside controls.

Development is on three quarters of each data set, by five splits (train on four fifths, judge on
the fifth). ``--lockbox`` trains on the three quarters and judges on the locked quarter, once a
release; the opening is logged (peers: ``benchmarks.peers.run --locked`` beforehand, which opens
nothing). Fits and judgements are kept under ``var/benchmarks`` and found
again by the hash of data, code, options, split and seed. Peers are run beforehand, by
``python -m benchmarks.peers.run``; here they are looked up.

    python -m benchmarks.generation --engines twin mixture cart --json figures.json
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.datasets import DATASETS, LONGITUDINAL, STATIC
from benchmarks.generation_effects import EFFECTS, log_hazard_ratios
from benchmarks.generation_effects import judged as judged_effects
from benchmarks.generation_fits import (
    FOLDS,
    LOCKED,
    PEERS,
    ROOT,
    STORE,
    Fitted,
    Job,
    NotFitted,
    fitted,
    meaning,
)
from benchmarks.generation_judging import Bench, Split
from benchmarks.generation_report import data_table, goal_lines, goals, ranking, visits_table
from benchmarks.lockbox import development, open_lockbox
from benchmarks.peers.run import peers_of
from extraction.records import Cohort
from generation.evaluation.metric import plain

OWN = ("twin", "mixture", "cart")
LARGE = 3000
"""Patients from which a data set has two splits."""
SCALING = STORE / "scaling.json"


class DataSet:
    """One data set in play: its patients, splits and judges."""

    def __init__(self, name: str, seed: int, splits: int, lockbox: str | None) -> None:
        self.name, self.seed = name, seed
        whole = DATASETS[name]()
        self.cohort = development(whole) if lockbox is None else whole
        self.splits = self._locked(lockbox) if lockbox else self._folds(splits)
        self._benches: dict[tuple[int, ...], Bench] = {}

    def _folds(self, splits: int) -> dict[int, Split]:
        """The first of five splits; two of a large data set."""
        fold = self.cohort.folds(FOLDS, self.seed)
        most = min(splits, 2) if len(self.cohort) >= LARGE else splits
        return {k: Split(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(most)}

    def _locked(self, commit: str) -> dict[int, Split]:
        """Train on the three quarters, judge on the locked one; the opening is logged."""
        train, locked = open_lockbox(self.cohort, commit, "generation benchmark")
        rows = [self.cohort.positions(part.subjects) for part in (train, locked)]
        return {LOCKED: Split(*(np.sort(part) for part in rows))}

    def train(self, number: int) -> Cohort:
        """Training patients of a split."""
        kept = np.zeros(len(self.cohort), dtype=bool)
        kept[self.splits[number].train] = True
        return self.cohort.take(kept)

    def bench(self, numbers: Sequence[int]) -> Bench:
        """The real side of these splits."""
        key = tuple(numbers)
        if key not in self._benches:
            self._benches[key] = Bench(self.cohort, [self.splits[k] for k in key], self.seed)
        return self._benches[key]


def run_engine(data: DataSet, engine: str, refit: bool, options: dict[str, Any]) -> dict[str, Any]:
    """Fit (or look up) every split of one engine, and judge what there is.

    Raises
    ------
    NotFitted
        Where no split could be had.
    """
    fits: dict[int, Fitted] = {}
    reason = "no split"
    for number in data.splits:
        job = Job(data.name, engine, number, data.seed, options)
        try:
            fits[number] = fitted(
                job, data.train(number), len(data.cohort), refit=refit and engine not in PEERS
            )
        except NotFitted as error:
            reason = str(error)
    if not fits:
        raise NotFitted(reason)
    return _judged(data, engine, fits)


def _judged(data: DataSet, engine: str, fits: dict[int, Fitted]) -> dict[str, Any]:
    told = json.dumps([*(f.folder.name for f in fits.values()), data.seed, _judging_digest()])
    key = hashlib.blake2b(told.encode(), digest_size=8).hexdigest()
    path = STORE / "judged" / data.name / f"{engine}-{key}.json"
    if path.exists():
        return dict(json.loads(path.read_text("utf-8")))
    samples = [f.sample(data.cohort.schema) for f in fits.values()]
    found = data.bench(list(fits)).judge(samples)
    costs = [f.cost for f in fits.values()]
    found |= {
        "splits": len(fits),
        "cost": {name: float(np.mean([c[name] for c in costs])) for name in costs[0]},
        "effects": _effects(data, fits),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(plain(found)), "utf-8")
    return dict(plain(found))


def _effects(data: DataSet, fits: dict[int, Fitted]) -> dict[str, Any] | None:
    effect = EFFECTS.get(data.name)
    splits = []
    for number, fit in fits.items():
        drawn = fit.effects()
        if effect is None or drawn is None:
            return None
        real, error = log_hazard_ratios([data.train(number)], effect)
        splits.append({**drawn, "real": float(real[0]), "real_se": float(error[0])})
    return judged_effects(splits)


def _judging_digest() -> str:
    files = [*sorted((ROOT / "generation" / "evaluation").glob("*.py"))]
    here = Path(__file__).parent
    files += [here / f"generation_{n}.py" for n in ("judging", "tables", "effects")]
    digest = hashlib.blake2b(digest_size=8)
    for path in files:
        digest.update(meaning(path))
    return digest.hexdigest()


def _commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="*", choices=list(DATASETS), default=list(DATASETS))
    parser.add_argument("--engines", nargs="*", default=[*OWN, *PEERS])
    parser.add_argument("--splits", type=int, default=FOLDS, choices=range(1, FOLDS + 1))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--options", type=json.loads, default={}, help="JSON: engine -> options")
    parser.add_argument("--cached", action="store_true", help="judge what is on disk, fit nothing")
    parser.add_argument("--lockbox", action="store_true", help="open the locked quarter (logged)")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    options = parser.parse_args()
    lockbox = _commit().strip() if options.lockbox else None
    results: dict[str, dict[str, Any]] = {}
    for name in options.data:
        data = DataSet(name, options.seed, options.splits, lockbox)
        results[name] = _run_data(data, options)
        print(f"\n{data_table(f'{name}: {len(data.cohort)} patients', results[name])}", flush=True)
    _conclude(results, options.engines)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1), encoding="utf-8")


def _run_data(data: DataSet, options: argparse.Namespace) -> dict[str, Any]:
    found = {}
    for engine in options.engines:
        if engine in PEERS and engine not in peers_of(data.name):
            continue
        try:
            found[engine] = run_engine(
                data, engine, not options.cached, options.options.get(engine, {})
            )
        except NotFitted as reason:
            print(f"  {data.name}, {engine}: left out: {reason}", flush=True)
    return found


def _conclude(results: dict[str, dict[str, Any]], engines: Sequence[str]) -> None:
    print(f"\n{visits_table(results, list(LONGITUDINAL))}")
    for what, data in (("static", list(STATIC)), ("longitudinal", list(LONGITUDINAL))):
        print(f"\nranking, {what} data sets (mean AUC gap to real against real)")
        for engine, mean, n, out in ranking(results, data):
            print(f"  {engine:22}{mean:.3f}  {n} sets{f'  out: {out}' if out else ''}")
    scaling = json.loads(SCALING.read_text("utf-8")) if SCALING.exists() else None
    for engine in [e for e in engines if e not in PEERS]:
        print(f"\ngoals, {engine}")
        print(goal_lines(goals(results, engine, list(STATIC), list(LONGITUDINAL), scaling)))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
