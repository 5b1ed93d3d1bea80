"""Data of a report's figures: each endpoint by arm, never fewer than five patients at a point."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from simulation.analysis.survival import kaplan_meier
from simulation.trial.outcomes.base import Booleans, Observed
from simulation.trial.planned.analysing import Analysed

if TYPE_CHECKING:
    from extraction.records import CohortSchema

FEWEST = 5


def views(done: Analysed, schema: CohortSchema) -> list[dict[str, Any]]:
    """What the page shows of each endpoint.

    Returns
    -------
    list of dict
        ``name``, ``words``, ``kind``, ``arms`` (rows of a table) and ``curves`` (Kaplan-Meier) or
        ``series`` (means at visits); by arm, among the plan's patients with an outcome.
    """
    found = []
    for endpoint in done.plan.endpoints:
        seen = done.data.outcomes[endpoint.name]
        rows = [
            (arm, done.data.counted & (done.data.arm == k)) for k, arm in enumerate(done.plan.arms)
        ]
        view: dict[str, Any] = {
            "name": endpoint.name,
            "words": endpoint.words,
            "kind": endpoint.kind,
            "unit": done.plan.time_unit,
            "curves": [],
            "series": [],
        }
        if endpoint.kind == "time_to_event":
            view |= _survival(seen, rows)
        elif endpoint.kind == "continuous":
            days = [schema.visit(visit).day for visit in endpoint.visits]
            view |= _means(seen, rows, days, list(endpoint.visits))
        else:
            view["arms"] = [_summed(endpoint.kind, seen, arm, inside) for arm, inside in rows]
        found.append(view)
    return found


def _survival(seen: Observed, rows: list[tuple[str, Booleans]]) -> dict[str, Any]:
    assert seen.time is not None and seen.event is not None
    arms, curves = [], []
    for arm, inside in rows:
        there = inside & seen.included[0]
        time, event = seen.time[0][there], seen.event[0][there]
        events = int(event.sum())
        arms.append({"arm": arm, "n": int(there.sum()), "events": events})
        if there.sum() < FEWEST or not events:
            continue
        curve = kaplan_meier(time, event)
        shown = curve.at_risk >= FEWEST
        # The curve goes on flat for as long as five are still followed.
        end = float(np.sort(time)[-FEWEST])
        last = curve.survival[shown][-1:] if shown.any() else np.ones(1)
        curves.append(
            {
                "label": arm,
                "days": [0.0, *curve.time[shown], max(end, *curve.time[shown], 0.0)],
                "survival": [1.0, *curve.survival[shown], *last],
            }
        )
    return {"arms": arms, "curves": curves}


def _means(
    seen: Observed, rows: list[tuple[str, Booleans]], days: list[float], names: list[str]
) -> dict[str, Any]:
    assert seen.values is not None
    arms, series = [], []
    for arm, inside in rows:
        values = seen.values[:, 0][:, inside]
        n = np.isfinite(values).sum(axis=1)
        shown = np.flatnonzero(n >= FEWEST)
        mean = [float(np.nanmean(values[k])) for k in shown]
        sd = [float(np.nanstd(values[k], ddof=1)) for k in shown]
        arms.append(
            {
                "arm": arm,
                "visits": [
                    {"visit": names[k], "n": int(n[k]), "mean": mean[j], "sd": sd[j]}
                    for j, k in enumerate(shown)
                ],
            }
        )
        if len(shown):
            error = [s / np.sqrt(n[k]) for s, k in zip(sd, shown, strict=True)]
            series.append(
                {"label": arm, "x": [days[k] for k in shown], "y": mean, "se": error}
            )
    return {"arms": arms, "series": series}


def _summed(kind: str, seen: Observed, arm: str, inside: Booleans) -> dict[str, Any]:
    assert seen.values is not None
    value = seen.values[-1, 0]
    there = inside & seen.included[0] & np.isfinite(value)
    total, n = float(value[there].sum()), int(there.sum())
    row: dict[str, Any] = {"arm": arm, "n": n, "events": int(total)}
    if kind == "binary":
        return row | {"share": total / n if n else None}
    assert seen.exposure is not None
    time = float(seen.exposure[0][there].sum())
    return row | {"exposure": time, "rate": total / time if time else None}
