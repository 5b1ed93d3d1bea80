"""Learning the grid of a column: the coarsest one on which nearly all of its values lie."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from generation.tokenizer_grids import FloatArray, Grid

FEWEST_PATIENTS = 5
_NEARLY_ALL = 0.98
_MOST = 0.95
_STEPS = (100.0, 50.0, 10.0, 5.0, 1.0, 0.5, 0.1, 0.05, 0.01, 0.005, 0.001)
_FINE_STEPS = (1e-4, 1e-5, 1e-6)
_STORED = ((12, (1.0, 0.1, 0.01, 0.001, 0.0)), (20, (0.1, 0.01, 0.001)))
_WIDTHS = (8, 9, 10, 11, 12)
_CHANCE = 1e-8
_COARSER = 1.5
_BINADES_BELOW = 4
_LEAST_DISTINCT = 8
_TINY = 1e-5
_SCREENED = 1000
_HOPELESS = 0.8

# Units of NIST SP 811 (2008), appendix B; laboratory values per 0.1 or 1 mg/dl from molar masses,
# rounded as laboratories do.
UNITS: dict[str, tuple[float, float]] = {
    "inch in cm": (2.54, 0.0),
    "half inch in cm": (1.27, 0.0),
    "quarter inch in cm": (0.635, 0.0),
    "inch in m": (0.0254, 0.0),
    "half inch in m": (0.0127, 0.0),
    "pound in kg": (0.45359237, 0.0),
    "half pound in kg": (0.226796185, 0.0),
    "pound in kg, four decimals": (0.4536, 0.0),
    "half pound in kg, four decimals": (0.2268, 0.0),
    "tenth of a pound in kg, four decimals": (0.04536, 0.0),
    "ounce in kg": (0.028349523125, 0.0),
    "ounce in g": (28.349523125, 0.0),
    "stone in kg": (6.35029318, 0.0),
    "degree Fahrenheit in Celsius": (5 / 9, -160 / 9),
    "fifth of a degree Fahrenheit in Celsius": (1 / 9, -160 / 9),
    "millimetre of mercury in kPa": (0.133322387415, 0.0),
    "cholesterol 1 mg/dl in mmol/l": (0.0259, 0.0),
    "triglycerides 1 mg/dl in mmol/l": (0.0113, 0.0),
    "glucose 1 mg/dl in mmol/l": (0.0555, 0.0),
    "urea nitrogen 1 mg/dl in mmol/l": (0.357, 0.0),
    "creatinine 0.1 mg/dl in umol/l": (8.84, 0.0),
    "bilirubin 0.1 mg/dl in umol/l": (1.71, 0.0),
    "uric acid 0.1 mg/dl in umol/l": (5.948, 0.0),
    "calcium 0.1 mg/dl in mmol/l": (0.025, 0.0),
    "haemoglobin 0.1 g/dl in mmol/l": (0.06206, 0.0),
    "seventh (day in weeks)": (1 / 7, 0.0),
    "twelfth (month in years)": (1 / 12, 0.0),
}
"""Size of a unit in the unit recorded, and where its zero lies."""


def learn_grid(values: FloatArray) -> Grid:
    """Coarsest grid on which 98 % of the finite values lie, else 95 %; a continuum if none.

    Decimal steps from .001 up and converted units come first, then significant digits and cut
    mantissas, then finer decimal steps, then a list of values that five patients or more share.
    A grid that is no decimal step must hold far more often than by chance. A column without a
    number above 1e-5 is a continuum: steps as small are told from 0 in no other way.
    """
    if not is_sizable(values):
        return Grid()
    for share in (_NEARLY_ALL, _MOST):
        grid = next(_fitting(values, share), None)
        if grid is not None:
            return grid
    found, count = np.unique(values, return_counts=True)
    shared = count >= FEWEST_PATIENTS
    if shared.sum() > 1 and count[shared].sum() >= _MOST * len(values):
        return Grid("listed", values=tuple(found[shared].tolist()))
    return Grid()


def _fitting(values: FloatArray, share: float) -> Iterator[Grid]:
    """Grids that hold, best first."""
    step = next((s for s in _STEPS if on_grid(values, Grid.decimal(s)) >= share), 0.0)
    if step > 0:
        yield from _units(values, share, step)
        yield from _digits(values, share, step)
        yield Grid.decimal(step)
        return
    yield from _digits(values, share, 0.0)
    yield from _cut(values, share)
    fine = next((s for s in _FINE_STEPS if on_grid(values, Grid.decimal(s)) >= share), 0.0)
    if fine > 0:
        yield from _units(values, share, fine)
        yield Grid.decimal(fine)


def on_grid(values: FloatArray, grid: Grid) -> float:
    """Share of the values that lie on a grid, to float64's last digits.

    Where fewer than 80 % of a thousand among many do, theirs is the answer.
    """
    if len(values) > 2 * _SCREENED:
        some = on_grid(values[:: len(values) // _SCREENED], grid)
        if some < _HOPELESS:
            return some
    room = 1e-9 * np.maximum(np.abs(values), 1.0)
    return float(np.mean(np.abs(grid.snap(values) - values) <= room))


def _units(values: FloatArray, share: float, step: float) -> Iterator[Grid]:
    """Multiples of a unit, rounded to the decimals in which the column is written."""
    found = np.unique(values)
    for grid in unit_grids(step):
        held = len(found) >= _LEAST_DISTINCT and on_grid(values, grid) >= share
        if held and _beyond_chance(found, grid, step / grid.step):
            yield grid


def unit_grids(step: float) -> Iterator[Grid]:
    """Converted units that are coarser than a power of ten, rounded to it, largest first."""
    decimals = max(0, round(-np.log10(step)))
    if abs(10.0**-decimals / step - 1) < 1e-9:
        for size, offset in sorted(UNITS.values(), reverse=True):
            if size >= _COARSER * step:
                yield Grid("unit", size, offset, decimals)


def _digits(values: FloatArray, share: float, step: float) -> Iterator[Grid]:
    """Some significant digits; `step` (0 if unknown) is the finest spacing."""
    found = np.unique(np.abs(values))
    if len(found) < _LEAST_DISTINCT or found[-1] <= 0:
        return
    decade = float(np.floor(np.log10(_fifth(np.abs(values[values != 0])))))
    for digits in (1, 2, 3, 4):
        spacing = step or 10.0 ** (decade - digits + 1)
        grid = Grid("digits", step or spacing / 10, digits=digits, decimals=12)
        upper = found[found >= 10.0**digits * spacing * (1 - 1e-9)]  # from the second level on
        if len(upper) < _LEAST_DISTINCT or on_grid(values, grid) < share:
            continue
        if _beyond_chance(upper, grid, 0.1):
            yield grid


def _cut(values: FloatArray, share: float) -> Iterator[Grid]:
    """Numbers stored with a cut mantissa; the written width is the one that fits best."""
    sizes = np.abs(values[values != 0])
    found = np.unique(values)
    if len(found) < _LEAST_DISTINCT:
        return
    for bits, steps in _STORED:
        least = float(2.0 ** (np.floor(np.log2(_fifth(sizes))) - _BINADES_BELOW - bits))
        for step in steps:
            if 0 < step < 4 * _last_bit(sizes, bits):
                continue
            grids = [Grid("truncated", step, bits=bits, width=w, least=least) for w in _WIDTHS]
            held = [on_grid(values, grid) for grid in grids]
            best = int(np.argmax(held))
            if held[best] >= share and _beyond_chance(found, grids[best], 0.1):
                yield grids[best]


def is_sizable(values: FloatArray) -> bool:
    """Whether decimal steps can be told apart: a number above 1e-5, or all 0."""
    largest = np.abs(values).max(initial=0.0)
    return bool(largest == 0 or largest > _TINY)


def _fifth(sizes: FloatArray) -> float:
    """Fifth smallest number, so that no level of a grid tells of a single patient's value."""
    return float(np.sort(sizes)[FEWEST_PATIENTS - 1])


def _last_bit(sizes: FloatArray, bits: int) -> float:
    """What the last explicit bit of nearly all positive numbers is worth at most."""
    return float(2.0 ** (np.floor(np.log2(np.quantile(sizes, 0.99))) - bits))


def _beyond_chance(found: FloatArray, grid: Grid, lucky: float) -> bool:
    """Whether so many distinct values lie on the grid that chance cannot explain it."""
    from scipy.stats import binom

    held = round(on_grid(found, grid) * len(found))
    return bool(binom.sf(held - 1, len(found), lucky) < _CHANCE)
