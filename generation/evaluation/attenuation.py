"""How much the effects on the hazard are shrunk in synthetic patients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import chi2

from generation.evaluation.controls import copy
from generation.evaluation.hazard_ratios import HazardModel, half_the_outcomes
from generation.evaluation.metric import NOT_SHOWN, WITHIN, WORSE, Control, Metric, Verdict, plain
from generation.evaluation.reference import Reference
from generation.evaluation.tables import Floats, Table
from generation.randomness import generator

MOST = 0.2
"""Most attenuation that passes, at the upper end of the one-sided 95 % interval."""

_DRAWS, _RESAMPLES = 10, 50
_ONE_SIDED = 1.645
_KINDS = ("copy", "independent", "planted")


def attenuation(reference: Reference, synthetic: Sequence[Table], model: HazardModel) -> Metric:
    """One minus the slope of synthetic on real log hazard ratios.

    Through the origin, weighted by the real precision, averaged over folds; all synthetic
    patients take part, so that more of them give a narrower interval. It says what the synthetic
    patients make of the estimates of all real ones: the interval holds the sampling of the
    synthetic patients alone.
    """
    name = model.endpoint.name
    value = _shrinkage(synthetic, model)
    rng = generator(reference.seed, "evaluation-attenuation", 0)
    spread = np.array(
        [_shrinkage([copy(t, len(t), rng) for t in synthetic], model) for _ in range(_RESAMPLES)]
    )
    se = float(spread.std(ddof=1))
    known = reference.cached(f"attenuation:{name}", lambda: _known(reference, model))
    caught = Control.of(known["planted"]).value - _ONE_SIDED * se > 0
    there = effects_shown(model)
    verdict = _verdict(value, se, caught) if there else NOT_SHOWN
    return Metric(
        f"attenuation:{name}",
        "survival",
        f"shrinkage of the effects on {name}",
        value,
        se,
        "lower",
        {kind: Control.of(draws) for kind, draws in known.items()},
        verdict,
        _sentence(name, value, se, verdict, there),
        {
            "most_that_passes": MOST,
            "covariates": list(model.names),
            "planted_error": "half of the patients get the outcome of somebody else",
            "upper_one_sided": plain(value + _ONE_SIDED * se),
        },
        own_se=se,
        replicates=np.full(_RESAMPLES, value),
    )


def effects_shown(model: HazardModel) -> bool:
    """Whether real patients show any effect at all (Wald test of all covariates at 5 %)."""
    statistic = float(((model.real / model.se) ** 2).sum())
    return statistic > float(chi2.ppf(0.95, len(model.real)))


def _verdict(value: float, se: float, caught: bool) -> Verdict:
    if value + _ONE_SIDED * se <= MOST:
        return WITHIN if caught else NOT_SHOWN
    return WORSE if value - _ONE_SIDED * se > 0 else NOT_SHOWN


def _sentence(name: str, value: float, se: float, verdict: Verdict, there: bool) -> str:
    start = (
        f"Log hazard ratios for {name} are shrunk by {value:.0%} in synthetic patients (0% is "
        f"none, 100% all; at most {value + _ONE_SIDED * se:.0%}, passes up to {MOST:.0%}): "
        f"{verdict}"
    )
    if not there:
        return f"{start}, as real patients show no effect that could be lost."
    if verdict == NOT_SHOWN:
        return f"{start}; more synthetic patients narrow it."
    return f"{start}."


def _shrinkage(tables: Sequence[Table], model: HazardModel) -> float:
    """Mean over tables of 1 - slope."""
    weight = model.real / model.se**2
    slopes = [float(weight @ model.fit(t)) for t in tables]
    return 1 - float(np.mean(slopes)) / float(weight @ model.real)


def _known(reference: Reference, model: HazardModel) -> dict[str, Floats]:
    known = {
        "real": np.array(
            [_shrinkage([ours for ours, _ in pairs], model) for pairs in reference.refolded()]
        )
    }
    for kind in _KINDS:
        drawn = [_drawn(reference, model, kind, k) for k in range(_DRAWS)]
        known[kind] = np.array([_shrinkage(tables, model) for tables in drawn])
    return known


def _drawn(reference: Reference, model: HazardModel, kind: str, number: int) -> list[Table]:
    if kind != "planted":
        return reference.samples(reference.draw_full(kind, number))
    rng = generator(reference.seed, "evaluation-attenuated", number)
    whole = reference.samples(reference.draw_full("subset", number))
    return [half_the_outcomes(sample, rng, model.endpoint) for sample in whole]
