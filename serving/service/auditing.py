"""Inference audits: run one for a model, and what they say about augmenting a control arm."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from extraction.records import Cohort, Faults, InputError, RefusedError
from extraction.records.schema import pydantic_faults
from serving.registry import CONTROLS, Registry
from serving.settings import settings

from .models import named_control

if TYPE_CHECKING:
    from generation.engine import ModelCard
    from simulation.audit import InferenceAudit

AUDITS = "audits"
"""Folder of a run's audits; the chunks of unfinished ones are in its ``.work``."""


@dataclass(frozen=True)
class EngineOnCohort:
    """An engine to audit on real patients, in place of a run's model.

    Parameters
    ----------
    engine, options
        What is fitted to the controls; the twin where None.
    control_arm
        The control arm, where the cohort names none or another one.
    out
        Folder where the audit is kept, and an unfinished one goes on; None keeps nothing.
    """

    engine: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    control_arm: str | None = None
    out: Path | None = None


def audit_inference(
    where: str,
    plan: dict[str, Any],
    *,
    on: EngineOnCohort | None = None,
    replicates: int = 200,
    n_synthetic: int | None = None,
    refits: int = 0,
    seed: int = 0,
    execution: str = "serial",
    workers: int | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> dict[str, Any]:
    """Audit a run's model of controls, or an engine on the controls of a cohort.

    Of a run, the model's own engine with its own options is audited on the controls that it was
    fitted to, and the result is kept with the run: a passing audit allows ``controls`` for the use
    "augment_control_arm" and this analysis.

    Parameters
    ----------
    where
        A run's name or folder, or a cohort's folder.
    plan
        Fields of `simulation.audit.PlannedAnalysis`: analysis, target, covariates, horizon_days.
    on
        Engine and place of a cohort's audit; a run has its own.
    replicates, n_synthetic, refits
        As in `simulation.audit.inference_audits`.

    Returns
    -------
    dict
        ``InferenceAudit.to_dict()`` and ``file``, where it is kept (None: nowhere). An audit that
        is kept and was stopped goes on where it was.

    Raises
    ------
    InputError
        With every fault of the request.
    """
    from simulation.audit import PlannedAnalysis, inference_audits

    place = Path(where)
    audited = _cohort(place, on) if (place / "cohort.json").is_file() else _run(where, on)
    try:
        planned = PlannedAnalysis(**plan)
    except ValidationError as error:
        raise InputError(pydantic_faults(error, "plan")) from None
    choices: dict[str, Any] = {
        "replicates": replicates, "n_synthetic": n_synthetic, "refits": refits, "seed": seed,
        "options": audited.options,
    }
    found = inference_audits(
        audited.controls, audited.engine, (planned,), **choices, execution=execution,
        workers=workers, folder=audited.work([planned.model_dump(), choices]), progress=progress,
    )[0]
    file = None if audited.home is None else str(found.write(audited.home))
    if audited.report is not None:
        from serving.report import write_report

        write_report(audited.report)
    return {**found.to_dict(), "file": file}


class _Audited(NamedTuple):
    """An engine on controls, where its audits are kept, and the run whose report tells them."""

    engine: str
    version: str
    options: dict[str, Any]
    controls: Cohort
    home: Path | None
    report: Path | None

    def work(self, asked: list[Any]) -> Path | None:
        """Folder of what is finished of one audit; None where nothing is kept."""
        if self.home is None:
            return None
        all_of_it = [self.engine, self.version, self.controls.digest(), *asked]
        text = json.dumps(all_of_it, sort_keys=True, default=str)
        return self.home / ".work" / hashlib.sha256(text.encode()).hexdigest()[:16]


def _run(where: str, on: EngineOnCohort | None) -> _Audited:
    """A run's model of controls."""
    if on not in (None, EngineOnCohort()):
        raise InputError(
            "--engine, --option, --control-arm, --out: a run has its own; leave them out, or give "
            "a cohort's folder"
        )
    folder, name = run_folder(where), "model"
    registry = Registry({name: folder}, allow_busl=True)
    card, controls = registry.model(name).card, registry.training(name)
    told = folder if (folder / "report.html").is_file() else None
    return _Audited(
        card.engine, card.engine_version, card.options, controls, folder / AUDITS, told
    )


def _cohort(folder: Path, on: EngineOnCohort | None) -> _Audited:
    """An engine on the controls of a cohort."""
    from generation.registry import engine_class

    chosen, faults = on or EngineOnCohort(), Faults()
    engine = chosen.engine or "twin"
    with faults.catch():
        version = engine_class(engine).engine_version
    with faults.catch():
        controls = named_control(Cohort.read(folder), chosen.control_arm).controls()
    if chosen.out is not None and chosen.out.is_file():
        faults.add(f"--out: {chosen.out.name} is a file; give a folder")
    faults.raise_if_any()
    return _Audited(engine, version, chosen.options, controls, chosen.out, None)


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
        f"{run} is neither a cohort's folder nor a run with a model of controls; runs are "
        f"{', '.join(there) or 'none: make one with trialtwin run configs/quickstart.yaml'}"
    )


def audits_of(folder: Path, card: ModelCard) -> list[InferenceAudit]:
    """Return what a run's audits say about a model: one for each planned analysis."""
    from simulation.audit import key_of, read_audits, speaking

    return speaking(read_audits(folder / AUDITS, key_of(card)))


def require_audit(
    name: str, audits: Sequence[InferenceAudit], analysis: str | None
) -> Sequence[InferenceAudit]:
    """Return the audits that stand behind a use of a model's patients in an analysis, or refuse.

    Parameters
    ----------
    name
        The model's name.
    audits
        What is known of it (`audits_of`).
    analysis
        The planned analysis in the words of its audit; None for those that passed.

    Raises
    ------
    RefusedError
        When no audit has passed, or not that of this analysis.
    """
    known = [a for a in audits if analysis is None or a.analysis == analysis.strip()]
    if any(audit.passed for audit in known):
        return known
    passed = ", ".join(audit.analysis for audit in audits if audit.passed)
    asked = f" for {analysis.strip()!r}" if analysis else ""
    others = f" Passed for: {passed}." if passed else ""
    others += "".join(
        f" That of {audit.analysis}: {audit.verdict}. {' '.join(audit.reasons)}".rstrip()
        for audit in known
    )
    raise RefusedError(
        "use: 'augment_control_arm' is refused: no inference audit of this engine with these "
        f"options on these data has passed{asked}.{others} Run one: trialtwin evaluate inference "
        f"{name} --target VARIABLE@VISIT; or use 'exploration' or 'software_testing'"
    )


def audit_notice(audits: Sequence[InferenceAudit]) -> str:
    """Say for which analyses patients were released, and how these must be done."""
    told = "; ".join(
        f"{a.analysis} ({a.judged.replace('_', ' ')}): type I error "
        f"{a.performance[a.judged].type_one_error}"
        for a in audits
        if a.passed
    )
    failed = "".join(
        f" Not for {a.analysis}, whose audit: {a.verdict}." for a in audits if not a.passed
    )
    return (
        f" Audited over replicated syntheses: {told}.{failed} Released for no other analysis. Use "
        "the corrected variance, as simulation.analysis.synthetic_arm computes it."
    )
