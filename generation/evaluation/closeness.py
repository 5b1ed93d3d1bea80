"""Fidelity metrics with real-against-real, copy, independent and planted controls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from scipy.stats import norm

from generation.evaluation import controls
from generation.evaluation.distances import CAUGHT, LARGE, Spec, measured, verdict_of
from generation.evaluation.fidelity import (
    marginal_distances,
    marginals,
    pair_distances,
    pairs,
    strong_pairs,
    worst_pair,
)
from generation.evaluation.metric import NOT_SHOWN, Control, Metric, Verdict
from generation.evaluation.reference import Reference
from generation.evaluation.separation import Detection, detect, detect_held_out, null_se
from generation.evaluation.tables import Floats, Table
from generation.randomness import generator, integer_seed

_BROKEN = "the strongest pair of columns made independent"
_MOST_COLUMNS = 60  # the worst of thousands of pairs is chance


def fidelity(reference: Reference, synthetic: Sequence[Table]) -> list[Metric]:
    """All fidelity metrics that the columns allow."""
    return [*measured(_specs(reference), reference, synthetic), _detection(reference, synthetic)]


def _specs(reference: Reference) -> list[Spec]:
    layout = reference.pool.layout
    shift = "every number moved by a quarter SD and a tenth of the categories changed"
    specs = [
        Spec("marginals", "fidelity", "distributions of single columns",
             "Single columns match real ones to", marginals, controls.shifted, shift, True,
             details=_marginal_details),
    ]  # fmt: skip
    if len(layout.names) > 1:
        specs.append(
            Spec("pairs", "fidelity", "associations of pairs of columns (mean)",
                 "Associations of pairs of columns match real ones to",
                 partial(pairs, strong=strong_pairs(reference.pool)), _unrelated,
                 "all columns made independent", True, details=_pair_details)
        )  # fmt: skip
    if 1 < len(layout.names) <= _MOST_COLUMNS:
        specs.append(
            Spec("worst_pair", "fidelity", "association furthest off",
                 "The association furthest off matches the real one to", worst_pair,
                 controls.one_pair_broken, _BROKEN, True)
        )  # fmt: skip
    return specs


def _detection(reference: Reference, synthetic: Sequence[Table]) -> Metric:
    """Two-sample AUC beside its controls."""
    found = _detected(reference, synthetic, reference.seed)
    baseline = _detected(reference, synthetic, reference.seed, Table.baseline)
    known = reference.cached("two_sample_auc", lambda: _known_detections(reference))
    null = _null_se(reference)
    bound = 0.5 + LARGE * null
    power = float(norm.cdf((known["planted"].mean() - bound) / null))
    verdict = verdict_of(found.area <= bound, power >= CAUGHT)
    influence = np.zeros(len(reference.pool))
    influence[reference.held_out] = found.real
    return Metric(
        "two_sample_auc",
        "fidelity",
        "telling synthetic from real patients (two-sample AUC)",
        found.area,
        found.se,
        "chance",
        {name: Control.of(areas) for name, areas in known.items()},
        verdict,
        _detection_sentence(found.area, bound, verdict),
        {
            "real_against_real_limit": bound,
            "planted_error": _BROKEN,
            "planted_error_caught": power,
            "baseline_columns_only": baseline.area,
        },
        found.area + reference.spread(influence),
        float(np.sqrt((found.synthetic**2).sum())),
    )


def _detected(
    reference: Reference,
    synthetic: Sequence[Table],
    seed: int,
    view: Callable[[Table], Table] = lambda table: table,
) -> Detection:
    """Cross-validated in a single split; across folds learned from the training patients.

    Across folds the classifier of a fold learns that fold's spare synthetic patients against its
    training patients and judges fresh synthetic against held-out ones: no judged patient was
    seen by the engine or by the classifier.
    """
    if len(reference.folds) == 1:
        return detect(view(reference.samples(synthetic)[0]), view(reference.holdout), seed)
    parts = [
        (
            view(table.take(slice(len(fold.holdout), None))),
            view(reference.train(i)),
            view(table.head(len(fold.holdout))),
            view(reference.pool.take(fold.holdout)),
        )
        for i, (fold, table) in enumerate(zip(reference.folds, synthetic, strict=True))
    ]
    return detect_held_out(parts, seed)


def _null_se(reference: Reference) -> float:
    """Standard error of the area for samples of one population."""
    if len(reference.folds) > 1:
        sizes = [len(f.holdout) for f in reference.folds]
        return null_se(sizes, sizes)
    fifth = np.full(5, 0.2)
    return null_se(list(reference.folds[0].compared * fifth), list(len(reference.holdout) * fifth))


def _known_detections(reference: Reference) -> dict[str, Floats]:
    """Areas of two draws of every control."""
    seed = reference.seed

    def area(kind: str, k: int) -> float:
        tables = reference.draw_full("subset" if kind == "planted" else kind, k)
        if kind == "planted":
            rng = generator(seed, "evaluation-plant", k)
            tables = [controls.one_pair_broken(t, rng) for t in tables]
        return _detected(reference, tables, integer_seed(seed, f"evaluation-{kind}", k)).area

    known = {
        kind: np.array([area(kind, k) for k in range(2)])
        for kind in ("copy", "independent", "planted")
    }
    real = [
        detect(*reference.split(k), integer_seed(seed, "evaluation-real", k)).area for k in range(2)
    ]
    return {"real": np.array(real), **known}


def _detection_sentence(area: float, bound: float, verdict: Verdict) -> str:
    start = (
        f"Gradient boosting tells synthetic from real patients with an AUC of {area:.3f} "
        f"(0.5 cannot tell, 1 always tells; highest by chance {bound:.3f}): {verdict}"
    )
    if verdict == NOT_SHOWN:
        return f"{start}, as one broken pair of columns would pass as well at this size."
    return f"{start}."


def _unrelated(table: Table, rng: np.random.Generator) -> Table:
    return controls.independent(table, len(table), rng)


def _marginal_details(sample: Table, real: Table) -> dict[str, Any]:
    """Score of each column, worst first."""
    scores = 1 - marginal_distances(sample, real)
    names = sample.layout.names
    return {"columns": {names[i]: scores[i] for i in np.argsort(scores, kind="stable")}}


def _pair_details(sample: Table, real: Table) -> dict[str, Any]:
    """The five pairs that are furthest off."""
    distances = np.nan_to_num(pair_distances(sample, real), nan=-1.0)
    worst = np.argsort(-distances, axis=None, kind="stable")[:5]
    names = sample.layout.names
    rows, columns = np.unravel_index(worst, distances.shape)
    return {
        "furthest": [
            {"columns": [names[i], names[j]], "score": 1 - distances[i, j]}
            for i, j in zip(rows, columns, strict=True)
            if distances[i, j] >= 0
        ]
    }
