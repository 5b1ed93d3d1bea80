"""Figures as SVG text: the same bytes for the same data, system fonts, readable on a phone."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette can be told apart with any colour vision.
INK, SOFT, BLUE, ORANGE, GREEN, RED, SKY, PURPLE = (
    "#1b2733",
    "#8795a1",
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc3311",
    "#56b4e9",
    "#cc79a7",
)
SERIES = (BLUE, ORANGE, GREEN, PURPLE)
STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "trialtwin",
    "text.parse_math": False,  # a name with $ is a name, not a formula
    "font.family": ["sans-serif"],
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}
"""What the report's figures share with those of the user interface."""
_STYLE: dict[Any, Any] = STYLE | {
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.grid": True,
    "grid.color": "#eef2f5",
    "legend.frameon": False,
    "legend.fontsize": 10,
}


_BANDS = (
    ("q02_5", "q97_5", 0.14, "95 %"),
    ("q10", "q90", 0.2, "80 %"),
    ("q25", "q75", 0.3, "50 %"),
)


def canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """Return an empty figure, inches, and its axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_axisbelow(True)
    return figure, axes


def svg(figure: Figure) -> str:
    """Return a figure as SVG text, the same bytes for the same figure."""
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    text = out.getvalue()
    return text[text.index("<svg") :].replace("font: 11px 'sans-serif'", "font: 11px sans-serif")


def styled(draw: Any, *arguments: Any, **named: Any) -> str:
    """Draw in the report's style."""
    import matplotlib as mpl

    with mpl.rc_context(_STYLE):
        text: str = draw(*arguments, **named)
    return text


def fan_chart(example: Mapping[str, Any], unit_label: str) -> str:
    """One patient: history, forecast bands and, on top, what really came."""
    return styled(_fan_chart, example, unit_label)


def _fan_chart(example: Mapping[str, Any], unit_label: str) -> str:
    figure, axes = canvas(4.2, 3.0)
    bands = example["quantiles"]
    history = np.asarray(example["history"], dtype=float).reshape(-1, 2)
    start = history[-1:] if len(history) else np.empty((0, 2))
    days = np.concatenate([start[:, 0], bands["days"]]) / 7
    for low, high, shade, label in _BANDS:
        lower = np.concatenate([start[:, 1], bands[low]])
        upper = np.concatenate([start[:, 1], bands[high]])
        axes.fill_between(days, lower, upper, color=BLUE, alpha=shade, lw=0, label=label)
    axes.plot(days, np.concatenate([start[:, 1], bands["q50"]]), color=BLUE, lw=1.6, label="median")
    axes.plot(history[:, 0] / 7, history[:, 1], "o-", color=INK, ms=5, lw=1.4, label="known")
    truth = np.asarray(example["truth"], dtype=float).reshape(-1, 2)
    axes.plot(
        truth[:, 0] / 7,
        truth[:, 1],
        "D",
        color=ORANGE,
        ms=7,
        label="what came",
        zorder=5,
        markeredgecolor="white",
    )
    axes.set(xlabel="weeks since randomisation", ylabel=unit_label, title=example["label"])
    axes.legend(ncols=2, loc="best", handlelength=1.2, columnspacing=0.9)
    return svg(figure)


def line_chart(
    series: Sequence[Mapping[str, Any]],
    x_label: str,
    y_label: str,
    title: str = "",
    level: float | None = None,
    percent: bool = True,
) -> str:
    """Lines with Monte Carlo error bars: each series has ``label``, ``x``, ``y``, ``se``."""
    return styled(_line_chart, series, x_label, y_label, title, level, percent)


def _line_chart(
    series: Sequence[Mapping[str, Any]],
    x_label: str,
    y_label: str,
    title: str,
    level: float | None,
    percent: bool,
) -> str:
    figure, axes = canvas(5.6, 3.4)
    for place, line in enumerate(series):
        error = 1.96 * np.asarray(line.get("se") or np.zeros(len(line["x"])), dtype=float)
        axes.errorbar(
            line["x"],
            line["y"],
            yerr=error,
            color=SERIES[place % len(SERIES)],
            marker="o",
            ms=4,
            lw=1.6,
            capsize=2,
            label=line["label"],
        )
    if level is not None:
        axes.axhline(level, color=SOFT, lw=1, ls="--")
    axes.set(xlabel=x_label, ylabel=y_label, title=title)
    if percent:
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.legend()
    return svg(figure)


def step_curves(curves: Sequence[Mapping[str, Any]], x_label: str, title: str = "") -> str:
    """Kaplan-Meier curves: each has ``label``, ``days``, ``survival``, maybe ``low``, ``high``."""
    return styled(_step_curves, curves, x_label, title)


def _step_curves(curves: Sequence[Mapping[str, Any]], x_label: str, title: str) -> str:
    figure, axes = canvas(5.6, 3.4)
    for place, curve in enumerate(curves):
        colour = SERIES[place % len(SERIES)]
        axes.step(
            curve["days"],
            curve["survival"],
            where="post",
            color=colour,
            lw=1.7,
            label=curve["label"],
        )
        if curve.get("low"):
            axes.fill_between(
                curve["days"],
                curve["low"],
                curve["high"],
                step="post",
                lw=0,
                color=colour,
                alpha=0.13,
            )
    axes.set(xlabel=x_label, ylabel="without event", title=title, ylim=(0, 1.02))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.legend()
    return svg(figure)


def histogram_pair(
    real: Sequence[float],
    other: Sequence[float],
    edges: Sequence[float],
    names: tuple[str, str],
    x_label: str,
) -> str:
    """Two distributions over the same bins, as shares, e.g. historical beside new trial."""
    return styled(_histogram_pair, real, other, edges, names, x_label)


def _histogram_pair(
    real: Sequence[float],
    other: Sequence[float],
    edges: Sequence[float],
    names: tuple[str, str],
    x_label: str,
) -> str:
    figure, axes = canvas(5.6, 3.2)
    for shares, colour, name in ((real, SOFT, names[0]), (other, BLUE, names[1])):
        axes.stairs(shares, edges, fill=True, color=colour, alpha=0.45, label=name)
        axes.stairs(shares, edges, color=colour, lw=1.4)
    axes.set(xlabel=x_label, ylabel="share of patients")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.legend()
    return svg(figure)
