"""The any-order baseline net at work: forwards in fixed tiles, members averaged.

Inference is plain numpy, so that serving a model needs no deep-learning library and the
same bytes come out whatever else runs. Rows are padded into tiles of 256 patients, keyed
by the patient's number: a patient's forward does not depend on how many others are drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from generation.tokenizer import FloatArray
from generation.twin_model.copula import Copula

TILE = 256
Floats32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Network:
    """Weights of all members, stacked along the first axis.

    Logits of each column's tokens are log marginal + what the Gaussian copula says of the bins +
    (linear skip + small net) x basis. ``weights["copula"]`` holds the members' correlations.
    """

    weights: dict[str, Floats32]
    basis: Floats32
    log_marginal: Floats32
    copula: Copula

    @property
    def members(self) -> int:
        """Number of ensemble members."""
        return int(self.weights["skip"].shape[0])

    def logits(self, inputs: Floats32, member: int) -> Floats32:
        """Token logits of one member, the copula apart, (n, tokens); n is a multiple of 256."""
        w = {name: value[member] for name, value in self.weights.items()}
        tiles = inputs.reshape(-1, TILE, inputs.shape[-1])
        hidden = gelu(tiles @ w["enter"] + w["enter_bias"])
        centred = hidden - hidden.mean(axis=-1, keepdims=True)
        spread = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + np.float32(1e-5))
        inner = centred / spread * w["norm"] + w["norm_bias"]
        hidden = hidden + gelu(inner @ w["block"] + w["block_bias"])
        heads = hidden @ w["head"] + w["head_bias"] + tiles @ w["skip"]
        logits = self.log_marginal + heads @ self.basis
        return np.asarray(logits.reshape(-1, self.basis.shape[1]), dtype=np.float32)

    def probabilities(self, inputs: Floats32, tokens: npt.NDArray[np.int64]) -> FloatArray:
        """Probabilities of chosen tokens, averaged over members, shape (n, k).

        Parameters
        ----------
        inputs
            Network inputs, shape (n, width).
        tokens
            For each row the places of one column's tokens, -1 padded, shape (n, k).
        """
        n = len(inputs)
        padded = np.zeros((-(-n // TILE) * TILE, inputs.shape[1]), dtype=np.float32)
        padded[:n] = inputs
        total = np.zeros(tokens.shape)
        for member in range(self.members):
            logits = self.logits(padded, member)[:n]
            start = self.copula.tilt(self.weights["copula"][member], inputs)
            logits[:, self.copula.tokens] += start.astype(np.float32)
            chosen = np.take_along_axis(logits, np.maximum(tokens, 0), axis=1).astype(np.float64)
            chosen = np.where(tokens >= 0, chosen, -np.inf)
            chosen = np.exp(chosen - chosen.max(axis=1, keepdims=True))
            total += chosen / chosen.sum(axis=1, keepdims=True)
        return np.asarray(total / self.members)


def gelu(x: Floats32) -> Floats32:
    """Gaussian error linear unit in its tanh form."""
    cubic = x * (np.float32(1) + np.float32(0.044715) * x * x)
    inner = np.tanh(np.float32(0.7978845608) * cubic)
    return np.asarray(np.float32(0.5) * x * (np.float32(1) + inner), dtype=np.float32)
