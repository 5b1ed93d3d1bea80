"""Inference audits: run one for a model, and what they say about augmenting a control arm."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from extraction.records import InputError, RefusedError
from extraction.records.schema import pydantic_faults
from serving.registry import CONTROLS, Registry
from serving.settings import settings

if TYPE_CHECKING:
    from generation.engine import ModelCard
    from simulation.audit import InferenceAudit

AUDITS = "audits"
"""Folder of a run's audits; the chunks of unfinished ones are in its ``.work``."""


def audit_inference(
    run: str,
    plan: dict[str, Any],
    *,
    replicates: int = 200,
    n_synthetic: int | None = None,
    refits: int = 0,
    seed: int = 0,
    execution: str = "serial",
    workers: int | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> dict[str, Any]:
    """Audit a run's model of controls and keep the result in the run's folder.

    What is audited is the model's own engine with its own options on the controls that it was
    fitted to; a passing audit allows ``controls`` for the use "augment_control_arm".

    Parameters
    ----------
    run
        A run's name or folder.
    plan
        Fields of `simulation.audit.PlannedAnalysis`: analysis, target, covariates, horizon_days.
    replicates, n_synthetic, refits
        As in `simulation.audit.inference_audits`.

    Returns
    -------
    dict
        ``InferenceAudit.to_dict()`` and ``file``, where it is kept. A run that was stopped goes on
        where it was.

    Raises
    ------
    InputError
        With every fault of the request.
    """
    from simulation.audit import PlannedAnalysis, inference_audits

    folder, name = run_folder(run), "model"
    registry = Registry({name: folder}, allow_busl=True)
    card, controls = registry.model(name).card, registry.training(name)
    try:
        planned = PlannedAnalysis(**plan)
    except ValidationError as error:
        raise InputError(pydantic_faults(error, "plan")) from None
    choices: dict[str, Any] = {
        "replicates": replicates, "n_synthetic": n_synthetic, "refits": refits, "seed": seed,
        "options": card.options,
    }
    work = [card.engine, card.engine_version, card.data_digest, planned.model_dump(), choices]
    digest = hashlib.sha256(json.dumps(work, sort_keys=True, default=str).encode()).hexdigest()
    home = folder / AUDITS
    found = inference_audits(
        controls, card.engine, (planned,), **choices, execution=execution, workers=workers,
        folder=home / ".work" / digest[:16], progress=progress,
    )[0]
    file = found.write(home)
    if (folder / "report.html").is_file():
        from serving.report import write_report

        write_report(folder)
    return {**found.to_dict(), "file": str(file)}


def run_folder(run: str) -> Path:
    """Return a run's folder by its path or name.

    Raises
    ------
    InputError
        When it holds no model of controls.
    """
    for place in (Path(run), settings().runs / run):
        if (place / CONTROLS / "model.json").is_file():
            return place
    there = sorted(p.parents[2].name for p in settings().runs.glob(f"*/{CONTROLS}"))
    raise InputError(
        f"run: {run} holds no model of controls; runs are "
        f"{', '.join(there) or 'none: make one with trialtwin run configs/quickstart.yaml'}"
    )


def require_audit(name: str, folder: Path, card: ModelCard) -> list[InferenceAudit]:
    """Return the audits that speak for a model where one of them passes, or refuse.

    Raises
    ------
    RefusedError
        When no audit of this engine with these options on these data has passed.
    """
    from simulation.audit import key_of, read_audits, speaking

    audits = speaking(read_audits(folder / AUDITS, key_of(card)))
    if any(audit.passed for audit in audits):
        return audits
    others = "".join(
        f" That of {covered(audit)}: {audit.verdict}. {' '.join(audit.reasons)}".rstrip()
        for audit in audits
    )
    raise RefusedError(
        "use: 'augment_control_arm' is refused: no inference audit of this engine with these "
        f"options on these data has passed.{others} Run one: trialtwin evaluate inference {name} "
        "--target VARIABLE@VISIT; or use 'exploration' or 'software_testing'"
    )


def covered(audit: InferenceAudit) -> str:
    """Name the analysis that an audit speaks for."""
    plan = audit.about["plan"]
    return f"{plan['analysis']} of {plan['target']}"


def audit_notice(audits: list[InferenceAudit]) -> str:
    """Say which analyses were audited, and how they must be done."""
    told = "; ".join(
        f"{covered(a)} ({a.judged.replace('_', ' ')}): type I error "
        f"{a.performance[a.judged].type_one_error}"
        for a in audits
        if a.passed
    )
    failed = "".join(
        f" Not for {covered(a)}, whose audit: {a.verdict}." for a in audits if not a.passed
    )
    return (
        f" Audited over replicated syntheses: {told}.{failed} Other analyses were not audited. Use "
        "the corrected variance, as simulation.analysis.synthetic_arm computes it."
    )
