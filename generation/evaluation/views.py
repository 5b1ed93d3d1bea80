"""What people would rather look at: the two samples side by side, as figures' data.

No point stands on fewer than five patients of either side, and no smallest or largest value of a
real patient is in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from generation.evaluation.fidelity import correlations
from generation.evaluation.metric import Evaluation, plain
from generation.evaluation.subgroups import watched
from generation.evaluation.survival import Flags, kaplan_meier, times_events
from generation.evaluation.survival_distances import causes_of, cumulative_incidence
from generation.evaluation.tables import EndpointColumns, Floats, Series, Table, tables
from generation.evaluation.trajectories import (
    arms_of,
    attended,
    course_scale,
    courses,
    mean_courses,
    retention,
    visit_names,
)

if TYPE_CHECKING:
    from extraction.records import Cohort

FEWEST = 5
"""Fewest patients a point may stand on."""

_COLUMNS, _CORRELATED, _COURSES, _MISSING = 6, 16, 4, 14
_BINS, _LEVELS, _DAYS, _AT_RISK = 14, 8, 60, 10
_WIDE, _MIDDLE = (0.1, 0.9), (0.25, 0.75)


def views(synthetic: Sequence[Cohort], real: Cohort, evaluation: Evaluation) -> dict[str, Any]:
    """Return data of the figures, JSON-able.

    Parameters
    ----------
    synthetic
        One cohort, or one a fold.
    real
        Real patients to show beside them: those held out.
    evaluation
        Says which columns are furthest off.

    Returns
    -------
    dict
        ``sizes, marginals, correlations, survival, incidence, trajectories, retention,
        missing``; a part that the columns do not allow is empty.
    """
    theirs, *parts = tables([real, *synthetic], real=[0])
    ours = Table.concat(parts)
    return plain(  # type: ignore[no-any-return]
        {
            "sizes": {"synthetic": len(ours), "real": len(theirs)},
            "marginals": _marginals(ours, theirs, evaluation),
            "correlations": _correlations(ours, theirs),
            "survival": _curves(ours, theirs),
            "incidence": _incidence(ours, theirs),
            "trajectories": _trajectories(ours, theirs),
            "retention": _retention(ours, theirs),
            "missing": _missing(ours, theirs),
        }
    )


def _marginals(ours: Table, theirs: Table, evaluation: Evaluation) -> list[dict[str, Any]]:
    """Distributions of the columns that are furthest off."""
    order = evaluation["marginals"].details["columns"]
    layout, p = theirs.layout, theirs.numbers.shape[1]
    shown: list[dict[str, Any]] = []
    for name in order:
        if name not in layout.names:
            continue
        j = layout.names.index(name)
        if j < p:
            found = _histogram(ours.numbers[:, j], theirs.numbers[:, j])
        else:
            found = _bars(ours.codes[:, j - p], theirs.codes[:, j - p], layout.levels[j - p])
        if found:
            shown.append({"column": name, "score": order[name], **found})
        if len(shown) == _COLUMNS:
            break
    return shown


def _histogram(ours: Floats, theirs: Floats) -> dict[str, Any]:
    """Densities over bins of at least five real patients; what lies beyond is in the last ones."""
    real, other = theirs[~np.isnan(theirs)], ours[~np.isnan(ours)]
    if len(real) < 4 * FEWEST or len(other) < FEWEST:
        return {}
    tail = max(0.02, FEWEST / len(real))
    low, high = np.quantile(real, [tail, 1 - tail])
    if low == high:
        return {}
    edges = _merged(np.clip(real, low, high), np.linspace(low, high, _BINS + 1))
    density = [np.histogram(np.clip(v, low, high), edges, density=True)[0] for v in (other, real)]
    return {"kind": "numeric", "edges": edges, "synthetic": density[0], "real": density[1]}


def _merged(values: Floats, edges: Floats) -> Floats:
    """Edges of neighbouring bins joined until each holds five values."""
    counts = np.histogram(values, edges)[0]
    kept, held = [float(edges[0])], 0
    for count, right in zip(counts, edges[1:], strict=True):
        held += int(count)
        if held >= FEWEST:
            kept.append(float(right))
            held = 0
    if held and len(kept) > 1:
        kept[-1] = float(edges[-1])
    return np.array(kept)


def _bars(ours: Any, theirs: Any, levels: tuple[str, ...]) -> dict[str, Any]:
    """Shares of the commonest categories that five real patients have; the rest is "other"."""
    count = np.bincount(theirs[theirs >= 0], minlength=len(levels))
    own = np.bincount(ours[ours >= 0], minlength=len(levels))
    order = np.argsort(-count, kind="stable")
    kept = [int(k) for k in order[: _LEVELS - 1] if count[k] >= FEWEST]
    if not kept or not own.sum():
        return {}
    names = [levels[k] for k in kept]
    real, other = (list(c[kept] / c.sum()) for c in (count, own))
    rest = int(count.sum() - count[kept].sum())
    if len(kept) < len(levels) and (rest == 0 or rest >= FEWEST):
        names.append("other")
        real.append(1 - sum(real))
        other.append(1 - sum(other))
    return {"kind": "categorical", "levels": names, "synthetic": other, "real": real}


def _correlations(ours: Table, theirs: Table) -> dict[str, Any]:
    """Difference of correlations, synthetic minus real; nothing below 20 real patients."""
    chosen = watched(theirs)[:_CORRELATED]
    if len(chosen) < 2 or len(theirs) < 4 * FEWEST:
        return {}
    found = [correlations(t.features[:, chosen]) for t in (ours, theirs)]
    return {
        "names": [theirs.layout.names[j] for j in chosen],
        "difference": found[0] - found[1],
        "real": found[1],
    }


def _arm_names(table: Table) -> tuple[str, ...]:
    arm = table.layout.arm
    return ("all patients",) if arm is None else table.layout.levels[arm]


def _sides(
    ours: Table, theirs: Table, endpoint: EndpointColumns
) -> list[tuple[str, Flags, Flags, Floats]]:
    """Arm, known rows of both sides, and days up to which ten of either are at risk."""
    found = []
    rows = zip(_arm_names(theirs), arms_of(ours), arms_of(theirs), strict=True)
    for name, a, b in rows:
        ends, known = [], []
        for table, arm in ((ours, a), (theirs, b)):
            time, _, seen = times_events(table, endpoint)
            known.append(seen & arm)
            inside = np.sort(time[seen & arm])
            ends.append(float(inside[-_AT_RISK]) if len(inside) >= 2 * _AT_RISK else 0.0)
        if min(ends) > 0:
            found.append((name, known[0], known[1], np.linspace(0, min(ends), _DAYS)))
    return found


def _curves(ours: Table, theirs: Table) -> list[dict[str, Any]]:
    """Kaplan-Meier curves by endpoint and arm."""
    found = []
    for endpoint in theirs.layout.endpoints:
        arms = []
        for name, a, b, grid in _sides(ours, theirs, endpoint):
            curves = []
            for table, rows in ((ours, a), (theirs, b)):
                time, event, _ = times_events(table, endpoint)
                curves.append(kaplan_meier(time[rows], event[rows], grid))
            arms.append({"arm": name, "days": grid, "synthetic": curves[0], "real": curves[1]})
        if arms:
            found.append({"endpoint": endpoint.name, "arms": arms})
    return found


def _incidence(ours: Table, theirs: Table) -> list[dict[str, Any]]:
    """Cumulative incidence of each cause that five real patients had, by arm."""
    found: list[dict[str, Any]] = []
    for endpoint in theirs.layout.endpoints:
        if endpoint.cause is None:
            continue
        causes = theirs.layout.levels[endpoint.cause]
        lines: list[dict[str, Any]] = []
        for name, a, b, grid in _sides(ours, theirs, endpoint):
            curves = [
                cumulative_incidence(
                    t.numbers[r, endpoint.time], causes_of(t, endpoint)[r], len(causes), grid
                )
                for t, r in ((ours, a), (theirs, b))
            ]
            seen = np.bincount(causes_of(theirs, endpoint)[b].astype(int), minlength=1)
            lines += [
                {"arm": name, "cause": cause, "days": grid, "synthetic": curves[0][k],
                 "real": curves[1][k]}
                for k, cause in enumerate(causes)
                if k + 1 < len(seen) and seen[k + 1] >= FEWEST
            ]  # fmt: skip
        if lines:
            found.append({"endpoint": endpoint.name, "lines": lines})
    return found


def _trajectories(ours: Table, theirs: Table) -> list[dict[str, Any]]:
    """Mean and a band at each visit of the variables furthest off, by arm.

    The band holds 80 % of the patients where that leaves five on either side of it at most real
    visits, else the middle half.
    """
    found = []
    for series in _furthest(ours, theirs):
        arms = []
        for name, a, b in zip(_arm_names(theirs), arms_of(ours), arms_of(theirs), strict=True):
            if b.sum() < FEWEST:
                continue
            seen = (~np.isnan(theirs.numbers[np.ix_(b, np.array(series.columns))])).sum(axis=0)
            band = _WIDE if np.median(seen) * _WIDE[0] >= FEWEST else _MIDDLE
            arms.append(
                {
                    "arm": name,
                    "band": f"{100 * band[0]:.0f}-{100 * band[1]:.0f} %",
                    "synthetic": _course(ours, series, a, band),
                    "real": _course(theirs, series, b, band),
                }
            )
        found.append({"variable": series.name, "days": list(series.days), "arms": arms})
    return found


def _furthest(ours: Table, theirs: Table) -> list[Series]:
    gap = np.abs(mean_courses(ours) - mean_courses(theirs))
    found, start = [], 0
    scale = course_scale(theirs)
    for series in courses(theirs):
        own = gap[:, start : start + len(series.columns)] / scale[start]
        start += len(series.columns)
        known = own[np.isfinite(own)]
        found.append((-float(known.mean()) if len(known) else 0.0, series))
    return [series for _, series in sorted(found, key=lambda pair: pair[0])[:_COURSES]]


def _course(table: Table, series: Series, rows: Flags, band: tuple[float, float]) -> dict[str, Any]:
    """Mean of five patients or more, and a band with five on either side of it; else NaN."""
    values = table.numbers[np.ix_(np.flatnonzero(rows), np.array(series.columns))]
    mean, low, high = (np.full(values.shape[1], np.nan) for _ in range(3))
    for j in range(values.shape[1]):
        known = values[~np.isnan(values[:, j]), j]
        if len(known) >= FEWEST:
            mean[j] = known.mean()
        if len(known) * band[0] >= FEWEST:
            low[j], high[j] = np.quantile(known, band)
    return {"mean": mean, "low": low, "high": high}


def _retention(ours: Table, theirs: Table) -> dict[str, Any]:
    """Share still seen at each visit, by arm; gaps where one to four have left."""
    if not attended(theirs).shape[1]:
        return {}
    sizes = [int(rows.sum()) for rows in arms_of(theirs)]
    found = retention(ours), retention(theirs)
    arms = [
        {"arm": name, "synthetic": found[0][k], "real": _enough(found[1][k], n)}
        for k, (name, n) in enumerate(zip(_arm_names(theirs), sizes, strict=True))
        if n >= FEWEST
    ]
    return {"visits": list(visit_names(theirs)), "arms": arms}


def _missing(ours: Table, theirs: Table) -> dict[str, Any]:
    """Missing shares of the columns with the most missing values; visits take no part."""
    layout, p = theirs.layout, theirs.numbers.shape[1]
    places = np.array([*layout.baseline_numeric, *(p + j for j in layout.baseline_categorical)])
    if not len(places):
        return {}
    shares = [np.isnan(t.features[:, places]).mean(axis=0) for t in (ours, theirs)]
    most = np.maximum(*shares)
    chosen = np.argsort(-most, kind="stable")[:_MISSING]
    chosen = chosen[most[chosen] > 0]
    return {
        "columns": [layout.names[j] for j in places[chosen]],
        "synthetic": shares[0][chosen],
        "real": _enough(shares[1][chosen], len(theirs)),
    }


def _enough(shares: npt.NDArray[np.float64], n: int) -> Floats:
    """Shares, NaN where one to four patients make the difference from none or from all."""
    count = np.round(shares * n)
    few = ((count > 0) & (count < FEWEST)) | ((count < n) & (count > n - FEWEST))
    return np.where(few, np.nan, shares)
