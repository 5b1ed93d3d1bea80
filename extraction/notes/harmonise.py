"""Values as notes write them, brought into one unit a quantity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from ..records import InputError, Variable
from ..records.units import convert
from .lexicon import read_lines

# Quantities whose number means the same without a unit.
_UNITLESS = frozenset({"inr", "urine_ph", "urine_specific_gravity", "blood_ph"})
# Spellings of UCUM that the unit library has under another name.
_SAME: Mapping[str, str] = {
    "m[IU]/L": "m[iU]/L",
    "u[IU]/mL": "m[iU]/L",
    "m[IU]/mL": "[iU]/L",
    "10*3/mm3": "10*9/L",
    "10*3/uL": "10*9/L",
    "10*6/uL": "10*12/L",
    "/mm3": "/uL",
    "meq/L": "mmol/L",
    "{copies}/mL": "/mL",
    "mL/min/{1.73_m2}": "mL/min",
    "{score}": "1",
    "U/mL": "k[iU]/L",
    "ug/mL{FEU}": "mg/L",
    "ng/mL{FEU}": "ug/L",
}


@dataclass(frozen=True)
class Quantity:
    """How a measured quantity is stored.

    Parameters
    ----------
    name
        The normalised name of its facts.
    unit
        UCUM unit it is stored in.
    molar_mass
        g/mol between mass and amount of substance; None where there is no such change.
    low, high
        Values outside are taken for misread.
    names
        Names a schema may give it.
    """

    name: str
    unit: str
    molar_mass: float | None
    low: float
    high: float
    kind: Literal["continuous", "count"]
    names: tuple[str, ...]

    def variable(self) -> Variable:
        """Return the longitudinal variable of a schema that holds it."""
        label = self.name.replace("_", " ").capitalize()
        return Variable(
            name=self.name, label=label, kind=self.kind, role="longitudinal", unit=self.unit
        )


@cache
def quantities() -> Mapping[str, Quantity]:
    """Return every quantity by the name of its facts."""
    found = {}
    for line in read_lines("harmonised.txt"):
        name, unit, mass, low, high, kind, names = line.split(" | ")
        found[name] = Quantity(
            name,
            unit,
            None if mass == "-" else float(mass),
            float(low),
            float(high),
            "count" if kind == "count" else "continuous",
            tuple(names.split()),
        )
    return found


def harmonised(name: str, value: float, unit: str | None, wanted: str) -> float | str:
    """Return a value in the wanted unit, or why it cannot be used.

    Examples
    --------
    >>> round(harmonised("temperature", 98.6, "[degF]", "Cel"), 2)
    37.0
    >>> harmonised("sodium", 140.0, None, "mmol/L")
    'no unit is written'
    """
    quantity = quantities()[name]
    written = unit or _implied(name, value, wanted)
    if written is None:
        return "no unit is written"
    try:
        number = _converted(value, written, quantity.unit, quantity.molar_mass)
        if not quantity.low <= number <= quantity.high:
            return "not plausible"
        return _converted(value, written, wanted, quantity.molar_mass)
    except InputError:
        return "unit does not fit"


def _implied(name: str, value: float, wanted: str) -> str | None:
    if name in _UNITLESS:
        return wanted
    if name == "temperature":
        return "Cel" if value < 50 else "[degF]"
    return None


@cache
def _factor(unit: str, wanted: str, molar_mass: float | None) -> tuple[float, float]:
    """Return slope and offset of a change of unit; every such change is affine."""
    ends = convert(np.array([0.0, 1.0]), unit, wanted, molar_mass)
    return float(ends[1] - ends[0]), float(ends[0])


def _converted(value: float, unit: str, wanted: str, molar_mass: float | None) -> float:
    source, target = _SAME.get(unit, unit), _SAME.get(wanted, wanted)
    if source == target:
        return value
    if source == "U/L" or target == "U/L":
        raise InputError(f"unit {unit} cannot be converted to {wanted}")
    slope, offset = _factor(source, target, molar_mass)
    return float(f"{slope * value + offset:.12g}")
