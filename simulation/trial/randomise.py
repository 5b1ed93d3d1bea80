"""Randomise: permuted blocks, in strata if wanted, or by weights that adapt."""

import numpy as np

from generation.randomness import Stream, decision_id
from simulation.trial.outcomes.base import Floats, Indices

_ARM = decision_id("trial.arm")
_ADAPTIVE = decision_id("trial.adaptive-arm")


def randomise(
    stream: Stream,
    replicates: Indices,
    n: int,
    ratio: tuple[int, ...],
    repeats: int,
    stratum: Indices | None = None,
) -> Indices:
    """Arms of patients 0 to n - 1 of each replicate, in permuted blocks.

    Parameters
    ----------
    ratio
        Parts of the allocation ratio, by arm.
    repeats
        Length of a block over the ratio's sum.
    stratum
        Number of each patient's stratum (R, n); each has its own blocks.

    Returns
    -------
    array of int
        (R, n). A smaller n gives the head of a larger one.
    """
    if stratum is None:
        return _blocks(stream, replicates, n, ratio, repeats, 0)
    arm = np.zeros((len(replicates), n), dtype=np.int64)
    for number in np.unique(stratum):
        inside = stratum == number
        position = np.cumsum(inside, axis=1) - 1
        drawn = _blocks(stream, replicates, n, ratio, repeats, 1 + int(number))
        taken = np.take_along_axis(drawn, np.maximum(position, 0), axis=1)
        arm = np.where(inside, taken, arm)
    return arm


def _blocks(
    stream: Stream, replicates: Indices, n: int, ratio: tuple[int, ...], repeats: int, index: int
) -> Indices:
    from simulation.kernels.enrolment import permuted_blocks

    length = repeats * sum(ratio)
    blocks = -(-n // length)
    slots = np.arange(blocks * length)[None, :]
    drawn = stream.uniform(replicates[:, None], slots, _ARM, index)
    arms = np.repeat(np.arange(len(ratio)), np.asarray(ratio) * repeats)
    given: Indices = permuted_blocks(drawn, arms, n)
    return given


def adaptive_draws(stream: Stream, replicates: Indices, n: int) -> Floats:
    """Uniforms (R, n) by which weights choose arms; a patient's is the same at every look."""
    return stream.uniform(replicates[:, None], np.arange(n)[None, :], _ADAPTIVE)


def randomise_by_weight(drawn: Floats, weights: Floats, arm: Indices, kept: Indices) -> Indices:
    """Arms (R, n) drawn by weights (R, A); the first patients, (R,) in number, keep theirs.

    `drawn` are the uniforms of `adaptive_draws`.
    """
    from simulation.kernels.arms import weighted_arms

    upper = np.cumsum(weights, axis=1) / weights.sum(axis=1, keepdims=True)
    given: Indices = weighted_arms(drawn, upper, arm, kept)
    return given
