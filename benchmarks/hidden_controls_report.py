"""Tables of the benchmark of hidden controls, as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

import numpy as np

from benchmarks.hidden_controls_grid import DRIFTS, SETTINGS, Grid
from benchmarks.hidden_controls_methods import OWN_ONLY
from benchmarks.hidden_controls_real import Hidden, Historical, Span
from simulation.analysis.arrays import BoolArray
from simulation.analysis.external.verdict import StoppingRule, Verdict

CAP = StoppingRule().max_type_one
SHIPPED = StoppingRule().min_conflict_p
FEW = 20
"""Replicates that must have gone on for a figure given not stopped."""
NONE = (float("nan"), float("nan"))


def _text(span: Span) -> str:
    return f"{span[0]:7.2f} [{span[1]:6.2f}, {span[2]:6.2f}]"


def _told(verdict: Verdict) -> str:
    return "allowed" if verdict.borrow else "stopped: " + "; ".join(verdict.reasons)


def hidden_tables(found: Sequence[Hidden]) -> Iterable[str]:
    """A table a trial and outcome: each method in each hidden group, and the verdicts."""
    for (name, outcome), these in groupby(found, key=lambda h: (h.trial, h.outcome)):
        groups = list(these)
        yield f"\n{name}: {outcome}; estimate [95 %], treated less control"
        sizes = "".join(f"{f'{a} + {b} hidden, {c} others':>31}" for a, b, c in
                        (h.sizes for h in groups))
        yield f"{'':26}{sizes}{'RMS gap':>9}{'inside':>8}"
        yield f"{'randomised':26}" + "".join(f"{_text(h.randomised):>31}" for h in groups)
        half = [(h.randomised[2] - h.randomised[1]) / 2 for h in groups]
        yield f"  root mean square of the randomised answers' half-widths: {_rms(half):.2f}"
        for title, kind in (("no own controls", "external"), ("half of them seen", "hybrid")):
            yield f"  {title}"
            for method in getattr(groups[0], kind):
                spans = [getattr(h, kind)[method] for h in groups]
                yield f"{method:26}" + _against(spans, [h.randomised for h in groups])
        if groups[0].hazard_ratio:
            yield "  hazard ratio"
            for row, label in enumerate(("randomised", "weighted Cox")):
                spans = [h.hazard_ratio[row] for h in groups if h.hazard_ratio]
                yield f"{label:26}" + "".join(f"{_text(s):>31}" for s in spans)
        for h in groups:
            yield f"  group {h.group + 1}, no own controls: {_told(h.alone)}"
            yield f"  group {h.group + 1}, half of them seen: {_told(h.half)}"


def _rms(values: Sequence[float]) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def _against(spans: Sequence[Span], truths: Sequence[Span]) -> str:
    """Spans, their root mean squared gap from the randomised answers, and how many hold them."""
    gap = _rms([s[0] - t[0] for s, t in zip(spans, truths, strict=True)])
    inside = sum(s[1] <= t[0] <= s[2] for s, t in zip(spans, truths, strict=True))
    return "".join(f"{_text(s):>31}" for s in spans) + f"{gap:9.2f}{f'{inside}/{len(spans)}':>8}"


def historical_table(found: Historical) -> Iterable[str]:
    """ACTG175's controls for ACTG320: refused, and what the refusal spared."""
    treated, own, old = found.sizes
    yield (f"\nACTG320's {treated} treated against ACTG175's {old} zidovudine controls instead of "
           f"their own {own}; days, first 240")
    yield f"{'randomised':26}{_text(found.randomised):>31}"
    for method, span in found.answers.items():
        yield f"{method:26}{_text(span):>31}  not to be used"
    yield f"  {_told(found.verdict)}"


def _cell(rate: float, se: float) -> str:
    return f"{rate:.3f} {se:.3f}" if np.isfinite(rate) else "-"


def _header() -> str:
    short = {"none": "no", "measured": "meas.", "unmeasured": "unmeas."}
    return f"{'':26}" + "".join(f"{f'{short[k]} {s:g}' if s else 'no drift':>13}"
                                for k, s in DRIFTS)


def _row(name: str, cells: Iterable[tuple[float, float]]) -> str:
    return f"{name:26}" + "".join(f"{_cell(*c):>13}" for c in cells)


def _shown(enough: BoolArray, cells: Iterable[tuple[float, float]]
           ) -> Iterable[tuple[float, float]]:
    return (cell if kept else NONE for kept, cell in zip(enough, cells, strict=True))


def _rates(hits: BoolArray) -> list[tuple[float, float]]:
    rate = hits.mean(axis=1)
    return list(zip(rate, np.sqrt(rate * (1 - rate) / hits.shape[1]), strict=True))


def grid_tables(grid: Grid, part: str, least_p: float) -> Iterable[str]:
    """P(stop); bias and type I error given not stopped; type I error of the whole strategy."""
    n = SETTINGS[grid.data]
    own = f", {n.own} own controls" if part == "hybrid" else ", no own controls"
    rule = f"; least conflict p {least_p:g}" if part == "hybrid" else "; baseline limits only"
    yield (f"\n{grid.data}, {n.treated} treated{own}, {n.external} external{rule}; "
           f"{grid.replicates} replicates a drift; figure and Monte Carlo SE, - where fewer than "
           f"{FEW} went on")
    yield _header()
    yield _row("P(stop)", _rates(grid.stops(part, least_p)))
    if part == "external":
        yield ("  the whole verdict stops every one of these trials: without own controls the "
               "conflict cannot be looked at")
    drifts = range(len(DRIFTS))
    lines = {m: [grid.line(part, m, d, least_p) for d in drifts] for m in grid.methods(part)}
    enough = (~grid.stops(part, least_p)).sum(axis=1) >= FEW
    yield "  bias given not stopped, SDs of the outcome"
    for method, line in lines.items():
        yield _row(method, _shown(enough, ((x.bias, x.bias_se) for x in line)))
    yield "  coverage of the 95 % interval given not stopped"
    for method, line in lines.items():
        yield _row(method, _shown(enough, ((x.coverage, x.coverage_se) for x in line)))
    yield "  type I error at .05 given not stopped"
    for method, line in lines.items():
        yield _row(method, _shown(enough, ((x.rejection, x.rejection_se) for x in line)))
    yield f"  power given not stopped, effect {n.effect:g} SD"
    went_on = ~grid.stops(part, least_p)
    for method in lines:
        won = grid.rejected(part, method, "power")
        cells = (_rates(won[d][went_on[d]][None])[0] if enough[d] else NONE for d in drifts)
        yield _row(method, cells)
    rest = "own controls alone" if part == "hybrid" else "no claim"
    yield f"  type I error of the whole strategy: {rest} where stopped"
    for method in lines:
        yield _row(method, _rates(grid.strategy(part, method, least_p)))


def _given_on(grid: Grid, part: str, method: str, least_p: float) -> tuple[float, float]:
    lines = [grid.line(part, method, d, least_p) for d in range(len(DRIFTS))]
    return max(((x.rejection, x.rejection_se) for x in lines if 1 - x.p_stop >= 0.05),
               default=NONE)


def gains(grid: Grid, part: str, limits: Mapping[str, float | None]) -> Iterable[str]:
    """Greatest type I error beside the power gain at no drift, of each method's strategy.

    The gain is over the own controls alone, in the same trials; "max given on" is the greatest
    type I error given not stopped at drifts that let at least a twentieth go on.
    """
    n = SETTINGS[grid.data]
    what = "with own controls" if part == "hybrid" else "without own controls, baseline limits only"
    yield (f"\n{grid.data}, {what}: greatest type I error of the strategy over the drifts beside "
           f"the power gain at no drift (effect {n.effect:g} SD); cap {CAP:g}")
    yield (f"{'':26}{'least p':>8}{'P(stop) none':>14}{'type I none':>14}{'max type I':>14}  "
           f"{'at drift':17}{'power':>13}{'gain':>14}{'max given on':>14}  verdict")
    alone = grid.rejected("hybrid", OWN_ONLY, "power")[0]
    for method, least in limits.items():
        if least is None:
            yield f"{method:26}{'none':>8}  refused: no limit tried holds the cap"
            continue
        rates = _rates(grid.strategy(part, method, least))
        top = int(np.argmax([r for r, _ in rates]))
        won = grid.strategy(part, method, least, "power")[0]
        gap = won.astype(float) - alone
        given = _given_on(grid, part, method, least)
        said = "may be used" if rates[top][0] <= CAP else "refused: over the cap"
        yield (f"{method:26}{least if part == 'hybrid' else '-':>8}"
               f"{_cell(*_rates(grid.stops(part, least))[0]):>14}{_cell(*rates[0]):>14}"
               f"{_cell(*rates[top]):>14}  {f'{DRIFTS[top][0]} {DRIFTS[top][1]:g}':17}"
               f"{_cell(*_rates(won[None])[0]):>13}"
               f"{_cell(float(gap.mean()), float(gap.std() / np.sqrt(gap.size))):>14}"
               f"{_cell(*given):>14}  "
               f"{'-' if method == OWN_ONLY else said}")
