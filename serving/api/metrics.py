"""Counters in Prometheus' text form; labels are routes and states, never what was asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@final
class Metrics:
    """The counters of one application."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "trialtwin_requests_total", "Requests by method, route and status.",
            ("method", "route", "status"), registry=self._registry,
        )
        self._seconds = Histogram(
            "trialtwin_request_seconds", "Seconds to answer a request, by route.", ("route",),
            buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 30), registry=self._registry,
        )
        self._patients = Counter(
            "trialtwin_synthetic_patients_total", "Synthetic patients sampled for direct requests.",
            registry=self._registry,
        )
        self._jobs = Gauge(
            "trialtwin_jobs", "Jobs by state.", ("state",), registry=self._registry
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def sampled(self, patients: int) -> None:
        """Count synthetic patients."""
        self._patients.inc(patients)

    def text(self, jobs: Mapping[str, int]) -> bytes:
        """Return all counters, with the jobs' states as they are now."""
        for state in ("queued", "running", "done", "failed", "cancelled"):
            self._jobs.labels(state).set(jobs.get(state, 0))
        return generate_latest(self._registry)
