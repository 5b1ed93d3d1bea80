"""Judging synthetic patients: one cohort against its training and held-out patients, or an engine.

What is returned is plain data; with `html` or `json` the same is written as a page or a file.
"""

from __future__ import annotations

import json as json_text
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from extraction.records import Cohort, InputError
from extraction.records.errors import Faults

from .models import find_model
from .patients import Columns, read_patients

if TYPE_CHECKING:
    from generation.engine import Model
    from generation.evaluation import Evaluation
    from simulation.audit import InferenceAudit

Progress = Callable[[str, float], None]
FEWEST_FOLDS, MOST_FOLDS = 2, 20
_SIDES = ("synthetic", "train", "holdout")


@dataclass(frozen=True)
class EvaluationRequest:
    """What is judged, and where the result goes.

    Parameters
    ----------
    synthetic, train, holdout
        Cohort folders or flat tables: synthetic patients, the real ones that their model was
        fitted to, and real ones that it never saw. All three, or none and `cohort`.
    cohort, engine, folds
        Instead: real patients on whom an engine is judged by cross-validation.
    model
        The fitted model (folder or run), for membership inference by its likelihood and for its
        inference audits.
    use
        "exploration", "software_testing" or "augment_control_arm"; all three where None.
    analysis
        The planned analysis in the words of its inference audit; None takes all that passed.
    columns
        What the columns of flat tables mean.
    html, json
        Files to write.
    """

    synthetic: Path | None = None
    train: Path | None = None
    holdout: Path | None = None
    cohort: Path | None = None
    engine: str = "twin"
    folds: int = 5
    model: str | None = None
    use: str | None = None
    analysis: str | None = None
    seed: int = 0
    columns: Columns | None = None
    html: Path | None = None
    json: Path | None = None


def evaluate_patients(
    request: EvaluationRequest, progress: Progress | None = None
) -> dict[str, Any]:
    """Judge synthetic patients or an engine; every metric stands beside its controls.

    Returns
    -------
    dict
        `Evaluation.to_dict`, with ``use`` (the verdict for the stated use, None without one),
        ``compared`` (what was compared, with ``notes`` on columns that were left out) and ``files``
        (what was written).

    Raises
    ------
    InputError
        With every fault of the request and of the patients.
    """
    _check(request)
    if request.cohort is not None:
        evaluation, views, compared = _engine(request, progress)
        audits: list[InferenceAudit] = []
    else:
        evaluation, views, compared, audits = _sides(request, progress)
    audit = _audit(audits, request.analysis)
    from generation.evaluation.uses import USES

    uses = {str(u): evaluation.verdict_for(u, audit).to_dict() for u in USES}
    found = {
        **evaluation.to_dict(),
        "uses": uses,
        "use": None if request.use is None else uses[request.use],
        "compared": compared,
    }
    files = _write(found, views, request)
    return {**found, "files": files}


def evaluate_cohort(synthetic: Path, train: Path, holdout: Path, seed: int = 0) -> dict[str, Any]:
    """Judge a synthetic cohort; short for `evaluate_patients`."""
    return evaluate_patients(
        EvaluationRequest(synthetic=synthetic, train=train, holdout=holdout, seed=seed)
    )


def _check(request: EvaluationRequest) -> None:
    """Raise every fault that can be told before anything is read."""
    faults = Faults()
    for fault in [*_faults_of_sides(request), *_faults_of_files(request)]:
        faults.add(fault)
    if not FEWEST_FOLDS <= request.folds <= MOST_FOLDS:
        faults.add(f"--folds: {request.folds} came; it must be {FEWEST_FOLDS} to {MOST_FOLDS}")
    with faults.catch():
        _known_use(request.use)
    with faults.catch():
        _known_engine(request)
    faults.raise_if_any()


def _faults_of_sides(request: EvaluationRequest) -> Iterator[str]:
    """Too few sides, or both ways of judging at once."""
    given = [name for name in _SIDES if getattr(request, name) is not None]
    if request.cohort is None:
        if request.analysis is not None and request.model is None:
            yield "--analysis: an inference audit belongs to a model; give --model too"
        missing = ", ".join(_option(n) for n in _SIDES if n not in given)
        if missing:
            yield (
                f"evaluate: {missing} missing; give SYNTHETIC, --train and --holdout, or --cohort "
                "to judge an engine"
            )
        return
    if given:
        told = ", ".join(map(_option, given))
        yield f"evaluate: --cohort came with {told}; give one or the other"
    if request.analysis is not None:
        yield "--analysis: an inference audit belongs to a model; leave it out with --cohort"
    if request.model is not None:
        yield "--model: an engine is fitted anew in every fold; leave it out with --cohort"


def _faults_of_files(request: EvaluationRequest) -> Iterator[str]:
    """What is not there, or cannot be written."""
    for name in (*_SIDES, "cohort"):
        place = getattr(request, name)
        if place is not None and not place.exists():
            yield f"{_option(name)}: {place} is not there; give a cohort's folder or a .csv"
    for option, place in (("--html", request.html), ("--json", request.json)):
        if place is not None and (place.is_dir() or not place.parent.is_dir()):
            yield f"{option}: {place} cannot be a file; give a file in a folder that exists"


def _option(name: str) -> str:
    return "SYNTHETIC" if name == "synthetic" else f"--{name}"


def _known_use(use: str | None) -> None:
    from generation.evaluation.uses import checked_use

    if use is not None:
        checked_use(use)


def _known_engine(request: EvaluationRequest) -> None:
    from generation.registry import engine_class

    if request.cohort is not None:
        engine_class(request.engine)


def _sides(
    request: EvaluationRequest, progress: Progress | None
) -> tuple[Evaluation, dict[str, Any], dict[str, Any], list[InferenceAudit]]:
    from generation.evaluation import evaluate
    from generation.evaluation.views import views

    faults, notes = Faults(), list[str]()
    with faults.catch():
        places = {name: getattr(request, name) for name in _SIDES}
        sides = read_patients(places, ("train", "holdout"), request.columns, notes)
    model = None
    with faults.catch():
        model = None if request.model is None else _model(request.model)
    faults.raise_if_any()
    synthetic, train, holdout = (sides[name] for name in _SIDES)
    found = evaluate(synthetic, train, holdout, request.seed, model, progress)
    named = int((train.positions(holdout.subjects) >= 0).sum())
    if named:  # the same patients would have been refused
        notes.append(
            f"{named} names are in train and in holdout, with other values: taken for different "
            "patients"
        )
    compared = {
        "kind": "cohort",
        "study": holdout.schema.study_id,
        "groups": [_group(name, sides[name]) for name in _SIDES],
        "notes": notes,
    }
    return found, views([synthetic], holdout, found), compared, _audits(request, model)


def _engine(
    request: EvaluationRequest, progress: Progress | None
) -> tuple[Evaluation, dict[str, Any], dict[str, Any]]:
    from generation.evaluation.crossing import cross_fit, judge
    from generation.evaluation.running import part
    from generation.evaluation.views import views

    assert request.cohort is not None
    notes: list[str] = []
    place = {"cohort": request.cohort}
    real = read_patients(place, ("cohort",), request.columns, notes)["cohort"]
    fitted = cross_fit(
        real, request.engine, request.folds, request.seed, progress=part(progress, 0, 0.7)
    )
    (found,) = judge(real, [fitted], request.folds, request.seed, None, part(progress, 0.7, 1))
    compared = {
        "kind": "engine",
        "study": real.schema.study_id,
        "engine": request.engine,
        "folds": request.folds,
        "groups": [_group("cohort", real)],
        "notes": notes,
    }
    return found, views(fitted.synthetic, real, found), compared


def _group(name: str, cohort: Cohort) -> dict[str, Any]:
    arms = {str(k): int(v) for k, v in cohort.subjects["arm"].value_counts().items()}
    return {
        "name": name,
        "patients": len(cohort),
        "arms": {arm: n for arm, n in sorted(arms.items()) if n >= 5},  # no small counts
        "digest": cohort.digest(),
    }


def _model(reference: str) -> Model:
    from generation import load_model

    return load_model(find_model(reference))


def _audits(request: EvaluationRequest, model: Model | None) -> list[InferenceAudit]:
    """Inference audits of the run that the model belongs to."""
    if model is None or request.model is None:
        return []
    from .auditing import AUDITS, audits_of

    folder = find_model(request.model).resolve()
    runs = [parent for parent in folder.parents if (parent / AUDITS).is_dir()][:1]
    return [audit for run in runs for audit in audits_of(run, model.card)]


class _Stands(NamedTuple):
    """What audits say together; see `generation.evaluation.uses.Audit`."""

    passed: bool
    verdict: str
    analysis: str


def _audit(audits: Sequence[InferenceAudit], analysis: str | None) -> _Stands | None:
    """All audits that passed, or else the first one; of one planned analysis where it is named."""
    known = [a for a in audits if analysis is None or a.analysis == analysis]
    if analysis is not None and not known:
        told = ", ".join(a.analysis for a in audits) or "none"
        raise InputError(f"--analysis: {analysis!r} was not audited; audited are: {told}")
    stands = [a for a in known if a.passed] or known[:1]
    if not stands:
        return None
    words = "; ".join(a.analysis for a in stands)
    return _Stands(stands[0].passed, stands[0].verdict, words)


def _write(
    found: dict[str, Any], views: dict[str, Any], request: EvaluationRequest
) -> dict[str, str]:
    files = {}
    if request.json is not None:
        text = json_text.dumps(found, ensure_ascii=False, indent=1, allow_nan=False)
        _replace(request.json, text + "\n")
        files["json"] = str(request.json)
    if request.html is not None:
        from serving.report.evaluation_page import evaluation_page

        _replace(request.html, evaluation_page(found, views))
        files["html"] = str(request.html)
    return files


def _replace(place: Path, text: str) -> None:
    """Write a file whole or not at all."""
    fresh = place.with_name(place.name + ".tmp")
    try:
        fresh.write_text(text, "utf-8")
        fresh.replace(place)
    except OSError:
        raise InputError(
            f"{place.name}: it cannot be written; give a folder you may write to"
        ) from None
