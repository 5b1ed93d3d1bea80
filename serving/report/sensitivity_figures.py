"""Figures of what happens if assumptions fail: over the effect's size, and over two of them."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from math import nan
from typing import TYPE_CHECKING, Any, Final

from serving.report.figures import BLUE, INK, RED, SOFT, canvas

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LARGE: Final = 10_000
"""From here on figures, costs mostly, are written whole, with a comma at each thousand."""


def curve_figure(
    rows: Sequence[Mapping[str, Any]], shown: Mapping[str, Any], alpha: float | None, label: str
) -> Figure:
    """A figure over the size of the effect, with 95 % Monte Carlo bars."""
    name = shown["name"]
    figure, axes = canvas(4.6, 3.2)
    single = all(row["size"] is not None for row in rows)
    x = [row["size"] if single else row["factor"] for row in rows]
    axes.errorbar(
        x,
        [_known(row[name]) for row in rows],
        yerr=[1.96 * _known(row[f"{name}_se"]) for row in rows],
        color=BLUE,
        marker="o",
        ms=5,
        lw=1.8,
        capsize=3,
    )
    for level, colour in _levels(name, alpha):
        axes.axhline(level, color=colour, lw=1, ls="--")
    if x[0] > x[-1]:
        axes.invert_xaxis()
    axes.set(xlabel=label, ylabel=textwrap.fill(shown["label"], 34))
    if name == "power":
        axes.set_ylim(0, 1.03)
    if shown["share"]:
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g}%")
    elif any(abs(_known(row[name])) >= _LARGE for row in rows):
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    return figure


def _levels(name: str, alpha: float | None) -> list[tuple[float, str]]:
    """What a figure is compared with: its level and the line's colour."""
    if name == "power":
        return [(0.9, SOFT), *([] if alpha is None else [(alpha, RED)])]
    if name.startswith("bias") or name.startswith("adjusted bias"):
        return [(0.0, SOFT)]
    return [(0.95, SOFT)] if "coverage" in name else []


def surface_figure(
    shown: Mapping[str, Any], over: Mapping[str, Sequence[Any]], digits: int
) -> Figure:
    """A figure over two assumptions: cells with their values, coloured beyond their errors."""
    (down, ys), (across, xs) = over.items()
    figure, axes = canvas(4.6, 1.5 + 0.42 * len(ys))
    values = [[_cell(shown["rows"], {down: y, across: x}) for x in xs] for y in ys]
    low, wide, digits = (0.0, 1.0, 2) if shown["name"] == "power" else (*_shades(shown), digits)
    large = any(abs(value) >= _LARGE for line in values for value in line)
    # Cells as shapes: an image inside an SVG would not print sharply.
    axes.pcolormesh(
        values, cmap="Blues", vmin=low, vmax=low + wide, edgecolors="white", linewidth=1.5
    )
    axes.invert_yaxis()
    for j, line in enumerate(values):
        for i, value in enumerate(line):
            axes.text(
                i + 0.5,
                j + 0.5,
                (f"{value:,.0f}" if large else f"{value:.{digits}f}").replace("-", "\u2212"),
                ha="center",
                va="center",
                fontsize=9.5,
                color="white" if (value - low) / wide > 0.6 else INK,
            )
    axes.set_xticks([i + 0.5 for i in range(len(xs))], [_short(x) for x in xs])
    axes.set_yticks([j + 0.5 for j in range(len(ys))], [_short(y) for y in ys])
    axes.set(xlabel=short_path(across), ylabel=short_path(down))
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    return figure


def _shades(shown: Mapping[str, Any]) -> tuple[float, float]:
    """Where the colours begin and how far they reach: ten errors at least, so noise stays pale."""
    held = [row["value"] for row in shown["rows"] if row["value"] is not None] or [0.0]
    worst = max(row["se"] or 0.0 for row in shown["rows"])
    wide = max(max(held) - min(held), 10 * worst) or 1.0
    return (max(held) + min(held) - wide) / 2, wide


def _cell(rows: Sequence[Mapping[str, Any]], wanted: Mapping[str, Any]) -> float:
    for row in rows:
        if all(row[name] == value for name, value in wanted.items()):
            return _known(row["value"])
    return nan


def _known(value: float | None) -> float:
    """A figure to draw; a gap where there is none."""
    return nan if value is None else float(value)


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)[:12]


def short_path(path: str) -> str:
    """The end of a dotted path, as a label."""
    return ".".join(path.split(".")[-2:])
