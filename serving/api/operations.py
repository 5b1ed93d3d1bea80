"""For operators: /healthz, /readyz and /metrics."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from sqlalchemy.exc import SQLAlchemyError

from serving.api.desk import desk_of
from serving.api.errors import answer
from serving.api.metrics import CONTENT_TYPE

router = APIRouter()


@router.get("/healthz", summary="Whether the process answers")
def healthz() -> dict[str, str]:
    """Answer."""
    return {"status": "alive"}


@router.get("/readyz", summary="Whether models and the job database are there")
def readyz(request: Request) -> Response:
    """Answer 200 when control arms can be sampled, else 503 with what is missing."""
    desk = desk_of(request)
    faults = []
    if not desk.registry.names():
        faults.append("models: none is there yet; run a study, e.g. configs/quickstart.yaml")
    try:
        desk.store.counts()
    except SQLAlchemyError:
        faults.append("jobs: the database does not answer")
    return answer(503 if faults else 200, faults, status="not ready" if faults else "ready")


@router.get("/metrics", summary="Counters for Prometheus")
def metrics(request: Request) -> Response:
    """Return counters as text."""
    desk = desk_of(request)
    return Response(desk.metrics.text(desk.store.counts()), media_type=CONTENT_TYPE)
