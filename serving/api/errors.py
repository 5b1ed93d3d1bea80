"""Errors as HTTP answers: all faults at once, never what was sent, never our own insides."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from extraction.records.errors import InputError, RefusedError
from extraction.records.plain import field_names, plain_faults
from serving.logs import fault
from serving.service.control_requests import ControlsRequest

_LOG = structlog.get_logger("trialtwin.http")


def install(app: FastAPI) -> None:
    """Give an application the house's error answers."""
    app.add_exception_handler(InputError, _input_error)
    app.add_exception_handler(RequestValidationError, _request_error)
    app.add_exception_handler(HTTPException, _http_error)


def answer(code: int, faults: Sequence[str], **more: Any) -> JSONResponse:
    """Return faults in the form that all errors have; what UTF-8 has no bytes for is escaped."""
    told = [fault.encode("utf-8", "backslashreplace").decode() for fault in faults]
    return JSONResponse({"faults": told, **more}, status_code=code)


async def _input_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, InputError)
    return answer(409 if isinstance(error, RefusedError) else 422, error.faults)


async def _request_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    # `error.errors()` also holds what was sent; only place and message leave.
    items = [{**item, "loc": _place(item["loc"])} for item in error.errors()]
    known = field_names(ControlsRequest) | {"kind", "request"}
    told = plain_faults(items, known)
    return answer(422, [f"{place}: {words}" for place, words in told])


def _place(steps: Sequence[str | int]) -> Sequence[str | int]:
    return steps[1:] if len(steps) > 1 and steps[0] == "body" else steps


async def _http_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    found = answer(error.status_code, [str(error.detail)])
    found.headers.update(error.headers or {})
    return found


def our_error(error: Exception) -> JSONResponse:
    """Log an error that nobody expected, by its kind and place, and answer with its id alone.

    `Observe` calls this rather than Starlette, which would raise the error again for the server
    to log, text and all: the text may hold a patient's value.
    """
    name = secrets.token_hex(6)
    _LOG.error("unexpected error", id=name, **fault(error))
    return answer(500, ["server: an unexpected error; name its id to the operator"], id=name)
