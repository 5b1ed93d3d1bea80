"""The grid on which a numeric column was recorded, and moving a number onto it.

Decimal steps are the plain case. Others: a measurement in another unit that was converted and
rounded (half inches as centimetres), a fixed number of significant digits, numbers stored in so
few bytes that their mantissa was cut off, and a short list of values. A grid numbers its values;
`Grid.index` is a rising, continuous version of that number.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
GridKind = Literal["continuum", "decimal", "unit", "digits", "truncated", "listed"]

_FIGURES = 6


@dataclass(frozen=True)
class Grid:
    """Values that a column can take.

    Attributes
    ----------
    kind
        ``continuum``: any, to six significant figures. ``decimal``: multiples of `step`.
        ``unit``: `offset` + multiples of `step`, rounded to `decimals`, halves up. ``digits``:
        `digits` significant ones, but never finer than `step`. ``truncated``: multiples of `step`
        (0: any number) stored in a mantissa of `bits` explicit bits, the rest cut off, and written
        in `width` characters; this is what a numeric variable of LENGTH 3 (12 bits) or 4 (20 bits)
        of the SAS system holds, in the format BESTw (SAS Institute, "SAS Language Reference:
        Concepts", numeric precision). ``listed``: `values`, each held by five patients or more.
    least
        Spacing of the smallest binary level of a truncated grid without `step`.
    """

    kind: GridKind = "continuum"
    step: float = 0.0
    offset: float = 0.0
    decimals: int = 9
    digits: int = 0
    bits: int = 0
    width: int = 0
    least: float = 0.0
    values: tuple[float, ...] = ()

    @classmethod
    def decimal(cls, step: float) -> Grid:
        """Multiples of a step; a continuum where it is 0."""
        return cls("decimal", step) if step > 0 else cls()

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Grid:
        """Rebuild from :meth:`state`."""
        return cls(**{**state, "values": tuple(state["values"])})

    def state(self) -> dict[str, Any]:
        """Return everything needed to rebuild the grid."""
        return {**asdict(self), "values": list(self.values)}

    @property
    def even(self) -> bool:
        """Whether number 0 is the value 0, so that non-negative values have such numbers."""
        return self.kind != "listed" and self.offset == 0.0

    def index(self, values: FloatArray) -> FloatArray:
        """Number of each value on the grid, between two values a fraction; itself on a continuum.

        Shape as `values`; off the grid it rises with the value.
        """
        if self.kind == "continuum":
            return values
        if self.kind == "listed":
            return np.interp(values, self.values, np.arange(len(self.values), dtype=np.float64))
        levels = self._levels
        if levels is None:
            return np.asarray((values - self.offset) / self.step)
        base, size, least = levels
        x = np.abs(values) / least
        level = np.maximum(np.floor(np.log(np.maximum(x / size, 1.0)) / np.log(base) + 1e-12), 0.0)
        number = x / base**level + (base - 1) * size * level
        return np.asarray(np.copysign(number, values))

    def value(self, number: FloatArray) -> FloatArray:
        """Value of each whole number."""
        if self.kind == "continuum":
            return number
        if self.kind == "listed":
            place = np.clip(number, 0, len(self.values) - 1).astype(np.int64)
            return np.array(self.values)[place]
        levels = self._levels
        if levels is None:
            plain = self.offset + number * self.step
            if self.kind == "unit":
                return half_up(plain, self.decimals)
            plain = np.round(plain, self.decimals) + 0.0
            if self.kind == "truncated":
                return written(truncated(plain, self.bits), self.width)
            return np.asarray(plain)
        base, size, least = levels
        k = np.abs(number)
        level = np.maximum(np.floor((k - size) / ((base - 1) * size) + 1e-12), 0.0)
        x = (k - (base - 1) * size * level) * base**level * least
        x = written(x, self.width) if self.kind == "truncated" else np.round(x, self.decimals)
        return np.asarray(np.copysign(x, number) + 0.0)

    @property
    def _levels(self) -> tuple[float, float, float] | None:
        """Base, numbers below the second level, and the first level's spacing, of uneven grids."""
        if self.kind == "digits":
            return 10.0, 10.0 ** (self.digits - 1), self.step
        if self.kind == "truncated" and self.step == 0:
            return 2.0, 2.0**self.bits, self.least
        return None

    def position(self, number: FloatArray) -> FloatArray:
        """Value of a fractional number: linear between neighbours, so one half is their middle."""
        if self.kind == "continuum":
            return number
        below = np.floor(number)
        low, high = self.value(below), self.value(below + 1)
        return np.asarray(low + (number - below) * (high - low))

    def number(self, values: FloatArray) -> FloatArray:
        """Number of the nearest value of the grid."""
        if self.kind == "continuum":
            return values
        middle = np.round(self.index(values))
        if self.kind == "decimal":
            return np.asarray(middle)
        near = np.stack([middle, middle - 1, middle + 1])
        best = np.argmin(np.abs(self.value(near) - values), axis=0)
        return np.asarray(np.take_along_axis(near, best[None], axis=0)[0])

    def snap(self, values: FloatArray) -> FloatArray:
        """Nearest value of the grid; six significant figures on a continuum."""
        return six_figures(values) if self.kind == "continuum" else self.value(self.number(values))

    def start(self, low: float, closed: bool) -> float:
        """Where the cell of the first value from a lower bound on begins."""
        if self.kind == "continuum" or not np.isfinite(low):
            return low
        k = self.number(np.array([low]))
        at, room = float(self.value(k)[0]), 1e-9 * max(abs(low), 1.0)
        if at < low - room or (at <= low + room and not closed):
            k = k + 1
        if self.kind == "listed" and k[0] >= len(self.values):
            return np.inf
        return float((self.value(k - 1) + self.value(k))[0] / 2)

    def stop(self, high: float, closed: bool) -> float:
        """Where the cell of the last value up to an upper bound ends."""
        if self.kind == "continuum" or not np.isfinite(high):
            return high
        k = self.number(np.array([high]))
        at, room = float(self.value(k)[0]), 1e-9 * max(abs(high), 1.0)
        if at > high + room or (at >= high - room and not closed):
            k = k - 1
        if self.kind == "listed" and k[0] < 0:
            return -np.inf
        return float((self.value(k) + self.value(k + 1))[0] / 2)


def six_figures(values: FloatArray) -> FloatArray:
    """Round to six significant figures."""
    magnitude = np.floor(np.log10(np.maximum(np.abs(values), 1e-300)))
    unit = 10.0 ** np.clip(magnitude - (_FIGURES - 1), -300, 300)
    return np.asarray(np.where(values == 0, 0.0, np.round(values / unit) * unit), dtype=np.float64)


def half_up(values: FloatArray, decimals: int) -> FloatArray:
    """Round to so many decimals, a half away from zero as record forms do, not to even."""
    unit = 10.0**decimals
    whole = np.floor(np.abs(values) * unit + 0.5 + 1e-9)
    return np.asarray(np.copysign(whole / unit, values) + 0.0)


def truncated(values: FloatArray, bits: int) -> FloatArray:
    """Cut the mantissa off after so many explicit bits."""
    mantissa, exponent = np.frexp(values)
    kept = np.trunc(np.ldexp(mantissa, bits + 1))
    return np.asarray(np.ldexp(kept, exponent - bits - 1), dtype=np.float64)


def written(values: FloatArray, width: int) -> FloatArray:
    """Round to as many decimals as fit into `width` characters with sign, point and digits."""
    whole = np.floor(np.log10(np.maximum(np.abs(values), 1.0))) + 1
    unit = 10.0 ** np.clip(width - 1 - whole - (values < 0), 0, 15)
    return np.asarray(np.round(values * unit) / unit, dtype=np.float64)
