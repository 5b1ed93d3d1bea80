"""Run an inference audit: on real controls with any engine, or in the linear oracle."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from extraction.records import Cohort, InputError
from extraction.records.errors import Faults
from generation.engine import MINIMUM_PATIENTS
from generation.registry import engine_class
from generation.synthesis import MINIMUM_REFITS
from simulation.audit.figures import Performance
from simulation.audit.oracle import OUTCOME_VARIANCE
from simulation.audit.plan import (
    SURVIVAL,
    Analysis,
    PlannedAnalysis,
    truth,
    usual_effect,
)
from simulation.audit.result import InferenceAudit, audit_key
from simulation.execution import map_chunks
from simulation.execution.results import concatenate
from simulation.execution.streaming import Progress

_SPLIT = "simulation.audit.replicates:split_chunk"
_ORACLE = "simulation.audit.replicates:oracle_chunk"
_CHUNK = 5


def inference_audit(
    cohort: Cohort,
    engine: str = "twin",
    target: str = "",
    analysis: Analysis = "mean",
    *,
    covariates: tuple[str, ...] = (),
    horizon_days: float | None = None,
    effect: float | None = None,
    **choices: Any,
) -> InferenceAudit:
    """Replace a control arm by synthetic patients again and again, and see what inference does.

    In each replicate the real controls are split at random: one part trains the engine, which
    makes a synthetic control arm; the other part plays the treated, once without an effect and
    once with one planted. The planned analysis compares them naively, corrected for n_train, and
    with the real training controls themselves. A random split of one sample is an exact null: the
    difference of its parts varies as between independent samples of their sizes.

    Parameters
    ----------
    cohort
        Real patients; of several arms the control arm is used.
    engine
        Whose audit it is; what passes is this engine with its options on these data.
    target
        ``variable@visit`` or an endpoint.
    analysis
        "mean", "ancova", "log_hazard_ratio" or "rmst".
    covariates
        Of an ANCOVA: numeric baseline variables.
    horizon_days
        Of a restricted mean; the median follow-up by default.
    effect
        Planted effect, in the outcome's unit or as a log hazard ratio (at most 0); by default the
        one that as many real controls would find with power .8.
    choices
        As in `inference_audits`: replicates, seed, options, execution and so on.

    Raises
    ------
    InputError
        With every fault of the arguments.
    """
    plan = PlannedAnalysis(analysis=analysis, target=target, covariates=covariates,
                           horizon_days=horizon_days)
    return inference_audits(cohort, engine, (plan,), effects=(effect,), **choices)[0]


def inference_audits(  # noqa: PLR0913
    cohort: Cohort,
    engine: str,
    plans: Sequence[PlannedAnalysis],
    *,
    effects: Sequence[float | None] = (),
    replicates: int = 200,
    seed: int = 0,
    fraction: float = 0.5,
    n_synthetic: int | None = None,
    refits: int = 0,
    options: Mapping[str, Any] | None = None,
    execution: str = "serial",
    workers: int | None = None,
    folder: Path | str | None = None,
    progress: Progress | None = None,
) -> list[InferenceAudit]:
    """Audit several planned analyses by the same fits; see `inference_audit`.

    Parameters
    ----------
    plans, effects
        The analyses, and what is planted for each (None: the usual effect).
    replicates
        At least 200 for a verdict.
    fraction
        Share of the controls that trains.
    n_synthetic
        Size of the synthetic arm; as many as train by default.
    refits
        Bootstrap refits in each replicate, 0 or at least 20: the variance is then measured and not
        assumed, at the price of that many more fits.
    options
        The engine's own options.
    folder
        Where finished chunks are kept: a second call with the same arguments goes on.
    """
    controls = cohort.controls()
    asked = list(effects) or [None] * len(plans)
    checked = _checked(controls, engine, plans, asked, replicates, fraction, refits)
    n_train = round(fraction * len(controls))
    known = [plan.outcomes(controls) for plan in checked]
    planted = [
        usual_effect(plan, all_known, n_train / len(controls)) if effect is None else effect
        for plan, all_known, effect in zip(checked, known, asked, strict=True)
    ]
    payload: dict[str, Any] = {
        "engine": engine, "options": dict(options or {}), "seed": seed, "effects": planted,
        "plans": [plan.model_dump(mode="json") for plan in checked], "n_train": n_train,
        "refits": refits, "n_synthetic": n_synthetic or n_train, "digest": controls.digest(),
    }
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(folder or temporary)
        place = home / "controls"
        if not place.exists():
            controls.write(place)
        rows = _frame(map_chunks(
            _SPLIT, payload, replicates, _CHUNK, execution, workers,
            home / "chunks" if folder else None, progress, paths={"cohort": str(place.resolve())},
        ))
    key = audit_key(_one_model(rows), payload["digest"])
    about = {k: v for k, v in payload.items() if k not in ("plans", "effects", "digest")}
    about |= {"source": "random splits of real controls", "n_treated": len(controls) - n_train,
              "data_digest": payload["digest"]}
    return [
        _summed(rows[rows["plan"] == i],
                {**about, "plan": payload["plans"][i], "effect": planted[i]}, key,
                truth(plan, planted[i], known[i]))
        for i, plan in enumerate(checked)
    ]


def oracle_audit(
    n_train: int = 86,
    n_treated: int = 86,
    n_synthetic: int = 86,
    analysis: Analysis = "mean",
    *,
    replicates: int = 1000,
    seed: int = 0,
    refits: int = 0,
    effect: float | None = None,
    execution: str = "serial",
    workers: int | None = None,
) -> InferenceAudit:
    """The same audit in the linear-Gaussian oracle, whose truth is known and model is right.

    Parameters
    ----------
    n_train, n_treated, n_synthetic
        Patients of each part.
    analysis
        "mean", or "ancova" on the three covariates.

    Raises
    ------
    InputError
        For another analysis.
    """
    if analysis not in ("mean", "ancova"):
        raise InputError(f"analysis: {analysis!r} came; the oracle has mean and ancova")
    plan = PlannedAnalysis(analysis=analysis, target="outcome of the oracle")
    spread = OUTCOME_VARIANCE if analysis == "mean" else 1.0
    usual = 2.8 * float(np.sqrt(spread * (1 / n_train + 1 / n_treated)))
    payload: dict[str, Any] = {
        "seed": seed, "plan": plan.model_dump(mode="json"), "n_train": n_train,
        "n_treated": n_treated, "n_synthetic": n_synthetic, "refits": refits,
        "effect": usual if effect is None else effect,
    }
    rows = _frame(map_chunks(_ORACLE, payload, replicates, 50, execution, workers))
    about = {**payload, "source": "linear oracle", "engine": "linear oracle", "options": {}}
    return _summed(rows, about, "linear oracle", payload["effect"])


def _checked(
    controls: Cohort, engine: str, plans: Sequence[PlannedAnalysis],
    effects: Sequence[float | None], replicates: int, fraction: float, refits: int,
) -> list[PlannedAnalysis]:
    faults, checked = Faults(), []
    with faults.catch():
        engine_class(engine)
    for plan in plans:
        with faults.catch():
            checked.append(plan.check(controls))
    if not plans or len(effects) != len(plans):
        faults.add(f"plans, effects: {len(plans)}, {len(effects)} came; one effect for each plan")
    if replicates < 2:
        faults.add(f"replicates: {replicates} came; at least 2, and 200 for a verdict")
    if not 0 < fraction < 1 or min(fraction, 1 - fraction) * len(controls) < MINIMUM_PATIENTS:
        faults.add(f"fraction: {fraction:g} of {len(controls)} controls leaves a part with fewer "
                   f"than {MINIMUM_PATIENTS}")
    if refits and refits < MINIMUM_REFITS:
        faults.add(f"refits: {refits} came; 0, or at least {MINIMUM_REFITS}")
    for plan, effect in zip(plans, effects, strict=False):
        if plan.analysis in SURVIVAL and effect is not None and effect > 0:
            faults.add(f"effect: {effect:g} came; a log hazard ratio of at most 0 can be planted")
    faults.raise_if_any()
    return checked


def _frame(results: list[Any]) -> pd.DataFrame:
    whole = concatenate(results)
    assert isinstance(whole, pd.DataFrame)
    return whole


def _one_model(rows: pd.DataFrame) -> str:
    kinds = rows["model"].unique()
    if len(kinds) != 1:
        raise InputError("audit: its chunks are of different versions; run it in a new folder")
    return str(kinds[0])


def _summed(rows: pd.DataFrame, about: Mapping[str, Any], key: str, true: float
            ) -> InferenceAudit:
    names = [m for m in ("real", "naive", "corrected", "over_refits") if m in set(rows["method"])]
    found = {name: Performance.of(rows[rows["method"] == name], true) for name in names}
    n = int(rows["replicate"].nunique())
    return InferenceAudit(key, {**about, "replicates": n, "truth": true}, found)
