"""Borrowing from one historical control group: power priors and commensurate priors."""

from __future__ import annotations

import numpy as np
import scipy
from scipy import special

from extraction.records.errors import InputError
from simulation.analysis.arrays import FloatArray
from simulation.analysis.external.mixtures import (
    BetaMixture,
    NormalMixture,
    beta_mixture,
    normal_mixture,
)

NODES = 64
PRECISIONS = 1001
LEAST_PRECISION = 1e-12


def _check(power: float | None, **above: float) -> None:
    faults = [f"{name}: {value:g}; it must be above 0; correct it"
              for name, value in above.items() if not value > 0]
    if power is not None and not 0 <= power <= 1:
        faults.append(f"power: {power:g}; allowed: 0 (nothing borrowed) to 1 (pooled)")
    if faults:
        raise InputError(faults)


def power_prior_binary(events: float, n: float, power: float, *, a: float = 1.0, b: float = 1.0
                       ) -> BetaMixture:
    """Prior Beta(a + power r, b + power (n - r)) (Ibrahim and Chen 2000).

    Parameters
    ----------
    events, n
        Responders and patients of the historical controls.
    power
        What a historical patient is worth, 0 to 1, fixed beforehand.
    a, b
        Initial prior.

    Raises
    ------
    InputError
        For figures outside their ranges.

    Notes
    -----
    Ibrahim and Chen (2000), doi 10.1214/ss/1009212673.
    """
    _check(power, a=a, b=b, n=n)
    if not 0 <= events <= n:
        raise InputError(f"events: {events:g} of {n:g}; allowed: 0 to n; correct it")
    return beta_mixture([1.0], [a + power * events], [b + power * (n - events)])


def power_prior_normal(mean: float, se: float, power: float) -> NormalMixture:
    """Normal prior with the historical mean and variance se^2 / power, power above 0 to 1.

    Raises
    ------
    InputError
        For figures outside their ranges.
    """
    _check(power, se=se)
    if power == 0:
        raise InputError("power: 0; a flat normal prior has no variance; leave the prior out")
    return normal_mixture([1.0], [mean], [se / np.sqrt(power)])


def powers(shape: tuple[float, float]) -> tuple[FloatArray, FloatArray]:
    """Gauss-Jacobi nodes of the power in (0, 1), and their Beta(shape) prior weights."""
    x, share = special.roots_jacobi(NODES, shape[1] - 1, shape[0] - 1)
    return (1 + x) / 2, share / share.sum()


def normalised_power_binary(events: float, n: float, historical_events: float,
                            historical_n: float, *, a: float = 1.0, b: float = 1.0,
                            shape: tuple[float, float] = (1.0, 1.0)
                            ) -> tuple[BetaMixture, float]:
    """Posterior of the response rate, and the power's posterior mean, where the data choose it.

    Parameters
    ----------
    events, n
        The trial's own controls.
    historical_events, historical_n
        Historical controls.
    a, b
        Initial prior of the rate.
    shape
        Beta prior of the power.

    Raises
    ------
    InputError
        For figures outside their ranges.

    Notes
    -----
    The prior is normalised for each power (Duan, Ye and Smith 2006, doi 10.1002/env.752): without
    that the power would be pulled to 0 whatever the data. By quadrature over the power.
    """
    _check(None, a=a, b=b, n=n, historical_n=historical_n, shape_a=shape[0], shape_b=shape[1])
    power, prior = powers(shape)
    before = (a + power * historical_events, b + power * (historical_n - historical_events))
    after = before[0] + events, before[1] + n - events
    weight = special.softmax(np.log(prior) + special.betaln(*after) - special.betaln(*before))
    kept = weight > 1e-15
    return (beta_mixture(weight[kept], after[0][kept], after[1][kept]), float(weight @ power))


def normalised_power_normal(mean: float, se: float, historical_mean: float, historical_se: float,
                            *, shape: tuple[float, float] = (1.0, 1.0)
                            ) -> tuple[NormalMixture, float]:
    """Posterior of the control mean, and the power's posterior mean; a flat initial prior.

    Raises
    ------
    InputError
        For standard errors or shapes that are not above 0.
    """
    _check(None, se=se, historical_se=historical_se, shape_a=shape[0], shape_b=shape[1])
    power, prior = powers(shape)
    before = historical_se / np.sqrt(power)
    mixture = normal_mixture(prior, np.full(power.size, historical_mean), before).update(mean, se)
    return mixture, float(mixture.weights @ power)


def commensurate_normal(historical_mean: float, historical_se: float, *, spike: float = 0.5,
                        spike_sd: float = 0.0, slab_sd: float) -> NormalMixture:
    """Prior of the trial's control mean that lies near the historical one, or far off.

    Parameters
    ----------
    historical_mean, historical_se
        Of the historical controls, whose own mean has a flat prior; log hazard rates as well.
    spike
        Probability that the two trials agree, 0 to 1.
    spike_sd, slab_sd
        Standard deviation between trials where they agree, and where they do not.

    Raises
    ------
    InputError
        For figures outside their ranges.

    Notes
    -----
    Hobbs, Sargent and Carlin (2012), doi 10.1214/12-BA722, with a spike and slab for the
    commensurability; `commensurate_gamma_normal` has their gamma law for its precision.
    """
    _check(None, historical_se=historical_se, slab_sd=slab_sd)
    if not 0 < spike < 1 or spike_sd < 0:
        raise InputError(f"spike, spike_sd: {spike:g}, {spike_sd:g}; allowed: 0 to 1, exclusive, "
                         "and at least 0")
    return normal_mixture([spike, 1 - spike], [historical_mean] * 2,
                          np.hypot(historical_se, [spike_sd, slab_sd]))


def commensurate_gamma_normal(historical_mean: float, historical_se: float, *, shape: float,
                              rate: float) -> NormalMixture:
    """Commensurate prior with a gamma law for the precision between trials, by quadrature.

    `shape` and `rate` are above 0; the marginal law of the difference between trials is Student's
    on 2 shape degrees of freedom and scale sqrt(rate / shape).

    Raises
    ------
    InputError
        For figures that are not above 0.
    """
    _check(None, historical_se=historical_se, shape=shape, rate=rate)
    law = scipy.stats.gamma(shape, scale=1 / rate)
    least, most = np.log(np.maximum(law.ppf([1e-10, 1 - 1e-13]), LEAST_PRECISION))
    edges = np.linspace(least, most, PRECISIONS)
    middle = np.exp((edges[1:] + edges[:-1]) / 2)
    # Even steps of the logarithm: a vague law has little of its mass where it matters.
    share = np.diff(law.cdf(np.exp(edges)), prepend=0.0)
    share[-1] += law.sf(np.exp(edges[-1]))
    sds = np.hypot(historical_se, 1 / np.sqrt([np.exp(edges[0]), *middle]))
    kept = share > 0
    return normal_mixture(share[kept] / share.sum(), np.full(kept.sum(), historical_mean),
                          sds[kept])
