"""The page of a trial's planned analyses: one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log
from typing import Any

from serving.report import rows
from serving.report.render import environment

_OPTIONAL = dict.fromkeys(("note", "caution", "covariance", "adjusted_for", "strata", "weights"))


def analysis_page(results: Mapping[str, Any], views: Sequence[Mapping[str, Any]]) -> str:
    """Return the page.

    Parameters
    ----------
    results
        `simulation.trial.planned.Analysed.to_dict`.
    views
        `simulation.trial.planned.views.views`.

    Returns
    -------
    str
        HTML without scripts; nothing is loaded from elsewhere.
    """
    tested = [_row(a) for a in results["analyses"] if a["decision"] is not None]
    by_id = {a["id"]: a for a in results["analyses"]}
    return (
        environment()
        .get_template("analysis.html.j2")
        .render(
            r=results,
            views=views,
            tested=tested,
            by_endpoint=[_of(results, view["name"]) for view in views],
            lent=[_lent(a) for a in results["analyses"] if a["external_controls"]],
            forests=[_forest(group, by_id[group["question"]]) for group in results["subgroups"]],
        )
    )


def _of(results: Mapping[str, Any], endpoint: str) -> list[dict[str, Any]]:
    """Tables of one endpoint's analyses that share a scale: differences, ratios."""
    found: dict[str, list[dict[str, Any]]] = {}
    for told in results["analyses"]:
        if told["endpoint"] == endpoint:
            found.setdefault(told["estimand"]["summary"], []).append(_row(told))
    return [
        {"summary": summary, "rows": held, "scale": rows.forest_scale([r["plot"] for r in held])}
        for summary, held in found.items()
    ]


def _lent(told: Mapping[str, Any]) -> dict[str, Any]:
    """External controls of one analysis, with a row of the love plot for each covariate."""
    given = told["external_controls"]
    found = given["balance"] or {"smd": {}, "weighted_smd": {}, "overlap": {}}
    limits = (
        (found["rule"]["max_smd"], found["rule"]["max_weighted_smd"]) if found["smd"] else (0, 0)
    )
    ends = [abs(v or 0.0) for k in ("smd", "weighted_smd") for v in found[k].values()]
    end = 1.06 * max([*ends, *limits, 0.1])
    balance = [
        {
            "name": name,
            "before": before,
            "after": found["weighted_smd"][name],
            "overlap": found["overlap"][name],
            "plot": rows.love(before or 0.0, found["weighted_smd"][name] or 0.0, limits, end),
        }
        for name, before in found["smd"].items()
    ]
    return {**given, "name": told["name"], "rows": balance, "ess": found.get("ess"),
            "limits": limits}  # fmt: skip


def _forest(group: Mapping[str, Any], whole: Mapping[str, Any]) -> dict[str, Any]:
    """A subgroup's levels under the estimate of all."""
    held = [_row({**whole, "level": "all"})]
    held += [_row({"extra": {}, **level}) for level in group["levels"]]
    scale = rows.forest_scale([r["plot"] for r in held])
    return {**group, "name": whole["name"], "summary": whole["estimand"]["summary"],
            "rows": held, "scale": scale}  # fmt: skip


def _row(told: Mapping[str, Any]) -> dict[str, Any]:
    """An estimate with what a forest draws of it: ratios on the scale of their logarithms."""
    ends = {name: told[name] for name in ("estimate", "low", "high")}
    if "log" in told["extra"]:
        ends = {k: log(v) if v is not None and v > 0 else None for k, v in ends.items()}
    return {**told, "plot": ends, "extra": {**_OPTIONAL, **told["extra"]}}
