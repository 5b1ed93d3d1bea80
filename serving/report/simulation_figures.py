"""Figures of a simulated design, as SVG for the page and PNG for the printed report."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from serving.report.figures import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    RED,
    SKY,
    SOFT,
    canvas,
    styled,
    svg,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Form = Literal["svg", "png"]
_PALE: Final = "#e3f1f7"
_LEAST: Final = 0.035
"""Share of a bar below which its figure is left out of the bar; the table has it."""


def drawn(draw: Callable[..., Figure], *given: Any, form: Form = "svg") -> Any:
    """Draw in the report's style: SVG text, or PNG bytes for paper."""

    def finish() -> Any:
        figure = draw(*given)
        if form == "svg":
            return svg(figure)
        out = io.BytesIO()
        figure.savefig(out, format="png", dpi=200, metadata={"Software": None})
        return out.getvalue()

    return styled(finish)


def power_figure(scenarios: Sequence[Mapping[str, Any]], alpha: float | None) -> Figure:
    """Probability of rejecting at least one hypothesis under each scenario, with limits."""
    figure, axes = canvas(4.6, 0.9 + 0.46 * len(scenarios))
    for place, scenario in enumerate(scenarios):
        null = place == 0
        low, high = scenario["limits"]
        value = scenario["any_rejection"]["value"]
        axes.plot([low, high], [place, place], color=SOFT if null else BLUE, lw=5, alpha=0.35)
        axes.plot(value, place, "o", color=SOFT if null else BLUE, ms=7)
        axes.annotate(
            f"{value:.3f}",
            (value, place),
            xytext=(0, 7),
            textcoords="offset points",
            ha="center",
            fontsize=9.5,
        )
    if alpha is not None:
        axes.axvline(alpha, color=RED, lw=1, ls="--")
        axes.text(alpha + 0.012, len(scenarios) - 0.45, f"alpha {alpha:g}", color=RED, fontsize=9)
    _named_rows(axes, [s["name"] for s in scenarios])
    axes.set(xlim=(-0.04, 1.04), xlabel="probability of rejecting")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    return figure


def stopping_figure(scenarios: Sequence[Mapping[str, Any]]) -> Figure:
    """Stacked bars: where each scenario's trials stop, and why."""
    figure, axes = canvas(4.6, 1.35 + 0.5 * len(scenarios))
    looks = len(scenarios[0]["efficacy"])
    for place, scenario in enumerate(scenarios):
        left = 0.0
        for name, colour, value in _parts(scenario, looks):
            axes.barh(place, value, left=left, color=colour, edgecolor="white", height=0.62)
            if value >= _LEAST * 2:
                axes.text(
                    left + value / 2,
                    place,
                    f"{value:.0%}",
                    ha="center",
                    va="center",
                    fontsize=9,
                    color="white" if name.startswith(("success", "futility")) else INK,
                )
            left += value
    there = {name for s in scenarios for name, _, value in _parts(s, looks) if value > 0}
    shown = [part for part in _parts(scenarios[0], looks) if part[0] in there]
    from matplotlib.patches import Patch

    figure.legend(
        handles=[Patch(color=colour, label=name) for name, colour, _ in shown],
        loc="outside lower center",
        ncols=2,
        fontsize=9,
    )
    _named_rows(axes, [s["name"] for s in scenarios])
    axes.set(xlim=(0, 1), xlabel="share of trials")
    axes.grid(visible=False)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    return figure


def _parts(scenario: Mapping[str, Any], looks: int) -> list[tuple[str, str, float]]:
    """Stops in the order of the looks: name, colour, share."""
    blues = ("#08415c", "#0b6e99", "#3d93b8", "#6fb3cf", SKY)
    oranges = ("#a34700", ORANGE, "#e58c4a")
    parts = []
    for look in range(looks):
        last = " (final)" if look == looks - 1 and looks > 1 else ""
        blue, orange = blues[min(look, len(blues) - 1)], oranges[min(look, len(oranges) - 1)]
        parts.append((f"success, look {look + 1}{last}", blue, scenario["efficacy"][look]["value"]))
        parts.append((f"futility, look {look + 1}", orange, scenario["futility"][look]["value"]))
    rest = max(0.0, 1 - sum(value for _, _, value in parts))
    return [*parts, ("no success at the end", "#dde4ea", rest if rest > 1e-9 else 0.0)]


def spread_figure(
    spread: Mapping[str, Mapping[str, Mapping[str, float]]], what: str, label: str
) -> Figure:
    """5 to 95 % and 25 to 75 % of trials, and the median, by scenario."""
    figure, axes = canvas(4.6, 0.9 + 0.42 * len(spread))
    for place, quantiles in enumerate(held[what] for held in spread.values()):
        for low, high, width, shade in (("q05", "q95", 3, 0.4), ("q25", "q75", 9, 0.55)):
            axes.plot(
                [quantiles[low], quantiles[high]],
                [place, place],
                color=BLUE,
                lw=width,
                alpha=shade,
                solid_capstyle="butt",
            )
        axes.plot(quantiles["q50"], place, "|", color=INK, ms=13, mew=2)
    _named_rows(axes, list(spread))
    axes.set(xlabel=label)
    axes.set_xlim(left=0)
    return figure


def boundary_figure(boundary: Mapping[str, Any], by: str) -> Figure:
    """Critical z, and the bound of futility, at each look that has one."""
    figure, axes = canvas(4.6, 3.4)
    looks = boundary["looks"]
    upper = _bounds(looks, "critical")
    lower = _bounds(looks, "lower")
    axes.plot(*zip(*upper, strict=True), "o-", color=BLUE, lw=1.8, label="reject at or above")
    _figures_at(axes, upper, 8)
    if lower:
        axes.plot(*zip(*lower, strict=True), "s--", color=ORANGE, lw=1.6, label="stop at or below")
        _figures_at(axes, lower, -15)
    low = min([0.6, *(bound for _, bound in lower)])
    high = max(bound for _, bound in upper)
    axes.set(xlabel=f"{by} at the look", ylabel="z", ylim=(low - 0.6, high * 1.22))
    axes.set_xlim(0, max(look["at"] for look in looks) * 1.12)
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def _bounds(looks: Sequence[Mapping[str, Any]], name: str) -> list[tuple[float, float]]:
    """When and where each look's bound is; looks without one are left out."""
    return [(look["at"], look[name]) for look in looks if look[name] is not None]


def _figures_at(axes: Axes, points: Sequence[tuple[float, float]], shift: float) -> None:
    for point in points:
        axes.annotate(
            f"{point[1]:.3f}",
            point,
            xytext=(0, shift),
            textcoords="offset points",
            ha="center",
            fontsize=10,
        )


def design_figure(design: Mapping[str, Any], sizes: Sequence[str]) -> Figure:
    """A trial from screening to the last look, from top to bottom.

    Parameters
    ----------
    design
        `TrialDesign.model_dump`.
    sizes
        When each look comes, in words.
    """
    arms = [arm for arm in design["arms"] if arm["allocation"]]
    rows = -(-len(arms) // 3) + bool(design["external_controls"])
    height = 3.3 + 0.75 * rows + 0.42 * len(sizes)
    figure, axes = canvas(4.2, height * 0.88)
    axes.set(xlim=(0, 10), ylim=(-height * 2, 0.4))
    axes.axis("off")
    y = _box(axes, 5, 0.0, 6.4, _screening(design), _PALE)
    y = _arrow(axes, 5, y)
    y = _box(axes, 5, y, 6.4, _allotted(design), _PALE)
    y = _arms_row(axes, arms, _arrow(axes, 5, y))
    if design["external_controls"]:
        told = f"{design['external_controls']['n']:,} external controls, not randomised"
        y = _box(axes, 5, y - 0.2, 9.4, told, "#f2f4f6")
    y = _arrow(axes, 5, y)
    y = _box(axes, 5, y, 9.4, _followed(design), "#f2f4f6")
    for number, when in enumerate(sizes, start=1):
        y = _arrow(axes, 5, y, 0.55)
        last = number == len(sizes)
        name = "Final analysis" if last else f"Look {number}"
        y = _box(axes, 5, y, 9.4, f"{name}: {when}", "#fdf1dc" if not last else "#e2f4ec")
    axes.set_ylim(y - 0.3, 0.3)
    return figure


def _screening(design: Mapping[str, Any]) -> str:
    enrolment = design["enrolment"]
    rates = [step["rate"] for step in enrolment["ramp"]]
    if rates:
        told = ", then ".join(f"{rate:g}" for rate in rates[:4])
        return textwrap.fill(f"Screened: {told} a {design['time_unit']}", 30)
    if enrolment["sites"]:
        return f"Screened at {len(enrolment['sites'])} sites"
    if enrolment["duration"] is not None:
        return f"Enrolled within {enrolment['duration']:g} {design['time_unit']}s"
    return "All patients at once"


def _allotted(design: Mapping[str, Any]) -> str:
    parts = [arm["allocation"] for arm in design["arms"]]
    if parts.count(0) == len(parts) - 1:
        return f"{design['n']:,} patients, all treated"
    return f"{design['n']:,} randomised\n{':'.join(map(str, parts))}"


def _followed(design: Mapping[str, Any]) -> str:
    parts = []
    for endpoint in design["endpoints"][:4]:
        visits = endpoint.get("visits") or [endpoint.get("visit")]
        until = endpoint.get("follow_up")
        if endpoint["kind"] == "time_to_event":
            when = "until the look" if until is None else f"up to {until:g}"
        elif until is not None:
            when = f"over {until:g}"
        else:
            when = "at " + ", ".join(f"{v:g}" for v in visits if v is not None)
        parts.append(f"{endpoint['name']} {when}")
    more = len(design["endpoints"]) - 4
    told = "; ".join(parts) + (f"; {more} more" if more > 0 else "")
    return textwrap.fill(f"Followed for {told} ({design['time_unit']}s)", 44)


def _arms_row(axes: Axes, arms: Sequence[Mapping[str, Any]], top: float) -> float:
    """Boxes of one width for all arms, at most three a row, as even as can be."""
    lowest = top
    many = -(-len(arms) // -(-len(arms) // 3))
    width = 9.4 / many
    for start in range(0, len(arms), many):
        row = arms[start : start + many]
        left = 5 - width * len(row) / 2
        bottoms = []
        for k, arm in enumerate(row):
            place = start + k
            colour = SOFT if arm["control"] else (BLUE, GREEN, PURPLE, ORANGE)[place % 4]
            name = textwrap.fill(arm["name"], max(10, int(width * 4)))
            told = f"{name}\n(control)" if arm["control"] else name
            middle = left + width * (k + 0.5)
            bottoms.append(_box(axes, middle, lowest, width - 0.3, told, colour, "white", 2))
        lowest = min(bottoms) - (0.2 if start + many < len(arms) else 0)
    return lowest


def _box(
    axes: Axes,
    x: float,
    top: float,
    width: float,
    text: str,
    colour: str,
    ink: str = INK,
    least: int = 1,
) -> float:
    """Draw a box with its text below a height; return its foot."""
    from matplotlib.patches import FancyBboxPatch

    lines = max(text.count("\n") + 1, least)
    height = 0.75 * lines + 0.45
    axes.add_patch(
        FancyBboxPatch(
            (x - width / 2, top - height),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.22",
            fc=colour,
            ec="none",
        )
    )
    axes.text(x, top - height / 2, text, ha="center", va="center", color=ink, fontsize=11)
    return top - height


def _arrow(axes: Axes, x: float, top: float, length: float = 0.7) -> float:
    axes.annotate(
        "",
        (x, top - length),
        (x, top - 0.05),
        arrowprops={"arrowstyle": "-|>", "color": SOFT, "lw": 1.3, "shrinkA": 0, "shrinkB": 0},
    )
    return top - length


def _named_rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), [textwrap.fill(name, 18) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
