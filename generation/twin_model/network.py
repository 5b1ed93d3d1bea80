"""The any-order baseline net at work: forwards in fixed tiles, members averaged.

Inference is plain numpy, so that serving a model needs no deep-learning library and the
same bytes come out whatever else runs. Rows are padded into tiles of 64 patients: a patient's
forward does not depend on how many others are drawn.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from generation.tokenizer import FloatArray
from generation.twin_model.columns import BaselineColumns
from generation.twin_model.copula import Copula

TILE = 64
Floats32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Network:
    """Weights of all members, stacked along the first axis.

    Logits of each column's tokens are log marginal + what the Gaussian copula says of the bins +
    (linear skip + small net) x basis. ``weights["copula"]`` holds the correlations.
    """

    architecture: ClassVar[str] = "mlp"
    weights: dict[str, Floats32]
    columns: BaselineColumns
    copula: Copula

    @property
    def size(self) -> tuple[int, int]:
        """Width, and residual blocks."""
        _, blocks, hidden, _ = self.weights["block"].shape
        return int(hidden), int(blocks)

    @property
    def members(self) -> int:
        """Number of ensemble members."""
        return int(self.weights["skip"].shape[0])

    def digest(self) -> str:
        """SHA-256 of the weights."""
        digest = hashlib.sha256()
        for name, value in sorted(self.weights.items()):
            digest.update(name.encode() + np.ascontiguousarray(value).tobytes())
        return digest.hexdigest()

    def hidden(self, tiles: Floats32) -> Floats32:
        """What all columns' heads read, shape (members, tiles, 64, hidden)."""
        w = self.weights
        hidden = tiles @ w["enter"][:, None]
        hidden = gelu(np.add(hidden, w["enter_bias"][:, None], out=hidden))
        mean = np.full((hidden.shape[-1], 1), 1 / hidden.shape[-1], dtype=np.float32)
        for k in range(w["block"].shape[1]):
            inner = hidden - hidden @ mean
            inner /= np.sqrt((inner * inner) @ mean + np.float32(1e-5))
            inner *= w["norm"][:, None, :, k]
            inner += w["norm_bias"][:, None, :, k]
            inner = inner @ w["block"][:, None, k]
            hidden += gelu(np.add(inner, w["block_bias"][:, None, :, k], out=inner))
        return np.asarray(hidden, dtype=np.float32)

    def coefficients(self, tiles: Floats32, column: int) -> Floats32:
        """Each member's coefficients of one column's basis, (members, tiles, 64, heads)."""
        heads = self.columns.head_slices[column]
        w = {name: self.weights[name][:, None, :, heads] for name in ("head", "head_bias", "skip")}
        out = self.hidden(tiles) @ w["head"] + w["head_bias"] + tiles @ w["skip"]
        return np.asarray(out, dtype=np.float32)

    def logits(self, inputs: Floats32, column: int) -> Floats32:
        """Each member's logits of one column's tokens, the copula apart, (members, n, tokens)."""
        n, width = inputs.shape
        padded = np.zeros((-(-n // TILE) * TILE, width), dtype=np.float32)
        padded[:n] = inputs
        tiles = padded.reshape(-1, TILE, width)
        heads, tokens = self.columns.head_slices[column], self.columns.token_slices[column]
        out = self.coefficients(tiles, column)
        logits = out @ self.columns.basis[heads, tokens] + self.columns.log_marginal[tokens]
        return np.asarray(logits.reshape(len(logits), -1, logits.shape[-1])[:, :n])

    def probabilities(self, inputs: Floats32, column: int) -> FloatArray:
        """Probabilities of one column's tokens, averaged over members, shape (n, tokens).

        Parameters
        ----------
        inputs
            Network inputs, shape (n, width).
        column
            The column that comes next, the same for all rows.
        """
        logits = self.logits(inputs, column).astype(np.float64)
        if "copula" in self.weights:
            start = self.copula.tilt(self.weights["copula"], inputs, column)
            logits[:, :, : start.shape[1]] += start
        chance = np.exp(logits - logits.max(axis=-1, keepdims=True))
        chance /= chance.sum(axis=-1, keepdims=True)
        return np.asarray(chance.mean(axis=0))


def gelu(x: Floats32) -> Floats32:
    """Gaussian error linear unit in its tanh form."""
    inner = x * x
    inner *= np.float32(0.044715)
    inner += np.float32(1)
    inner *= x
    inner *= np.float32(0.7978845608)
    np.tanh(inner, out=inner)
    inner += np.float32(1)
    inner *= x
    inner *= np.float32(0.5)
    return inner
