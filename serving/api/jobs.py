"""/v1/jobs: control arms too large for one answer."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from serving.api.controls import ERRORS
from serving.api.desk import Desk, desk_of
from serving.api.formats import Format, chosen, table_answer
from serving.jobs.controls import RESULT
from serving.jobs.store import LONGEST_KEY, Job
from serving.service.control_requests import ControlsRequest, gate, told
from serving.service.control_table import parquet_parts

router = APIRouter(prefix="/v1/jobs")


class JobRequest(BaseModel):
    """A job to be queued."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kind: Literal["controls"] = Field("controls", description="what the job does")
    request: ControlsRequest


@router.post("", status_code=202, responses=ERRORS, summary="Queue a job")
def post_job(
    body: JobRequest,
    request: Request,
    response: Response,
    idempotency_key: Annotated[str | None, Header(max_length=LONGEST_KEY)] = None,
) -> dict[str, Any]:
    """Queue a control arm of up to 200,000 patients.

    The request is checked at once, as `/v1/controls` would. The same `Idempotency-Key` with the
    same body gives the job that is there already, so a request may be sent again safely.
    """
    desk = desk_of(request)
    verdict = gate(body.request, desk.registry)
    job = desk.store.submit(body.kind, body.request.model_dump(mode="json"), idempotency_key)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    stands = {
        "n_train": verdict.n_train,
        "n_region": verdict.n_region,
        "notice": told(body.request, desk.registry, verdict),
    }
    return {**stands, **status(job)}


@router.get("", summary="The latest jobs")
def get_jobs(request: Request) -> dict[str, Any]:
    """List the fifty newest jobs."""
    return {"jobs": [status(job) for job in desk_of(request).store.latest()]}


@router.get("/{job_id}", summary="A job's state and progress")
def get_job(job_id: str, request: Request) -> dict[str, Any]:
    """Return state, progress from 0 to 1, faults and, when done, the result's figures."""
    return status(_job(desk_of(request), job_id))


@router.get("/{job_id}/result", summary="Download a finished job's patients")
def get_result(
    job_id: str,
    request: Request,
    format: Format | None = None,
    accept: Annotated[str | None, Header()] = None,
) -> Response:
    """Return the rows as JSON, CSV (both streamed) or Parquet."""
    desk = desk_of(request)
    job = _job(desk, job_id)
    if job.state != "done":
        raise HTTPException(409, f"job: it is {job.state}; its result is there when it is done")
    path = result_path(desk, job)
    about = {k: v for k, v in job.outcome.items() if k not in ("file",)}
    name = f"synthetic-controls-n{job.request['n']}-seed{job.request['seed']}"
    form = chosen(format, accept)
    return table_answer(form, parquet_parts(path), about, name, path.read_bytes)


@router.delete("/{job_id}", summary="Cancel a job")
def delete_job(job_id: str, request: Request) -> dict[str, Any]:
    """Cancel: a queued job ends at once, a running one after the chunk in hand."""
    job = desk_of(request).store.cancel(job_id)
    if job is None:
        raise _unknown()
    return status(job)


def status(job: Job) -> dict[str, Any]:
    """Return a job as clients see it."""
    links = {"self": f"/v1/jobs/{job.id}", "result": f"/v1/jobs/{job.id}/result"}
    return {
        "id": job.id,
        "kind": job.kind,
        "state": job.state,
        "progress": round(job.progress, 4),
        "doing": job.doing,
        "created": _time(job.created),
        "updated": _time(job.updated),
        "request": job.request,
        "faults": list(job.faults),
        "links": links,
        **{key: value for key, value in job.outcome.items() if key != "file"},
    }


def result_path(desk: Desk, job: Job) -> Path:
    """Return the file of a finished job; 410 when somebody has removed it."""
    path = desk.config.job_folder / job.id / RESULT
    if not path.is_file():
        raise HTTPException(410, "job: its result file is gone; submit the job again")
    return path


def _job(desk: Desk, job_id: str) -> Job:
    job = desk.store.get(job_id)
    if job is None:
        raise _unknown()
    return job


def _unknown() -> HTTPException:
    return HTTPException(404, "job: there is none of this id; GET /v1/jobs lists them")


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
