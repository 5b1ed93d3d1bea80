"""The Gaussian copula of the baseline columns, from which the net's logits start.

On a few hundred patients a net stops before it has learnt a plain association (weight and BMI, sex
and height): so its logits are the log marginal plus what a shrunk Gaussian copula says of a column
given the observed ones, and the net learns the rest. Numbers take part by their normal scores,
binary and ordinal columns by standardised scores of their levels, with which the conditional of a
binary column is that of linear discriminant analysis; other categories are left to the net.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from generation.tokenizer import CategoricalCodec, Codec, FloatArray, IntArray, NumericCodec
from generation.twin_model.columns import BaselineColumns, Encoded

_MOST_COLUMNS = 24
_BINARY = 2
EDGE = 0.01
LEAST_VARIANCE = 0.02
MISSING, OBSERVED = 2, 3
"""Places of the two flags after a number's rank among the network inputs."""


@dataclass(frozen=True)
class Copula:
    """Where the columns that take part stand among inputs and tokens.

    Attributes
    ----------
    columns
        Columns that take part, shape (p,): numbers, then binary and ordinal columns; without the
        latter where all are more than 24, and none where the numbers alone are.
    places
        Place of each number's rank among the network inputs, shape (numbers,).
    levels, level_score
        Which inputs stand for the levels of each column, and their scores, shape (width, p); 0 for
        numbers.
    tokens
        Places of their bins among all tokens, shape (t,).
    owner
        Which of the p columns each of these tokens belongs to, shape (t,).
    score
        Score of each token, shape (t,): the normal score of a bin's middle, or the level's.
    log_share
        Log share of each token within its column's bins, shape (t,).
    """

    columns: IntArray
    places: IntArray
    levels: FloatArray
    level_score: FloatArray
    tokens: IntArray
    owner: IntArray
    score: FloatArray
    log_share: FloatArray

    @classmethod
    def of(cls, columns: BaselineColumns) -> Copula:
        """Read the places off the columns."""
        numeric = [
            c for c, codec in enumerate(columns.codecs)
            if isinstance(codec, NumericCodec) and codec.bins > 1
        ]
        numeric = numeric if len(numeric) <= _MOST_COLUMNS else []
        ranked = [
            c for c, codec in enumerate(columns.codecs)
            if isinstance(codec, CategoricalCodec)
            and (codec.bins == _BINARY or (codec.ordinal and codec.bins > _BINARY))
        ]
        taken = numeric + (ranked if len(numeric) + len(ranked) <= _MOST_COLUMNS else [])
        levels = np.zeros((columns.input_width, len(taken)))
        level_score = np.zeros_like(levels)
        tokens, owner, score, share = [], [], [], []
        for j, c in enumerate(taken):
            codec = columns.codecs[c]
            own = _token_scores(codec)
            if isinstance(codec, CategoricalCodec):
                here = columns.input_slices[c].start + np.arange(codec.bins)
                levels[here, j], level_score[here, j] = 1.0, own
            tokens.append(columns.token_slices[c].start + np.arange(codec.bins))
            owner.append(np.full(codec.bins, j))
            score.append(own)
            mass = np.maximum(codec.mass[: codec.bins], 1e-9)
            share.append(np.log(mass / mass.sum()))
        return cls(
            np.array(taken, dtype=np.int64),
            np.array([columns.input_slices[c].start for c in numeric], dtype=np.int64),
            levels,
            level_score,
            np.concatenate([np.zeros(0, dtype=np.int64), *tokens]),
            np.concatenate([np.zeros(0, dtype=np.int64), *owner]),
            np.concatenate([np.zeros(0), *score]),
            np.concatenate([np.zeros(0), *share]),
        )

    def fit(self, columns: BaselineColumns, encoded: Encoded) -> FloatArray:
        """Correlations of the scores, shape (p, p), each shrunk by how well it is known.

        With z its Fisher transform over its standard error, by z^2 / (z^2 + 1): an even
        shrinkage, which the many small ones set, would take as much from those the data show.
        Three patients or fewer who have both columns tell nothing.
        """
        blocks = [columns.inputs(encoded, c) for c in range(len(columns))]
        inputs = np.concatenate([np.zeros((len(encoded.codes), 0)), *blocks], axis=1)
        z, seen = self.scores(inputs)
        both = seen.T.astype(np.float64) @ seen
        z = z - np.sum(z, axis=0) / np.maximum(seen.sum(axis=0), 1)
        z = np.where(seen, z, 0.0)
        product, square = z.T @ z, (z**2).T @ seen
        r = product / np.sqrt(np.maximum(square * square.T, 1e-12))
        np.fill_diagonal(r, 0.0)
        z2 = np.maximum(both - 3, 0) * np.arctanh(np.clip(r, -0.999, 0.999)) ** 2
        values, vectors = np.linalg.eigh(r * z2 / (z2 + 1) + np.eye(len(r)))
        full = (vectors * np.maximum(values, LEAST_VARIANCE)) @ vectors.T
        scale = np.sqrt(np.diag(full))
        return np.asarray(full / np.outer(scale, scale))

    def tilt(
        self, correlation: npt.NDArray[Any], inputs: npt.NDArray[np.float32], column: int
    ) -> FloatArray:
        """What each row's observed columns add to the log shares of a column's bins, (n, bins).

        With conditional mean m and variance v of the column's score q, the density relative
        to the marginal is exp(m q / v - q^2 (1 / v - 1) / 2); normalised so that the mass of the
        bins together stays as it is (missing is left to the net). No columns for one that takes
        no part.
        """
        places = np.flatnonzero(self.columns == column)
        if not len(places):
            return np.zeros((len(inputs), 0))
        mine = self.owner == places[0]
        z, seen = self.scores(inputs)
        slopes, variance = self.regression(correlation.astype(np.float64), int(places[0]), seen)
        mean = np.sum(slopes * z, axis=1)[:, None]
        score = self.score[mine]
        raw = mean * score / variance - score**2 * (1 / variance - 1) / 2
        tilted = np.exp(raw + self.log_share[mine])
        return np.asarray(raw - np.log(tilted.sum(axis=1, keepdims=True)))

    def regression(
        self, correlation: FloatArray, target: int, seen: npt.NDArray[np.bool_]
    ) -> tuple[FloatArray, FloatArray]:
        """Slopes (n, p) and residual variance (n, 1) of a score on the observed ones."""
        p = len(self.columns)
        # Rows with the same columns observed share their regression.
        code, which = np.unique(seen @ (1 << np.arange(p)), return_inverse=True)
        pattern = (code[:, None] >> np.arange(p)) & 1 > 0
        both = pattern[:, :, None] & pattern[:, None, :]
        cross = np.where(pattern, correlation[target], 0.0)
        # Unobserved columns become independent of all, so one solve serves every pattern.
        slopes = np.linalg.solve(np.where(both, correlation, np.eye(p)), cross[:, :, None])[:, :, 0]
        variance = np.clip(1 - np.sum(slopes * cross, axis=1), LEAST_VARIANCE, 1.0)
        return slopes[which], variance[which, None]

    def scores(
        self, inputs: FloatArray | npt.NDArray[np.float32]
    ) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
        """Scores of the observed columns (0 otherwise), and whether each is observed, (n, p)."""
        x = inputs.astype(np.float64)
        z, seen = x @ self.level_score, x @ self.levels > 0.5
        numbers = len(self.places)
        rank = (x[:, self.places] + 1) / 2
        seen[:, :numbers] = (x[:, self.places + OBSERVED] > 0.5) & (
            x[:, self.places + MISSING] < 0.5
        )
        normal = ndtri(np.clip(rank, EDGE, 1 - EDGE))
        z[:, :numbers] = np.where(seen[:, :numbers], normal, 0.0)
        return z, seen


def _token_scores(codec: Codec) -> FloatArray:
    """Normal scores of the middles of a column's bins; of levels standardised by their shares."""
    mass = np.maximum(codec.mass[: codec.bins], 1e-9)
    share = mass / mass.sum()
    edges = np.concatenate([[0.0], np.cumsum(share)])
    score = np.asarray(ndtri(np.clip((edges[:-1] + edges[1:]) / 2, EDGE, 1 - EDGE)))
    if isinstance(codec, NumericCodec):
        return score
    mean = float(share @ score)
    spread = float(np.sqrt(max(share @ (score - mean) ** 2, 1e-9)))
    return (score - mean) / spread
