"""What a study found, in a few figures, and what it cannot show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Run = Mapping[str, Any]
Tile = dict[str, str]


def tiles(run: Run) -> list[Tile]:
    """Return the figures at the head of the report, each with a plain sentence."""
    makers = _TRIAL if run["config"]["kind"] == "trial" else _HISTORICAL
    return [make(run) for stage, make in makers if stage in run]


def _reproduced(run: Run) -> Tile:
    checks = [c for item in run["cohort"]["published"].values() for c in item["checks"]]
    good = sum(c["agrees"] for c in checks)
    return {
        "figure": f"{good} of {len(checks)}",
        "text": "published figures reproduced to the "
        "printed digits, so the data were read as their authors read them",
    }


def _closeness(run: Run) -> Tile:
    engine = run["config"]["models"]["engine"]
    metrics = [
        m for m in run["evaluation"]["engines"][engine]["metrics"] if m["group"] != "privacy"
    ]
    within = sum(m["verdict"].startswith("within") for m in metrics)
    return {
        "figure": f"{within} of {len(metrics)}",
        "text": "measures of the synthetic controls "
        "within what real patients score against real patients; the rest is told below",
    }


def _forecast(run: Run) -> Tile:
    found, base = run["twins"]["correlation"], run["twins"]["from_baseline"]["correlation"]
    return {
        "figure": f"r = {found['r']:.2f}",
        "text": f"between forecast and true change from "
        f"{run['twins']['from_visit']} ({found['low']:.2f} to {found['high']:.2f}); from "
        f"baseline alone {base['r']:.2f} ({base['low']:.2f} to {base['high']:.2f})",
    }


def _saving(run: Run) -> Tile:
    ratios = run["effects"]["adjustment"]["se2_ratio"].values()
    mean = sum(r["mean"] for r in ratios) / max(1, len(ratios))
    return {
        "figure": f"{100 * (1 - mean):.0f}\u2009%",
        "text": "of the variance saved by a "
        "prognostic score beyond baseline and site; the plan below assumes only what its "
        "lower confidence limit supports",
    }


def _power(run: Run) -> Tile:
    found = run["trial"]["designs"][0]
    power = found["operating_characteristics"]["power"]
    plan = run["config"]["trial"]
    return {
        "figure": f"{100 * power['value']:.1f}\u2009%",
        "text": f"power of {plan['n']} patients for a true difference of {plan['effect']:g} "
        f"(design {found['design']['name']}; Monte Carlo SE {100 * power['se']:.1f})",
    }


def _notes(run: Run) -> Tile:
    overall = run["notes"]["scores"]["overall"]["f1"]
    return {
        "figure": f"F1 {overall:.3f}",
        "text": "facts read back out of rendered notes, a "
        "regression test and not accuracy on real notes",
    }


def _accepted(run: Run) -> Tile:
    found = run["score"]["acceptance"]
    return {
        "figure": f"C = {found['c']:.3f}",
        "text": f"({found['low']:.3f} to "
        f"{found['high']:.3f}): the locked score orders the new trial's patients; "
        f"{found['verdict']}",
    }


def _strata(run: Run) -> Tile:
    found = run["score"]["acceptance"]["score_z_in_strata"]
    return {
        "figure": f"z = {found:.1f}",
        "text": "of the score inside the randomisation strata: it knows more than the strata do",
    }


def _refused(run: Run) -> Tile:
    reasons = len(run["borrowing"]["reasons"])
    return {
        "figure": run["borrowing"]["verdict"].capitalize(),
        "text": "borrowing the historical "
        f"controls, for {reasons} reasons that were fixed beforehand",
    }


_TRIAL = (
    ("cohort", _reproduced),
    ("notes", _notes),
    ("evaluation", _closeness),
    ("twins", _forecast),
    ("effects", _saving),
    ("trial", _power),
)
_HISTORICAL = (("score", _accepted), ("score", _strata), ("borrowing", _refused))


def limits(run: Run) -> list[str]:
    """Return what this study cannot show, in plain sentences."""
    if run["config"]["kind"] == "historical_score":
        return list(_HISTORICAL_LIMITS)
    found = list(run["effects"]["not_shown"]) if "effects" in run else []
    if "evaluation" in run:
        n = run["evaluation"]["n_controls"]
        found.append(
            f"With {n} controls, closeness can only be judged to within sampling error: "
            "a measure within real-against-real is not proven equal."
        )
        if n < 200:
            found.append(
                f"Membership inference needs 200 patients either side; there are {n}, so "
                "the privacy audit is insufficient to show anything."
            )
    if "twins" in run:
        found.append(
            f"{run['twins']['without_truth']} patients left before the visit that was "
            "forecast. They were sicker or had adverse events; the twins' error for them "
            "is unknown."
        )
    if "notes" in run:
        found.append(
            "The notes were rendered from the record. Their language is regular; real "
            "notes are harder, and no accuracy on real notes is claimed."
        )
    if "trial" in run:
        found.append(
            "The simulated trial's patients are twins: their Monte Carlo errors leave out "
            "how uncertain the model itself is."
        )
    return [*found, *_ALWAYS]


_ALWAYS = (
    "Synthetic patients carry no information beyond the patients behind them. Nothing here is "
    "evidence of efficacy or safety.",
    "Forecasts of one patient under two arms do not identify that patient's own benefit.",
)
_HISTORICAL_LIMITS = (
    "One pair of trials: that this score carries over does not show that another one would.",
    "The score was learnt on another endpoint; it orders patients and does not predict risk in "
    "the new trial.",
    "With a strong score the standard error of a Cox log hazard ratio stays about where it was; "
    "no saving of patients is claimed from it.",
    "Refusing to borrow rests on measured baseline variables and on definitions; unmeasured "
    "differences between the trials would come on top.",
)
