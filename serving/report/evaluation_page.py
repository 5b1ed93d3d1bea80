"""The page of an evaluation: one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serving.report import evaluation_figures, rows
from serving.report.render import environment

_VERDICTS = ("within real-against-real", "worse", "not shown", "insufficient to show")


def evaluation_page(evaluation: Mapping[str, Any], views: Mapping[str, Any]) -> str:
    """Return the page.

    Parameters
    ----------
    evaluation
        `Evaluation.to_dict` with ``uses``, ``use`` and ``compared``, as
        `serving.service.evaluate_patients` gives it.
    views
        `generation.evaluation.views.views`.

    Returns
    -------
    str
        HTML without scripts; nothing is loaded from elsewhere.
    """
    groups = rows.by_group(evaluation["metrics"])
    for group in groups:
        group["gist"] = _gist(group["metrics"])
    return (
        environment()
        .get_template("evaluation.html.j2")
        .render(
            e=evaluation,
            views=views,
            groups=groups,
            figures=evaluation_figures,
            verdicts=_VERDICTS,
            shown_uses=[evaluation["use"]] if evaluation["use"] else [*evaluation["uses"].values()],
        )
    )


def _gist(metrics: list[Mapping[str, Any]]) -> str:
    """Name what is worse in a group, else say what is known."""
    worse = [str(m["label"]) for m in metrics if m["verdict"] == "worse"]
    if worse:
        more = f" and {len(worse) - 3} more" if len(worse) > 3 else ""
        return f"Worse than real patients are: {', '.join(worse[:3])}{more}."
    within = sum(m["verdict"] == "within real-against-real" for m in metrics)
    if within == len(metrics):
        return "Everything is within what real patients score against real patients."
    if within:
        return "Nothing is shown to be worse; the rest is too little data to tell."
    return "Too few patients to show anything."
