"""`trialtwin analyse`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from serving.cli.options import FILE, common, overwrite
from serving.cli.outcome import show

EXAMPLES = """
\b
Examples:
  trialtwin analyse --lock examples/analysis-plan.yaml
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
    hash in it.

    --out gets results.json and results.csv (estimates with estimands, adjusted p values,
    decisions), report.html, the plan, analysis.csv and rederive.R, which computes every estimate
    anew in R. analysis.csv HOLDS PATIENT DATA, one row a patient: keep it as safe as the cohort.

    examples/analysis-plan.yaml teaches every field of the plan. Nothing is drawn at random; --seed
    changes nothing.
    """
    from extraction.records.errors import InputError
    from serving import service
    from serving.logs import configure
    from serving.settings import settings

    configure(settings().log_file, settings().log_level)
    if lock is not None:
        if cohort is not None or out is not None:
            raise InputError("--lock: give the plan alone; analyse in a second command")
        held = service.lock_analysis(lock, overwrite)
        show(held, as_json, [f"Locked: {held['lock']}", f"  SHA-256 {held['sha256']}"])
        return
    given = {"COHORT": cohort, "PLAN": plan, "--out": out}
    missing = [name for name, value in given.items() if value is None]
    if missing or cohort is None or plan is None or out is None:
        raise InputError(
            [f"analyse: {name} is missing; see trialtwin analyse --help" for name in missing]
        )
    done = service.analyse_trial(cohort, plan, out, exploratory, overwrite)
    show(done, as_json, _told(done))


def _told(done: dict[str, Any]) -> list[str]:
    """One line an analysis, then the decisions and the files."""
    lines = [f"{done['study']}: {done['status']}, plan {done['plan_sha256'][:12]}"]
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
