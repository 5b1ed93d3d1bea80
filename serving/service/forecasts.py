"""Twins: the forecast of one patient's future."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from extraction.records import Cohort, InputError

from .models import find_model

if TYPE_CHECKING:
    from generation.engine import ModelCard

_SEEN = (
    "The model was fitted to this cohort, this patient included: good for looking, not for "
    "judging how well it forecasts (see the stage twins of a run)."
)


@dataclass(frozen=True)
class TwinRequest:
    """What is asked of a patient's twin.

    Parameters
    ----------
    model
        Model of all arms: its folder, or "<run>/all_arms".
    cohort
        Folder of the cohort that holds the patient.
    subject_id
        The patient.
    until_day
        Last day of the history that the twin may see.
    days
        Days to forecast.
    arm
        Arm of the future; the patient's own when empty.
    estimand
        Which question a forecast under another arm answers.
    """

    model: str
    cohort: Path
    subject_id: str
    days: tuple[float, ...]
    until_day: float | None = None
    arm: str | None = None
    variables: tuple[str, ...] = ()
    draws: int = 1000
    seed: int = 0
    estimand: Literal["from_baseline", "switch"] | None = None


def forecast(request: TwinRequest) -> dict[str, Any]:
    """Forecast a patient's future by the patient's own history.

    Returns
    -------
    dict
        The forecast (question, quantiles, event probabilities) and ``seen``: a warning when the
        model was fitted to this cohort, or to the patient's arm of it, since such a forecast
        flatters itself; None does not prove that the patient is new to the model.

    Raises
    ------
    InputError
        With every fault of the request.
    RefusedError
        For another arm than the history's without a named question.
    """
    from generation import load_model
    from simulation.twins import Twin

    folder = find_model(request.model)
    model = load_model(folder)
    cohort = Cohort.read(request.cohort)
    missing = [v.name for v in model.schema.variables if v.name not in cohort.schema]
    if missing:
        raise InputError(f"cohort: the model needs {', '.join(missing)}, which it does not have")
    known = cohort.with_schema(model.schema)
    timeline = known.timeline(request.subject_id, request.until_day)
    found = Twin(model, timeline).forecast(
        request.arm,
        request.days,
        variables=request.variables or None,
        draws=request.draws,
        seed=request.seed,
        estimand=request.estimand,
    )
    return found.to_dict() | {
        "n_train": model.card.n_train,
        "seen": _SEEN if _fitted_to(model.card, known, request.subject_id) else None,
    }


def _fitted_to(card: ModelCard, cohort: Cohort, subject_id: str) -> bool:
    """Whether the model was fitted to this cohort, or to arms of it, the patient among them."""
    trained = cohort
    if card.arms:
        trained = cohort.take(cohort.subjects["arm"].isin(card.arms).to_numpy())
    return subject_id in set(trained.subject_ids) and trained.digest() == card.data_digest
