"""Randomise: permuted blocks, each patient's place drawn by identity."""

import numpy as np

from generation.randomness import Stream, decision_id
from simulation.trial.population import Booleans, Indices

_ARM = decision_id("trial.arm")


def randomise(
    stream: Stream, replicates: Indices, n: int, treated: int, control: int, block_repeats: int
) -> Booleans:
    """Assign patients 0 to n - 1 of each replicate in permuted blocks.

    Parameters
    ----------
    stream
        Keyed draws.
    replicates
        Numbers of the R replicates.
    n
        Patients in a replicate.
    treated, control
        Parts of the allocation ratio.
    block_repeats
        Length of a block over treated + control.

    Returns
    -------
    array of bool
        (R, n), True for the treated. A smaller n gives the head of a larger one.
    """
    length = block_repeats * (treated + control)
    blocks = -(-n // length)
    drawn = stream.uniform(replicates[:, None], np.arange(blocks * length)[None, :], _ARM)
    order = drawn.reshape(len(replicates), blocks, length).argsort(axis=2, kind="stable")
    rank = order.argsort(axis=2, kind="stable")
    return (rank < block_repeats * treated).reshape(len(replicates), -1)[:, :n]
