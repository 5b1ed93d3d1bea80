"""Why observation ended: frequencies by phase and arm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from generation.assembly import TrialArrays
from generation.cart import pick
from generation.tokenizer import CategoricalCodec, FloatArray, IntArray, fit_categorical

LEFT, COMPLETED, TERMINAL = 0, 1, 2
_PRIOR_PATIENTS = 5.0


@dataclass(frozen=True)
class EndReasons:
    """Shares of reasons, shrunk towards all arms by five patients.

    Attributes
    ----------
    reasons
        Reasons given by five patients or more; the last share is "none recorded".
    arms
        Arms in the order of the table.
    share
        Shares by phase (left, completed, terminal event) and arm, (3, arms, reasons + 1).
    """

    reasons: list[str]
    arms: list[str]
    share: FloatArray

    def draw(
        self, arm: npt.NDArray[np.object_], phase: IntArray, place: FloatArray
    ) -> npt.NDArray[np.object_]:
        """Reason of each patient, None where none is recorded."""
        index = {name: k for k, name in enumerate(self.arms)}
        column = np.array([index.get(a, len(self.arms)) for a in arm], dtype=np.int64)
        names = np.array([*self.reasons, None], dtype=object)
        return np.asarray(names[pick(self.share[phase, column], place)], dtype=object)

    def state(self) -> dict[str, Any]:
        """Return everything needed to rebuild the table."""
        return dict(self.__dict__)


def fit_reasons(arrays: TrialArrays, arms: tuple[str, ...], phase: IntArray) -> EndReasons:
    """Count reasons by phase and arm; the last arm column is all arms together."""
    codec: CategoricalCodec = fit_categorical("end_reason", arrays.end_reason, None)
    codes = codec.encode(arrays.end_reason)
    codes = np.where((codes < 0) | (codes >= codec.bins), codec.bins, codes)
    tokens = np.eye(codec.bins + 1)[codes]
    share = np.zeros((3, len(arms) + 1, codec.bins + 1))
    overall = tokens.mean(axis=0)
    for p in (LEFT, COMPLETED, TERMINAL):
        counts = tokens[phase == p].sum(axis=0)
        pooled = (counts + 1e-3 * overall) / (counts.sum() + 1e-3)
        share[p, -1] = pooled
        for k, arm in enumerate(arms):
            own = tokens[(phase == p) & (arrays.arm == arm)].sum(axis=0)
            share[p, k] = (own + _PRIOR_PATIENTS * pooled) / (own.sum() + _PRIOR_PATIENTS)
    return EndReasons(list(codec.categories), list(arms), share)
