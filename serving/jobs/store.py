"""Jobs in a database: submitted once, leased to one worker at a time, never lost."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast, final

from sqlalchemy import CursorResult, Engine, and_, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from extraction.records.errors import InputError, RefusedError
from serving.jobs.tables import FINISHED, JobRow, State

LONGEST_KEY = 200
MOST_ATTEMPTS = 5


class LeaseLostError(Exception):
    """Another worker holds the job now; whatever this one still wants to write is void."""


@dataclass(frozen=True)
class Job:
    """A job as it stands in the database."""

    id: str
    kind: str
    request: dict[str, Any]
    state: State
    created: float
    updated: float
    progress: float
    doing: str
    faults: tuple[str, ...]
    outcome: dict[str, Any]


@dataclass(frozen=True)
class Lease:
    """The right to work on a job, as long as no one claims it with a higher token."""

    job: Job
    token: int


@final
class JobStore:
    """The job table.

    Parameters
    ----------
    engine
        See `serving.jobs.tables.open_database`.
    lease_seconds
        How long a worker may stay silent before another takes its job.
    clock
        Seconds since 1970; tests give their own.
    """

    def __init__(
        self, engine: Engine, lease_seconds: float = 20.0, clock: Callable[[], float] = time.time
    ) -> None:
        self._engine = engine
        self.lease_seconds = lease_seconds
        self._clock = clock

    def submit(self, kind: str, request: Mapping[str, Any], key: str | None = None) -> Job:
        """Queue a job; the same key and request give the job that is there already.

        Raises
        ------
        InputError
            If the key is empty or too long.
        RefusedError
            If the key was used for another request.
        """
        if key is not None and not 0 < len(key) <= LONGEST_KEY:
            raise InputError(f"Idempotency-Key: it must have 1 to {LONGEST_KEY} characters")
        text = json.dumps({"kind": kind, **request}, sort_keys=True, allow_nan=False)
        try:
            return self._insert(kind, text, key)
        except IntegrityError:  # another server took the key in the same moment
            return self._insert(kind, text, key)

    def _insert(self, kind: str, text: str, key: str | None) -> Job:
        now = self._clock()
        with Session(self._engine) as session, session.begin():
            if key is not None:
                found = session.scalar(select(JobRow).where(JobRow.idempotency_key == key))
                if found is not None:
                    return _same(found, text)
            row = JobRow(
                id=secrets.token_hex(8), kind=kind, request=text, idempotency_key=key,
                state="queued", created=now, updated=now,
            )
            session.add(row)
            session.flush()
            return _job(row)

    def get(self, job_id: str) -> Job | None:
        """Return a job, None where there is none."""
        with Session(self._engine) as session, session.begin():
            row = session.get(JobRow, job_id)
            return None if row is None else _job(row)

    def latest(self, most: int = 50) -> list[Job]:
        """Return the newest jobs, newest first."""
        with Session(self._engine) as session, session.begin():
            newest = select(JobRow).order_by(JobRow.created.desc(), JobRow.id).limit(most)
            return [_job(row) for row in session.scalars(newest)]

    def counts(self) -> dict[str, int]:
        """Return the number of jobs in each state."""
        with Session(self._engine) as session, session.begin():
            rows = session.execute(select(JobRow.state, func.count()).group_by(JobRow.state))
            return {row[0]: row[1] for row in rows}

    def cancel(self, job_id: str) -> Job | None:
        """Ask for a job to end; a queued one ends now, a running one after its chunk."""
        with Session(self._engine) as session, session.begin():
            row = session.get(JobRow, job_id)
            if row is None:
                return None
            if row.state not in FINISHED:
                row.cancel, row.updated = True, self._clock()
                if row.state == "queued":
                    row.state = "cancelled"
            return _job(row)

    def claim(self) -> Lease | None:
        """Lease the oldest job that waits, or whose worker has fallen silent."""
        now = self._clock()
        waits = or_(
            JobRow.state == "queued",
            and_(JobRow.state == "running", JobRow.lease_until < now),
        )
        oldest = (
            select(JobRow).where(waits).order_by(JobRow.created, JobRow.id).limit(1)
            .with_for_update(skip_locked=True)
        )
        with Session(self._engine) as session, session.begin():
            row = session.scalar(oldest)
            if row is None:
                return None
            row.token += 1
            row.attempts += 1
            row.updated = now
            if row.cancel or row.attempts > MOST_ATTEMPTS:
                row.state = "cancelled" if row.cancel else "failed"
                row.faults = json.dumps([] if row.cancel else [_GIVEN_UP])
                return None
            row.state, row.lease_until = "running", now + self.lease_seconds
            return Lease(_job(row), row.token)

    def heartbeat(self, lease: Lease, progress: float | None = None, doing: str = "") -> bool:
        """Prolong a lease and note progress; returns whether cancelling was asked for.

        Raises
        ------
        LeaseLostError
            If the lease is no longer this one's.
        """
        now = self._clock()
        changes: dict[str, Any] = {"lease_until": now + self.lease_seconds, "updated": now}
        if progress is not None:
            changes |= {"progress": progress, "doing": doing}
        self._write(lease, changes)
        with Session(self._engine) as session, session.begin():
            return bool(session.scalar(select(JobRow.cancel).where(JobRow.id == lease.job.id)))

    def finish(self, lease: Lease, outcome: Mapping[str, Any]) -> None:
        """Close a job as done."""
        self._close(lease, "done", outcome=json.dumps(dict(outcome)), progress=1.0)

    def fail(self, lease: Lease, faults: tuple[str, ...]) -> None:
        """Close a job as failed, with faults that are safe to show."""
        self._close(lease, "failed", faults=json.dumps(list(faults)))

    def end_cancelled(self, lease: Lease) -> None:
        """Close a job whose cancelling was asked for."""
        self._close(lease, "cancelled")

    def release(self, lease: Lease) -> None:
        """Put a job back for the next worker; an orderly stop is no attempt."""
        attempts = JobRow.attempts - 1
        self._write(lease, {"state": "queued", "lease_until": 0.0, "attempts": attempts})

    def _close(self, lease: Lease, state: State, **changes: Any) -> None:
        self._write(lease, {"state": state, "updated": self._clock(), "doing": "", **changes})

    def _write(self, lease: Lease, changes: dict[str, Any]) -> None:
        mine = and_(
            JobRow.id == lease.job.id, JobRow.token == lease.token, JobRow.state == "running"
        )
        with Session(self._engine) as session, session.begin():
            done = session.execute(update(JobRow).where(mine).values(**changes))
            if cast("CursorResult[Any]", done).rowcount != 1:
                raise LeaseLostError(lease.job.id)


_GIVEN_UP = (
    f"job: its worker ended {MOST_ATTEMPTS} times without a word; look at the server's log and "
    "memory, then submit it again"
)


def _same(row: JobRow, text: str) -> Job:
    if row.request != text:
        raise RefusedError(
            "Idempotency-Key: it was used for another request; use a new key for a new request"
        )
    return _job(row)


def _job(row: JobRow) -> Job:
    request = json.loads(row.request)
    request.pop("kind")
    return Job(
        row.id, row.kind, request, cast(State, row.state), row.created, row.updated, row.progress,
        row.doing, tuple(json.loads(row.faults)), json.loads(row.outcome),
    )
