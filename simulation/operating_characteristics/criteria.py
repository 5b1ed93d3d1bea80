"""Eligibility: what each criterion does to power and recruitment, and whom it leaves out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Unpack, final

import numpy as np
import pandas as pd

from extraction.records import conditions
from extraction.records.errors import InputError
from generation.randomness import Stream
from simulation.operating_characteristics.batches import (
    Batches,
    Progress,
    Running,
    batches,
    mapped,
    number_faults,
)
from simulation.operating_characteristics.figures import (
    Values,
    check_figure,
    measure,
    paired_difference,
    replicate_values,
    scenario_name,
)
from simulation.trial.characteristics import Arrays, mean
from simulation.trial.design import TrialDesign
from simulation.trial.enrol import enrol
from simulation.trial.outcomes.base import Booleans, Floats
from simulation.trial.population import Baseline, Place, Population, receive
from simulation.trial.replicate import STREAM

RECRUITMENT: Final = "simulation.operating_characteristics.criteria:recruitment"
SCREENING: Final = "simulation.operating_characteristics.criteria:screening"
SMALLEST: Final = 5
"""Fewest different rows of a table of patients behind a mean that is shown."""


@final
@dataclass(frozen=True)
class CriteriaEffect:
    """What eligibility does.

    Attributes
    ----------
    criteria
        Criteria in words, numbered as in the tables.
    designs
        One row for the design as it is, without each criterion, and, where there are several,
        without any: the figure
        (power, unless another was asked for), recruitment time (NaN where everybody is there at
        once) and candidates screened, each with its standard error, and with the paired
        difference to the design as it is and that difference's standard error.
    shares
        One row for each criterion: the share of candidates who fail it, and who fail it alone;
        where there are several, the last row is who fails any.
    left_out
        Baseline of those who fail each criterion (or any) beside that of the eligible: mean, or
        share of the category, and the standardised difference. NaN where fewer than five
        different patients of a table stand behind a group.
    candidates
        Candidates behind the last two.
    """

    criteria: tuple[str, ...]
    designs: pd.DataFrame
    shares: pd.DataFrame
    left_out: pd.DataFrame
    candidates: int


def effect_of_criteria(
    design: TrialDesign,
    population: Any = None,
    replicates: int = 2000,
    *,
    figure: str = "any_rejection",
    scenario: str | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **running: Unpack[Running],
) -> CriteriaEffect:
    """Drop each criterion in turn, and all of them, on common random numbers.

    Criteria are the parts of the design's eligibility that must all hold. Candidates are the same
    in all designs and come in the same order, so that a design without a criterion enrols those
    whom it left out, and those who come later no more.

    Parameters
    ----------
    design, population, replicates, seed, running
        As in `simulation.trial.simulate`.
    figure, scenario
        What is compared (`figures.figure_names`), under which truth (None: the first given).
    progress
        Told before each design, and at the end.

    Returns
    -------
    CriteriaEffect

    Raises
    ------
    InputError
        If the design has no eligibility, or does not fit the population.
    """
    faults = number_faults(replicates=replicates)
    if design.eligibility is None:
        faults.append("design.eligibility: there is none, so that nobody is left out; add criteria")
    if faults:
        raise InputError(faults)
    check_figure(design, figure)
    truth = scenario_name(design, scenario)
    with batches(design, population, seed, running) as held:
        parts = criteria_of(design, held.population)
        names = [conditions.describe(part) for part in parts]
        variants = _variants(design, parts, names)
        tell = progress or (lambda _what, _share: None)
        runs = {}
        for place, (name, variant) in enumerate(variants.items()):
            tell(name, place / (len(variants) + 1))
            runs[name] = _run(held, variant, figure, truth, replicates)
        tell("who is left out", len(variants) / (len(variants) + 1))
        counted = _mapped(held, SCREENING, design, replicates)
        columns = _columns(held.population)
        tell("criteria", 1.0)
    shares, left_out = _tables(counted, names, columns)
    frame = pd.DataFrame([_row(name, runs, figure) for name in variants])
    return CriteriaEffect(tuple(names), frame, shares, left_out, int(counted["n"][:, 0].sum()))


def criteria_of(design: TrialDesign, population: Population) -> tuple[conditions.Condition, ...]:
    """The conditions of a design's eligibility that must all hold."""
    whole = conditions.parse(design.eligibility, population.baseline_schema)
    return tuple(whole.parts) if isinstance(whole, conditions.All) else (whole,)


def _variants(
    design: TrialDesign, parts: Sequence[conditions.Condition], names: Sequence[str]
) -> dict[str, TrialDesign]:
    """The design as it is, without each criterion, and without any where there are several."""

    def keeping(kept: list[conditions.Condition]) -> TrialDesign:
        told = conditions.to_dict(conditions.All(tuple(kept))) if kept else None
        plan = design.model_dump(mode="json", exclude={"population"})
        return TrialDesign.parse(plan | {"eligibility": told})

    rest = {
        f"without {name}": keeping([p for k, p in enumerate(parts) if k != left])
        for left, name in enumerate(names)
    }
    none = {"without any": keeping([])} if len(parts) > 1 else {}
    return {"as it is": design, **rest, **none}


def _run(
    held: Batches, design: TrialDesign, figure: str, truth: str, replicates: int
) -> dict[str, Values]:
    table = held.run(design, 0, replicates)
    found = _mapped(held, RECRUITMENT, design, replicates)
    return {figure: replicate_values(design, table, figure, truth), **found}


def _mapped(held: Batches, function: str, design: TrialDesign, replicates: int) -> Arrays:
    payload = {
        "design": design.model_dump(mode="json", exclude={"population"}),
        "population": held.facts,
        "seed": held.seed,
    }
    return mapped(function, payload, replicates, held.paths, held.running)


def _row(name: str, runs: dict[str, dict[str, Values]], figure: str) -> dict[str, Any]:
    row: dict[str, Any] = {"design": name}
    for what in (figure, "recruitment", "screened"):
        here, base = runs[name][what], runs["as it is"][what]
        now, gap = measure(here), paired_difference(here, base)
        row |= {what: now.value, f"{what} se": now.se}
        row |= {f"{what} difference": gap.value, f"{what} difference se": gap.se}
    return row


def recruitment(payload: dict[str, Any], start: int, stop: int) -> Arrays:
    """Time of the last patient (NaN if all are there at once) and candidates screened, (R,)."""
    design = TrialDesign.parse(payload["design"])
    population = receive(payload["population"], payload.get("paths", {}))
    stream = Stream(payload["seed"], STREAM)
    found = enrol(
        design, design.enrolment, population, stream, np.arange(start, stop), design.n
    )
    last = np.where(np.isfinite(found.entry), found.entry, 0.0).max(axis=1)
    time = np.full_like(last, np.nan) if design.enrolment.at_once else last
    return {"recruitment": time, "screened": found.screened.astype(np.float64)}


def screening(payload: dict[str, Any], start: int, stop: int) -> Arrays:
    """Candidates by group: their number and distinct rows (R, G), sums of columns (R, G, C).

    The first design.n candidates of each replicate; groups are all, the eligible, those who fail
    each criterion, those who fail each alone, and those who fail any.
    """
    design = TrialDesign.parse(payload["design"])
    population = receive(payload["population"], payload.get("paths", {}))
    place = Place(
        Stream(payload["seed"], STREAM),
        np.arange(start, stop)[:, None],
        np.arange(design.n)[None, :],
    )
    baseline = population.baseline(place)
    groups = _groups(design, population, baseline, (stop - start, design.n))
    columns = [
        np.broadcast_to(values, (stop - start, design.n))
        for variable in _columns(population)
        for values in [_values(baseline, *variable)]
    ]
    out = {name: np.zeros((stop - start, len(groups), len(columns))) for name in ("k", "s", "q")}
    for g, group in enumerate(groups):
        for c, values in enumerate(columns):
            known = group & np.isfinite(values)
            held = np.where(known, values, 0.0)
            out["k"][:, g, c] = known.sum(axis=1)
            out["s"][:, g, c], out["q"][:, g, c] = held.sum(axis=1), (held**2).sum(axis=1)
    return {
        **out,
        "n": np.stack([group.sum(axis=1) for group in groups], axis=1).astype(np.float64),
        "rows": np.stack([_distinct(baseline, group) for group in groups], axis=1),
    }


def _groups(
    design: TrialDesign, population: Population, baseline: Baseline, shape: tuple[int, int]
) -> list[Booleans]:
    fails = [
        ~np.broadcast_to(population.meets(part, baseline), shape)
        for part in criteria_of(design, population)
    ]
    times = np.sum(fails, axis=0)
    alone = [fail & (times == 1) for fail in fails]
    return [np.ones(shape, dtype=bool), times == 0, *fails, *alone, times > 0]


def _distinct(baseline: Baseline, group: Booleans) -> Floats:
    """Different rows of a table in a group, (R,); infinite where patients are by formula."""
    if baseline.rows is None:
        return np.full(len(group), np.inf)
    ordered = np.sort(np.where(group, baseline.rows, -1), axis=1)
    fresh = np.diff(ordered, axis=1, prepend=-1) != 0
    return np.asarray(fresh.sum(axis=1), dtype=np.float64)


def _columns(population: Population) -> list[tuple[str, int | None, str]]:
    """Baseline columns: variable, number of the category (None for numbers), its name."""
    out: list[tuple[str, int | None, str]] = []
    for variable in population.baseline_schema.baseline:
        if variable.numeric:
            out.append((variable.name, None, ""))
        else:
            levels = enumerate(variable.categories or ())
            out += [(variable.name, number, str(level)) for number, level in levels]
    return out


def _values(baseline: Baseline, name: str, level: int | None, _: str) -> Floats:
    values = baseline.values[name]
    if level is None:
        return values
    return np.where(np.isnan(values), np.nan, (values == level).astype(np.float64))


def _tables(
    counted: Arrays, names: Sequence[str], columns: Sequence[tuple[str, int | None, str]]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    total = counted["n"].sum(axis=0)
    place = {name: (2 + k, 2 + len(names) + k) for k, name in enumerate(names)}
    shares = []
    several = len(names) > 1
    for name, (fails, alone) in (place | ({"any": (-1, -1)} if several else {})).items():
        row: dict[str, Any] = {"criterion": name}
        for what, group in (("fails", fails), ("fails alone", alone)):
            by_replicate = mean(counted["n"][:, group] / counted["n"][:, 0])
            row |= {what: total[group] / total[0], f"{what} se": by_replicate.se}
        shares.append(row)
    known, sums, squares = (counted[name].sum(axis=0) for name in ("k", "s", "q"))
    shown = counted["rows"].max(axis=0) >= SMALLEST
    with np.errstate(divide="ignore", invalid="ignore"):
        means = np.where(shown[:, None] & (known > 0), sums / known, np.nan)
        spread = np.maximum(squares / known - (sums / known) ** 2, 0.0)
        gaps = (means - means[1]) / np.sqrt((spread + spread[1]) / 2)
    rows = [
        {
            "criterion": name, "variable": variable, "category": level,
            "left_out": means[group, c], "eligible": means[1, c],
            "standardised_difference": gaps[group, c],
        }
        for name, group in [*((n, p[0]) for n, p in place.items()), *[("any", -1)] * several]
        for c, (variable, _, level) in enumerate(columns)
    ]
    return pd.DataFrame(shares), pd.DataFrame(rows)
