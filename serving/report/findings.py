"""What a study found, in a few figures, and what it cannot show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Run = Mapping[str, Any]
Tile = dict[str, str]
_LARGE = 1.96


def tiles(run: Run) -> list[Tile]:
    """Return the figures at the head of the report, each with a plain sentence."""
    makers = _TRIAL if run["config"]["kind"] == "trial" else _HISTORICAL
    made = (make(run) for stage, make in makers if stage in run)
    return [tile for tile in made if tile is not None]


def _reproduced(run: Run) -> Tile | None:
    checks = [c for item in run["cohort"]["published"].values() for c in item["checks"]]
    if not checks:
        return None
    good = sum(c["agrees"] for c in checks)
    meaning = (
        "so the data were read as their authors read them"
        if good == len(checks)
        else "the others differ: see which, before anything below is believed"
    )
    return {
        "figure": f"{good} of {len(checks)}",
        "text": f"published figures reproduced to the printed digits; {meaning}",
    }


def _closeness(run: Run) -> Tile:
    engine = run["config"]["models"]["engine"]
    metrics = [
        m for m in run["evaluation"]["engines"][engine]["metrics"] if m["group"] != "privacy"
    ]
    within = sum(m["verdict"].startswith("within") for m in metrics)
    worse = sum(m["verdict"] == "worse" for m in metrics)
    return {
        "figure": f"{within} of {len(metrics)}",
        "text": "measures of closeness (all but privacy) within what real patients "
        f"score against real patients; {worse} worse, the rest cannot be shown",
    }


def _privacy(run: Run) -> Tile | None:
    """Whether a membership test tells training patients from others; None without a test."""
    engine = run["config"]["models"]["engine"]
    tests = [
        m
        for m in run["evaluation"]["engines"][engine]["metrics"]
        if m["name"].startswith("membership")
    ]
    if not tests:
        return None
    worse = sum(m["verdict"] == "worse" for m in tests)
    meaning = (
        "the synthetic patients are to be treated as personal data"
        if worse
        else "no leak was found, which clears nothing where too few patients are there"
    )
    return {
        "figure": f"{worse} of {len(tests)}",
        "text": f"membership tests tell training patients from others; {meaning}",
    }


def _forecast(run: Run) -> Tile:
    found, base = run["twins"]["correlation"], run["twins"]["from_baseline"]["correlation"]
    carried = run["twins"]["correlations"]["carry_forward"]
    also = "" if carried["r"] is None else f"; carrying the last value forward {carried['r']:.2f}"
    return {
        "figure": f"r = {found['r']:.2f}",
        "text": f"between forecast and true change from "
        f"{run['twins']['from_visit']} ({found['low']:.2f} to {found['high']:.2f}){also}; from "
        f"baseline alone {base['r']:.2f} ({base['low']:.2f} to {base['high']:.2f})",
    }


def _saving(run: Run) -> Tile:
    ratios = run["effects"]["adjustment"]["se2_ratio"].values()
    mean = sum(r["mean"] for r in ratios) / max(1, len(ratios))
    change = "saved" if mean <= 1 else "added"
    return {
        "figure": f"{100 * abs(1 - mean):.0f}\u2009%",
        "text": f"of the variance {change} by a prognostic score beyond baseline and site, on "
        "average; a plan assumes only what the lower confidence limit supports",
    }


def _power(run: Run) -> Tile:
    found = run["trial"]["designs"][0]
    power = found["operating_characteristics"]["power"]
    plan = run["config"]["trial"]
    return {
        "figure": f"{100 * power['value']:.1f}\u2009%",
        "text": f"power of {plan['n']} patients for a true difference of {plan['effect']:g} "
        f"(design {found['design']['name']}; Monte Carlo SE {100 * power['se']:.1f})"
        f"{_less(run['trial']['dropout'])}",
    }


def _less(dropout: Mapping[str, Any]) -> str:
    if not dropout["scenarios"]:
        return ""
    first = dropout["scenarios"][0]["power"]
    return (
        f"; {100 * first['value']:.1f}\u2009% ({100 * first['se']:.1f}) if each arm loses as many "
        "as it really did"
    )


def _notes(run: Run) -> Tile:
    scores = run["notes"]["scores"]
    stated = [(s["f1"], name) for name, s in scores["types"].items() if s["gold"]]
    weakest = ", ".join(f"{name.replace('_', ' ')} {f1:.2f}" for f1, name in sorted(stated)[:2])
    return {
        "figure": f"F1 {scores['overall']['f1']:.3f}",
        "text": "facts read back out of rendered notes, most of them laboratory values (weakest: "
        f"{weakest}); a regression test, not accuracy on real notes",
    }


def _accepted(run: Run) -> Tile:
    found = run["score"]["acceptance"]
    return {
        "figure": f"C = {found['c']:.3f}",
        "text": f"({found['low']:.3f} to {found['high']:.3f}): how well the locked score orders "
        f"the new trial's patients; {found['verdict']} for that",
    }


def _sharpening(run: Run) -> Tile:
    found = run["score"]["acceptance"]
    ratio = found["with"]["se"] / found["without"]["se"]
    return {
        "figure": f"SE \u00d7 {ratio:.3f}",
        "text": "of the treatment's log hazard ratio with the score, z "
        f"{found['z_without']:.2f} to {found['z_with']:.2f}: it {found['sharpening']['verdict']}",
    }


def _strata(run: Run) -> Tile:
    found = run["score"]["acceptance"]["score_z_in_strata"]
    meaning = (
        "it knows more than the strata do"
        if found > _LARGE
        else "that it knows more than the strata do is not shown"
    )
    return {
        "figure": f"z = {found:.1f}",
        "text": f"of the score inside the randomisation strata: {meaning}",
    }


def _borrowing(run: Run) -> Tile:
    found = run["borrowing"]
    broken = len(found["reasons"])
    why = f"{broken} limits of the configuration are not met" if broken else "every limit is kept"
    return {
        "figure": found["verdict"].capitalize(),
        "text": f"borrowing the historical controls: {why}",
    }


_TRIAL = (
    ("cohort", _reproduced),
    ("notes", _notes),
    ("evaluation", _closeness),
    ("evaluation", _privacy),
    ("twins", _forecast),
    ("effects", _saving),
    ("trial", _power),
)
_HISTORICAL = (
    ("score", _accepted),
    ("score", _strata),
    ("score", _sharpening),
    ("borrowing", _borrowing),
)


def limits(run: Run) -> list[str]:
    """Return what this study cannot show, in plain sentences."""
    if run["config"]["kind"] == "historical_score":
        return _historical_limits(run)
    found = list(run["effects"]["not_shown"]) if "effects" in run else []
    if "evaluation" in run:
        n = run["evaluation"]["n_controls"]
        found.append(
            f"With {n} controls, closeness can only be judged to within sampling error: "
            "a measure within real-against-real is not proven equal."
        )
        if n < 200:
            found.append(
                f"Membership inference needs 200 patients either side to clear a model; there "
                f"are {n}, so the privacy audit can find a leak and cannot rule one out."
            )
    if "twins" in run:
        found.append(
            f"{run['twins']['without_truth']} patients have no outcome at the visit that was "
            "forecast. They may differ from those who have; the twins' error for them is unknown."
        )
    if "models" in run:
        found.append(
            "Reasons for leaving and categories that fewer than five patients had are drawn as a "
            "more frequent one; rare causes, deaths among them, are therefore missing."
        )
    if "notes" in run:
        found.append(
            "The notes were rendered from the record. Their language is regular; real "
            "notes are harder, and no accuracy on real notes is claimed."
        )
    if "trial" in run:
        found.append(
            "The simulated trial's patients are twins: their Monte Carlo errors leave out "
            "how uncertain the model itself is. " + run["trial"]["model_seed"]
        )
        dropout = run["trial"]["dropout"]
        if dropout["rule"] == "as_learnt":
            found.append(
                "The simulated dropout is the controls' for both arms "
                f"({100 * dropout['simulated']:.0f}\u2009%). Power is lower where the active arm "
                "loses more."
            )
    return [*found, *_ALWAYS]


_ALWAYS = (
    "Synthetic patients carry no information beyond the patients behind them. Nothing here is "
    "evidence of efficacy or safety.",
    "Forecasts of one patient under two arms do not identify that patient's own benefit.",
)


def _historical_limits(run: Run) -> list[str]:
    """Limits of a score from another trial, and of the answer about its controls."""
    sides = [run.get("cohorts", {}).get(name, {}) for name in ("historical", "target")]
    old, new = (side.get("endpoint", {}).get("definition") for side in sides)
    found = ["One pair of trials: that a score carries over does not show that another one would."]
    if old != new:
        found.append(
            "The score was learnt on another endpoint; it orders patients and does not predict "
            "risk in the new trial."
        )
    found.append(
        "With a strong score the standard error of a Cox log hazard ratio stays about where it "
        "was; no saving of patients is claimed from it."
    )
    answer = "Refusing" if run.get("borrowing", {}).get("verdict") == "refused" else "Agreeing"
    return [
        *found,
        f"{answer} to borrow rests on measured baseline variables and on definitions; unmeasured "
        "differences between the trials would come on top.",
    ]
