"""A trial's further figures, if assumptions fail: curve, surfaces, null grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from serving.service.trials import OpenTrial, Watch
    from simulation.operating_characteristics.figures import Asked

CELL_REPLICATES = 2000
"""Most replicates of a point or cell."""


def sensitivities(trial: OpenTrial, watch: Watch) -> Iterator[dict[str, Any]]:
    """Simulate what was asked for beside the main scenarios.

    Yields
    ------
    dict
        curve, surface or nulls, each as soon as it is done.
    """
    request = trial.request
    common: Any = {
        "replicates": min(request.number, CELL_REPLICATES),
        "seed": request.seed,
        **trial.running,
    }
    if request.curve:
        yield {"curve": _curve(trial, common | {"progress": watch("curve")})}
    if trial.surface:
        yield {"surface": _surface(trial, common | {"progress": watch("surface")})}
    if trial.nulls:
        yield {"nulls": _nulls(trial, common | {"progress": watch("null grid")})}


def _curve(trial: OpenTrial, common: Any) -> dict[str, Any]:
    from simulation.operating_characteristics.curve import power_curve

    rows = power_curve(
        trial.plan,
        trial.people,
        figures=[asked.name for asked in trial.figures],
        scenario=trial.request.scenario,
        **common,
    )
    return {
        "replicates": common["replicates"],
        "scenario": trial.scenario,
        "figures": [_told(asked) for asked in trial.figures],
        "rows": rows.to_dict("records"),
    }


def _surface(trial: OpenTrial, common: Any) -> dict[str, Any]:
    from simulation.operating_characteristics import surfaces

    found = surfaces(
        trial.plan,
        trial.people,
        over=trial.surface,
        figures=[asked.name for asked in trial.figures],
        scenario=trial.request.scenario,
        **common,
    )
    return {
        "replicates": common["replicates"],
        "over": trial.surface,
        "figures": [
            _told(asked) | {"rows": found[asked.name].to_dict("records")} for asked in trial.figures
        ],
    }


def _nulls(trial: OpenTrial, common: Any) -> dict[str, Any]:
    from simulation.operating_characteristics import null_grid

    grid = null_grid(trial.plan, trial.people, over=trial.nulls, **common)
    return asdict(grid) | {
        "frame": None,
        "replicates": common["replicates"],
        "over": trial.nulls,
        "rows": grid.frame.to_dict("records"),
    }


def _told(asked: Asked) -> dict[str, Any]:
    return {
        "name": asked.name,
        "label": asked.label,
        "share": asked.share,
        "scenario": asked.scenario,
    }
