"""What a run found out about its synthetic patients, for those who ask a server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from extraction.records.errors import InputError
from serving.registry import Registry

RESULT = Path("stages") / "evaluation" / "result.json"


def evaluations(registry: Registry) -> list[dict[str, Any]]:
    """Models on offer with the verdicts of their engine for each use.

    Parameters
    ----------
    registry
        The models that a server offers.

    Returns
    -------
    list of dict
        ``model, engine, folds, n_controls, uses`` (verdict by use); models that were not judged
        are left out.
    """
    found = []
    for name in registry.names():
        if (registry.find(name).run_folder / RESULT).is_file():
            told = evaluation_of(registry, name)
            uses = {use: verdict["verdict"] for use, verdict in told["uses"].items()}
            found.append({k: told[k] for k in ("model", "engine", "folds", "n_controls")}
                         | {"uses": uses})  # fmt: skip
    return found


def evaluation_of(registry: Registry, name: str) -> dict[str, Any]:
    """Return the evaluation of a model's engine, cross-validated on the run's real controls.

    Parameters
    ----------
    name
        Name of a model on offer.

    Returns
    -------
    dict
        `Evaluation.to_dict` with ``model`` and ``n_controls``.

    Raises
    ------
    InputError
        If the model is unknown, or its run judged nothing.
    """
    place = registry.find(name).run_folder / RESULT
    try:
        found = json.loads(place.read_text("utf-8"))
        told = found["engines"][found["engine"]]
    except (OSError, ValueError, KeyError):
        raise InputError(
            f"evaluation: the run of {name!r} has none; run its study with an evaluation"
        ) from None
    return {"model": name, "n_controls": found["n_controls"], "uses": {}, **told}
