"""`trialtwin analyse`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from serving.cli.compiling import tells_compiling
from serving.cli.options import FILE, common, overwrite
from serving.cli.outcome import show

EXAMPLES = """
\b
Examples:
  trialtwin analyse --lock examples/analysis-plan.yaml
  trialtwin analyse my-trial --lock examples/analysis-plan.yaml
  trialtwin analyse my-trial examples/analysis-plan.yaml --out runs/analysis
  trialtwin analyse my-trial changed-plan.yaml --out runs/second --exploratory
  Rscript runs/analysis/rederive.R
"""


@click.command(epilog=EXAMPLES)
@click.argument("cohort", type=FILE, required=False)
@click.argument("plan", type=FILE, required=False)
@click.option("--out", type=FILE, default=None, help="New folder for the results.")
@click.option(
    "--lock", type=FILE, default=None, metavar="PLAN", help="Lock this plan; nothing is analysed."
)
@click.option(
    "--exploratory",
    is_flag=True,
    help="Analyse a plan that is not locked, or differs from its lock; the results say so.",
)
@overwrite
@common
@tells_compiling
def analyse(
    cohort: Path | None,
    plan: Path | None,
    out: Path | None,
    lock: Path | None,
    exploratory: bool,
    overwrite: bool,
    seed: int | None,
    as_json: bool,
) -> None:
    """Analyse the trial in the folder COHORT by the YAML file of its PLAN.

    First lock the plan, before outcomes are read: --lock writes its SHA-256 to PLAN.lock.json
    beside it. A plan that is not locked, or differs from its lock, is refused; --exploratory
    analyses it and marks every result. With --lock, --overwrite amends a lock and keeps the earlier
    hash in it; a COHORT before it has the plan checked against it first, its outcomes unread.

    --out gets results.json and results.csv (estimates with estimands, adjusted p values,
    decisions), report.html, the plan, analysis.csv and rederive.R, which computes every estimate
    anew in R. analysis.csv HOLDS PATIENT DATA, one row a patient: keep it as safe as the cohort.

    examples/analysis-plan.yaml teaches every field of the plan. The plan holds the seed
    of its imputations, and nothing else is drawn, so there is none to give.

    Deposit the SHA-256 that --lock prints (in a register, or by e-mail to a third party) before
    anybody is unblinded: the lock file itself bears no signature.
    """
    from extraction.records.errors import InputError
    from serving import service
    from serving.logs import configure
    from serving.settings import settings

    configure(settings().log_file, settings().log_level)
    given = {"COHORT": cohort, "PLAN": plan, "--out": out}
    faults = _faults(given, lock, exploratory, seed)
    if faults:
        raise InputError(faults)
    if lock is not None:
        held = service.lock_analysis(lock, overwrite, cohort)
        show(held, as_json, _locked(held))
        return
    assert cohort is not None and plan is not None and out is not None
    done = service.analyse_trial(cohort, plan, out, exploratory, overwrite, _bar(as_json))
    show(done, as_json, _told(done))


def _faults(
    given: dict[str, Path | None], lock: Path | None, exploratory: bool, seed: int | None
) -> list[str]:
    """Say what is missing, and what would do nothing."""
    faults = []
    if seed is not None:
        faults.append(
            "--seed: only imputations are drawn, and the plan holds their seed; leave it out"
        )
    if lock is None:
        missing = [name for name, value in given.items() if value is None]
        return faults + [f"analyse: {n} is missing; see trialtwin analyse --help" for n in missing]
    faults += [
        f"{name}: --lock takes the plan, and a COHORT to check it; analyse in a second command"
        for name, value in given.items()
        if value is not None and name != "COHORT"
    ]
    if exploratory:
        faults.append("--exploratory: of an analysis; --lock analyses nothing, leave it out")
    return faults


def _locked(held: dict[str, Any]) -> list[str]:
    """The hash where nobody can miss it, and what it is for."""
    amended = len(held["amended"])
    return [
        f"Locked: {held['lock']}",
        "",
        f"    SHA-256  {held['sha256']}",
        "",
        "The file bears no signature. Deposit this hash before unblinding, in a register or by",
        "e-mail to a third party, with the date: it shows later that the plan is the one locked.",
        *([f"Amended {amended} times; the earlier hashes are in the file."] if amended else []),
    ]


def _bar(quiet: bool) -> Callable[[str, float], None] | None:
    if quiet:
        return None
    from serving.cli.notes_bar import NotesBar

    bar = NotesBar()
    return lambda what, share: bar(what, share, 0)


def _told(done: dict[str, Any]) -> list[str]:
    """One line an analysis, then the decisions and the files."""
    lines = [f"{done['study']}: {done['status']}, plan {done['plan_sha256']}"]
    lines += [f"  deviation: {what}" for what in done["deviations"]]
    for a in done["analyses"]:
        if a["external_controls"]:
            lines.append(f"  {a['name']}: {a['external_controls']['verdict']}")
        mark = ", exploratory" if done["status"] == "exploratory" else ""
        if a["se"] is None:
            lines.append(f"  {a['name']} ({a['role']}{mark}): {a['extra']['note']}")
            continue
        lines.append(
            f"  {a['name']} ({a['role']}{mark}): {a['estimate']:.4g} "
            f"({a['low']:.4g} to {a['high']:.4g}), p {a['p_value']:.4g}, n {a['n']}"
        )
        if a["decision"]:
            d = a["decision"]
            word = f"rejected, favours {d['favours']}" if d["rejected"] else "not rejected"
            lines.append(f"    adjusted p {d['adjusted_p']:.4g}: {word} at {d['alpha']:g}")
    lines.append(f"Report: {done['folder']}/report.html; again in R: {done['folder']}/rederive.R")
    return [*lines, "analysis.csv holds patient data, one row a patient."]
