"""Figures of an evaluation: synthetic patients beside real ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from serving.report.figures import BLUE, INK, RED, SERIES, SOFT, canvas, styled, svg

_PASS_BELOW = 0.56
_REAL, _SYNTHETIC = SOFT, BLUE
View = Mapping[str, Any]


def _known(values: Sequence[float | None]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([np.nan if v is None else v for v in values], dtype=np.float64)


def _titled(figure: Any, text: str) -> None:
    """Put a title over the whole figure: long names at the axis leave the axes little room."""
    figure.suptitle(text, x=0.01, ha="left", fontsize=12, fontweight="bold")


def marginal_chart(view: View) -> str:
    """One column: densities of a number, or bars of categories."""
    return styled(_density if view["kind"] == "numeric" else _bars, view)


def _density(view: View) -> str:
    figure, axes = canvas(4.2, 2.7)
    axes.stairs(view["real"], view["edges"], fill=True, color=_REAL, alpha=0.4, label="real")
    axes.stairs(view["synthetic"], view["edges"], color=_SYNTHETIC, lw=2, label="synthetic")
    axes.set(title=view["column"], ylabel="density")
    axes.set_yticks([])
    axes.legend(loc="best")
    return svg(figure)


def _bars(view: View) -> str:
    return _pairs_of_bars(
        [str(level)[:22] for level in view["levels"]],
        view["synthetic"], view["real"], view["column"], "share of patients",
    )  # fmt: skip


def missing_chart(view: View) -> str:
    """Missing shares of the columns, synthetic beside real."""
    return styled(
        _pairs_of_bars,
        [str(c)[:22] for c in view["columns"]],
        view["synthetic"],
        view["real"],
        "Missing values",
        "share of patients",
    )


def _pairs_of_bars(
    names: Sequence[str],
    synthetic: Sequence[float | None],
    real: Sequence[float | None],
    title: str,
    label: str,
) -> str:
    figure, axes = canvas(4.2, 1.4 + 0.32 * len(names))
    place = np.arange(len(names))
    axes.barh(place + 0.2, np.nan_to_num(_known(real)), 0.36, color=_REAL, label="real")
    axes.barh(place - 0.2, _known(synthetic), 0.36, color=_SYNTHETIC, label="synthetic")
    for y in place[np.isnan(_known(real))]:
        axes.annotate("real: fewer than 5", (0, y + 0.2), va="center", fontsize=8, color=INK)
    axes.set_yticks(place, names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    _titled(figure, title)
    axes.set_xlabel(label)
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    figure.legend(loc="outside lower right", ncols=2)
    return svg(figure)


def correlation_map(view: View) -> str:
    """Difference of correlations, synthetic minus real."""
    return styled(_correlation_map, view)


def _correlation_map(view: View) -> str:
    from matplotlib import colormaps

    names = [str(n)[:19] for n in view["names"]]
    gap = np.array([_known(row) for row in view["difference"]])
    size = 1.9 + 0.3 * len(names)
    figure, axes = canvas(size + 0.5, size)
    # Eleven colours stay vectors; the scale of many would become an image.
    colours = colormaps["RdBu_r"].resampled(11)
    mesh = axes.pcolormesh(gap, cmap=colours, vmin=-0.55, vmax=0.55, edgecolors="white", lw=0.6)
    axes.set_xticks(np.arange(len(names)) + 0.5, names, rotation=60, ha="right", fontsize=9)
    axes.set_yticks(np.arange(len(names)) + 0.5, names, fontsize=9)
    axes.invert_yaxis()
    axes.set_aspect("equal")
    axes.grid(visible=False)
    _titled(figure, "Correlation, synthetic minus real")
    figure.colorbar(
        mesh, ax=axes, shrink=0.75, extend="both", ticks=[-0.5, -0.3, -0.1, 0.1, 0.3, 0.5]
    )
    return svg(figure)


def survival_chart(view: View) -> str:
    """Kaplan-Meier curves by arm: real full, synthetic broken."""
    return styled(_survival_chart, view)


def _survival_chart(view: View) -> str:
    figure, axes = canvas(5.6, 3.4)
    for place, arm in enumerate(view["arms"]):
        colour = SERIES[place % len(SERIES)]
        _both(axes, arm["days"], arm["synthetic"], arm["real"], colour, arm["arm"])
    least = min(min(v for v in arm[s] if v is not None)
                for arm in view["arms"] for s in ("synthetic", "real"))  # fmt: skip
    floor = max(0.0, np.floor(10 * (least - 0.05)) / 10)
    axes.set(xlabel="days", ylabel=f"without {view['endpoint']}", ylim=(floor, 1.01))
    axes.set_title(view["endpoint"])
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.legend(fontsize=9)
    return svg(figure)


def _both(
    axes: Any, x: Any, synthetic: Sequence[Any], real: Sequence[Any], colour: str, name: str
) -> None:
    axes.plot(x, _known(real), color=colour, lw=1.8, label=f"{name}, real")
    axes.plot(x, _known(synthetic), color=colour, lw=1.8, ls=(0, (3, 1.5)),
              label=f"{name}, synthetic")  # fmt: skip


def incidence_chart(view: View, arm: str) -> str:
    """Cumulative incidence by cause in one arm."""
    return styled(_incidence_chart, view, arm)


def _incidence_chart(view: View, arm: str) -> str:
    figure, axes = canvas(5.6, 3.4)
    for place, line in enumerate(row for row in view["lines"] if row["arm"] == arm):
        colour = SERIES[place % len(SERIES)]
        _both(axes, line["days"], line["synthetic"], line["real"], colour, line["cause"])
    axes.set(xlabel="days", ylabel="cumulative incidence", ylim=(0, None))
    axes.set_title(f"{view['endpoint']}: {arm}")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.legend(fontsize=9)
    return svg(figure)


def course_chart(view: View, arm: Mapping[str, Any]) -> str:
    """Mean and band over visits in one arm."""
    return styled(_course_chart, view, arm)


def _course_chart(view: View, arm: Mapping[str, Any]) -> str:
    figure, axes = canvas(4.2, 2.8)
    days = _known(view["days"])
    for side, colour, style in (("real", INK, "-"), ("synthetic", _SYNTHETIC, "--")):
        found = {k: _known(v) for k, v in arm[side].items()}
        shade = 0.12 if side == "real" else 0.18
        axes.fill_between(days, found["low"], found["high"], color=colour, alpha=shade, lw=0)
        axes.plot(days, found["mean"], style, color=colour, marker="o", ms=3, lw=1.6, label=side)
    axes.set(xlabel="days", ylabel=f"mean, {arm['band']}")
    axes.set_title(f"{view['variable']}, {arm['arm']}")
    axes.legend(loc="best")
    return svg(figure)


def retention_chart(view: View) -> str:
    """Share of patients still seen at each visit, by arm."""
    return styled(_retention_chart, view)


def _retention_chart(view: View) -> str:
    figure, axes = canvas(5.6, 3.4)
    place = np.arange(len(view["visits"]))
    for k, arm in enumerate(view["arms"]):
        _both(axes, place, arm["synthetic"], arm["real"], SERIES[k % len(SERIES)], arm["arm"])
    every = max(1, len(place) // 8)
    axes.set_xticks(place[::every], [str(v)[:12] for v in view["visits"]][::every],
                    rotation=35, ha="right", fontsize=9)  # fmt: skip
    axes.set(ylabel="still seen", title="Still seen at the visit or later", ylim=(0, 1.02))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.legend(fontsize=9)
    return svg(figure)


def subgroup_chart(groups: Sequence[Mapping[str, Any]], limit: float | None) -> str:
    """Distance inside each subgroup as a multiple of what chance gives."""
    return styled(_subgroup_chart, groups, limit)


def _subgroup_chart(groups: Sequence[Mapping[str, Any]], limit: float | None) -> str:
    shown = [g for g in groups if g["ratio"] is not None][:14]
    figure, axes = canvas(5.6, 1.5 + 0.28 * len(shown))
    place = np.arange(len(shown))
    axes.barh(place, [g["ratio"] for g in shown], 0.6, color=_SYNTHETIC)
    axes.set_yticks(place, [f"{g['name'][:26]} ({g['real']} real)" for g in shown], fontsize=9)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.axvline(1.0, color=SOFT, lw=1, label="chance, one subgroup")
    if limit is not None:
        axes.axvline(limit, color=RED, lw=1.2, ls="--", label="highest by chance, all subgroups")
    _titled(figure, "Distance inside subgroups, times chance")
    axes.grid(visible=False, axis="y")
    figure.legend(loc="outside lower right", ncols=2, fontsize=9)
    return svg(figure)


def privacy_chart(metrics: Sequence[Mapping[str, Any]]) -> str:
    """Areas under the curve of membership tests with their intervals and the line of .56."""
    return styled(_privacy_chart, metrics)


def _privacy_chart(metrics: Sequence[Mapping[str, Any]]) -> str:
    shown = [m for m in metrics if "membership" in m["name"] and m["value"] is not None]
    figure, axes = canvas(5.6, 1.3 + 0.5 * len(shown))
    place = np.arange(len(shown))
    value = _known([m["value"] for m in shown])
    ends = [_known([m[k] for m in shown]) for k in ("low", "high")]
    axes.errorbar(value, place, xerr=[value - ends[0], ends[1] - value], fmt="o", color=_SYNTHETIC,
                  capsize=3, label="synthetic")  # fmt: skip
    copies = [m["controls"].get("copy", {}).get("value") for m in shown]
    axes.plot(_known(copies), place, "D", color="#cc79a7", label="a copy of the data")
    axes.axvline(0.5, color=SOFT, lw=1)
    axes.axvline(_PASS_BELOW, color=RED, lw=1.2, ls="--", label="passes up to .56")
    axes.set_yticks(place, [m["name"].replace("_", " ") for m in shown], fontsize=10)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    _titled(figure, "Training patients told from others (.5: nobody)")
    figure.legend(loc="outside lower right", ncols=3, fontsize=9)
    return svg(figure)


def pit_chart(metric: Mapping[str, Any]) -> str:
    """Histogram of the probability integral transform; flat is calibrated."""
    return styled(_pit_chart, metric)


def _pit_chart(metric: Mapping[str, Any]) -> str:
    figure, axes = canvas(4.2, 2.6)
    shares = _known(metric["details"]["pit"])
    edges = np.linspace(0, 1, len(shares) + 1)
    axes.stairs(shares, edges, fill=True, color=_SYNTHETIC, alpha=0.5)
    axes.axhline(1 / len(shares), color=SOFT, lw=1.2, ls="--")
    axes.set(xlabel="forecast probability below what came", ylabel="share",
             title=metric["name"].partition(":")[2])  # fmt: skip
    return svg(figure)


def coverage_chart(metrics: Sequence[Mapping[str, Any]]) -> str:
    """Share of what came inside the 50, 80 and 95 % intervals, by variable."""
    return styled(_coverage_chart, metrics)


def _coverage_chart(metrics: Sequence[Mapping[str, Any]]) -> str:
    figure, axes = canvas(4.2, 3.0)
    axes.plot([0, 1], [0, 1], color=SOFT, lw=1, ls="--")
    for k, metric in enumerate(metrics):
        levels = metric["details"]["levels"]
        share, se = (_known([x[key] for x in levels]) for key in ("share", "se"))
        axes.errorbar([x["level"] for x in levels], share, yerr=1.96 * se, marker="o", ms=4,
                      capsize=2, color=SERIES[k % len(SERIES)],
                      label=metric["name"].partition(":")[2])  # fmt: skip
    axes.set(xlabel="interval", ylabel="held what came", title="Coverage", xlim=(0.4, 1))
    axes.set_ylim(0.3, 1.02)
    axes.legend(fontsize=9)
    return svg(figure)
