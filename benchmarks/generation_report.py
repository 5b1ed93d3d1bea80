"""Tables, ranking and goals out of judged engines."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

DCR_OUT = 0.55
NEAR_AUC, NEAR_VISITS, NEAR_PAIRS, DCR_GOAL, NEAR_LAG = 0.04, 0.08, 0.02, 0.52, 0.05
TRAIN_RATIO, RATE_RATIO, MEMORY_GIB = 0.3, 5.0, 4.0
COST_DATA = ("actg320", "flchain")
Results = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Judged engines: data set -> engine -> measures; a data set's ``failed`` reasons are left out."""


def gap(judged: Mapping[str, Any]) -> float:
    """Absolute two-sample AUC less real against real."""
    return abs(float(judged["auc"]) - float(judged["real_of"]["auc"]))


def out_of_ranking(judged: Iterable[Mapping[str, Any]]) -> str:
    """Why an engine is not ranked, "" where it is: it remembers training patients."""
    judged = list(judged)
    share = float(np.mean([j["dcr_share"] for j in judged]))
    if share > DCR_OUT:
        return f"DCR share {share:.3f}"
    if any(j["exact"]["more"] for j in judged):
        return "exact matches"
    return ""


def ranking(results: Results, data: Sequence[str]) -> list[tuple[str, float, int, str]]:
    """Engines by mean gap of the two-sample AUC, best first, those out of the ranking last.

    Returns
    -------
    list
        Engine, mean gap, number of data sets, why it is out ("" where it is ranked).
    """
    rows = []
    for engine in engines_of(results):
        judged = [results[d][engine] for d in data if engine in results.get(d, {})]
        if judged:
            mean = float(np.mean([gap(j) for j in judged]))
            rows.append((engine, mean, len(judged), out_of_ranking(judged)))
    return sorted(rows, key=lambda r: (bool(r[3]), r[1]))


def engines_of(results: Results) -> list[str]:
    """Every engine that was judged on some data set, in order of appearance."""
    return list(dict.fromkeys(e for engines in results.values() for e in engines))


def data_table(name: str, engines: Mapping[str, Mapping[str, Any]]) -> str:
    """One line an engine of one data set, the controls below."""
    head = (
        f"{'':22}{'splits':>7}{'CPU-s':>8}{'MiB':>6}{'AUC':>7}{'(SE)':>7}{'gap':>7}{'pairs':>7}"
        f"{'-copy':>7}"
        f"{'shapes':>7}{'DCR':>6}{'C':>6}{'(real)':>7}{'KM':>7}{'(real)':>7}{'HR':>6}{'(real)':>7}"
        f"{'imposs':>8}"
    )
    lines = [name, head, *(_line(engine, judged) for engine, judged in engines.items())]
    first = next(iter(engines.values()), None)
    if first is not None:
        lines += [_control(kind, first[f"{kind}_of"]) for kind in ("copy", "independent", "real")]
    return "\n".join(lines)


def _line(engine: str, judged: Mapping[str, Any]) -> str:
    curves, effects, cost = judged["kaplan_meier"], judged.get("effects") or {}, judged["cost"]
    areas = [u for u in judged["utility"].values() if u["kind"] == "time_to_event"]
    cells = [
        (judged["splits"], 7, "d"),
        (cost["fit_cpu"], 8, ".1f"),
        (cost["peak_mib"], 6, ".0f"),
        (judged["auc"], 7, ".3f"),
        (_area_error(judged), 7, ".3f"),
        (gap(judged), 7, ".3f"),
        (judged["pairs"], 7, ".3f"),
        (judged["pairs"] - judged["copy_of"]["pairs"], 7, "+.3f"),
        (judged["marginals"], 7, ".3f"),
        (judged["dcr_share"], 6, ".3f"),
        (_mean([u["value"] for u in areas]), 6, ".3f"),
        (_mean([u["real"] for u in areas]), 7, ".3f"),
        (_mean([c["value"] for c in curves.values()]), 7, ".3f"),
        (_mean([c["real"] for c in curves.values()]), 7, ".3f"),
        (effects.get("hr"), 6, ".2f"),
        (effects.get("real_hr"), 7, ".2f"),
        (judged["impossible"]["patients"], 8, "d"),
    ]
    return f"{engine:22}" + "".join(_cell(v, width, shape) for v, width, shape in cells)


def _area_error(judged: Mapping[str, Any]) -> float:
    """Standard error of the mean AUC, from its spread over splits; NaN for one split."""
    areas = judged["auc_by_split"]
    return float(np.std(areas, ddof=1) / np.sqrt(len(areas))) if len(areas) > 1 else math.nan


def _control(kind: str, scores: Mapping[str, float]) -> str:
    return (
        f"  {kind:20}{'':21}{scores['auc']:>7.3f}{'':14}{scores['pairs']:>7.3f}{'':7}"
        f"{scores['marginals']:>7.3f}"
    )


def _cell(value: Any, width: int, shape: str) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return f"{'-':>{width}}"
    return f"{format(value, shape):>{width}}"


def _mean(values: Sequence[float | None]) -> float:
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if known else math.nan


def visits_table(results: Results, data: Sequence[str]) -> str:
    """Lag-1 correlations of every laboratory value, engine beside engine."""
    lines = []
    for name in data:
        engines = results.get(name, {})
        labs = dict.fromkeys(lab for j in engines.values() for lab in j.get("lag_one", {}))
        if labs:
            lines.append(f"{name}: lag-1 correlation; values after the end of observation")
            lines.append(f"{'':22}{'late':>7}" + "".join(f"{lab:>10}" for lab in labs))
        real: Mapping[str, Any] = next(
            (j["lag_one"] for j in engines.values() if j.get("lag_one")), {}
        )
        lines += [
            f"{engine:22}{j['after_follow_up']:>7.1%}"
            + "".join(_cell(j["lag_one"].get(lab, {}).get("synthetic"), 10, ".3f") for lab in labs)
            for engine, j in engines.items()
        ]
        if labs:
            lines.append(
                f"  {'real':20}{'':7}" + "".join(f"{real[lab]['real']:>10.3f}" for lab in labs)
            )
    return "\n".join(lines)


def goals(
    results: Results,
    engine: str,
    static: Sequence[str],
    longitudinal: Sequence[str],
    scaling: Mapping[str, Any] | None = None,
) -> list[tuple[str, str, bool | None]]:
    """Each goal with what was found and whether it is met; None where it was not measured."""
    flat = {d: results[d][engine] for d in static if engine in results.get(d, {})}
    long = {d: results[d][engine] for d in longitudinal if engine in results.get(d, {})}
    every = {**flat, **long}
    if not every:
        return [(f"{engine} judged", "not run", None)]
    found = [
        *_closeness(results, engine, flat),
        *_worse(every),
        _effects(every),
        _none("impossible patients 0", {d: j["impossible"]["patients"] for d, j in every.items()}),
        *_visits(long),
        *_costs(results, engine, scaling),
    ]
    return found


Goal = tuple[str, str, bool | None]


def _closeness(results: Results, engine: str, flat: Mapping[str, Any]) -> list[Goal]:
    if not flat:
        return []
    mean = _mean([gap(j) for j in flat.values()])
    better = []
    for other in engines_of(results):
        shared = [d for d in flat if other != engine and other in results[d]]
        if not shared or out_of_ranking(results[d][other] for d in shared):
            continue
        if _mean([gap(results[d][other]) for d in shared]) < _mean([gap(flat[d]) for d in shared]):
            better.append(other)
    pairs = {d: j["pairs"] - j["copy_of"]["pairs"] for d, j in flat.items()}
    share = _mean([j["dcr_share"] for j in flat.values()])
    own = out_of_ranking(flat.values())
    return [
        (f"mean AUC gap <= {NEAR_AUC}", f"{mean:.3f} over {len(flat)} sets", mean <= NEAR_AUC),
        ("smallest AUC gap of the ranked", ", ".join(better) or own or "smallest",
         not better and not own),
        (f"pairs within {NEAR_PAIRS} of the copy", f"mean {_mean(list(pairs.values())):+.3f}, "
         f"worst {min(pairs.values()):+.3f}", _mean(list(pairs.values())) >= -NEAR_PAIRS),
        (f"mean DCR share <= {DCR_GOAL}", f"{share:.3f}", share <= DCR_GOAL),
    ]  # fmt: skip


def _worse(every: Mapping[str, Any]) -> list[Goal]:
    """Curves, C-index and other utility shown to be worse than real against real."""
    curves = [f"{d}:{e}" for d, j in every.items() for e, c in j["kaplan_meier"].items()
              if c["worse"]]  # fmt: skip
    ranks: list[str] = []
    rest: list[str] = []
    for d, j in every.items():
        for key, found in j["utility"].items():
            if found["worse"]:
                (ranks if found["kind"] == "time_to_event" else rest).append(f"{d}:{key}")
    return [
        (f"{what} not worse than real", ", ".join(names) or "none worse", not names)
        for what, names in (("Kaplan-Meier", curves), ("C-index", ranks), ("utility", rest))
    ]


def _effects(every: Mapping[str, Any]) -> Goal:
    judged = {d: j["effects"] for d, j in every.items() if j.get("effects")}
    missed = [
        f"{d} (error {_cell(e.get('error'), 1, '+.2f')} SE, "
        f"SE ratio {_cell(e.get('se_ratio'), 1, '.2f')}, "
        f"attenuation <= {_cell(e.get('attenuation_upper'), 1, '.2f')})"
        for d, e in judged.items()
        if not e["met"]
    ]
    words = "; ".join(missed) or f"all {len(judged)}"
    return ("hazard ratios by the rule", words, not missed if judged else None)


def _none(goal: str, counts: Mapping[str, float]) -> Goal:
    some = {d: c for d, c in counts.items() if c}
    return (goal, ", ".join(f"{d} {c:g}" for d, c in some.items()) or "0", not some)


def _visits(long: Mapping[str, Any]) -> list[Goal]:
    if not long:
        return []
    off = [
        f"{d}:{lab} {c['synthetic']:.3f} for {c['real']:.3f}"
        for d, j in long.items()
        for lab, c in j["lag_one"].items()
        if abs(c["synthetic"] - c["real"]) > NEAR_LAG
    ]
    gaps = {d: gap(j) for d, j in long.items()}
    words = ", ".join(f"{d} {g:.3f}" for d, g in gaps.items())
    return [
        (f"lag-1 correlations within {NEAR_LAG}", ", ".join(off) or "all", not off),
        (f"patient-level AUC gap <= {NEAR_VISITS}", words, max(gaps.values()) <= NEAR_VISITS),
        _none("visits after the end 0", {d: j["after_follow_up"] for d, j in long.items()}),
    ]


def _costs(results: Results, engine: str, scaling: Mapping[str, Any] | None) -> list[Goal]:
    found: list[Goal] = []
    for data in COST_DATA:
        ours = results.get(data, {}).get(engine)
        theirs = results.get(data, {}).get("sdv-ctgan")
        ratio = ours["cost"]["fit_cpu"] / theirs["cost"]["fit_cpu"] if ours and theirs else None
        words = "not measured" if ratio is None else f"{ratio:.2f}"
        met = None if ratio is None else ratio <= TRAIN_RATIO
        found.append((f"training on {data} <= {TRAIN_RATIO} of CTGAN's CPU time", words, met))
    rates = [
        e[engine]["cost"]["rows_per_cpu_second"] / e["sdv-ctgan"]["cost"]["rows_per_cpu_second"]
        for e in results.values()
        if all("rows_per_cpu_second" in e.get(n, {}).get("cost", {}) for n in (engine, "sdv-ctgan"))
    ]
    rate = float(np.exp(np.mean(np.log(rates)))) if rates else None
    words = "not measured" if rate is None else f"{rate:.2f} (geometric mean, {len(rates)} sets)"
    met = None if rate is None else rate >= RATE_RATIO
    found.append((f"static rows >= {RATE_RATIO:g} times as fast as CTGAN", words, met))
    memory = (scaling or {}).get("large_gib")
    found.append(
        (
            f"100,000 x 50 within {MEMORY_GIB:g} GiB",
            "not measured" if memory is None else f"{memory:.2f} GiB",
            None if memory is None else memory <= MEMORY_GIB,
        )
    )
    return found


def goal_lines(found: Sequence[Goal]) -> str:
    """One line a goal: met, NOT MET or not measured."""
    words = {True: "met", False: "NOT MET", None: "not measured"}
    return "\n".join(f"  {words[met]:13} {goal}: {what}" for goal, what, met in found)
