"""Small drawings and orderings inside table rows: forest plots, strips of controls, notes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

_CONTROLS = (("independent", "#d55e00"), ("copy", "#cc79a7"), ("planted", "#8795a1"))


def forest_scale(estimates: Sequence[Mapping[str, Any]]) -> ForestScale:
    """Return a scale that holds every interval and no effect."""
    ends = [0.0]
    for estimate in estimates:
        ends += [estimate[k] for k in ("low", "high") if estimate.get(k) is not None]
    low, high = min(ends), max(ends)
    margin = 0.06 * (high - low or 1.0)
    return ForestScale(low - margin, high + margin)


class ForestScale:
    """Draws one estimate a row on a common scale, no effect as a dashed line.

    Parameters
    ----------
    low, high
        Ends of the scale, in the estimates' unit.
    """

    def __init__(self, low: float, high: float) -> None:
        self._low, self._high = low, high

    def _x(self, value: float) -> str:
        return _place(value, self._low, self._high)

    def draw(self, estimate: Mapping[str, Any], invalid: bool = False) -> Markup:
        """Return the interval and the point of one estimate as SVG."""
        colour = "#a83232" if invalid else "#0072b2"
        dash = ' stroke-dasharray="4 3"' if invalid else ""
        zero = self._x(0.0)
        shape = (
            f'<line x1="{zero}" x2="{zero}" y1="-4" y2="30" stroke="#8795a1" '
            'stroke-dasharray="2 3"/>'
        )
        if estimate.get("low") is not None and estimate.get("high") is not None:
            shape += (
                f'<line x1="{self._x(estimate["low"])}" x2="{self._x(estimate["high"])}" y1="13" '
                f'y2="13" stroke="{colour}" stroke-width="2"{dash}/>'
            )
        if estimate.get("estimate") is not None:
            shape += _square(self._x(estimate["estimate"]), colour)
        return _row(shape)


def love(before: float, after: float, limits: tuple[float, float], end: float) -> Markup:
    """Return absolute standardised differences before (ring) and after weighting (square) as SVG.

    Parameters
    ----------
    before, after
        Standardised mean differences; their signs are not drawn.
    limits
        Greatest allowed before and after, as dashed lines.
    end
        Right end of the scale.
    """
    shape = "".join(
        f'<line x1="{_place(limit, 0, end)}" x2="{_place(limit, 0, end)}" y1="-4" y2="30" '
        f'stroke="{colour}" stroke-dasharray="2 3"/>'
        for limit, colour in zip(limits, ("#8795a1", "#0072b2"), strict=True)
        if limit <= end
    )
    ends = _place(abs(before), 0, end), _place(abs(after), 0, end)
    shape += f'<line x1="{ends[0]}" x2="{ends[1]}" y1="13" y2="13" stroke="#8795a1"/>'
    shape += (
        f'<circle cx="{ends[0]}" cy="13" r="4.5" fill="none" stroke="#8795a1" stroke-width="2"/>'
    )
    return _row(shape + _square(ends[1], "#0072b2"))


def strip(metric: Mapping[str, Any]) -> Markup:
    """Return one metric on its own scale: real against real as a band, controls, the engine."""
    controls = metric["controls"]
    known = [metric["value"], metric["low"], metric["high"]]
    known += [c[k] for c in controls.values() for k in ("value", "low", "high")]
    ends = [v for v in known if v is not None]
    if not ends or metric["value"] is None:
        return Markup("")
    low, high = min(ends), max(ends)
    margin = 0.05 * (high - low or 1.0)

    low, high = low - margin, high + margin
    shape = _band(controls.get("real"), low, high)
    for name, colour in _CONTROLS:
        control = controls.get(name)
        if control and control["value"] is not None:
            at = _place(control["value"], low, high)
            shape += (
                f'<circle cx="{at}" cy="13" r="4.5" fill="none" stroke="{colour}" '
                f'stroke-width="2"><title>{name}: {control["value"]:.3f}</title></circle>'
            )
    if metric["low"] is not None and metric["high"] is not None:
        ends_at = _place(metric["low"], low, high), _place(metric["high"], low, high)
        shape += (
            f'<line x1="{ends_at[0]}" x2="{ends_at[1]}" y1="13" y2="13" stroke="#0072b2" '
            'stroke-width="2"/>'
        )
    return _row(shape + _square(_place(metric["value"], low, high), "#0072b2"))


def _band(real: Mapping[str, Any] | None, low: float, high: float) -> str:
    """Real against real as a green band, at least three pixels wide."""
    if not real or real["value"] is None:
        return ""
    left = real["value"] if real["low"] is None else real["low"]
    right = real["value"] if real["high"] is None else real["high"]
    width = f"{100 * (right - left) / (high - low):.1f}%" if right > left else "3"
    return (
        f'<rect x="{_place(left, low, high)}" y="3" width="{width}" height="20" rx="3" '
        'fill="#009e73" opacity=".22"><title>real against real</title></rect>'
    )


def _place(value: float, low: float, high: float) -> str:
    # Shares of the width, so that a drawing follows its column without being squeezed.
    return f"{100 * (value - low) / (high - low):.1f}%"


def _square(at: str, colour: str) -> str:
    return f'<rect x="{at}" y="9" width="8" height="8" transform="translate(-4)" fill="{colour}"/>'


def _row(shape: str) -> Markup:
    # Every part is a number or one of our own colours; nothing a user wrote is in it.
    return Markup(f'<svg role="img">{shape}</svg>')


def verdict_class(verdict: str) -> str:
    """Return the badge colour of a verdict."""
    good = ("within", "holds", "better", "accepted", "reproduced", "yes", "suited")
    bad = ("worse", "off", "refused", "differs", "invalid", "not suited")
    if verdict.startswith(good):
        return "good"
    return "bad" if verdict.startswith(bad) else "warn"


def marked_note(note: Mapping[str, Any]) -> Markup:
    """Return a note's text with its facts marked by type and assertion."""
    text, place, parts = note["text"], 0, []
    for fact in sorted(note["facts"], key=lambda f: (f["start"], -f["stop"])):
        if fact["start"] < place:
            continue  # an overlapping fact is listed in the table, not drawn twice
        told = ", ".join(str(fact[k]) for k in ("type", "assertion", "name") if fact.get(k))
        parts += [
            escape(text[place : fact["start"]]),
            Markup('<mark class="{} {}" title="{}">{}</mark>').format(
                fact["type"], fact["assertion"], told, text[fact["start"] : fact["stop"]]
            ),
        ]
        place = fact["stop"]
    return Markup("").join([*parts, escape(text[place:])])


def power_series(curve: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one line a design out of the points of a power curve."""
    lines: dict[str, dict[str, Any]] = {}
    for point in sorted(curve, key=lambda p: p["effect"]):
        line = lines.setdefault(
            point["design"], {"label": point["design"], "x": [], "y": [], "se": []}
        )
        line["x"].append(point["effect"])
        line["y"].append(point["power"]["value"])
        line["se"].append(point["power"]["se"])
    return list(lines.values())


_WAYS = {
    "all observed outcomes": ("ANCOVA, all observed outcomes", "also those after stopping"),
    "outcomes while in the study": ("ANCOVA, outcomes while in the study", "none after stopping"),
    "cross-fitted score": ("ANCOVA with a cross-fitted score", "all observed outcomes"),
    "corrected": ("Against synthetic controls, corrected", "variance of the patients behind them"),
    "doubly_robust": ("Against modelled controls, doubly robust", "real out-of-fold controls"),
    "naive_invalid": ("Against synthetic rows, counted as patients", "wrong standard error"),
}


def forest_rows(estimates: Sequence[Mapping[str, Any]], primary: str) -> list[dict[str, Any]]:
    """Return the estimates with the labels and marks that a forest plot shows, by arm."""
    rows = []
    for place, estimate in enumerate(estimates):
        way = estimate["analysis"]
        label, note = _WAYS.get(way, ("Published analysis, values carried forward", way))
        rows.append(
            {
                **estimate,
                "label": label,
                "note": note,
                "invalid": way == "naive_invalid",
                "primary": way == primary,
                "order": (str(estimate["arm"]), place),
            }
        )
    return sorted(rows, key=lambda row: row["order"])


def at_effect(characteristics: Mapping[str, Any], effect: float) -> Mapping[str, Any]:
    """Return the scenario of a true effect."""
    found: Mapping[str, Any] = next(
        s for s in characteristics["scenarios"] if s["hypotheses"][0]["truth"] == effect
    )
    return found


def first_key(found: Mapping[str, Any], first: str) -> list[tuple[str, Any]]:
    """Return the items of a mapping with one key put first."""
    return sorted(found.items(), key=lambda item: (item[0] != first, item[0]))


def widest(agreement: Sequence[Mapping[str, Any]], n: int) -> list[Mapping[str, Any]]:
    """Return the estimates whose two sources lie furthest apart, in standard errors."""

    def gap(row: Mapping[str, Any]) -> float:
        known = row["structured"] is not None and row["extracted"] is not None
        spread = row["structured_se"] or 0.0
        return abs(row["structured"] - row["extracted"]) / spread if known and spread else 0.0

    return sorted(agreement, key=gap, reverse=True)[:n]


GROUPS = {
    "fidelity": "Single columns and their associations",
    "longitudinal": "The course over visits",
    "survival": "Time to event",
    "missingness": "Missing values",
    "subgroups": "Subgroups",
    "utility": "Utility: train on synthetic, test on real",
    "calibration": "Calibration of forecasts",
    "privacy": "Privacy",
    "validity": "Validity",
}
"""Groups of measures in the order of reading, with their titles."""


def by_group(metrics: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the groups that there are, each with its measures, counts of verdicts and gist."""
    found = []
    for name, title in GROUPS.items():
        own = [m for m in metrics if m["group"] == name]
        if own:
            counts = Counter(str(m["verdict"]) for m in own)
            found.append({"name": name, "title": title, "metrics": own, "counts": counts})
    return found


def metric_labels(evaluation: Mapping[str, Any]) -> dict[str, str]:
    """Return the words for every measure of an evaluation, by its name."""
    return {
        metric["name"]: metric["label"]
        for engine in evaluation["engines"].values()
        for metric in engine["metrics"]
    }
