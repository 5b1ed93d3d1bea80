"""POST /v1/controls and GET /v1/models."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response

from extraction.records.errors import InputError
from serving.api.desk import Desk, desk_of
from serving.api.formats import Format, chosen, table_answer
from serving.service.control_requests import MOST_PATIENTS, ControlsRequest, controls
from serving.service.control_table import control_table, parquet_bytes, without_empty

router = APIRouter(prefix="/v1")

ERRORS: dict[int | str, dict[str, Any]] = {
    409: {"description": "Declined: too few real patients behind the request, or a use that no "
                         "audit supports. `faults` says why."},
    422: {"description": "Not understood. `faults` lists everything that is wrong."},
}


@router.post("/controls", responses=ERRORS, summary="Sample a synthetic control arm")
def post_controls(
    body: ControlsRequest,
    request: Request,
    format: Format | None = None,
    accept: Annotated[str | None, Header()] = None,
) -> Response:
    """Sample up to 5,000 synthetic patients; ask `/v1/jobs` for more.

    `format` or the Accept header chooses JSON (records), CSV or Parquet. Figures behind the rows
    are fields of the JSON and headers `X-Trialtwin-*` of every answer.
    """
    if body.n > MOST_PATIENTS:
        raise InputError(
            f"n: {body.n} came; at most {MOST_PATIENTS} come at once; "
            "send the same request to POST /v1/jobs for more"
        )
    desk = desk_of(request)
    with desk.sampler():
        arm = controls(body, desk.registry)
        table = without_empty(control_table(arm.cohort, arm.n_train))
    desk.metrics.sampled(len(table))
    about = {**arm.about(), "model": body.model, "seed": body.seed, "use": body.use}
    return table_answer(
        chosen(format, accept), [table],
        {**about, "given": body.given, "real": arm.real},
        f"synthetic-controls-n{body.n}-seed{body.seed}", lambda: parquet_bytes(table, about),
    )


@router.get("/models", summary="Models on offer, with what may be asked of them")
def get_models(request: Request) -> dict[str, Any]:
    """List models: engine, training patients, arms, and the baseline variables for conditions."""
    desk = desk_of(request)
    return {"models": [describe(desk, name) for name in desk.registry.names()]}


def describe(desk: Desk, name: str) -> dict[str, Any]:
    """Return what a client needs to know of a model; no value of a patient is in it."""
    try:
        card = desk.registry.model(name).card
    except InputError as error:
        return {"name": name, "faults": list(error.faults)}
    kept = {"name", "label", "kind", "unit", "categories", "low", "high"}
    return {
        "name": name,
        "study": card.schema_.study_id,
        "engine": card.engine,
        "engine_version": card.engine_version,
        "fit": card.fit,
        "n_train": card.n_train,
        "data_digest": card.data_digest,
        "arms": list(card.arms),
        "control_arm": card.schema_.control_arm,
        "variables": [v.model_dump(mode="json", include=kept) for v in card.schema_.baseline],
        "endpoints": [e.name for e in card.schema_.endpoints],
        "longitudinal": [v.name for v in card.schema_.longitudinal],
    }
