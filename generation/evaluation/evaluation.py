"""`evaluate`: one synthetic cohort against the patients trained on and those held out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from extraction.records import Cohort, InputError
from generation.engine import report_progress
from generation.evaluation.calibration import calibration
from generation.evaluation.closeness import fidelity
from generation.evaluation.combinations import combinations
from generation.evaluation.disclosure import privacy
from generation.evaluation.forecasts import forecasts_of
from generation.evaluation.gaps import visit_gaps
from generation.evaluation.longitudinal_metrics import longitudinal
from generation.evaluation.metric import Evaluation, Metric
from generation.evaluation.missing import missing_values
from generation.evaluation.overlap import apart, shared_patients
from generation.evaluation.reference import Fold, Reference
from generation.evaluation.running import one_thread
from generation.evaluation.subgroups import subgroups
from generation.evaluation.survival_metrics import survival
from generation.evaluation.tables import Floats, Table, tables
from generation.evaluation.utility import utility
from generation.evaluation.validity import validity

if TYPE_CHECKING:
    from generation.engine import Model, Progress

FEWEST = 10
"""Fewest patients a side may have."""


@one_thread()
def evaluate(
    synthetic: Cohort,
    train: Cohort,
    holdout: Cohort,
    seed: int = 0,
    model: Model | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Judge a synthetic cohort by fidelity, utility, privacy and validity.

    Each metric stands beside controls: real patients against other real patients at the same
    sizes, a copy of the training data, independent marginals, and real patients with a planted
    error. A verdict "within real-against-real" is given only where the planted error would have
    been seen; see docs/evaluation.md.

    Parameters
    ----------
    synthetic
        Patients sampled from a model of `train`; at best as many as were trained on (only the
        first ``len(train)`` enter the fidelity metrics).
    train, holdout
        Real patients that the model was and was not fitted to; different people. The same names
        are allowed: tables often number their patients from 1.
    seed
        Seed of all resamples.
    model
        The fitted model; if it can say how likely a patient is (`log_prob`), membership
        inference uses that as well, and if it can continue a history (`timeline`), its forecasts
        of the held-out patients are judged for calibration.
    progress
        Called with what was done and the fraction done.

    Returns
    -------
    Evaluation
        Metrics with controls, verdicts and sentences.

    Raises
    ------
    InputError
        If a side has fewer than 10 patients, the same patient is on both real sides, or a cohort
        lacks columns of the training patients.
    """
    _check(synthetic, train, holdout)
    holdout = apart(train, holdout)
    ours, trained, held = tables(
        [synthetic, train, holdout], real=[1, 2], names=("synthetic", "train", "holdout")
    )
    pool = Table.concat([trained, held])
    n, m = len(trained), len(held)
    fold = Fold(np.arange(n), np.arange(n, n + m), min(n, len(ours)), len(ours))
    reference = Reference(pool, (fold,), seed)
    log_probs = None
    if model is not None and "log_prob" in model.supports:
        log_probs = [np.concatenate([model.log_prob(train), model.log_prob(holdout)])]
    metrics = measure(reference, [ours], log_probs, [synthetic], [train, holdout], progress)
    if (forecasts := forecasts_of(model, train, holdout, seed)) is not None:
        metrics += tuple(calibration(forecasts))
    return Evaluation(
        engine="" if model is None else model.card.engine,
        seed=seed,
        folds=1,
        sizes={"synthetic": len(ours), "train": n, "holdout": m, "compared": fold.compared},
        metrics=metrics,
    )


def measure(
    reference: Reference,
    ours: Sequence[Table],
    log_probs: Sequence[Floats] | None,
    synthetic: Sequence[Cohort],
    real: Sequence[Cohort],
    progress: Progress | None = None,
) -> tuple[Metric, ...]:
    """All metrics of synthetic patients, one table and cohort a fold.

    The subjects of `real`, one cohort after another, are the pool of `reference`.
    """
    steps: tuple[tuple[str, Callable[[], list[Metric]]], ...] = (
        ("fidelity judged", lambda: fidelity(reference, ours)),
        ("courses judged", lambda: longitudinal(reference, ours)),
        ("visits judged", lambda: visit_gaps(reference, synthetic, real)),
        ("survival judged", lambda: survival(reference, ours)),
        ("missing values judged", lambda: missing_values(reference, ours)),
        ("subgroups judged", lambda: subgroups(reference, ours)),
        ("utility judged", lambda: utility(reference, ours)),
        ("privacy judged", lambda: privacy(reference, ours, log_probs)),
        ("combinations judged", lambda: combinations(reference, ours)),
        ("validity judged", lambda: [validity(synthetic, Cohort.concat(list(real)))]),
    )
    metrics: list[Metric] = []
    for place, (what, step) in enumerate(steps, start=1):
        metrics += step()
        report_progress(progress, what, place / len(steps))
    return tuple(metrics)


def _check(synthetic: Cohort, train: Cohort, holdout: Cohort) -> None:
    sides = {"synthetic": synthetic, "train": train, "holdout": holdout}
    faults = [
        f"{name}: {len(cohort)} patients; at least {FEWEST} are needed"
        for name, cohort in sides.items()
        if len(cohort) < FEWEST
    ]
    if shared := shared_patients(train, holdout):
        faults.append(
            f"holdout: {shared} patients are in train as well (the same name, arm and baseline); "
            "give patients the model never saw, or other names where they are not the same"
        )
    if faults:
        raise InputError(faults)
