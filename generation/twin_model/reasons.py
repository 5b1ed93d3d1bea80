"""Why observation ended: frequencies by phase, or by when it ended, and arm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from generation.assembly import TrialArrays
from generation.cart import pick
from generation.tokenizer import MINIMUM_CELL, FloatArray, IntArray

LEFT, COMPLETED, TERMINAL, AWAY = 0, 1, 2, 3
OTHER = "OTHER"
_PRIOR_PATIENTS = 5.0
_SPELL_PATIENTS = 20
_MOST_SPELLS = 12


@dataclass(frozen=True)
class EndReasons:
    """Shares of reasons, shrunk towards all arms by five patients.

    Attributes
    ----------
    reasons
        Reasons given by five patients or more, and OTHER for the rarer ones; the last share is
        "none recorded".
    arms
        Arms in the order of the table.
    share
        Shares by phase (left, completed, terminal event, followed to the end but away from the
        last visits), then by spell, and arm, (4 + spells, arms, reasons + 1).
    edges
        Days between spells; without planned visits the day tells whether a patient completed.
    """

    reasons: list[str]
    arms: list[str]
    share: FloatArray
    edges: FloatArray

    def draw(
        self,
        arm: npt.NDArray[np.object_],
        phase: IntArray,
        place: FloatArray,
        dropout: bool,
        day: FloatArray,
    ) -> npt.NDArray[np.object_]:
        """Reason of each patient, None where none is recorded.

        Without dropout everyone gets the commonest reason of their phase.
        """
        # An unknown arm is at -1: the last column, all arms together.
        column = pd.Index(self.arms, dtype=object).get_indexer(pd.Index(arm, dtype=object))
        names = np.array([*self.reasons, None], dtype=object)
        row = spell(self.edges, phase, day) if dropout else phase
        share = self.share[row, column]
        chosen = pick(share, place) if dropout else share.argmax(axis=1)
        return np.asarray(names[chosen], dtype=object)

    def state(self) -> dict[str, Any]:
        """Return everything needed to rebuild the table."""
        return dict(self.__dict__)


def fit_reasons(
    arrays: TrialArrays,
    arms: tuple[str, ...],
    phase: IntArray,
    kept_whole: frozenset[str] = frozenset(),
    until: FloatArray | None = None,
) -> EndReasons:
    """Count reasons by phase and arm; the last arm column is all arms together.

    Parameters
    ----------
    phase
        Phase in which each patient's observation ended, shape (n,).
    kept_whole
        Reasons that are never merged into OTHER.
    until
        End of observation where no visits tell who completed: reasons are then counted by spells
        of at least 20 patients too. None where visits tell.
    """
    reasons, codes = _codes(arrays.end_reason, kept_whole)
    tokens = np.eye(len(reasons) + 1)[codes]
    edges = np.zeros(0) if until is None else _edges(until[(phase == LEFT) | (phase == COMPLETED)])
    rows = [phase == p for p in (LEFT, COMPLETED, TERMINAL, AWAY)]
    if until is not None and len(edges):
        during = spell(edges, phase, until)
        rows += [during == p for p in range(4, 5 + len(edges))]
    share = np.zeros((len(rows), len(arms) + 1, len(reasons) + 1))
    overall = tokens.mean(axis=0)
    for p, inside in enumerate(rows):
        counts = tokens[inside].sum(axis=0)
        pooled = (counts + 1e-3 * overall) / (counts.sum() + 1e-3)
        share[p, -1] = pooled
        for k, arm in enumerate(arms):
            own = tokens[inside & (arrays.arm == arm)].sum(axis=0)
            share[p, k] = (own + _PRIOR_PATIENTS * pooled) / (own.sum() + _PRIOR_PATIENTS)
    return EndReasons(reasons, list(arms), share, edges)


def spell(edges: FloatArray, phase: IntArray, day: FloatArray) -> IntArray:
    """Row of shares: the phase, or the spell of those whose phase only the day tells."""
    told = (phase == LEFT) | (phase == COMPLETED)
    at = 4 + np.searchsorted(edges, day, side="right")
    return np.where(told & (len(edges) > 0) & np.isfinite(day), at, phase).astype(np.int64)


def _edges(until: FloatArray) -> FloatArray:
    """Days that part patients into spells of equal size."""
    days = until[np.isfinite(until)]
    spells = min(len(days) // _SPELL_PATIENTS, _MOST_SPELLS)
    if spells < 2:
        return np.zeros(0)
    edges = np.unique(np.quantile(days, np.arange(1, spells) / spells, method="higher"))
    counts = np.bincount(np.searchsorted(edges, days, side="right"), minlength=len(edges) + 1)
    return edges if counts.min() >= MINIMUM_CELL else np.zeros(0)


def _codes(
    given: npt.NDArray[np.object_], kept_whole: frozenset[str]
) -> tuple[list[str], IntArray]:
    """Number of each patient's reason; the rare ones are one reason, OTHER.

    A reason of `kept_whole` (a declared cause of an endpoint) keeps its name however rare it is: a
    death must not become a withdrawal.
    """
    named = [str(r) for r in given if r is not None]
    counts = {r: named.count(r) for r in set(named)}
    kept = sorted(r for r, n in counts.items() if n >= MINIMUM_CELL or r in kept_whole)
    rare = set(counts) - set(kept)
    if rare and OTHER not in kept:
        kept.append(OTHER)
    index = {r: k for k, r in enumerate(kept)} | {r: kept.index(OTHER) for r in rare}
    codes = [index[str(r)] if r is not None else len(kept) for r in given]
    return kept, np.array(codes, dtype=np.int64)
