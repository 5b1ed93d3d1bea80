"""Heaping: recorded values that patients share more often than a smooth law says.

A column's law inside a bin is smooth (`NumericCodec.knots`) but for two things, both learnt only
where chance cannot explain them: values held by five patients or more keep their own share, and
kinds of values (whole tens, fives, even numbers; whole and half inches among centimetres) are
drawn as often as they were recorded. Whatever else lies in the bin shares the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from generation.tokenizer_grid_fitting import FEWEST_PATIENTS, unit_grids
from generation.tokenizer_grids import FloatArray, Grid

MOST_CELLS = 4096
_CHANCE = 1e-3
_OUTLIER = 1e-5
_FEWEST_CELLS = 3


def _nothing() -> FloatArray:
    return np.zeros(0)


@dataclass(frozen=True)
class Heaping:
    """Shared values of a column and the kinds of values that were preferred.

    Attributes
    ----------
    values, share
        Values held by five patients or more, rising, and their share of all observed ones, (m,).
    unit
        Grid in whose units some of the values were measured; None: kinds go by the last digit.
    weights
        How often each kind is recorded relative to the smooth law; empty where kinds do not
        matter. By the last digit: 0, 5, other even, other odd. By a unit: its even numbers, its
        odd numbers, else the last digit 0, everything else.
    """

    values: FloatArray = field(default_factory=_nothing)
    share: FloatArray = field(default_factory=_nothing)
    unit: Grid | None = None
    weights: FloatArray = field(default_factory=_nothing)

    def state(self) -> dict[str, Any]:
        """Return everything needed to rebuild it."""
        state = {"values": self.values, "share": self.share, "weights": self.weights}
        return state | {"unit": None if self.unit is None else asdict(self.unit)}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Heaping:
        """Rebuild from :meth:`state`."""
        unit = None if state["unit"] is None else Grid.from_state(state["unit"])
        return cls(**{**state, "unit": unit})

    def weight(self, grid: Grid, values: FloatArray) -> FloatArray:
        """Weight of each value by its kind; 1 where kinds do not matter."""
        if not len(self.weights):
            return np.ones(len(values))
        return np.asarray(self.weights[kinds(grid, self.unit, values)])

    def place(self, values: FloatArray) -> npt.NDArray[np.int64]:
        """Place of each value among the shared ones, -1 where it is none of them."""
        if not len(self.values):
            return np.full(len(values), -1, dtype=np.int64)
        near = np.clip(np.searchsorted(self.values, values - _room(values)), 0, len(self.share) - 1)
        return np.where(np.abs(self.values[near] - values) <= _room(values), near, -1)

    def refine(
        self, grid: Grid, knots: FloatArray, mass: float, low: float, high: float
    ) -> tuple[FloatArray, FloatArray]:
        """Places (0 to 1) and values between which one bin's quantile function is linear.

        Parameters
        ----------
        knots
            Smooth quantiles at equal steps.
        mass
            The bin's share of the observed patients.
        low, high
            The bin's edges.
        """
        steps = np.linspace(0.0, 1.0, len(knots))
        own = (self.values > low) & (self.values < high)
        cuts = self._cuts(grid, low, high, self.values[own])
        if cuts is None:
            return steps, knots
        breaks = np.unique(np.clip(np.concatenate([[low], cuts, high], axis=None), low, high))
        smooth = np.diff(np.interp(breaks, knots, steps))
        middle = (breaks[1:] + breaks[:-1]) / 2
        at = grid.snap(middle)
        shared = self.place(at)
        rest = np.where(shared < 0, smooth * self.weight(grid, at), 0.0)
        apart = np.where(shared >= 0, self.share[shared] if len(self.share) else 0.0, 0.0) / mass
        apart /= np.maximum(np.bincount(shared + 1, minlength=2)[shared + 1], 1)
        left = max(1.0 - float(apart.sum()), 0.0)
        left = 0.0 if left * mass < 1e-12 or rest.sum() <= 0 else left
        total = apart + (rest / rest.sum() * left if left else 0.0)
        if total.sum() <= 0:
            return steps, knots
        return np.append(0.0, np.cumsum(total) / total.sum()), breaks

    def _cuts(self, grid: Grid, low: float, high: float, own: FloatArray) -> FloatArray | None:
        """Cell boundaries inside a bin that matter; None where the bin is smooth."""
        if len(self.weights):
            every = cells(grid, low, high)
            if every is not None:
                return (every[1:] + every[:-1]) / 2
        if not len(own):
            return None
        k = grid.number(own)
        return np.concatenate(
            [(grid.value(k) + grid.value(k - 1)) / 2, (grid.value(k) + grid.value(k + 1)) / 2]
        )


def kinds(grid: Grid, unit: Grid | None, values: FloatArray) -> npt.NDArray[np.int64]:
    """Kind of each value: see :class:`Heaping`."""
    last = np.mod(grid.number(values), 10).astype(np.int64)
    if unit is not None:
        k = unit.number(values)
        on = np.abs(unit.value(k) - values) <= _room(values)
        return np.where(on, (k % 2).astype(np.int64), np.where(last == 0, 2, 3))
    return np.where(last == 0, 0, np.where(last == 5, 1, np.where(last % 2 == 0, 2, 3)))


def cells(grid: Grid, low: float, high: float) -> FloatArray | None:
    """Values of the grid inside a bin; None where there is no grid, or there are too many."""
    if grid.kind == "continuum":
        return None
    first, last = grid.number(np.array([low, high]))
    if last - first > MOST_CELLS:
        return None
    values = grid.value(np.arange(first - 1, last + 2))
    return np.unique(values[(values > low) & (values < high)])


@dataclass(frozen=True)
class Bin:
    """One bin of a column under study: its edges, smooth knots and sorted grid values."""

    low: float
    high: float
    knots: FloatArray
    seen: FloatArray

    def expected(self, values: FloatArray, grid: Grid) -> FloatArray:
        """Patients that the smooth law expects at each value of the grid."""
        k = grid.number(values)
        ends = [(grid.value(k) + grid.value(k + side)) / 2 for side in (-1, 1)]
        steps = np.linspace(0.0, 1.0, len(self.knots))
        below, above = (np.interp(e, self.knots, steps) for e in ends)
        return np.asarray(len(self.seen) * (above - below))


def learn_heaping(bins: list[Bin], grid: Grid, observed: int) -> Heaping:
    """Shared values and preferred kinds, where the counts contradict the smooth law.

    Counts of single values are tested together (Pearson's dispersion over values that expect one
    patient or more, p < .001) and each by itself (Poisson, p < 1e-5); kinds by Pearson's test.

    Parameters
    ----------
    bins
        Bins that are no atoms.
    observed
        Patients with a value.
    """
    if grid.kind == "continuum" or not bins:
        return Heaping()
    parts = [np.unique(b.seen, return_counts=True) for b in bins]
    values = np.concatenate([v for v, _ in parts])
    count = np.concatenate([c for _, c in parts]).astype(np.float64)
    expected = np.concatenate([b.expected(v, grid) for b, (v, _) in zip(bins, parts, strict=True)])
    often = count >= FEWEST_PATIENTS
    heaping = Heaping()
    if grid.kind == "listed" or _uneven(bins, grid, values, count, expected):
        heaping = Heaping(values[often], _settled(bins, values[often], count[often]) / observed)
    found = [_every_cell(b, grid) for b in bins]
    if any(f is None for f in found) or grid.kind == "listed":
        return heaping
    every, smooth = (np.concatenate([f[k] for f in found if f is not None]) for k in (0, 1))
    rare = heaping.place(every) < 0
    tally = np.zeros(len(every))
    known = np.searchsorted(every, values - _room(values))
    np.add.at(tally, np.minimum(known, len(every) - 1), count)
    return _preferred(heaping, grid, every[rare], smooth[rare], tally[rare])


def _every_cell(part: Bin, grid: Grid) -> tuple[FloatArray, FloatArray] | None:
    values = cells(grid, part.low, part.high)
    return None if values is None else (values, part.expected(values, grid))


def _uneven(
    bins: list[Bin], grid: Grid, values: FloatArray, count: FloatArray, expected: FloatArray
) -> bool:
    """Whether single values are shared more unevenly than chance explains."""
    from scipy.stats import chi2, poisson

    often = count >= FEWEST_PATIENTS
    far = poisson.sf(count[often] - 1, np.maximum(expected[often], 1e-9))
    if (far < _OUTLIER).any():
        return True
    found = [_every_cell(b, grid) for b in bins]
    if any(f is None for f in found):
        return False
    every, smooth = (np.concatenate([f[k] for f in found if f is not None]) for k in (0, 1))
    tally = np.zeros(len(every))
    np.add.at(
        tally, np.minimum(np.searchsorted(every, values - _room(values)), len(every) - 1), count
    )
    large = smooth >= 1.0
    if large.sum() < _FEWEST_CELLS:
        return False
    distance = float(np.sum((tally[large] - smooth[large]) ** 2 / smooth[large]))
    return bool(chi2.sf(distance, int(large.sum())) < _CHANCE)


def _settled(bins: list[Bin], values: FloatArray, count: FloatArray) -> FloatArray:
    """Counts of shared values; a rest of a bin below five patients is spread over them."""
    count = count.copy()
    for part in bins:
        own = (values > part.low) & (values < part.high)
        rest = len(part.seen) - count[own].sum()
        if own.any() and 0 < rest < FEWEST_PATIENTS:
            count[own] *= len(part.seen) / count[own].sum()
    return count


def _preferred(
    heaping: Heaping, grid: Grid, values: FloatArray, smooth: FloatArray, count: FloatArray
) -> Heaping:
    """Add the weights of the kinds that explain the counts best, if chance does not."""
    best, least = heaping, (_CHANCE, 0.0)
    for unit in _kinds_tried(grid):
        kind = kinds(grid, unit, values)
        have, want = (np.bincount(kind, w, 4).astype(np.float64) for w in (count, smooth))
        chance, weights = _weights(have, want)
        if chance < least:
            best, least = replace(heaping, unit=unit, weights=weights), chance
    return best


def _kinds_tried(grid: Grid) -> Iterator[Grid | None]:
    yield None
    if grid.kind == "decimal":
        yield from unit_grids(grid.step)


def _weights(have: FloatArray, want: FloatArray) -> tuple[tuple[float, float], FloatArray]:
    """Chance of counts so far from the smooth law, minus how far, and the kinds' weights.

    Among many patients the chance of several units is too small for a float64: the distance
    tells them apart.
    """
    from scipy.stats import chi2

    used = want > 0
    total = have.sum()
    if used.sum() < 2 or total < 4 * FEWEST_PATIENTS:
        return (1.0, 0.0), np.ones(len(want))
    want = want * total / want.sum()
    shown = have[used & (have > 0)]
    distance = 2 * float(np.sum(shown * np.log(shown / want[used & (have > 0)])))
    # Kinds of fewer than five patients are put together; if they still are, none is drawn.
    few = used & (have < FEWEST_PATIENTS)
    together = have[few].sum() if have[few].sum() >= FEWEST_PATIENTS else 0.0
    held = np.where(few, together, np.where(used, have, 0.0))
    weights = held / np.maximum(np.where(few, want[few].sum(), want), 1e-9)
    return (float(chi2.sf(distance, used.sum() - 1)), -distance), weights


def _room(values: FloatArray) -> FloatArray:
    return np.asarray(1e-9 * np.maximum(np.abs(values), 1.0))
