"""Units: UCUM codes in, values in one wanted unit out, by pint with ucumvert."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import numpy as np

from .errors import InputError

_ANNOTATION = re.compile(r"\{[^{}]*\}")

# What trial data and clinicians write, mapped to UCUM. Compared without case and blanks.
_SPELLINGS = {
    "mmhg": "mm[Hg]",
    "beats/min": "/min",
    "bpm": "/min",
    "breaths/min": "/min",
    "f": "[degF]",
    "degf": "[degF]",
    "°f": "[degF]",
    "c": "Cel",
    "degc": "Cel",
    "°c": "Cel",
    "lb": "[lb_av]",
    "lbs": "[lb_av]",
    "in": "[in_i]",
    "inches": "[in_i]",
    "years": "a",
    "year": "a",
    "months": "mo",
    "days": "d",
    "hours": "h",
    "x10^9/l": "10*9/L",
    "10^9/l": "10*9/L",
    "giga/l": "10*9/L",
    "gi/l": "10*9/L",
    "x10^3/ul": "10*3/uL",
    "10^3/ul": "10*3/uL",
    "thou/ul": "10*3/uL",
    "k/ul": "10*3/uL",
    "tera/l": "10*12/L",
    "ti/l": "10*12/L",
    "10^12/l": "10*12/L",
    "iu/l": "[iU]/L",
    "miu/l": "m[iU]/L",
    "uiu/ml": "u[iU]/mL",
    "mcg": "ug",
    "µg": "ug",
    "µmol/l": "umol/L",
    "kg/m^2": "kg/m2",
    "kg/m²": "kg/m2",
    "fraction of 1": "1",
    "proportion of 1": "1",
    "no units": "1",
    "cells/mm3": "/mm3",
    "cells/ul": "/uL",
    "meq/l": "meq/L",
}


# pint makes its quantity classes at run time, so they are Any here.
@cache
def _registry() -> Any:
    from ucumvert import PintUcumRegistry

    return PintUcumRegistry()


@cache
def _unit(code: str) -> Any:
    if _ANNOTATION.fullmatch(code):
        code = "1"  # UCUM: an annotation alone, such as {score}, stands for the unit 1
    try:
        return _registry().from_ucum(code).units
    except Exception as error:  # the UCUM parser raises many kinds for what is no unit
        raise InputError(f"unit {code!r} is not a UCUM code, e.g. mm[Hg], mg/dL, 10*9/L") from error


def to_ucum(spelling: str) -> str:
    """Return the UCUM code of a unit as people write it; UCUM codes pass unchanged.

    Examples
    --------
    >>> to_ucum("mmHg"), to_ucum("x10^9/L"), to_ucum("mg/dL")
    ('mm[Hg]', '10*9/L', 'mg/dL')
    """
    spelling = spelling.strip()
    return _SPELLINGS.get(
        spelling.casefold().replace(" ", ""), _SPELLINGS.get(spelling.casefold(), spelling)
    )


def is_ucum(code: str) -> bool:
    """Return whether a code can be read as a UCUM unit."""
    try:
        _unit(code)
    except InputError:
        return False
    return True


def convert(
    values: np.ndarray, unit: str, wanted: str, molar_mass: float | None = None
) -> np.ndarray:
    """Convert values between UCUM units.

    Parameters
    ----------
    values
        Any shape; NaN stays NaN.
    unit, wanted
        UCUM codes of what came and what is wanted.
    molar_mass
        g/mol, to convert between mass and amount of substance.

    Raises
    ------
    InputError
        When a code is unknown or the units measure different things.

    Examples
    --------
    >>> convert(np.array([98.6]), "[degF]", "Cel").round(3)
    array([37.])
    """
    if unit == wanted:
        return np.asarray(values, dtype=np.float64)
    import pint

    quantity = _registry().Quantity(np.asarray(values, dtype=np.float64), _unit(unit))
    target = _unit(wanted)
    try:
        if molar_mass is not None and not quantity.is_compatible_with(target):
            quantity = _bridge(quantity, target, molar_mass)
        return np.asarray(quantity.to(target).magnitude)
    except pint.DimensionalityError:
        raise InputError(f"unit {unit} cannot be converted to {wanted}") from None


def _bridge(quantity: Any, target: Any, molar_mass: float) -> Any:
    mass = _registry().Quantity(molar_mass, "g/mol")
    times = quantity * mass
    return times if times.is_compatible_with(target) else quantity / mass
