"""What every route works with: models, jobs, counters, and the number of samplers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from fastapi import HTTPException, Request

from serving.api.config import ServiceConfig
from serving.api.metrics import Metrics
from serving.jobs.store import JobStore
from serving.jobs.tables import open_database
from serving.registry import Registry


@dataclass
class Desk:
    """The parts of a running server.

    Parameters
    ----------
    config
        The server's configuration.
    registry
        The models on offer.
    store
        The job table.
    """

    config: ServiceConfig
    registry: Registry
    store: JobStore
    metrics: Metrics = field(default_factory=Metrics)

    def __post_init__(self) -> None:
        self._slots = threading.BoundedSemaphore(self.config.samplers)

    @classmethod
    def open(cls, config: ServiceConfig) -> Desk:
        """Find the models and open the job database."""
        registry = (
            Registry(config.models, config.allow_busl)
            if config.models
            else Registry.discover(config.runs, config.allow_busl)
        )
        database = open_database(config.database_url)
        return cls(config, registry, JobStore(database, config.lease_seconds))

    @contextmanager
    def sampler(self) -> Iterator[None]:
        """Hold one of the samplers; HTTP 503 when none becomes free in time."""
        if not self._slots.acquire(timeout=self.config.wait_seconds):
            raise HTTPException(503, "server: busy; try again later", {"Retry-After": "30"})
        try:
            yield
        finally:
            self._slots.release()


def desk_of(request: Request) -> Desk:
    """Return the desk of the application that serves a request."""
    desk: Desk = request.app.state.desk
    return desk
