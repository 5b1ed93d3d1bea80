"""Quantiles of a column by the exponential mechanism."""

from __future__ import annotations

import numpy as np

from generation.tokenizer import FloatArray


def private_median(
    values: FloatArray, low: float, high: float, epsilon: float, rng: np.random.Generator
) -> float:
    """A point near the median of sorted values within (low, high).

    The exponential mechanism of Smith (2011, "Privacy-preserving statistical estimation with
    optimal convergence rates", STOC) with utility minus the distance in rank, whose sensitivity
    is one half for a patient added or removed.

    Parameters
    ----------
    values
        Sorted, inside the range, shape (n,).
    """
    ends = np.concatenate([[low], values, [high]])
    width = np.diff(ends)
    rank = np.abs(np.arange(len(width)) - len(values) / 2)
    score = np.where(width > 0, np.log(np.maximum(width, 1e-300)) - epsilon * rank, -np.inf)
    if not np.isfinite(score).any():
        return (low + high) / 2
    chosen = int(np.argmax(score + rng.gumbel(size=len(score))))
    return float(ends[chosen] + rng.random() * width[chosen])


def private_quantiles(
    values: FloatArray,
    low: float,
    high: float,
    depth: int,
    outer: int,
    epsilon: float,
    rng: np.random.Generator,
) -> FloatArray:
    """Edges of about equal shares of the patients, each level of halving a choice of `epsilon`.

    Halves are halved in turn (Kaplan, Schnapp and Stemmer, 2022, "Differentially private
    approximate quantiles", ICML): the parts of a level hold different patients, so a level costs
    one choice. ``depth`` levels split every part, ``outer`` further ones the two ends alone.

    Parameters
    ----------
    values
        Finite, in any order; those outside the range are moved to its ends.
    low, high
        The range, stated without looking at the data.

    Returns
    -------
    Rising edges from low to high, shape (2**depth + 2 * outer + 1,).
    """
    ordered = np.sort(np.clip(values, low, high))
    edges = np.array([low, high])
    for level in range(depth + outer):
        parts = range(len(edges) - 1) if level < depth else (0, len(edges) - 2)
        cuts = []
        for part in parts:
            start, stop = edges[part], edges[part + 1]
            first = np.searchsorted(ordered, start, side="left") if part else 0
            last = (
                np.searchsorted(ordered, stop, side="left") if part < len(edges) - 2
                else len(ordered)
            )
            inside = ordered[first:last]
            cuts.append(private_median(inside, float(start), float(stop), epsilon, rng))
        edges = np.sort(np.concatenate([edges, cuts]))
    return edges
