"""Small drawings and orderings inside table rows: forest plots, strips of controls, notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

_WIDTH = 300.0
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

    def _x(self, value: float) -> float:
        return round(_WIDTH * (value - self._low) / (self._high - self._low), 1)

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
            at = self._x(estimate["estimate"])
            shape += f'<rect x="{at - 4}" y="9" width="8" height="8" fill="{colour}"/>'
        return _row(shape)


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

    def x(value: float) -> float:
        return round(_WIDTH * (value - low + margin) / (high - low + 2 * margin), 1)

    shape = ""
    real = controls.get("real")
    if real and real["value"] is not None:
        left = x(real["low"] if real["low"] is not None else real["value"])
        right = x(real["high"] if real["high"] is not None else real["value"])
        shape += (f'<rect x="{left}" y="3" width="{max(right - left, 3):.1f}" height="20" rx="3" '
                  'fill="#009e73" opacity=".22"><title>real against real</title></rect>')
    for name, colour in _CONTROLS:
        control = controls.get(name)
        if control and control["value"] is not None:
            at = x(control["value"])
            shape += (f'<circle cx="{at}" cy="13" r="4" fill="none" stroke="{colour}" '
                      f'stroke-width="2"><title>{name}: {control["value"]:.3f}</title></circle>')
    if metric["low"] is not None and metric["high"] is not None:
        shape += (f'<line x1="{x(metric["low"])}" x2="{x(metric["high"])}" y1="13" y2="13" '
                  'stroke="#0072b2" stroke-width="2"/>')
    at = x(metric["value"])
    shape += f'<rect x="{at - 4}" y="9" width="8" height="8" fill="#0072b2"/>'
    return _row(shape)


def _row(shape: str) -> Markup:
    # Every part is a number or one of our own colours; nothing a user wrote is in it.
    return Markup(
        f'<svg viewBox="0 0 {_WIDTH:g} 26" preserveAspectRatio="none" role="img">{shape}</svg>'
    )


def verdict_class(verdict: str) -> str:
    """Return the badge colour of a verdict."""
    good = ("within", "holds", "better", "accepted", "reproduced", "yes")
    bad = ("worse", "off", "refused", "differs", "invalid")
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
                fact["type"], fact["assertion"], told, text[fact["start"] : fact["stop"]]),
        ]
        place = fact["stop"]
    return Markup("").join([*parts, escape(text[place:])])


def power_series(curve: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one line a design out of the points of a power curve."""
    lines: dict[str, dict[str, Any]] = {}
    for point in curve:
        line = lines.setdefault(point["design"], {"label": point["design"], "x": [], "y": [],
                                                  "se": []})
        line["x"].append(point["effect"])
        line["y"].append(point["power"]["value"])
        line["se"].append(point["power"]["se"])
    return list(lines.values())
