"""Pooled k-fold evaluation of engines, with paired differences between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from extraction.records import Cohort, InputError
from generation.evaluation.calibration import calibration
from generation.evaluation.evaluation import measure
from generation.evaluation.forecasts import Forecasts, forecasts_of
from generation.evaluation.metric import REPORT_VERSION, Evaluation, Metric, plain, unknown
from generation.evaluation.reference import Fold, Reference
from generation.evaluation.running import one_thread, part
from generation.evaluation.tables import Floats, Table, tables
from generation.randomness import integer_seed

if TYPE_CHECKING:
    import pandas as pd

    from generation.engine import Progress

_FITTING = 0.7
"""Share of the work that fitting is said to be: less for quick engines, more for slow ones."""


@dataclass(frozen=True)
class CrossFit:
    """An engine fitted once per fold, with what it sampled.

    Parameters
    ----------
    synthetic
        For every fold as many synthetic patients as the cohort has: some to compare with those
        held out, the rest to learn from.
    log_probs
        For every fold the log-likelihood of every patient of the cohort, None where the engine
        has none.
    forecasts
        Forecasts of every patient by the fold's model that did not see that patient; None where
        the engine makes none.
    """

    engine: str
    synthetic: tuple[Cohort, ...]
    log_probs: tuple[Floats, ...] | None
    forecasts: Forecasts | None = None


@dataclass(frozen=True)
class Difference:
    """One metric of an engine minus the same metric of the baseline engine, paired.

    Parameters
    ----------
    value, low, high
        Difference and its 95 % interval over resampled patients; the folds' fits are given.
    finding
        "better", "worse" or "no difference shown".
    """

    metric: str
    engine: str
    baseline: str
    value: float
    low: float
    high: float
    finding: str


@dataclass(frozen=True)
class Comparison:
    """Several engines judged on the same folds, held-out patients and resamples."""

    evaluations: tuple[Evaluation, ...]
    differences: tuple[Difference, ...]

    def __getitem__(self, engine: str) -> Evaluation:
        for evaluation in self.evaluations:
            if evaluation.engine == engine:
                return evaluation
        raise unknown("comparison: engine", engine, [e.engine for e in self.evaluations])

    def __repr__(self) -> str:
        found = Counter(d.finding for d in self.differences)
        engines = ", ".join(e.engine for e in self.evaluations)
        told = "".join(f", {n} {name}" for name, n in sorted(found.items()))
        return f"Comparison({engines}: {len(self.differences)} paired differences{told})"

    def _repr_html_(self) -> str:
        return str(self.to_frame().to_html(index=False))

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form without NaN."""
        return {
            "report_version": REPORT_VERSION,
            "engines": {e.engine: e.to_dict() for e in self.evaluations},
            "differences": [plain(vars(d)) for d in self.differences],
        }

    def to_frame(self) -> pd.DataFrame:
        """One row a metric and pair of engines."""
        import pandas as pd

        return pd.DataFrame([vars(d) for d in self.differences])


def cross_evaluate(
    cohort: Cohort,
    engine: str = "twin",
    folds: int = 5,
    seed: int = 0,
    given: object | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Evaluation:
    """Judge an engine by pooled k-fold cross-validation.

    In every fold the engine is fitted to the other folds and samples patients; fidelity compares
    the union over folds of as many as were held out with all real patients, utility and privacy
    pool within-fold results. Every patient is held out once, so that small trials are used in
    full and membership inference has every patient both inside and outside.

    Parameters
    ----------
    cohort
        Real patients.
    engine
        Name in the engine registry.
    folds
        Number of folds, at least 2.
    seed
        Seed of folds, fits, samples and resamples.
    given
        Condition on baseline variables or arm; the models are fitted to everybody, sampled
        under the condition and judged against the real patients who meet it.
    progress
        Called with what was done and the fraction done.
    options
        Options of the engine.
    """
    fitted = cross_fit(cohort, engine, folds, seed, given, options, part(progress, 0, _FITTING))
    return judge(cohort, [fitted], folds, seed, given, part(progress, _FITTING, 1))[0]


def compare(
    cohort: Cohort,
    engines: Sequence[str],
    folds: int = 5,
    seed: int = 0,
    given: object | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Judge several engines as `cross_evaluate` does and give paired differences.

    Parameters
    ----------
    engines
        Names; the last one is the baseline of the differences.
    options
        Options by engine.
    progress
        Called with what was done and the fraction done.
    """
    share = _FITTING / max(len(engines), 1)
    fits = []
    for k, engine in enumerate(engines):
        told = part(progress, k * share, (k + 1) * share)
        own = (options or {}).get(engine, {})
        fits.append(cross_fit(cohort, engine, folds, seed, given, own, told))
    return compared(judge(cohort, fits, folds, seed, given, part(progress, _FITTING, 1)))


@one_thread()
def cross_fit(
    cohort: Cohort,
    engine: str,
    folds: int,
    seed: int,
    given: object | None = None,
    options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> CrossFit:
    """Fit an engine to all but one fold, for every fold, and sample from each fit."""
    from generation import fit

    fold_of, kept = cohort.folds(folds, seed), _enough(cohort, given, folds)
    n = int(kept.sum())
    synthetic, log_probs, forecasts = [], [], []
    for i in range(folds):
        train = cohort.take(fold_of != i)
        told = part(progress, i / folds, (i + 1) / folds)
        of_fold = integer_seed(seed, "cross-fit", i)
        model = fit(train, engine, seed=of_fold, progress=told, **dict(options or {}))
        drawn = integer_seed(seed, "cross-sample", i)
        # The real patients who meet the condition were counted by _enough.
        synthetic.append(model.sample(n, given=given, seed=drawn, gate=False))
        if "log_prob" in model.supports:
            log_probs.append(np.asarray(model.log_prob(cohort), dtype=np.float64))
        found = forecasts_of(model, train, cohort.take((fold_of == i) & kept), drawn)
        forecasts += [] if found is None else [found]
    pooled = Forecasts.pooled(forecasts) if len(forecasts) == folds else None
    return CrossFit(engine, tuple(synthetic), tuple(log_probs) or None, pooled)


@one_thread()
def judge(
    cohort: Cohort,
    fits: Sequence[CrossFit],
    folds: int,
    seed: int,
    given: object | None = None,
    progress: Progress | None = None,
) -> list[Evaluation]:
    """Judge engines that were fitted on the same folds; controls are made once."""
    keep = _enough(cohort, given, folds)
    real = cohort.take(keep)
    fold_of = cohort.folds(folds, seed)[keep]
    cohorts = [real, *(c for f in fits for c in f.synthetic)]
    names = ["the real cohort", *(f"the sample of {f.engine}" for f in fits for _ in f.synthetic)]
    pool, *ours = tables(cohorts, real=[0], names=names)
    splits = tuple(_fold(fold_of, i) for i in range(folds))
    reference = Reference(pool, splits, seed)
    share = 1 / max(len(fits), 1)
    return [
        _judge(
            real,
            f,
            reference,
            ours[k * folds : (k + 1) * folds],
            keep,
            part(progress, k * share, (k + 1) * share),
        )
        for k, f in enumerate(fits)
    ]


def _judge(
    real: Cohort,
    fitted: CrossFit,
    reference: Reference,
    ours: list[Table],
    keep: np.ndarray,
    progress: Progress | None,
) -> Evaluation:
    log_probs = None if fitted.log_probs is None else [p[keep] for p in fitted.log_probs]
    metrics = measure(reference, ours, log_probs, fitted.synthetic, [real], progress)
    if fitted.forecasts is not None:
        metrics += tuple(calibration(fitted.forecasts))
    sizes = {
        "synthetic": sum(len(t) for t in ours),
        "train": min(len(f.train) for f in reference.folds),
        "holdout": len(reference.held_out),
        "compared": reference.folds[0].compared,
    }
    return Evaluation(fitted.engine, reference.seed, len(reference.folds), sizes, metrics)


def compared(evaluations: Sequence[Evaluation]) -> Comparison:
    """Paired differences of every engine from the last one."""
    *others, baseline = evaluations
    differences = [
        _difference(metric, baseline[metric.name], evaluation.engine, baseline.engine)
        for evaluation in others
        for metric in evaluation.metrics
        if metric.name in baseline
    ]
    return Comparison(tuple(evaluations), tuple(differences))


def _difference(ours: Metric, theirs: Metric, engine: str, baseline: str) -> Difference:
    value = ours.value - theirs.value
    if len(ours.replicates) and len(ours.replicates) == len(theirs.replicates):
        shared = float(np.nanstd(ours.replicates - theirs.replicates, ddof=1))
        se = float(np.sqrt(shared**2 + ours.own_se**2 + theirs.own_se**2))
    else:
        se = float(np.hypot(ours.se, theirs.se))
    low, high = value - 1.96 * se, value + 1.96 * se
    gain = _gain(ours, theirs)
    shown = low > 0 or high < 0
    finding = ("better" if gain > 0 else "worse") if shown else "no difference shown"
    return Difference(ours.name, engine, baseline, value, low, high, finding)


def _gain(ours: Metric, theirs: Metric) -> float:
    """Positive where our value is the better one."""
    if ours.better == "chance":
        return abs(theirs.value - 0.5) - abs(ours.value - 0.5)
    return (ours.value - theirs.value) * (1 if ours.better == "higher" else -1)


def _fold(fold_of: np.ndarray, i: int) -> Fold:
    held = np.flatnonzero(fold_of == i)
    train = np.flatnonzero(fold_of != i)
    return Fold(train, held, len(train), len(fold_of))


def _enough(cohort: Cohort, given: object | None, folds: int) -> np.ndarray:
    """Patients that the condition surely holds for, shape (n,); refused when too few."""
    kept = np.ones(len(cohort), dtype=bool) if given is None else cohort.mask(given) == 1
    if kept.sum() < 2 * folds:
        raise InputError(
            f"evaluation: {int(kept.sum())} patients meet the condition; {2 * folds} are needed "
            f"for {folds} folds"
        )
    return np.asarray(kept)
