"""The worker: takes leased jobs one after another, and says that it is alive."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, final

import structlog

from extraction.records.errors import InputError
from serving.jobs.store import Job, JobStore, Lease, LeaseLostError
from serving.logs import fault

Progress = Callable[[str, float], None]
CarryOut = Callable[[Job, Path, Progress], dict[str, Any]]

_LOG = structlog.get_logger("trialtwin.jobs")
_OUR_FAULT = "job: an unexpected error of ours; the server's log names it under the job's id"


class BusyError(Exception):
    """The job's folder is still held by a worker that lost its lease; tried again later."""


class _StopError(Exception):
    """The job ends here: cancelled, lost to another worker, or the server stops."""


@final
class Worker:
    """One thread that carries out jobs.

    Parameters
    ----------
    store
        Where jobs wait.
    folder
        Where each job has a folder of its own, named by its id.
    carry_out
        Called as carry_out(job, folder, progress); it resumes from what it finds in the folder
        and returns the job's outcome as plain JSON values.
    poll_seconds
        How often to look for a new job.
    """

    def __init__(
        self, store: JobStore, folder: Path, carry_out: CarryOut, poll_seconds: float = 0.5
    ) -> None:
        self._store, self._folder, self._carry_out = store, folder, carry_out
        self._poll = poll_seconds
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Work in a thread of its own until `stop`."""
        self._thread = threading.Thread(target=self._loop, name="trialtwin-jobs", daemon=True)
        self._thread.start()

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """End after the chunk in hand; its job goes back into the queue."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def _loop(self) -> None:
        while not self._stopped.is_set():
            try:
                busy = self.work_once()
            except Exception as error:  # noqa: BLE001 - the loop outlives a database that is away
                _LOG.error("job queue failed", error=type(error).__name__)
                busy = False
            if not busy:
                self._stopped.wait(self._poll)

    def work_once(self) -> bool:
        """Carry out one job if there is one; returns whether there was."""
        lease = self._store.claim()
        if lease is None:
            return False
        pulse = _Pulse(self._store, lease, self._stopped)
        try:
            self._carry(lease, pulse)
        except BusyError:
            self._store.release(lease)
            return False
        except LeaseLostError:
            _LOG.warning("job taken over by another worker", job=lease.job.id)
        finally:
            pulse.end()
        return True

    def _carry(self, lease: Lease, pulse: _Pulse) -> None:
        job = lease.job
        _LOG.info("job begins", job=job.id, kind=job.kind)
        try:
            outcome = self._carry_out(job, self._folder / job.id, pulse.progress)
        except _StopError:
            self._stop_short(lease, pulse)
        except InputError as error:
            self._store.fail(lease, error.faults)
        except (LeaseLostError, BusyError):
            raise
        except Exception as error:  # noqa: BLE001 - a stray error's text may hold a patient's value
            _LOG.error("job failed", job=job.id, **fault(error))
            self._store.fail(lease, (_OUR_FAULT,))
        else:
            self._store.finish(lease, outcome)
            _LOG.info("job done", job=job.id)

    def _stop_short(self, lease: Lease, pulse: _Pulse) -> None:
        if pulse.cancelled:
            self._store.end_cancelled(lease)
            _LOG.info("job cancelled", job=lease.job.id)
        else:
            self._store.release(lease)


@final
class _Pulse:
    """Prolongs a lease from a second thread, since a chunk may last longer than a lease."""

    def __init__(self, store: JobStore, lease: Lease, stopped: threading.Event) -> None:
        self._store, self._lease, self._server_stops = store, lease, stopped
        self._ended = threading.Event()
        self.cancelled = False
        self._lost = False
        self._thread = threading.Thread(target=self._beat, name="trialtwin-lease", daemon=True)
        self._thread.start()

    def progress(self, what: str, fraction: float) -> None:
        """Note progress; raises when the work is to end here."""
        self.cancelled = self._store.heartbeat(self._lease, fraction, what) or self.cancelled
        if self.cancelled or self._lost or self._server_stops.is_set():
            raise _StopError

    def _beat(self) -> None:
        while not self._ended.wait(self._store.lease_seconds / 4):
            try:
                self.cancelled = self._store.heartbeat(self._lease) or self.cancelled
            except LeaseLostError:
                self._lost = True
                return
            except Exception as error:  # noqa: BLE001 - tried again at the next beat
                _LOG.warning("heartbeat failed", error=type(error).__name__)

    def end(self) -> None:
        """Stop the second thread."""
        self._ended.set()
        self._thread.join()
