"""A trial with visits whose figures R's nlme was given, and Kenward-Roger in full matrices."""

from typing import Any

import numpy as np

from generation.randomness import Stream

STREAM = Stream(1997, "visits")


def visits_trial(patients: int = 60, visits: int = 4, holes: bool = True) -> Any:
    """Outcomes (N, V), treated, baseline value and site (N,); three decimals."""
    who, when = np.arange(patients)[:, None], np.arange(visits)[None, :]
    arm = (np.arange(patients) % 2).astype(float)
    base = np.round(20 + 5 * STREAM.normal(patient=who[:, 0], decision=1), 3)
    site = (np.arange(patients) % 3).astype(int)
    noise = np.cumsum(STREAM.normal(patient=who, decision=2, index=when), axis=1) * 1.5
    noise = noise + 2 * STREAM.normal(patient=who, decision=3, index=when)
    y = 0.6 * base[:, None] + 0.8 * when + arm[:, None] * when * 0.7 + 0.5 * site[:, None] + noise
    y = np.round(y, 3)
    if holes:
        leaves = STREAM.uniform(patient=who[:, 0], decision=4)
        last = np.select([leaves < 0.12, leaves < 0.25, leaves < 0.4], [1, 2, 3], visits)
        y[when >= last[:, None]] = np.nan
        y[(STREAM.uniform(patient=who, decision=5, index=when) < 0.08)] = np.nan
    return y, arm, base, site


def dense_kenward_roger(y: Any, design: Any, sigma: Any, contrast: Any, observed: bool) -> Any:
    """Estimate, adjusted standard error and degrees of freedom, by the paper's own matrices.

    `design` (N, V, P); unstructured covariance `sigma` at its REML estimate. Kenward and Roger
    (1997), doi 10.2307/2533558: their sections 2 and 3, with Q_ij, P_i and W in full.
    """
    patients, visits = y.shape
    seen = np.isfinite(y).ravel()
    x, response = design.reshape(patients * visits, -1)[seen], y.ravel()[seen]

    def whole(block: Any) -> Any:
        return np.kron(np.eye(patients), block)[np.ix_(seen, seen)]

    inverse = np.linalg.inv(whole(sigma))
    phi = np.linalg.inv(x.T @ inverse @ x)
    beta = phi @ x.T @ inverse @ response
    project = inverse - inverse @ x @ phi @ x.T @ inverse
    slopes = []
    for i in range(visits):
        for j in range(i + 1):
            unit = np.zeros((visits, visits))
            unit[i, j] = unit[j, i] = 1
            slopes.append(whole(unit))
    count = len(slopes)
    p = [-x.T @ inverse @ s @ inverse @ x for s in slopes]
    information = np.empty((count, count))
    bias = np.zeros_like(phi)
    for i in range(count):
        for j in range(count):
            half = 0.5 * np.trace(project @ slopes[i] @ project @ slopes[j])
            pull = response @ project @ slopes[i] @ project @ slopes[j] @ project @ response
            information[i, j] = pull - half if observed else half
    w = np.linalg.inv(information)
    for i in range(count):
        for j in range(count):
            q = x.T @ inverse @ slopes[i] @ inverse @ slopes[j] @ inverse @ x
            bias += w[i, j] * (q - p[i] @ phi @ p[j])
    adjusted = phi + 2 * phi @ bias @ phi
    theta = np.outer(contrast, contrast) / (contrast @ phi @ contrast)
    traces = np.array([np.trace(theta @ phi @ s @ phi) for s in p])
    return contrast @ beta, np.sqrt(contrast @ adjusted @ contrast), 2 / (traces @ w @ traces)
