"""Distances between two samples, measured beside samples whose distance is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from generation.evaluation.metric import (
    NOT_SHOWN,
    WITHIN,
    WORSE,
    Control,
    Group,
    Metric,
    Verdict,
    plain,
)
from generation.evaluation.reference import Distance, Pairs, Reference
from generation.evaluation.tables import Floats, Table
from generation.randomness import generator

LARGE = 1.96
CAUGHT = 0.8
"""Share of draws in which the planted error must be seen, for a pass to mean anything."""

_DRAWS = 10
_KINDS = ("copy", "independent", "planted")
Plant = Callable[[Table, np.random.Generator], Table]


@dataclass(frozen=True)
class Spec:
    """A distance between two samples that a reader is told of.

    Parameters
    ----------
    name, group, label
        As in `Metric`.
    words
        Beginning of a sentence that ends in the value, e.g. "Shares of missing values differ
        from real ones by".
    distance
        Distance of (synthetic, real); 0 is identical, NaN not defined.
    plant, planted
        Makes the planted error, and what it is.
    score
        Whether 1 - distance is shown.
    unit
        Written after a value.
    ideal
        What the best value means, instead of "0 is identical".
    details
        Figures of all compared patients together, JSON-able.
    """

    name: str
    group: Group
    label: str
    words: str
    distance: Distance
    plant: Plant
    planted: str
    score: bool = False
    unit: str = ""
    ideal: str = "0 is identical"
    details: Callable[[Table, Table], Mapping[str, Any]] = lambda _s, _r: {}

    def show(self, distance: Any) -> Any:
        """Return the distance(s) as the metric shows them."""
        return 1 - distance if self.score else distance


def measured(
    specs: Sequence[Spec], reference: Reference, synthetic: Sequence[Table]
) -> list[Metric]:
    """Measure distances fold by fold against the held-out patients, averaged over folds.

    Every resample and every control sample is drawn once for all of the specs.
    """
    if not specs:
        return []
    samples = reference.samples(synthetic)
    names = ",".join(spec.name for spec in specs)
    known = reference.cached(f"distances:{names}", lambda: _known(specs, reference))
    values = _over_folds(specs, reference.pairs(samples))
    replicates = np.array([_over_folds(specs, pairs) for pairs in reference.resampled(samples)])
    union = Table.concat(samples)
    return [
        _metric(
            spec,
            float(values[j]),
            replicates[:, j],
            {kind: draws[:, j] for kind, draws in known.items()},
            plain(spec.details(union, reference.holdout)),
        )
        for j, spec in enumerate(specs)
    ]


def verdict_of(close: bool, caught: bool) -> Verdict:
    """Within real-against-real only where the planted error would have been seen."""
    if not close:
        return WORSE
    return WITHIN if caught else NOT_SHOWN


def _over_folds(specs: Sequence[Spec], pairs: Pairs) -> Floats:
    """Mean over folds of every distance, shape (specs,); NaN where no fold has one."""
    found = np.array([[spec.distance(*pair) for spec in specs] for pair in pairs])
    seen = np.isfinite(found).sum(axis=0)
    total = np.where(np.isfinite(found), found, 0.0).sum(axis=0)
    return np.asarray(np.where(seen > 0, total / np.maximum(seen, 1), np.nan))


def _known(specs: Sequence[Spec], reference: Reference) -> dict[str, Floats]:
    """Distances of the control samples, shape (draws, specs) each."""
    known = {"real": np.array([_over_folds(specs, pairs) for pairs in reference.refolded()])}
    for kind in _KINDS:
        known[kind] = np.array([_control(specs, reference, kind, k) for k in range(_DRAWS)])
    return known


def _control(specs: Sequence[Spec], reference: Reference, kind: str, number: int) -> Floats:
    if kind != "planted":
        samples = reference.samples(reference.draw_full(kind, number))
        return _over_folds(specs, reference.pairs(samples))
    samples = reference.samples(reference.draw_full("subset", number))
    planted = []
    for spec in specs:
        rng = generator(reference.seed, "evaluation-plant", number)
        damaged = [spec.plant(sample, rng) for sample in samples]
        planted.append(_over_folds([spec], reference.pairs(damaged))[0])
    return np.array(planted)


def _metric(
    spec: Spec,
    distance: float,
    replicates: Floats,
    known: Mapping[str, Floats],
    details: Mapping[str, Any],
) -> Metric:
    real = known["real"][np.isfinite(known["real"])]
    mean = float(real.mean()) if len(real) else float("nan")
    bound = mean + LARGE * float(real.std(ddof=1)) if len(real) > 1 else float("nan")
    power = float(np.mean(known["planted"] > bound))
    known_at_all = np.isfinite(distance) and np.isfinite(bound)
    verdict = verdict_of(distance <= bound, power >= CAUGHT) if known_at_all else NOT_SHOWN
    spread = replicates[np.isfinite(replicates)]
    return Metric(
        spec.name,
        spec.group,
        spec.label,
        float(spec.show(distance)),
        float(spread.std(ddof=1)) if len(spread) > 1 else float("nan"),
        "higher" if spec.score else "lower",
        {name: Control.of(np.asarray(spec.show(draws))) for name, draws in known.items()},
        verdict,
        _sentence(spec, distance, mean, bound, verdict),
        {
            **details,
            "real_against_real_limit": spec.show(bound),
            "planted_error": spec.planted,
            "planted_error_caught": power,
        },
        np.asarray(spec.show(replicates)),
    )


def _sentence(spec: Spec, distance: float, real: float, bound: float, verdict: Verdict) -> str:
    """What is measured, which way is good, what real patients give, and the finding."""
    if not np.isfinite(distance) or not np.isfinite(bound):
        return f"{spec.words} an amount that cannot be told from so few patients: {verdict}."
    ideal, end = ("1 is identical", "lowest") if spec.score else (spec.ideal, "highest")
    start = (
        f"{spec.words} {spec.show(distance):.3f}{spec.unit} ({ideal}; real against real "
        f"{spec.show(real):.3f}, {end} by chance {spec.show(bound):.3f}): {verdict}"
    )
    if verdict == NOT_SHOWN:
        return f"{start}, as a planted error ({spec.planted}) would pass as well at this size."
    return f"{start}."
