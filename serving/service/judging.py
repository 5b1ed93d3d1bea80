"""Judging: synthetic patients against real ones, extracted facts against reference facts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from extraction.records import Cohort


def evaluate_cohort(synthetic: Path, train: Path, holdout: Path, seed: int = 0) -> dict[str, Any]:
    """Judge a synthetic cohort by fidelity, utility and privacy, each beside its controls.

    Parameters
    ----------
    synthetic, train, holdout
        Cohort folders: the synthetic patients, the real ones that their model was fitted to, and
        real ones that it never saw.

    Raises
    ------
    InputError
        When a side is too small, or training and held-out patients overlap.
    """
    from generation.evaluation import evaluate

    sides = [Cohort.read(folder) for folder in (synthetic, train, holdout)]
    return evaluate(sides[0], sides[1], sides[2], seed=seed).to_dict()
