"""A drift grid by resampling real patients: what the stopping rule lets through.

Each replicate draws a trial (treated and own controls, 2 : 1) and external controls from the same
real controls, with replacement; the external ones are drawn so that they fare worse, for reasons
that the baseline shows ("measured") or does not ("unmeasured"). Whoever is treated is a real
control, so that the true effect is 0; for the power a constant is added, which moves every estimate
by as much and leaves weights and stops alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.hidden_controls_data import bank
from benchmarks.hidden_controls_methods import (
    OWN_ONLY,
    Answer,
    Trials,
    checks,
    external_only,
    hybrid,
    weighted_external,
)
from generation.randomness import generator
from simulation.analysis.arrays import BoolArray, FloatArray
from simulation.analysis.borrowing import BorrowingRule
from simulation.analysis.external.drift import (
    ConflictLimit,
    StopSummary,
    conflict_limit,
    strategy_rejections,
    summarise_decisions,
)
from simulation.execution import map_chunks

ALPHA = 0.05
DRIFTS: tuple[tuple[str, float], ...] = (
    ("none", 0.0),
    *(("measured", size) for size in (0.25, 0.5, 0.75, 1.0, 1.5)),
    *(("unmeasured", size) for size in (0.1, 0.2, 0.3, 0.5, 0.75, 1.0)),
)
CHUNK = 250
SMOOTH = 0.1
"""SDs of noise on continuous columns (a smoothed bootstrap): without it matching finds the very
same patient among the external controls, and no drift would show."""


@dataclass(frozen=True)
class Setting:
    """Sizes of the trials drawn, and the effect (in SDs of the outcome) for the power."""

    treated: int
    own: int
    external: int
    effect: float


SETTINGS = {"actg320": Setting(200, 100, 400, 0.3), "pilot": Setting(60, 30, 120, 0.5)}


def draw(name: str, kind: str, size: float, replicates: int, rng: np.random.Generator) -> Trials:
    """Trials of resampled real controls with drifted external ones."""
    people, sizes = bank(name), SETTINGS[name]
    even = np.full(people.y.size, 1 / people.y.size)
    chances = even if kind == "none" else people.drifted(kind, size)
    rows = [
        rng.choice(people.y.size, size=(replicates, n), p=p)
        for n, p in ((sizes.treated, even), (sizes.own, even), (sizes.external, chances))
    ]
    width = np.array([SMOOTH * c.std() if np.unique(c).size > 2 else 0.0 for c in people.x.T])
    (y1, x1), (own, x_own), (y0, x0) = (
        (people.y[r], people.x[r] + width * rng.normal(size=(*r.shape, width.size))) for r in rows
    )
    return Trials(y1, x1, own, x_own, y0, x0, np.arange(sizes.external) % 2)


def replicates_of(payload: Mapping[str, Any], start: int, stop: int) -> dict[str, FloatArray]:
    """One chunk, all of one drift: the arrays that the summaries need, each (stop - start,)."""
    cell = start // int(payload["replicates"])
    kind, size = DRIFTS[cell]
    name = str(payload["data"])
    rng = generator(int(payload["seed"]), f"hidden-controls-{name}", start)
    trials = draw(name, kind, size, stop - start, rng)
    effect = SETTINGS[name].effect
    seen = checks(trials, BorrowingRule())
    alone = Trials(trials.y1, trials.x1, trials.own[:, :0], trials.x_own[:, :0], trials.y0,
                   trials.x0, trials.source)
    out: dict[str, FloatArray] = {
        "stop": seen.baseline,
        "stop alone": checks(alone, BorrowingRule()).baseline,
        "p": seen.conflict_p,
    }
    external = weighted_external(trials.y0, seen.weights, trials.source)
    for prefix, answers in (("external", external_only(alone, rng)),
                            ("hybrid", hybrid(trials, external))):
        for method, answer in answers.items():
            out |= _decisions(f"{prefix}|{method}", answer, effect)
    return out


def _decisions(name: str, answer: Answer, effect: float) -> dict[str, FloatArray]:
    """Error, null rejection, and rejection were the effect added; NaN counts as no rejection."""
    known = np.isfinite(answer.estimate)
    return {
        f"{name}|error": answer.estimate,
        f"{name}|covered": answer.covers(0.0, ALPHA) | ~known,
        f"{name}|power": ~answer.covers(-effect, ALPHA) & known,
    }


@dataclass(frozen=True)
class Grid:
    """All replicates of one data set: arrays by name, each (drifts, replicates)."""

    data: str
    replicates: int
    arrays: Mapping[str, FloatArray]

    def methods(self, part: str) -> list[str]:
        """Methods of "external" or "hybrid"."""
        return [k.split("|")[1] for k in self.arrays
                if k.startswith(f"{part}|") and k.endswith("|error")]

    def stops(self, part: str, least_p: float) -> BoolArray:
        """Whether each replicate is stopped (drifts, replicates)."""
        if part == "external":
            return self.arrays["stop alone"].astype(bool)
        stopped: BoolArray = self.arrays["stop"].astype(bool) | (self.arrays["p"] < least_p)
        return stopped

    def get(self, part: str, method: str, what: str) -> FloatArray:
        """One array (drifts, replicates)."""
        return self.arrays[f"{part}|{method}|{what}"]

    def line(self, part: str, method: str, drift: int, least_p: float) -> StopSummary:
        """P(stop), and the rest given that borrowing went on, at one drift."""
        covered = self.get(part, method, "covered")[drift].astype(bool)
        return summarise_decisions(self.stops(part, least_p)[drift],
                                   self.get(part, method, "error")[drift], covered, ~covered)

    def rejected(self, part: str, method: str, what: str = "type one") -> BoolArray:
        """Rejections (drifts, replicates): false ones, or with the effect added ("power")."""
        if what == "power":
            return self.get(part, method, "power").astype(bool)
        false: BoolArray = ~self.get(part, method, "covered").astype(bool)
        return false

    def strategy(self, part: str, method: str, least_p: float, what: str = "type one"
                 ) -> BoolArray:
        """Rejections (drifts, replicates) of the whole strategy.

        Hybrid: own controls alone where stopped. External: no claim where stopped.
        """
        mine = self.rejected(part, method, what)
        alone = self.rejected(part, OWN_ONLY, what) if part == "hybrid" else np.zeros_like(mine)
        return strategy_rejections(self.stops(part, least_p), mine, alone)

    def limit(self, method: str) -> ConflictLimit:
        """The least conflict p of a hybrid method that holds the cap over these drifts."""
        return conflict_limit(self.arrays["stop"].astype(bool), self.arrays["p"],
                              self.rejected("hybrid", method), self.rejected("hybrid", OWN_ONLY))


def run_grid(name: str, replicates: int, seed: int, workers: int) -> Grid:
    """All drifts of one data set, `replicates` each, on `workers` processes.

    The result does not depend on the number of workers.
    """
    chunk = min(CHUNK, replicates)
    if replicates % chunk:
        raise ValueError(f"replicates: {replicates}; a multiple of {CHUNK}, or at most that")
    parts = map_chunks(
        "benchmarks.hidden_controls_grid:replicates_of",
        {"data": name, "replicates": replicates, "seed": seed},
        len(DRIFTS) * replicates,
        chunk,
        execution="serial" if workers == 1 else "processes",
        workers=workers,
        allow=("benchmarks",),
    )
    joined = {key: np.concatenate([np.asarray(p[key]) for p in parts]) for key in parts[0]}
    shape = (len(DRIFTS), replicates)
    return Grid(name, replicates, {k: v.reshape(shape) for k, v in joined.items()})
