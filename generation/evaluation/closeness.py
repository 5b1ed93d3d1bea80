"""Fidelity metrics with real-against-real, copy, independent and planted controls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy.stats import norm

from generation.evaluation import controls
from generation.evaluation.fidelity import (
    marginal_distances,
    marginals,
    missingness,
    pair_distances,
    pairs,
    strong_pairs,
    worst_pair,
)
from generation.evaluation.longitudinal import lag_one_correlations, lag_one_distance
from generation.evaluation.metric import NOT_SHOWN, WITHIN, WORSE, Control, Metric, Verdict
from generation.evaluation.reference import Distance, Reference
from generation.evaluation.separation import Detection, detect, detect_held_out, null_se
from generation.evaluation.survival import curve_gap, kaplan_meier_distance
from generation.evaluation.tables import Floats, Table
from generation.randomness import generator, integer_seed

_DRAWS = 10
_CAUGHT = 0.8
_MOST_COLUMNS = 60  # the worst of thousands of pairs is chance
_LARGE = 1.96
Plant = Callable[[Table, np.random.Generator], Table]


@dataclass(frozen=True)
class _Spec:
    """A distance between two samples, shown as 1 - distance where `score`.

    `words` say in the plural, or in the singular, what is compared with real patients.
    """

    name: str
    label: str
    words: str
    distance: Distance
    score: bool
    plant: Plant
    planted: str
    details: Callable[[Table, Table], dict[str, Any]] = lambda _s, _r: {}

    def show(self, distance: Any) -> Any:
        """Return the distance(s) as the metric shows them."""
        return 1 - distance if self.score else distance


def fidelity(reference: Reference, synthetic: Sequence[Table]) -> list[Metric]:
    """All fidelity metrics that the columns allow."""
    sample = reference.sample(synthetic)
    metrics = [_measure(spec, reference, sample) for spec in _specs(reference)]
    return [*metrics, _detection(reference, synthetic)]


def _specs(reference: Reference) -> list[_Spec]:
    layout = reference.pool.layout
    shift = "every number moved by a quarter SD and a tenth of the categories changed"
    broken = "the strongest pair of columns made independent"
    specs = [
        _Spec("marginals", "distributions of single columns",
              "Single columns match real ones to", marginals, True, controls.shifted,
              shift, _marginal_details),
    ]  # fmt: skip
    if np.isnan(reference.pool.features).any():
        specs.append(
            _Spec("missingness", "shares of missing values",
                  "Shares of missing values differ from real ones by", missingness, False,
                  _fewer_missing, "half of the missing values filled in")
        )  # fmt: skip
    if len(layout.names) > 1:
        specs.append(
            _Spec("pairs", "associations of pairs of columns (mean)",
                  "Associations of pairs of columns match real ones to",
                  partial(pairs, strong=strong_pairs(reference.pool)), True, _unrelated,
                  "all columns made independent", _pair_details)
        )  # fmt: skip
    if 1 < len(layout.names) <= _MOST_COLUMNS:
        specs.append(
            _Spec("worst_pair", "association furthest off",
                  "The association furthest off matches the real one to", worst_pair, True,
                  controls.one_pair_broken, broken)
        )  # fmt: skip
    if lag_one_correlations(reference.holdout):
        specs.append(
            _Spec("lag_one", "correlation of a patient's successive values",
                  "Correlations of a patient's successive values differ from real ones by",
                  lag_one_distance, False, controls.half_forgotten,
                  "half of the patients' visits taken from others", _lag_details)
        )  # fmt: skip
    for i, endpoint in enumerate(layout.endpoints):
        specs.append(
            _Spec(f"kaplan_meier:{endpoint.name}", f"Kaplan-Meier curves of {endpoint.name}",
                  f"Kaplan-Meier curves of {endpoint.name} differ from real ones by",
                  partial(kaplan_meier_distance, endpoint=endpoint), False,
                  partial(_more_events, endpoint=i), "event patients half as frequent again",
                  partial(_curve_details, endpoint=endpoint))
        )  # fmt: skip
    return specs


def _measure(spec: _Spec, reference: Reference, sample: Table) -> Metric:
    distance = spec.distance(sample, reference.holdout)
    known = reference.cached(spec.name, lambda: _known(spec, reference))
    replicates = np.array([spec.distance(*pair) for pair in reference.resampled(sample)])
    bound = known["bound"]
    power = float(np.mean(known["planted"] > bound))
    verdict = _verdict(distance <= bound, power >= _CAUGHT)
    details = {
        **spec.details(sample, reference.holdout),
        "real_against_real_limit": spec.show(bound),
        "planted_error": spec.planted,
        "planted_error_caught": power,
    }
    return Metric(
        spec.name,
        "fidelity",
        spec.label,
        float(spec.show(distance)),
        float(np.nanstd(replicates, ddof=1)),
        "higher" if spec.score else "lower",
        {
            name: Control.of(np.asarray(spec.show(known[name])))
            for name in ("copy", "independent", "real", "planted")
        },
        verdict,
        _sentence(spec, distance, float(np.nanmean(known["real"])), bound, verdict),
        details,
        np.asarray(spec.show(replicates)),
    )


def _known(spec: _Spec, reference: Reference) -> dict[str, Any]:
    """Distances of the control samples, and the limit that 97.5 % of real samples keep."""
    real = reference.real_distances(spec.distance)
    holdout = reference.holdout
    planted = [
        spec.plant(reference.draw("subset", k), generator(reference.seed, "evaluation-plant", k))
        for k in range(_DRAWS)
    ]
    return {
        "real": real,
        "bound": float(np.nanmean(real) + _LARGE * np.nanstd(real, ddof=1)),
        "planted": np.array([spec.distance(t, holdout) for t in planted]),
        **{
            kind: np.array([spec.distance(reference.draw(kind, k), holdout) for k in range(_DRAWS)])
            for kind in ("copy", "independent")
        },
    }


def _verdict(close: bool, caught: bool) -> Verdict:
    if not close:
        return WORSE
    return WITHIN if caught else NOT_SHOWN


def _sentence(spec: _Spec, distance: float, real: float, bound: float, verdict: Verdict) -> str:
    """What is measured, which way is good, what real patients give, and the finding."""
    ideal, end = ("1 is identical", "lowest") if spec.score else ("0 is identical", "highest")
    start = (
        f"{spec.words} {spec.show(distance):.3f} ({ideal}; real against real "
        f"{spec.show(real):.3f}, {end} by chance {spec.show(bound):.3f}): {verdict}"
    )
    if verdict == NOT_SHOWN:
        return f"{start}, as a planted error ({spec.planted}) would pass as well at this size."
    return f"{start}."


def _detection(reference: Reference, synthetic: Sequence[Table]) -> Metric:
    """Two-sample AUC beside its controls."""
    found = _detected(reference, synthetic, reference.seed)
    baseline = _detected(reference, synthetic, reference.seed, Table.baseline)
    known = reference.cached("two_sample_auc", lambda: _known_detections(reference))
    null = _null_se(reference)
    bound = 0.5 + _LARGE * null
    power = float(norm.cdf((known["planted"].mean() - bound) / null))
    verdict = _verdict(found.area <= bound, power >= _CAUGHT)
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
            "planted_error": "the strongest pair of columns made independent",
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
        return detect(view(reference.sample(synthetic)), view(reference.holdout), seed)
    parts = [
        (
            view(table.take(slice(fold.compared, None))),
            view(reference.train(i)),
            view(table.head(fold.compared)),
            view(reference.pool.take(fold.holdout)),
        )
        for i, (fold, table) in enumerate(zip(reference.folds, synthetic, strict=True))
    ]
    return detect_held_out(parts, seed)


def _null_se(reference: Reference) -> float:
    """Standard error of the area for samples of one population."""
    if len(reference.folds) > 1:
        return null_se(
            [f.compared for f in reference.folds], [len(f.holdout) for f in reference.folds]
        )
    fifth = np.full(5, 0.2)
    return null_se(list(reference.compared * fifth), list(len(reference.holdout) * fifth))


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


def _more_events(table: Table, rng: np.random.Generator, endpoint: int) -> Table:
    return controls.more_events(table, endpoint, rng)


def _fewer_missing(table: Table, rng: np.random.Generator) -> Table:
    """Half of the missing values filled with another patient's (or 0 where nobody has one)."""
    other = controls.independent(table, len(table), rng)
    fill = rng.random(table.features.shape) < 0.5
    p = table.numbers.shape[1]
    numbers = np.where(
        np.isnan(table.numbers) & fill[:, :p], np.nan_to_num(other.numbers), table.numbers
    )
    codes = np.where((table.codes < 0) & fill[:, p:], np.maximum(other.codes, 0), table.codes)
    return Table(table.layout, numbers, codes)


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


def _lag_details(sample: Table, real: Table) -> dict[str, Any]:
    ours, theirs = lag_one_correlations(sample), lag_one_correlations(real)
    return {"variables": {n: {"synthetic": ours[n], "real": theirs[n]} for n in theirs}}


def _curve_details(sample: Table, real: Table, endpoint: Any) -> dict[str, Any]:
    gap = curve_gap(sample, real, endpoint)
    return {"largest_difference": gap.largest, "horizon_days": gap.horizon}
