"""From the form's values to what the page shows: no Gradio in here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from fastapi import HTTPException
from markupsafe import Markup
from pydantic import ValidationError

from extraction.records.errors import InputError, RefusedError
from extraction.records.schema import pydantic_faults
from generation.applicability import MINIMUM_REGION, applicability
from serving.api.desk import Desk
from serving.logs import fault
from serving.service.control_requests import (
    MOST_PATIENTS,
    ControlArm,
    ControlsRequest,
    control_arm,
    controls,
    region,
)
from serving.service.control_table import control_table, csv_lines, parquet_bytes, without_empty
from serving.ui import words
from serving.ui.comparison import compare

NOTHING = Markup("")
_LOG = structlog.get_logger("trialtwin.page")


@dataclass(frozen=True)
class Answer:
    """What the page shows: a headline, then details, and two files where there are patients."""

    headline: Markup
    details: Markup = NOTHING
    csv: bytes | None = None
    parquet: bytes | None = None
    name: str = ""


def behind(desk: Desk, model: str, given: Mapping[str, Any]) -> Markup:
    """Say how many real patients meet the conditions."""
    try:
        request = ControlsRequest.model_validate({"model": model, "given": dict(given)})
        arm = control_arm(request, desk.registry.model(model))
        found = applicability(desk.registry.training(model), request.given, arm)
    except InputError as error:
        return words.mistaken(error.faults)
    return words.behind(found.n_region, found.n_train, MINIMUM_REGION)


def answer(desk: Desk, values: Mapping[str, Any]) -> Answer:
    """Sample what the form asks for; every refusal and fault becomes a message."""
    try:
        request = ControlsRequest.model_validate(dict(values))
        if request.n > MOST_PATIENTS:
            raise InputError(
                f"n: the page samples up to {MOST_PATIENTS:,} patients at once; "
                "more come from POST /v1/jobs"
            )
        with desk.sampler():
            return _sampled(desk, request)
    except ValidationError as error:
        return Answer(words.mistaken(pydantic_faults(error, "form")))
    except RefusedError as error:
        return Answer(words.refused(error.faults))
    except InputError as error:
        return Answer(words.mistaken(error.faults))
    except HTTPException as error:
        return Answer(words.mistaken([str(error.detail)]))
    except Exception as error:  # noqa: BLE001 - its text may hold a patient's value
        _LOG.error("page failed", **fault(error))
        return Answer(words.failed())


def _sampled(desk: Desk, request: ControlsRequest) -> Answer:
    arm = controls(request, desk.registry)
    seen = compare(region(request, desk.registry), arm.cohort)
    table = without_empty(control_table(arm.cohort, arm.n_train))
    desk.metrics.sampled(len(table))
    return Answer(
        words.tiles(arm),
        words.results(arm, request, seen),
        b"".join(csv_lines([table])),
        parquet_bytes(table, _about(arm, request)),
        f"synthetic-controls-{request.model}-n{request.n}-seed{request.seed}",
    )


def _about(arm: ControlArm, request: ControlsRequest) -> dict[str, Any]:
    return {**arm.about(), "model": request.model, "seed": request.seed, "use": request.use}
