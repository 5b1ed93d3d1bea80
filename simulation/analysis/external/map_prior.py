"""Meta-analytic-predictive priors: what historical trials say of the next trial's controls.

The control parameter of each trial (a log odds, or a mean) is normal around mu with standard
deviation tau between trials. The prior for a new trial is the posterior of its parameter
(Neuenschwander et al. 2010, doi 10.1177/1740774509356002), here by quadrature over tau and mu, so
that it has no Monte Carlo error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import scipy
from numpy.typing import ArrayLike
from scipy import special

from extraction.records.errors import InputError
from simulation.analysis.arrays import FloatArray, numeric, stop
from simulation.analysis.external.mixtures import (
    BetaMixture,
    NormalMixture,
    fit_beta_mixture,
    fit_normal_mixture,
)

TauPrior = Literal["half_normal", "half_t"]
TAU_NODES = 100
BINS = 4000


@dataclass(frozen=True)
class MapPrior:
    """Posterior of the next trial's control parameter, as weighted points.

    Attributes
    ----------
    endpoint
        "binary" (points are probabilities) or "normal" (means).
    points, weights
        (M,); weights sum to 1.
    mean, sd
        Of the next trial's parameter, exact to the quadrature.
    tau_mean, tau_sd
        Posterior of the standard deviation between trials.
    trials, patients
        Behind it.
    """

    endpoint: Literal["binary", "normal"]
    points: FloatArray
    weights: FloatArray
    mean: float
    sd: float
    tau_mean: float
    tau_sd: float
    trials: int
    patients: int

    def beta_mixture(self, components: int = 3) -> BetaMixture:
        """Mixture of betas fitted by EM, for a binary endpoint.

        Raises
        ------
        InputError
            For a normal endpoint.
        """
        if self.endpoint != "binary":
            raise InputError("endpoint: normal; a mixture of betas is for probabilities; use "
                             "normal_mixture")
        return fit_beta_mixture(self.points, self.weights, components)

    def normal_mixture(self, components: int = 2) -> NormalMixture:
        """Mixture of normals fitted by EM, for a normal endpoint.

        Raises
        ------
        InputError
            For a binary endpoint.
        """
        if self.endpoint != "normal":
            raise InputError("endpoint: binary; its prior lives in (0, 1); use beta_mixture")
        return fit_normal_mixture(self.points, self.weights, components)


def tau_nodes(prior: TauPrior, scale: float, df: float) -> tuple[FloatArray, FloatArray]:
    """Values of tau and their prior weights (T,): Gauss-Legendre after tau = scale u / (1 - u)."""
    u, share = np.polynomial.legendre.leggauss(TAU_NODES)
    u, share = (u + 1) / 2, share / 2
    tau = scale * u / (1 - u)
    law = scipy.stats.norm if prior == "half_normal" else scipy.stats.t(df)
    density = 2 * law.pdf(tau / scale) / scale
    weight = share * scale / (1 - u) ** 2 * density
    kept = weight > 1e-16
    return tau[kept], weight[kept]


def _check_prior(tau_prior: str, tau_scale: float, faults: list[str]) -> None:
    if tau_prior not in get_args(TauPrior):
        faults.append(f"tau_prior: {tau_prior!r}; allowed: {', '.join(get_args(TauPrior))}; "
                      "name one of them")
    if tau_scale <= 0:
        faults.append(f"tau_scale: {tau_scale:g}; it must be above 0; 1 is usual for log odds")


def map_binary(events: ArrayLike, n: ArrayLike, *, tau_scale: float = 1.0,
               tau_prior: TauPrior = "half_normal", tau_df: float = 3.0, mu_mean: float = 0.0,
               mu_sd: float = 2.0) -> MapPrior:
    """Prior of the next trial's control response rate.

    Parameters
    ----------
    events, n
        Responders and patients of each historical control group (H,).
    tau_scale, tau_prior, tau_df
        Half-normal or half-t prior of tau, on log odds.
    mu_mean, mu_sd
        Normal prior of the mean log odds.

    Raises
    ------
    InputError
        For counts that are not whole, or out of range, no trial, or faulty priors.
    """
    faults: list[str] = []
    r, size = numeric("events", events, faults), numeric("n", n, faults)
    if r.shape != size.shape:
        faults.append(f"events, n: {r.size} and {size.size} trials; give one of each per trial")
    elif (r < 0).any() or (r > size).any() or (size < 1).any() or (r % 1).any() or (size % 1).any():
        faults.append("events, n: whole numbers with 0 <= events <= n and n >= 1 are needed")
    _check_prior(tau_prior, tau_scale, faults)
    stop(faults)
    tau, prior = tau_nodes(tau_prior, tau_scale, tau_df)
    mu, log_weight = _binary_grid(r, size, tau, np.log(prior), (mu_mean, mu_sd))
    weight = special.softmax(log_weight)
    z, share = np.polynomial.hermite_e.hermegauss(41)
    points = special.expit(mu[..., None] + tau[:, None, None] * z)
    joint = weight[..., None] * (share / share.sum())
    return _prior("binary", points.ravel(), joint.ravel(), tau, weight.sum(axis=1), r.size,
                  int(size.sum()))


def _binary_grid(r: FloatArray, n: FloatArray, tau: FloatArray, log_prior: FloatArray,
                 mu_prior: tuple[float, float]) -> tuple[FloatArray, FloatArray]:
    """Values of mu (T, M) at each tau, and the logarithms of their posterior weights (T, M)."""
    logit = np.log((r + 0.5) / (n - r + 0.5))
    variance = 1 / (r + 0.5) + 1 / (n - r + 0.5)
    precision = (1 / (variance + tau[:, None] ** 2)).sum(axis=1) + 1 / mu_prior[1] ** 2
    centre = ((logit / (variance + tau[:, None] ** 2)).sum(axis=1)
              + mu_prior[0] / mu_prior[1] ** 2) / precision
    width = 1 / np.sqrt(precision)
    steps = np.linspace(-9, 9, 121)
    mu = centre[:, None] + width[:, None] * steps
    log_weight = (log_prior + np.log(width))[:, None] + scipy.stats.norm.logpdf(mu, *mu_prior)
    narrow = np.sqrt(variance.min())
    for k, sd in enumerate(tau.tolist()):  # over quadrature nodes; each needs its own spacing
        step = min(0.5, 0.35 * narrow / sd)
        z = np.arange(-8.5, 8.5 + step, step)
        inner = scipy.stats.norm.logpdf(z) + np.log(step)
        theta = mu[k][:, None] + sd * z
        no = -np.log1p(np.exp(np.clip(theta, -700, 700)))
        yes = theta + no
        for events, size in zip(r.tolist(), n.tolist(), strict=True):  # over historical trials
            terms = events * yes + (size - events) * no + inner
            top = terms.max(axis=1)
            log_weight[k] += top + np.log(np.exp(terms - top[:, None]).sum(axis=1))
    return mu, log_weight


def map_normal(means: ArrayLike, ses: ArrayLike, *, tau_scale: float, n: ArrayLike | None = None,
               tau_prior: TauPrior = "half_normal", tau_df: float = 3.0, mu_mean: float = 0.0,
               mu_sd: float = 1e6) -> MapPrior:
    """Prior of the next trial's control mean, or of any normal parameter such as a log hazard.

    Parameters
    ----------
    means, ses
        Estimate and standard error of each historical control group (H,).
    tau_scale
        Scale of the prior of tau, in the outcome's unit; half the outcome's standard deviation is
        usual.
    n
        Patients of each trial (H,), for the record.
    mu_mean, mu_sd
        Normal prior of the mean; vague by default.

    Raises
    ------
    InputError
        For faulty arrays or priors.
    """
    faults: list[str] = []
    y = numeric("means", means, faults)
    se = numeric("ses", ses, faults, y.shape)
    if not (se > 0).all():
        faults.append("ses: not all above 0; a standard error is")
    _check_prior(tau_prior, tau_scale, faults)
    stop(faults)
    tau, prior = tau_nodes(tau_prior, tau_scale, tau_df)
    spread = se**2 + tau[:, None] ** 2
    precision = (1 / spread).sum(axis=1) + 1 / mu_sd**2
    centre = ((y / spread).sum(axis=1) + mu_mean / mu_sd**2) / precision
    law = scipy.stats.norm
    log_weight = (np.log(prior) + law.logpdf(y, centre[:, None], np.sqrt(spread)).sum(axis=1)
                  + law.logpdf(centre, mu_mean, mu_sd) - 0.5 * np.log(precision))
    weight = special.softmax(log_weight)
    z, share = np.polynomial.hermite_e.hermegauss(61)
    points = centre[:, None] + np.sqrt(1 / precision + tau**2)[:, None] * z
    joint = weight[:, None] * (share / share.sum())
    patients = 0 if n is None else int(np.sum(n))
    return _prior("normal", points.ravel(), joint.ravel(), tau, weight, y.size, patients)


def _prior(endpoint: Literal["binary", "normal"], points: FloatArray, weights: FloatArray,
           tau: FloatArray, tau_weight: FloatArray, trials: int, patients: int) -> MapPrior:
    mean = float(weights @ points)
    sd = float(np.sqrt(weights @ (points - mean) ** 2))
    tau_mean = float(tau_weight @ tau)
    tau_sd = float(np.sqrt(tau_weight @ (tau - tau_mean) ** 2))
    few, share = _binned(points, weights)
    return MapPrior(endpoint, few, share, mean, sd, tau_mean, tau_sd, trials, patients)


def _binned(points: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Points gathered into bins of equal rank, each at its mean: fewer, with the same mean."""
    order = np.argsort(points, kind="stable")
    x, w = points[order], weights[order]
    kept = w > 1e-300
    x, w = x[kept], w[kept]
    place = w.cumsum()
    # Bins are equal in the logit of the rank, so that the tails keep their points.
    edges = special.expit(np.linspace(-16, 16, BINS - 1))
    home = np.searchsorted(edges, place / place[-1])
    share = np.bincount(home, w, BINS)
    total = np.bincount(home, w * x, BINS)
    there = share > 0
    return total[there] / share[there], share[there] / share.sum()
