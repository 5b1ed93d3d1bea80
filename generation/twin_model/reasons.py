"""Why observation ended: frequencies by phase and arm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from generation.assembly import TrialArrays
from generation.cart import pick
from generation.tokenizer import MINIMUM_CELL, FloatArray, IntArray

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
        self,
        arm: npt.NDArray[np.object_],
        phase: IntArray,
        place: FloatArray,
        dropout: bool,
    ) -> npt.NDArray[np.object_]:
        """Reason of each patient, None where none is recorded.

        Without dropout everyone gets the commonest reason of their phase.
        """
        index = {name: k for k, name in enumerate(self.arms)}
        column = np.array([index.get(a, len(self.arms)) for a in arm], dtype=np.int64)
        names = np.array([*self.reasons, None], dtype=object)
        share = self.share[phase, column]
        chosen = pick(share, place) if dropout else share.argmax(axis=1)
        return np.asarray(names[chosen], dtype=object)

    def state(self) -> dict[str, Any]:
        """Return everything needed to rebuild the table."""
        return dict(self.__dict__)


def fit_reasons(arrays: TrialArrays, arms: tuple[str, ...], phase: IntArray) -> EndReasons:
    """Count reasons by phase and arm; the last arm column is all arms together."""
    reasons, codes = _codes(arrays.end_reason, phase, arrays.arm)
    tokens = np.eye(len(reasons) + 1)[codes]
    share = np.zeros((3, len(arms) + 1, len(reasons) + 1))
    overall = tokens.mean(axis=0)
    for p in (LEFT, COMPLETED, TERMINAL):
        counts = tokens[phase == p].sum(axis=0)
        pooled = (counts + 1e-3 * overall) / (counts.sum() + 1e-3)
        share[p, -1] = pooled
        for k, arm in enumerate(arms):
            own = tokens[(phase == p) & (arrays.arm == arm)].sum(axis=0)
            share[p, k] = (own + _PRIOR_PATIENTS * pooled) / (own.sum() + _PRIOR_PATIENTS)
    return EndReasons(reasons, list(arms), share)


def _codes(
    given: npt.NDArray[np.object_], phase: IntArray, arm: npt.NDArray[np.object_]
) -> tuple[list[str], IntArray]:
    """Reasons of five patients or more; a rarer one joins the commonest of phase and arm."""
    named = [str(r) for r in given if r is not None]
    kept = sorted({r for r in named if named.count(r) >= MINIMUM_CELL})
    index = {r: k for k, r in enumerate(kept)}
    codes = np.array([index.get(r, -1) if r is not None else len(kept) for r in given], np.int64)
    for p in (LEFT, COMPLETED, TERMINAL):
        for name in set(arm):
            inside = (phase == p) & (arm == name)
            known = codes[inside & (codes >= 0)]
            codes[inside & (codes < 0)] = np.bincount(known).argmax() if len(known) else len(kept)
    return kept, codes
