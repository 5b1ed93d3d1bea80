"""Bringing a trained model up to date with patients who came later."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from extraction.records import Cohort
from extraction.records.errors import Faults

from .folders import check_out
from .models import find_model


def update(
    model: str,
    cohort: Path,
    out: Path,
    earlier: Path | None = None,
    seed: int = 0,
    *,
    overwrite: bool = False,
    progress: Callable[[str, float], None] | None = None,
) -> dict[str, Any]:
    """Fit a new version of a model to later patients and keep it if it forecasts no worse.

    Parameters
    ----------
    model
        A model's folder, a run's folder or a registered name.
    cohort
        Folder of the patients who came later.
    out
        New folder for the new version; nothing is written when it is not kept.
    earlier
        Folder of the cohort that the model was fitted to, where it is still at hand.

    Returns
    -------
    dict
        The outcome with the drift report; ``folder`` is None when the old model stays.

    Raises
    ------
    InputError
        With every fault of the request.
    """
    from generation import load_model

    faults = Faults()
    with faults.catch():
        check_out(out, overwrite, "model.json")
    patients = known = loaded = None
    with faults.catch():
        patients = Cohort.read(cohort)
    with faults.catch():
        known = None if earlier is None else Cohort.read(earlier)
    with faults.catch():
        loaded = load_model(find_model(model))
    faults.raise_if_any()
    assert loaded is not None
    assert patients is not None
    done = loaded.update(patients, seed, known, progress)
    folder = str(done.model.save(out)) if done.kept else None
    return {
        **done.to_dict(), "folder": folder, "sentence": done.sentence,
        "moved": list(done.drift.sentences),
    }
