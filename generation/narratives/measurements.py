"""Vital signs, rating scales and laboratory values in words, in the unit of either habit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple, final

from extraction.notes.facts import FactType

from .phrases import Chooser, Mark, Piece, Pieces, fill, joined, load, phrases

# A value in another unit is printed as short as it stays within this share of the record's.
PRECISION = 5e-4
_MOST_DECIMALS = 6
_MOLAR_SCALE = {
    ("mmol/L", "mg/dL"): 1e-1,
    ("umol/L", "mg/dL"): 1e-4,
    ("mmol/L", "g/dL"): 1e-4,
}


@final
@dataclass(frozen=True)
class Concept:
    """A measurement under its normalised name.

    Parameters
    ----------
    units
        UCUM code to spellings; the first is the unit that `scales` start from.
    scales
        UCUM code to (factor, offset): value in first unit * factor + offset.
    """

    name: str
    type: FactType
    labels: tuple[str, ...]
    units: dict[str, tuple[str, ...]]
    scales: dict[str, tuple[float, float]]

    @property
    def is_scale(self) -> bool:
        """Whether this is a rating scale."""
        return "{score}" in self.units

    def convert(self, value: float, unit: str, wanted: str) -> float:
        """Convert between two of the concept's units."""
        if unit == wanted:
            return value
        factor, offset = self.scales[unit]
        to_factor, to_offset = self.scales[wanted]
        return (value - offset) / factor * to_factor + to_offset


class Observed(NamedTuple):
    """One value of the record, with the draw that its wording hangs on."""

    variable: str
    value: float
    unit: str | None
    draw: float


@cache
def concepts() -> dict[str, Concept]:
    """Every concept by the name of each variable that holds it, in capitals."""
    out: dict[str, Concept] = {}
    for name, entry in load("measurements.yaml").items():
        units = {code: tuple(spellings) for code, spellings in entry["units"].items()}
        concept = Concept(
            name, entry["type"], tuple(entry["labels"]), units, _scales(entry, list(units))
        )
        out.update(dict.fromkeys(entry["variables"], concept))
    return out


def _scales(entry: dict[str, Any], units: list[str]) -> dict[str, tuple[float, float]]:
    scales = {units[0]: (1.0, 0.0)}
    for code, scale in entry.get("scale", {}).items():
        scales[code] = (float(scale["factor"]), float(scale["offset"]))
    for code in units[1:]:
        if (units[0], code) in _MOLAR_SCALE and "molar_mass" in entry:
            scales[code] = (entry["molar_mass"] * _MOLAR_SCALE[units[0], code], 0.0)
    return scales


def concept_of(variable: str) -> Concept | None:
    """The concept that a variable of a cohort holds, None where no phrasing knows it."""
    return concepts().get(variable.upper())


def plain(concept: Concept, value: float) -> str:
    """A value in the record's own unit: as recorded to six decimals, a longer one shortened."""
    text = number(value)
    if float(text) == value:
        return text
    return converted(concept, value, "", "") or text


def number(value: float) -> str:
    """A number as written in a note, to at most six decimals."""
    text = f"{value:.{_MOST_DECIMALS}f}"
    return text.rstrip("0").rstrip(".")


def converted(concept: Concept, value: float, unit: str, wanted: str) -> str | None:
    """A value in another unit, as short as it stays within `PRECISION` of the record's.

    None where six decimals do not reach that.
    """
    there = concept.convert(value, unit, wanted)
    for decimals in range(_MOST_DECIMALS + 1):
        text = f"{there:.{decimals}f}"
        back = concept.convert(float(text), wanted, unit)
        if abs(back - value) <= PRECISION * abs(value):
            return text
    return None


def written(concept: Concept, row: Observed) -> tuple[Mark, str, Chooser]:
    """The marked number, the unit's spelling behind it, and what is left of the draw."""
    chooser = Chooser(row.draw)
    unit = row.unit if row.unit is not None or len(concept.units) > 1 else next(iter(concept.units))
    text, spelling = plain(concept, row.value), unit or ""
    if unit in concept.scales:
        wanted = chooser.pick([c for c in concept.units if c in concept.scales])
        other = None if wanted == unit else converted(concept, row.value, unit, wanted)
        if other is not None:
            text, unit = other, wanted
    if unit in concept.units:
        spelling = chooser.pick(concept.units[unit])
    # A plain ratio is written without a unit, so its fact has none.
    stated = None if unit == "1" else unit
    attributes = {"name": concept.name, "value": float(text), "unit": stated}
    return Mark(text, concept.type, attributes), spelling, chooser


def measurement_lines(rows: Iterable[Observed], chooser: Chooser) -> list[Pieces]:
    """Lines of a note that state these values: vital signs, scales, laboratory."""
    groups: dict[str, list[tuple[Concept, Observed]]] = {"vitals": [], "scales": [], "labs": []}
    for row in rows:
        concept = concept_of(row.variable)
        if concept is not None:
            groups[_group(concept)].append((concept, row))
    lines = []
    for group, members in groups.items():
        if members:
            between = chooser.pick((", ", "; "))
            items = joined(_items(members, chooser), between)
            lines.append(fill(chooser.pick(phrases()["measurements"][group]), items=items))
    return lines


def _group(concept: Concept) -> str:
    if concept.is_scale:
        return "scales"
    return "vitals" if concept.type == "vital" else "labs"


def _items(members: list[tuple[Concept, Observed]], chooser: Chooser) -> list[Pieces]:
    pressures, rest = _pressures(members)
    items = [_pressure(systolic, diastolic) for systolic, diastolic in pressures]
    single = chooser.pick(phrases()["measurements"]["item"])
    for concept, row in rest:
        mark, spelling, own = written(concept, row)
        items.append(
            fill(single, label=own.pick(concept.labels), value=mark, unit=spaced(spelling))
        )
    return items


Member = tuple[Concept, Observed]


def _pressures(members: list[Member]) -> tuple[list[tuple[Member, Member]], list[Member]]:
    """Blood pressures that belong together, and everything else."""
    systolic = [m for m in members if m[0].name == "systolic_blood_pressure"]
    diastolic = [m for m in members if m[0].name == "diastolic_blood_pressure"]
    pairs = list(zip(systolic, diastolic, strict=False))
    if len(systolic) != len(diastolic) or any(s[1].unit != d[1].unit for s, d in pairs):
        return [], members
    paired = {id(m) for pair in pairs for m in pair}
    return pairs, [m for m in members if id(m) not in paired]


def _pressure(systolic: Member, diastolic: Member) -> Pieces:
    high, spelling, chooser = written(*systolic)
    low, _, _ = written(*diastolic)
    template = chooser.pick(phrases()["measurements"]["pressure"])
    unit = spaced(chooser.pick((spelling, spelling, "")))
    return fill(template, systolic=high, diastolic=low, unit=unit)


def spaced(spelling: str) -> Piece:
    """A unit as it follows its number."""
    return spelling if spelling in ("", "%") else f" {spelling}"
