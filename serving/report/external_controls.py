"""External controls of a simulated design: the verdict, and figures given not stopped, by drift."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from serving.report.blocks import Block, Grid, Picture, Words
from serving.report.figures import BLUE, GREEN, INK, ORANGE, PURPLE, RED, SOFT, canvas
from serving.report.render import with_error

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS: Final = (BLUE, GREEN, PURPLE, ORANGE)
CAPTION: Final = (
    "Over the drift of external controls: solid, the whole strategy (borrow, or where a limit is "
    "broken do without); dashed, given not stopped; grey, the probability that a limit stops it. "
    "Bars: two Monte Carlo standard errors."
)


def borrowing_rows(scenarios: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row for each scenario and hypothesis that takes external controls.

    `first` marks the first of a hypothesis and a drift, which the verdict alone hangs on.
    """
    rows = [
        {"scenario": s["name"], "hypothesis": h["name"], "whole": h["rejection"]} | h["borrowing"]
        for s in scenarios
        for h in s["hypotheses"]
        if h["borrowing"]
    ]
    met = [(row["hypothesis"], row["drift"]) for row in rows]
    return [
        row | {"first": met.index(key) == k}
        for k, (row, key) in enumerate(zip(rows, met, strict=True))
    ]


def drift_groups(done: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Rows of the first such hypothesis by what is true but for the drift, in order of the drift.

    Groups of one drift are left out.
    """
    effects = {s["name"]: json.dumps(s["effects"]) for s in done["design"]["scenarios"]}
    rows = borrowing_rows(done["scenarios"])
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row["hypothesis"] == rows[0]["hypothesis"]:
            groups.setdefault(effects.get(row["scenario"], "[]"), []).append(row)
    named = {}
    for held in groups.values():
        null = held[0]["scenario"] == rows[0]["scenario"]
        name = "type I error" if null else f"“{held[0]['scenario']}”"
        if len({row["drift"] for row in held}) > 1:
            named[name] = sorted(held, key=lambda row: float(row["drift"]))
    return named


def drift_figure(groups: Mapping[str, Sequence[Mapping[str, Any]]], alpha: float | None) -> Figure:
    """Rejection over the drift, of the strategy and given not stopped, and P(stop)."""
    figure, axes = canvas(5.6, 3.6)
    longest = max(groups.values(), key=len)
    drifts = [row["drift"] for row in longest]
    axes.plot(drifts, [row["stopped"]["value"] for row in longest], color=SOFT, lw=6, alpha=0.4,
              label="P(stop)")  # fmt: skip
    for colour, (name, rows) in zip(_COLOURS, groups.items(), strict=False):
        drifts = [row["drift"] for row in rows]
        whole = [row["whole"] for row in rows]
        axes.errorbar(drifts, [w["value"] for w in whole], yerr=[2 * w["se"] for w in whole],
                      color=colour, marker="o", ms=4, lw=1.6, capsize=2, label=name)  # fmt: skip
        given = [row["rejection"]["value"] for row in rows]
        axes.plot(drifts, given, color=colour, ls="--", lw=1.2, marker=".", ms=4)
    if alpha is not None:
        axes.axhline(alpha, color=RED, lw=1, ls=":")
    axes.set(ylim=(-0.03, 1.03), xlabel="drift of external controls", ylabel="probability")
    axes.tick_params(labelcolor=INK)
    figure.legend(loc="outside lower center", ncols=2, fontsize=9)
    return figure


def borrowing_blocks(done: Mapping[str, Any], drawn: Mapping[str, Any]) -> list[Block]:
    """What the credibility report says of external controls, by the program."""
    rows = borrowing_rows(done["scenarios"])
    if not rows:
        return [Words("All controls of this simulated design are randomised; it borrows none.")]
    blocks: list[Block] = [Words(line) for line in done["description"]["External controls"]]
    head = ("Scenario", "Drift", "P(stop) (SE)", "Rejects (SE)", "Given not stopped (SE)",
            "Bias given (SE)", "Coverage given (SE)")  # fmt: skip
    cells = [
        [
            row["scenario"],
            f"{row['drift']:g}",
            *(with_error(row[name], 4) for name in ("stopped", "whole", "rejection")),
            *(with_error(row["accuracy"][name], 4) for name in ("bias", "coverage")),
        ]
        for row in rows
    ]
    blocks.append(Grid(head, cells, figures=6))
    if "drift" in drawn:
        blocks.append(Picture(drawn["drift"], CAPTION))
    return blocks
