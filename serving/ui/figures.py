"""The page's figures as SVG, in the report's palette: real patients grey, synthetic ones blue."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from serving.report.figures import BLUE, INK, STYLE
from serving.ui.comparison import Course, Histogram, Shares, Survival
from serving.ui.units import readable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

REAL = "#5f6f7d"
_STYLE: dict[Any, Any] = STYLE | {"xtick.labelsize": 10, "ytick.labelsize": 10}


def histogram(data: Histogram) -> str:
    """Draw a number's distribution."""

    def draw(axes: Axes) -> None:
        axes.stairs(data.real, data.edges, fill=True, color=REAL, alpha=0.35)
        axes.stairs(data.synthetic, data.edges, color=BLUE, lw=2.2)
        axes.set(xlabel=readable(data.unit) if data.unit else "", yticks=[], ylim=(0, None))
        axes.xaxis.set_major_locator(_ticks(6))
        axes.spines["left"].set_visible(False)

    return _svg(draw, 3.4, 2.1)


def shares(data: Shares) -> str:
    """Draw shares of categories."""

    def draw(axes: Axes) -> None:
        place = np.arange(len(data.levels), dtype=float)[::-1]
        ours = [share or 0.0 for share in data.real]
        axes.barh(place + 0.19, ours, 0.34, color=REAL, alpha=0.45)
        axes.barh(place - 0.19, data.synthetic, 0.34, color=BLUE)
        for at, share in zip(place, data.real, strict=True):
            if share is None:
                axes.text(0.01, at + 0.19, "hidden (small)", va="center", fontsize=9, color=INK)
        axes.set_yticks(place, [_short(level) for level in data.levels])
        axes.tick_params(axis="y", length=0)
        axes.set_xlim(0, max(0.02, *ours, *data.synthetic) * 1.08)
        axes.xaxis.set_major_locator(_ticks(4))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")

    return _svg(draw, 3.4, max(2.1, 0.45 * len(data.levels) + 0.6))


def course(data: Course) -> str:
    """Draw means over visits."""

    def draw(axes: Axes) -> None:
        axes.fill_between(data.weeks, data.low, data.high, color=REAL, alpha=0.22, lw=0)
        axes.plot(data.weeks, data.real, color=REAL, lw=2)
        axes.plot(data.weeks, data.synthetic, "o-", color=BLUE, lw=2, ms=4.5)
        unit = readable(data.unit) if data.unit else ""
        axes.set(xlabel="weeks since randomisation", ylabel=unit)
        axes.yaxis.set_major_locator(_ticks(5))

    return _svg(draw, 4.3, 2.7)


def survival(data: Survival) -> str:
    """Draw the share of patients without the event."""

    def draw(axes: Axes) -> None:
        axes.fill_between(data.weeks, data.low, data.high, color=REAL, alpha=0.22, lw=0)
        axes.plot(data.weeks, data.real, color=REAL, lw=2)
        axes.step(data.synthetic_weeks, data.synthetic, where="post", color=BLUE, lw=2)
        axes.set(xlabel="weeks since randomisation", ylabel="without the event", ylim=(0, 1.02))
        axes.set_xlim(0, None)
        axes.xaxis.set_major_locator(_ticks(7))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")

    return _svg(draw, 4.3, 2.7)


def _short(level: str, most: int = 18) -> str:
    return level if len(level) <= most else level[: most - 1] + "…"


def _ticks(most: int) -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(most, steps=[1, 2, 5, 10])


def _svg(draw: Callable[[Axes], None], width: float, height: float) -> str:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        draw(figure.add_subplot())
        out = io.StringIO()
        nothing = {"Date": None, "Creator": None}
        figure.savefig(out, format="svg", metadata=nothing, transparent=True)
    text = out.getvalue()
    return text[text.index("<svg") :].replace("'sans-serif'", "system-ui, sans-serif")
