"""One replicate of an audit: refit, synthesise, analyse; pure functions for `map_chunks`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from extraction.records import Cohort, InputError
from generation import fit
from generation.engine import ModelCard
from generation.randomness import generator, integer_seed
from generation.synthesis import replicate as refit
from simulation.analysis.estimate import Estimate
from simulation.analysis.synthetic_arm import Parts, corrected, naive, over_refits
from simulation.audit.oracle import LinearOracle, patients
from simulation.audit.plan import Outcomes, PlannedAnalysis, plant

Row = dict[str, Any]


def split_chunk(payload: dict[str, Any], start: int, stop: int) -> pd.DataFrame:
    """Replicates start to stop - 1 on real controls, split at random into training and "treated".

    Parameters
    ----------
    payload
        ``engine, options, seed, plans, effects, n_train, n_synthetic, refits, digest``;
        ``paths``: the folder of the controls as ``cohort``.

    Returns
    -------
    DataFrame
        One row a replicate, plan, method and world (planted or not).
    """
    cohort = _read(payload["paths"]["cohort"], payload["digest"])
    rows = [row for r in range(start, stop) for row in _split(cohort, payload, r)]
    return pd.DataFrame(rows)


def _split(cohort: Cohort, payload: dict[str, Any], r: int) -> list[Row]:
    seed = int(payload["seed"])
    learns = np.zeros(len(cohort), dtype=bool)
    chosen = generator(seed, "audit.split", r).permutation(len(cohort))[: payload["n_train"]]
    learns[chosen] = True
    train, held_out = cohort.take(learns), cohort.take(~learns)
    model = fit(train, payload["engine"], seed=integer_seed(seed, "audit.fit", r),
                **payload["options"])
    synthetic = model.sample(payload["n_synthetic"], seed=integer_seed(seed, "audit.sample", r))
    again = _refits(train, payload, r)
    rows: list[Row] = []
    for i, (wanted, effect) in enumerate(zip(payload["plans"], payload["effects"], strict=True)):
        plan = PlannedAnalysis(**wanted)
        rng = generator(seed, "audit.plant", r)
        treated, everyone = plan.outcomes(held_out), plan.outcomes(cohort)
        found = _analysed(
            plan, (treated, plant(plan, treated, effect, everyone, rng)), plan.outcomes(train),
            plan.outcomes(synthetic), [plan.outcomes(made) for made in again],
        )
        rows += [{"replicate": r, "plan": i, **row} for row in found]
    about = model_of(model.card)
    return [{**row, "model": about} for row in rows]


def _refits(train: Cohort, payload: dict[str, Any], r: int) -> list[Cohort]:
    work = {
        "engine": payload["engine"], "options": payload["options"], "n": payload["n_synthetic"],
        "seed": integer_seed(payload["seed"], "audit.refits", r),
    }
    return [refit(train, work, k) for k in range(payload["refits"])]


def oracle_chunk(payload: dict[str, Any], start: int, stop: int) -> pd.DataFrame:
    """Replicates start to stop - 1 in the linear-Gaussian oracle, each with patients of its own.

    Parameters
    ----------
    payload
        ``seed, plan, n_train, n_treated, n_synthetic, refits, effect``.
    """
    return pd.DataFrame([row for r in range(start, stop) for row in _oracle(payload, r)])


def _oracle(payload: dict[str, Any], r: int) -> list[Row]:
    plan = PlannedAnalysis(**payload["plan"])
    rng = generator(payload["seed"], "audit.oracle", r)
    n, k = payload["n_train"], payload["n_synthetic"]
    x, y = patients(1, n, rng)
    x1, y1 = patients(1, payload["n_treated"], rng)
    synthetic = LinearOracle.fit(x, y).sample(k, rng)
    again = []
    if payload["refits"]:
        weights = rng.multinomial(n, np.full(n, 1 / n), size=payload["refits"]).astype(np.float64)
        copies = (weights.shape[0], 1)
        many = LinearOracle.fit(np.tile(x, (*copies, 1)), np.tile(y, copies), weights)
        again = [_oracle_outcomes(a, b) for a, b in zip(*many.sample(k, rng), strict=True)]
    treated = _oracle_outcomes(x1[0], y1[0])
    worlds = (treated, plant(plan, treated, payload["effect"], treated, rng))
    rows = _analysed(plan, worlds, _oracle_outcomes(x[0], y[0]),
                     _oracle_outcomes(synthetic[0][0], synthetic[1][0]), again)
    return [{"replicate": r, "plan": 0, **row, "model": ""} for row in rows]


def _oracle_outcomes(x: Any, y: Any) -> Outcomes:
    return Outcomes(y, None, x)


def model_of(card: ModelCard) -> str:
    """The kind of a model as canonical text: engine, version and options, with their defaults.

    An updated model was not fitted anew, as the audit's are: it is a kind of its own.
    """
    kind: dict[str, Any] = {
        "engine": card.engine, "engine_version": card.engine_version, "options": card.options,
    }
    if card.updated_from is not None:
        kind["updated_from"] = card.updated_from
    return json.dumps(kind, sort_keys=True, default=str)


def _analysed(plan: PlannedAnalysis, worlds: tuple[Outcomes, Outcomes], real: Outcomes,
              synthetic: Outcomes, again: Sequence[Outcomes]) -> list[Row]:
    """Rows of every method without (first) and with the planted effect."""
    rows = []
    for planted, treated in zip((False, True), worlds, strict=True):
        with_synthetic = _parts(plan, treated, synthetic)
        with_refits = [_parts(plan, treated, made) for made in again]
        rows += [
            _row("real", planted, _done(naive, _parts(plan, treated, real)), 0.0),
            _row("naive", planted, _done(naive, with_synthetic), _left_out(with_synthetic, real)),
            _row("corrected", planted, _done(corrected, with_synthetic, len(real)), 0.0),
        ]
        if again:
            usable = [p for p in with_refits if p is not None]
            rows.append(_row("over_refits", planted, _done(over_refits, usable, len(real)), 0.0))
    return rows


def _parts(plan: PlannedAnalysis, treated: Outcomes, control: Outcomes) -> Parts | None:
    """Parts of the effect; None where it cannot be estimated, an arm without events for one."""
    try:
        return plan.compare(treated, control)
    except InputError:
        return None


def _left_out(parts: Parts | None, real: Outcomes) -> float:
    """Variance that the naive analysis leaves out: that of the model's n_train patients."""
    return np.nan if parts is None else parts.control_variance * parts.n_control / len(real)


def _done(estimator: Any, parts: Any, *arguments: int) -> Estimate | None:
    if parts is None:
        return None
    try:
        done: Estimate = estimator(parts, *arguments)
    except InputError:
        return None
    return done


def _row(method: str, planted: bool, line: Estimate | None, left_out: float) -> Row:
    names = ("estimate", "se", "low", "high", "p_value")
    found = {name: np.nan if line is None else float(getattr(line, name)) for name in names}
    return {"method": method, "planted": planted, **found, "missing_variance": left_out}


@lru_cache(maxsize=2)
def _read(folder: str, digest: str) -> Cohort:
    cohort = Cohort.read(folder)
    if cohort.digest() != digest:
        raise InputError("cohort: its folder holds other data than the audit was begun with")
    return cohort
