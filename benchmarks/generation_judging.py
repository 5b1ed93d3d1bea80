"""Synthetic patients of several splits judged with the product's own measures.

Everything is measured against the patients held out, split by split, and stands beside three
controls of the same size: a copy of the training patients (drawn with replacement), independent
columns, and the training patients themselves (real against real).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.generation_tables import KEY, UNTIL, in_order
from extraction.records import Cohort
from extraction.records.constraints import all_met
from generation.evaluation.controls import copy, independent
from generation.evaluation.disclosure import privacy
from generation.evaluation.fidelity import marginals, pairs, strong_pairs
from generation.evaluation.metric import WORSE
from generation.evaluation.reference import Fold, Reference
from generation.evaluation.separation import detect_held_out
from generation.evaluation.survival import kaplan_meier_distance
from generation.evaluation.tables import Floats, Layout, Table, tables
from generation.evaluation.utility import Target, performance, targets
from generation.evaluation.validity import impossible_rows
from generation.randomness import generator, integer_seed

RESAMPLES = 100
FEWEST_PAIRS = 200
"""Pairs of successive values that a correlation needs to count."""
_COPIES = 6
_REAL_ROWS = 20_000
"""Rows over all draws of real against real: many draws of small sets, three of large ones."""
_MOST_TARGETS = 6
_SKEWED = 1.5
Distance = Callable[[Table, Table], float]


@dataclass(frozen=True)
class Split:
    """One split of a cohort: who was trained on, who was held out, as rows of the cohort."""

    train: np.ndarray[Any, np.dtype[np.int64]]
    holdout: np.ndarray[Any, np.dtype[np.int64]]


class Bench:
    """The real side of one data set; what depends on it alone is worked out once.

    Parameters
    ----------
    cohort
        All patients of the data set that are in play.
    splits
        The splits that are judged together.
    """

    def __init__(self, cohort: Cohort, splits: Sequence[Split], seed: int) -> None:
        self.cohort, self.splits, self.seed = cohort, tuple(splits), seed
        self.ordered = in_order(cohort)
        self.pool = tables([self.ordered], real=[0])[0]
        self.strong = strong_pairs(self.pool)
        size = len(cohort)
        folds = tuple(Fold(s.train, s.holdout, len(s.train), size) for s in self.splits)
        self.reference = Reference(self.pool, folds, seed)
        self.targets = _best_targets(self.reference)
        self.controls = self._controls()

    def judge(self, samples: Sequence[Cohort]) -> dict[str, Any]:
        """All measures of one engine; `samples` has one cohort a split, as large as the data."""
        drawn = tables([self.ordered, *(in_order(s) for s in samples)], real=[0])[1:]
        found = [_onto(table, self.pool.layout) for table in drawn]
        out = {
            **self._measured(found),
            "kaplan_meier": self._curves(found),
            "utility": self._utility(found),
            **self._privacy(found),
            "impossible": self._impossible(samples),
        }
        if self.cohort.schema.longitudinal:
            out["lag_one"] = lag_ones(self.cohort, samples)
            out["after_follow_up"] = after_follow_up(samples)
        return out

    def _measured(self, found: Sequence[Table]) -> dict[str, Any]:
        """Distances and areas, mean over splits."""
        areas = [self._area(i, table) for i, table in enumerate(found)]
        out: dict[str, Any] = {"auc": float(np.mean(areas)), "auc_by_split": areas}
        for name, distance in self._distances().items():
            out[name] = self._mean(distance, found)
        return {**out, **{f"{k}_of": v for k, v in self.controls.items()}}

    def _distances(self) -> dict[str, Distance]:
        return {
            "marginals": lambda s, r: 1 - marginals(s, r),
            "pairs": lambda s, r: 1 - pairs(s, r, self.strong),
        }

    def _mean(self, distance: Distance, found: Sequence[Table]) -> float:
        """Mean over splits at the size of the training set."""
        return float(np.mean([
            distance(table.head(len(split.train)), self.pool.take(split.holdout))
            for table, split in zip(found, self.splits, strict=True)
        ]))  # fmt: skip

    def _area(self, i: int, table: Table) -> float:
        """Two-sample AUC: learned on spare synthetic and training rows, judged on the held-out."""
        split = self.splits[i]
        held = len(split.holdout)
        part = (
            table.take(slice(held, None)),
            self.pool.take(split.train),
            table.head(held),
            self.pool.take(split.holdout),
        )
        return detect_held_out([part], integer_seed(self.seed, "benchmark-detect", i)).area

    def _controls(self) -> dict[str, dict[str, float]]:
        """The same measures of a copy, of independent columns and of real patients."""
        found = {}
        for kind, make in (("copy", copy), ("independent", independent)):
            drawn = [
                make(
                    self.pool.take(s.train),
                    len(self.pool),
                    generator(self.seed, f"benchmark-{kind}", i),
                )
                for i, s in enumerate(self.splits)
            ]
            found[kind] = self._scores(drawn)
        real = [self.pool.take(s.train) for s in self.splits]
        draws = max(3, min(20, _REAL_ROWS // len(self.pool)))
        areas = [self._real_area(i, k) for i in range(len(real)) for k in range(draws)]
        values = {n: self._mean(d, real) for n, d in self._distances().items()}
        found["real"] = {"auc": float(np.mean(areas)), **values}
        return found

    def _scores(self, drawn: Sequence[Table]) -> dict[str, float]:
        areas = [self._area(i, t) for i, t in enumerate(drawn)]
        values = {n: self._mean(d, drawn) for n, d in self._distances().items()}
        return {"auc": float(np.mean(areas)), **values}

    def _real_area(self, i: int, number: int) -> float:
        """The same for two halves of the training patients, judged on halves of the held-out."""
        rng = generator(self.seed, "benchmark-real", i, number)
        sides = []
        for rows in (self.splits[i].train, self.splits[i].holdout):
            mixed = rng.permutation(rows)
            sides += [self.pool.take(mixed[::2]), self.pool.take(mixed[1::2])]
        one, other, held_one, held_other = sides
        seed = integer_seed(self.seed, "benchmark-real-detect", i, number)
        return detect_held_out([(one, other, held_one, held_other)], seed).area

    def _curves(self, found: Sequence[Table]) -> dict[str, Any]:
        """Kaplan-Meier distance of each endpoint beside the training patients', paired."""
        out = {}
        for endpoint in self.pool.layout.endpoints:
            distance = partial(kaplan_meier_distance, endpoint=endpoint)
            real = [self.pool.take(s.train) for s in self.splits]
            gaps = self._paired(distance, found, real)
            low, high = np.quantile(gaps, [0.025, 0.975])
            out[endpoint.name] = {
                "value": self._mean(distance, found),
                "real": self._mean(distance, real),
                "difference": [float(low), float(high)],
                "worse": bool(low > 0),
            }
        return out

    def _paired(self, distance: Distance, found: Sequence[Table], real: Sequence[Table]) -> Floats:
        """Synthetic less real distance, both from the same resampled held-out patients."""
        gaps = np.zeros(RESAMPLES)
        for i, split in enumerate(self.splits):
            rng = generator(self.seed, "benchmark-paired", i)
            ours = found[i].head(len(split.train))
            for b in range(RESAMPLES):
                held = self.pool.take(rng.choice(split.holdout, size=len(split.holdout)))
                drawn = [copy(t, len(split.train), rng) for t in (ours, real[i])]
                gaps[b] += distance(drawn[0], held) - distance(drawn[1], held)
        return gaps / len(self.splits)

    def _utility(self, found: Sequence[Table]) -> dict[str, Any]:
        """What a model trained on synthetic patients loses on held-out ones, per outcome."""
        out = {}
        for target in self.targets:
            real, spread = self.reference.cached(
                f"benchmark:{target.key}", partial(self._real_trained, target)
            )
            ours = performance(
                target, self.reference, lambda i: found[i].head(len(self.splits[i].train))
            )
            loss = real.value - ours.value
            # Two training samples of one size differ by themselves: twice their variance.
            se = float(np.sqrt(((real.influence - ours.influence) ** 2).sum() + 2 * spread**2))
            out[target.key] = {
                "kind": target.kind,
                "value": ours.value,
                "real": real.value,
                "loss": [loss - 1.96 * se, loss + 1.96 * se],
                "worse": not loss - 1.96 * se <= 0,  # a model that cannot be trained is worse
            }
        return out

    def _real_trained(self, target: Target) -> tuple[Any, float]:
        """Performance of real training patients, and its spread over resampled ones."""
        train = self.reference.train
        copies = []
        for k in range(_COPIES):
            rng = generator(self.seed, "benchmark-trained", k)
            drawn = [copy(train(i), len(train(i)), rng) for i in range(len(self.splits))]
            copies.append(performance(target, self.reference, drawn.__getitem__).value)
        return performance(target, self.reference, train), float(np.std(copies, ddof=1))

    def _privacy(self, found: Sequence[Table]) -> dict[str, Any]:
        metrics = {m.name: m for m in privacy(self.reference, list(found))}
        share, exact = metrics["dcr_share"], metrics["exact_matches"]
        return {
            "dcr_share": share.value,
            "dcr_share_of": {k: c.value for k, c in share.controls.items()},
            "exact": {
                "rate": exact.value,
                "held_out": exact.controls["real"].value,
                "more": exact.verdict == WORSE,
            },
            "membership_distance": metrics["membership_distance"].value,
        }

    def _impossible(self, samples: Sequence[Cohort]) -> dict[str, Any]:
        frames = [_faults(self.cohort, sample) for sample in samples]
        kinds = pd.concat(frames)["fault"].value_counts()
        return {
            "patients": sum(int(f[KEY].nunique()) for f in frames),
            "of": sum(map(len, samples)),
            "kinds": {str(k): int(v) for k, v in kinds.items()},
        }


def _faults(real: Cohort, sample: Cohort) -> pd.DataFrame:
    """Impossible entries and broken constraints of the schema, by patient."""
    found = impossible_rows(real.schema, sample.subjects, sample.observations, sample.events)
    broken = sample.subjects.loc[~all_met(sample, real.schema.constraints), [KEY]]
    return pd.concat([found, broken.assign(fault="broken_constraint")], ignore_index=True)


def _best_targets(reference: Reference) -> list[Target]:
    """Every endpoint, and the six outcomes at visits that real patients predict best."""
    found = targets(reference.pool)
    ends = [t for t in found if t.kind in ("time_to_event", "survival")]
    visits = [t for t in found if t not in ends]
    value = [performance(t, reference, reference.train).value - t.chance for t in visits]
    best = np.argsort(-np.nan_to_num(value, nan=-np.inf), kind="stable")[:_MOST_TARGETS]
    return ends + [visits[i] for i in sorted(best)]


def _onto(table: Table, layout: Layout) -> Table:
    """A table on the real patients' levels; a category that no real patient has is missing."""
    codes = table.codes.copy()
    for j, (own, known) in enumerate(zip(table.layout.levels, layout.levels, strict=True)):
        places = [known.index(level) if level in known else -1 for level in own]
        codes[:, j] = np.array([*places, -1])[codes[:, j]]
    return replace(table, codes=codes, layout=layout)


def lag_ones(real: Cohort, samples: Sequence[Cohort]) -> dict[str, dict[str, float]]:
    """Correlation of a value with the patient's value before, per numeric variable.

    Over all visits of all patients, planned or not; variables with 200 real pairs or more.
    Variables that are positive and skewed in real patients count by their logarithm, so that
    a few extreme values do not make the correlation. Those of samples are averaged over splits.
    """
    logged = _skewed(real)
    theirs = _lag_one(real, logged)
    ours = [_lag_one(s, logged) for s in samples]
    return {
        name: {
            "real": r,
            "synthetic": float(np.mean([o.get(name, (0.0, 0))[0] for o in ours])),
            "pairs": n,
            "log": name in logged,
        }
        for name, (r, n) in theirs.items()
        if n >= FEWEST_PAIRS
    }


def _skewed(real: Cohort) -> set[str]:
    found = set()
    for name, values in real.observations.groupby("variable")["value"]:
        known = values.dropna().to_numpy(float)
        if len(known) and known.min() > 0 and np.ptp(known) > 0:
            z = (known - known.mean()) / known.std()
            if (z**3).mean() > _SKEWED:
                found.add(str(name))
    return found


def _lag_one(cohort: Cohort, logged: set[str]) -> Mapping[str, tuple[float, int]]:
    rows = cohort.observations
    numeric = [v.name for v in cohort.schema.longitudinal if v.numeric]
    rows = rows[rows["variable"].isin(numeric) & rows["value"].notna()]
    value = rows["value"].to_numpy(float)
    by_log = rows["variable"].isin(logged).to_numpy()
    rows = rows.assign(value=np.where(by_log, np.log(np.maximum(value, 1e-3)), value))
    rows = rows.sort_values([KEY, "variable", "day"], kind="stable")
    before = rows.groupby([KEY, "variable"])["value"].shift()
    both = rows.assign(before=before).dropna(subset=["before"])
    found = {}
    for name, part in both.groupby("variable"):
        x, y = part["before"].to_numpy(float), part["value"].to_numpy(float)
        flat = np.ptp(x) == 0 or np.ptp(y) == 0
        found[str(name)] = (0.0 if flat else float(np.corrcoef(x, y)[0, 1]), len(part))
    return found


def after_follow_up(samples: Sequence[Cohort]) -> float:
    """Share of values that lie after the end of the patient's observation."""
    late, total = 0, 0
    for cohort in samples:
        end = cohort.observations[KEY].map(cohort.subjects.set_index(KEY)[UNTIL])
        late += int((cohort.observations["day"].to_numpy(float) > end.to_numpy(float)).sum())
        total += len(cohort.observations)
    return late / max(total, 1)
