"""A borrowed estimate by the method that a plan names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from scipy.special import ndtri

from extraction.records.errors import InputError
from generation.randomness import generator
from simulation.analysis.estimate import Estimand, Estimate, ratio_from_log
from simulation.analysis.external.borrowed_mean import (
    MixtureBatch,
    map_batch,
    power_prior_batch,
)
from simulation.analysis.external.doubly_robust import aipw, g_computation
from simulation.analysis.external.matching import matched_batch, matched_difference
from simulation.analysis.external.propensity import propensity
from simulation.analysis.external.time_to_event import weighted_survival
from simulation.analysis.external.weighted import weighted_difference
from simulation.analysis.external.weights import weigh
from simulation.trial.analyses import Fit
from simulation.trial.outcomes.base import Floats
from simulation.trial.planned.external import BAYESIAN, WEIGHTS, ExternalControls
from simulation.trial.planned.external_data import Pool

STREAM = "planned external controls"
LARGEST_Z = 38.0


@final
@dataclass(frozen=True)
class Summaries:
    """Groups of a pool as means with standard errors; the external ones weighted to the trial.

    Attributes
    ----------
    treated, own
        Mean and its standard error; NaN without patients.
    external
        The same, by weights that make the external controls like the trial's patients.
    means, ses
        (1, H) by external study.
    sd
        Of the outcome among the weighted external controls.
    ess
        Kish's effective number of external controls.
    """

    treated: tuple[float, float]
    own: tuple[float, float]
    external: tuple[float, float]
    means: Floats
    ses: Floats
    sd: float
    ess: float


def summarised(held: Pool) -> Summaries:
    """Means of a pool's groups.

    Raises
    ------
    InputError
        Where no weights exist: the groups do not overlap.
    """
    external = held.external == 1
    weights = weigh(1 - held.external, held.x, "att")[external]
    y, source = held.y[external], held.source[external]
    mean, se, sd = weighted_mean(y, weights)
    studies = [weighted_mean(y[source == s], weights[source == s]) for s in np.unique(source)]
    return Summaries(
        plain_mean(held.y[held.treated == 1]),
        plain_mean(held.y[held.own]),
        (mean, se),
        np.array([[line[0] for line in studies]]),
        np.array([[line[1] for line in studies]]),
        sd,
        float(weights.sum() ** 2 / (weights**2).sum()),
    )


def plain_mean(y: Floats) -> tuple[float, float]:
    """Mean and standard error; NaN below two patients."""
    if y.size < 2:
        return float("nan"), float("nan")
    return float(y.mean()), float(y.std(ddof=1) / np.sqrt(y.size))


def weighted_mean(y: Floats, weights: Floats) -> tuple[float, float, float]:
    """Weighted mean, its standard error with Kish's number of patients, and the SD."""
    share = weights / weights.sum()
    mean = float(share @ y)
    gone = float(share @ share)
    variance = float(share @ (y - mean) ** 2) / max(1 - gone, 1e-12)
    return mean, float(np.sqrt(variance * gone)), float(np.sqrt(variance))


def control_law(
    given: ExternalControls, found: Summaries, own: Floats, mean: Floats
) -> MixtureBatch:
    """Posterior of the control mean in each replicate, from own (R,) and external (R,) means.

    The standard errors, and how far the external studies lie from their mean, are those found.
    """
    own_se = np.full(own.shape, found.own[1])
    if given.method == "power_prior":
        se = np.full(own.shape, found.external[1])
        return power_prior_batch(mean, se, given.power).update(own, own_se)
    sd = np.full(mean.shape, found.sd)
    means = found.means + (mean - found.external[0])[:, None]
    law = map_batch(means, np.broadcast_to(found.ses, means.shape), given.tau_scale * sd)
    if given.method == "robust_map":
        law = law.robust(given.vague_weight, mean, sd)
    return law.update(own, own_se)


def estimate(
    given: ExternalControls, held: Pool, hazard: bool, binary: bool, level: float,
    estimand: Estimand,
) -> tuple[Estimate, float]:  # fmt: skip
    """Estimate by the plan's method, and the share of the controls that is external.

    Raises
    ------
    InputError
        Where the method has no result: the groups do not overlap, an outcome does not vary.
    """
    if given.method in BAYESIAN:
        return _posterior(given, held, level, estimand)
    if given.method in WEIGHTS:
        return _weighted(given, held, hazard, level, estimand)
    family: Any = "binomial" if binary else "gaussian"
    more: dict[str, Any] = {"level": level, "estimand": estimand}
    arms = held.y, held.treated, held.x
    if given.method == "propensity_matching":
        found = matched_difference(*arms, caliper=given.caliper, **more)
        score = propensity(held.treated, held.x)
        pairs = matched_batch(held.y[None], score[None], held.treated[None], caliper=given.caliper)
        partners = pairs.pair[0][pairs.pair[0] >= 0]
        return found, float(held.external[partners].mean())
    share = _share(held, weigh(held.treated, held.x, "att"))
    if given.method == "aipw":
        return aipw(*arms, family=family, **more), share
    rng = generator(given.seed, STREAM)
    return g_computation(*arms, rng=rng, family=family, replicates=given.replicates, **more), share


def _share(held: Pool, weights: Floats) -> float:
    controls = weights * (1 - held.treated)
    return float(controls @ held.external / controls.sum())


def _weighted(
    given: ExternalControls, held: Pool, hazard: bool, level: float, estimand: Estimand
) -> tuple[Estimate, float]:
    target: Any = WEIGHTS[given.method]
    share = _share(held, weigh(held.treated, held.x, target))
    if not hazard:
        found = weighted_difference(
            held.y, held.treated, held.x, target, level=level, estimand=estimand
        )
        return found, share
    line = weighted_survival(held.time, held.event, held.treated, held.x, "cox", target)
    return ratio_from_log(
        line.method, line.extra["log"], line.se, line.n, level=level, estimand=estimand,
        extra={"target": target, "variance": line.extra["variance"]},
    ), share  # fmt: skip


def _posterior(
    given: ExternalControls, held: Pool, level: float, estimand: Estimand
) -> tuple[Estimate, float]:
    found = summarised(held)
    if not min(found.treated[1], found.own[1], found.external[1]) > 0:
        raise InputError("a group's outcome does not vary, or it has fewer than 2 patients")
    means = [np.array([m]) for m in (found.treated[0], found.own[0], found.external[0])]
    control = control_law(given, found, *means[1:])
    law = control.difference_from(means[0], np.array([found.treated[1]])).row(0)
    below = float(law.cdf(0.0))
    low, high = law.interval(level)
    named = {"power_prior": f"power prior {given.power:g}", "map": "MAP prior",
             "robust_map": "robust MAP prior"}[given.method]  # fmt: skip
    weight = (control.mean[0] - found.own[0]) / (found.external[0] - found.own[0] or 1.0)
    extra = {
        "level": level, "interval": "posterior", "ess_controls": found.ess,
        "control_mean": float(control.mean[0]), "control_sd": control.row(0).sd,
        "own_mean": found.own[0], "external_mean": found.external[0],
        "p_value": "twice the smaller posterior tail",
    }  # fmt: skip
    value = Estimate(
        named, estimand, law.mean, law.sd, low, high, float(2 * min(below, 1 - below)),
        len(held.treated), None, extra,
    )  # fmt: skip
    return value, float(np.clip(weight, 0.0, 1.0))


def fit_of(found: Estimate) -> Fit:
    """An estimate on its own scale, as the simulator has it."""
    value = float(found.extra.get("log", found.estimate))
    half = max(found.p_value / 2, 1e-300)
    z = float(np.copysign(min(-ndtri(half), LARGEST_Z), value))
    one: Callable[[float], Floats] = lambda x: np.array([x])  # noqa: E731
    return Fit(one(value), one(found.se), one(z), one(found.se**-2), one(float(found.n)))
