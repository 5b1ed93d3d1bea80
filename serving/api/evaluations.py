"""GET /v1/evaluations: how close, useful and private the models' synthetic patients are."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from serving.api.controls import ERRORS
from serving.api.desk import desk_of
from serving.service.stored_evaluations import evaluation_of, evaluations

router = APIRouter(prefix="/v1/evaluations")


@router.get("", summary="Verdicts of the models on offer, by use")
def get_evaluations(request: Request) -> dict[str, Any]:
    """List the models that were judged, each with its verdict for every use."""
    return {"evaluations": evaluations(desk_of(request).registry)}


@router.get("/{model}", responses=ERRORS, summary="The evaluation of a model")
def get_evaluation(model: str, request: Request) -> dict[str, Any]:
    """Return every measure with its controls, interval, verdict and sentence.

    The engine was cross-validated on the real controls of the model's run.
    """
    return evaluation_of(desk_of(request).registry, model)
