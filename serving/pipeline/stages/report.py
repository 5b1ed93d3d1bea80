"""Stage `report`: everything on one page."""

from __future__ import annotations

from typing import Any

from serving.pipeline.stage import Job


def run(job: Job) -> dict[str, Any]:
    """Write ``report.html`` into the run's folder; see `serving.pipeline.stage`."""
    from serving.report import write_report

    path = write_report(job.run_folder)
    return {"file": path.name, "bytes": path.stat().st_size}
