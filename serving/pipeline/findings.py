"""What a run found, in plain lines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from .stage import RESULT, read_result

Result = dict[str, Any]


def findings(folder: Path) -> list[str]:
    """Five to ten honest sentences about a finished run.

    Parameters
    ----------
    folder
        Folder of the run.
    """
    lines: list[str] = []
    for stage, tell in _TELL.items():
        if (folder / "stages" / stage / RESULT).is_file():
            lines += tell(read_result(folder, stage))
    return lines


def _cohort(found: Result) -> list[str]:
    summary = found["summary"]
    arms = ", ".join(f"{n} on {arm}" for arm, n in summary["arms"].items() if n)
    lines = [f"{summary['study_id']}: {summary['subjects']} patients ({arms})."]
    checks = [c for item in found["published"].values() for c in item["checks"]]
    if checks:
        good = sum(c["agrees"] for c in checks)
        lines.append(f"Published analysis: {good} of {len(checks)} figures obtained again.")
        lines += [
            f"  differs: {c['figure']} is {c['obtained']:.4f}; published {c['published']:.4f}"
            for c in checks
            if not c["agrees"]
        ]
    return lines


def _notes(found: Result) -> list[str]:
    score = found["scores"]["overall"]
    return [
        f"Notes: {found['n_facts']} facts read back from {found['n_notes']} rendered notes, "
        f"F1 {score['f1']:.3f} against what they state (a regression test, not accuracy on "
        "clinicians' notes)."
    ]


def _evaluation(found: Result) -> list[str]:
    aucs = [
        f"{engine} {m['value']:.2f}"
        for engine, whole in found["engines"].items()
        for m in whole["metrics"]
        if m["name"] == "two_sample_auc" and m["value"] is not None
    ]
    ours = found["engines"].get(found["engine"], {}).get("metrics", [])
    return [
        f"Synthetic controls told from real ones (AUC; .5 is not at all): {', '.join(aucs)}.",
        f"{found['engine'].capitalize()}, closeness (all but privacy): "
        f"{counted(ours, privacy=False)}; the rest cannot be shown with "
        f"{found['n_controls']} controls.",
        f"{found['engine'].capitalize()}, privacy: {counted(ours, privacy=True)}. "
        f"{membership(ours)}",
    ]


def counted(metrics: list[Result], *, privacy: bool) -> str:
    """Count verdicts of the privacy measures, or of all others.

    Parameters
    ----------
    metrics
        Measures of one engine, each with its ``group`` and ``verdict``.
    privacy
        Which of the two; they are never counted together.
    """
    mine = [m["verdict"] for m in metrics if (m["group"] == "privacy") == privacy]
    within = sum(v.startswith("within") for v in mine)
    worse = sum(v == "worse" for v in mine)
    return f"of {len(mine)} measures {within} within real-against-real, {worse} worse"


def membership(metrics: list[Result]) -> str:
    """Say whether a membership test tells training patients from others."""
    tests = [m for m in metrics if m["name"].startswith("membership")]
    leaks = [m for m in tests if m["verdict"] == "worse"]
    if not leaks:
        return (
            "No membership test was found to tell training patients from others; that clears "
            "nothing unless the test says so."
        )
    told = ", ".join(
        f"{m['name'].removeprefix('membership_')} {m['value']:.2f} ({m['low']:.2f} to "
        f"{m['high']:.2f})"
        for m in leaks
    )
    return (
        f"A membership test tells training patients from others: AUC {told}; .5 is chance. "
        "Treat the synthetic patients as personal data."
    )


def _twins(found: Result) -> list[str]:
    who = found["patients"]
    return [
        f"Twins of {found['n']} patients by models that never saw them ({who['without_truth']} "
        f"without the outcome, {who['not_seen']} not seen at the start: {who['all']} in all). "
        f"{found['verdict']}"
    ]


def _effects(found: Result) -> list[str]:
    primary = [
        f"{row['arm']} {row['estimate']:+.2f} (95 % {row['low']:+.2f} to {row['high']:+.2f})"
        for row in found["estimates"]
        if row["analysis"] == found["primary"]
    ]
    lines = [f"Effect by ANCOVA on {found['primary']}: {'; '.join(primary)}."]
    ratios = [r["mean"] for r in found["adjustment"]["se2_ratio"].values()]
    r = found["adjustment"]["partial_correlation"]
    lines.append(
        f"The prognostic score leaves {min(ratios):.2f} to {max(ratios):.2f} of ANCOVA's squared "
        f"standard error (partial correlation {r['mean']:.2f}, 95 % {r['interval'][0]:.2f} to "
        f"{r['interval'][1]:.2f}): it adds little here."
        if min(ratios) > 0.8
        else f"The prognostic score leaves {min(ratios):.2f} to {max(ratios):.2f} of ANCOVA's "
        "squared standard error."
    )
    return lines


def _trial(found: Result) -> list[str]:
    told = []
    for design in found["designs"]:
        whole = design["operating_characteristics"]
        power, size = whole["power"], whole["type_one_error"]
        told.append(
            f"{design['design']['name']} power {power['value']:.3f} ({power['se']:.3f}), type I "
            f"error {size['value']:.4f} ({size['se']:.4f})"
        )
    plan = found["designs"][0]["design"]
    effect = plan["scenarios"][0]["effects"][0]["shift"]
    return [
        f"Next trial of {plan['n']} patients for a difference of {effect:g} at one-sided "
        f"{plan['rule']['alpha']:g} (Monte Carlo SE): {'; '.join(told)}.",
        dropout_told(found["dropout"], plan),
    ]


def dropout_told(found: Result, plan: Result) -> str:
    """Whose dropout was simulated, whose it really was, and what that does to power.

    Parameters
    ----------
    found
        ``dropout`` of the trial stage's result.
    plan
        The first design.
    """
    control = next(arm["name"] for arm in plan["arms"] if arm["control"])
    learnt = f", learnt from {control} and the same" if found["rule"] == "as_learnt" else ""
    real = ", ".join(f"{share:.0%} on {arm}" for arm, share in found["real"].items())
    scenarios = "; ".join(
        f"{s['power']['value']:.3f} ({s['power']['se']:.3f}) where {s['what']} leaves"
        for s in found["scenarios"]
    )
    lower = f"Power of {plan['name']}: {scenarios}." if scenarios else ""
    return (
        f"Simulated dropout is {found['simulated']:.0%}{learnt} in both arms; in the real trial "
        f"no outcome lies in the visit's window in {real}. Power is lower where the "
        f"active arm loses more. {lower}"
    ).strip()


def _score(found: Result) -> list[str]:
    locked, accepted = found["locked"], found["acceptance"]
    return [
        f"Score learnt on {locked['learned_on']} ({locked['n']} patients, {locked['events']} "
        f"events), locked as {locked['hash'][:12]} before the new trial's outcomes were read.",
        f"In the new trial: C {accepted['c']:.3f} ({accepted['low']:.3f} to "
        f"{accepted['high']:.3f}): {accepted['verdict']} for ordering patients.",
        f"{accepted['sharpening']['text']}.",
    ]


def _borrowing(found: Result) -> list[str]:
    lines = [f"Borrowing the historical controls: {found['verdict'].upper()}."]
    return lines + [f"  {reason}" for reason in found["reasons"]]


_TELL: dict[str, Callable[[Result], list[str]]] = {
    "cohort": _cohort,
    "notes": _notes,
    "evaluation": _evaluation,
    "twins": _twins,
    "effects": _effects,
    "trial": _trial,
    "score": _score,
    "borrowing": _borrowing,
}
