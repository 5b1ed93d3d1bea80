"""`trialtwin evaluate inference`."""

from __future__ import annotations

from typing import Any

import click

from serving.cli.options import FILE, common, execution, pairs, progress_lines
from serving.cli.outcome import show

EXAMPLES = """
\b
Examples:
  trialtwin evaluate inference quickstart --target "ADAS@Week 24"
  trialtwin evaluate inference my-run --target death --analysis log_hazard_ratio \\
      --execution processes --workers 4
  trialtwin evaluate inference my-trial --engine cart --target death --analysis rmst --out audits
"""


@click.command(epilog=EXAMPLES)
@click.argument("where")
@click.option("--target", required=True, help='What is compared: "variable@visit" or an endpoint.')
@click.option(
    "--analysis",
    type=click.Choice(["mean", "ancova", "log_hazard_ratio", "rmst"]),
    default="mean",
    show_default=True,
    help="The planned analysis.",
)
@click.option("--covariate", "covariates", multiple=True, help="Baseline variable of an ancova.")
@click.option("--horizon", type=float, default=None, help="Days of a restricted mean (rmst).")
@click.option(
    "--replicates",
    type=click.IntRange(min=2),
    default=200,
    show_default=True,
    help="Refits of the model; fewer than 200 show nothing.",
)
@click.option(
    "--synthetic", type=click.IntRange(min=2), default=None, help="Size of the synthetic arm."
)
@click.option(
    "--refits",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Bootstrap refits in each replicate, 0 or from 20: the variance is then measured.",
)
@click.option("--engine", default=None, help="Of a cohort: engine that is audited; twin if none.")
@click.option("--option", "options", multiple=True, help="Of a cohort: NAME=VALUE for the engine.")
@click.option("--control-arm", default=None, help="Of a cohort that names none, or another.")
@click.option("--out", type=FILE, default=None, help="Of a cohort: folder to keep the audit in.")
@execution
@common
def evaluate_inference(where: str, as_json: bool, seed: int | None, **asked: Any) -> None:
    """Audit synthetic controls: bias, coverage, type I error and power of a planned analysis.

    WHERE is a run (its name or folder, made by `trialtwin run`) or a cohort's folder (made by
    `trialtwin ingest`). The engine (a run's own) is refitted to random halves of the controls, the
    other half plays the treated. A run's passing audit is kept with it and allows synthetic
    controls of its model for augmenting a control arm in this analysis. A stopped audit that is
    kept goes on where it was.
    """
    from serving import service
    from serving.service.auditing import EngineOnCohort

    on = EngineOnCohort(
        asked["engine"], pairs(asked["options"], "--option"), asked["control_arm"], asked["out"]
    )
    plan = {
        "analysis": asked["analysis"],
        "target": asked["target"],
        "covariates": asked["covariates"],
        "horizon_days": asked["horizon"],
    }
    done = service.audit_inference(
        where,
        plan,
        on=on,
        replicates=asked["replicates"],
        n_synthetic=asked["synthetic"],
        refits=asked["refits"],
        seed=seed or 0,
        execution=asked["execution"],
        workers=asked["workers"],
        progress=progress_lines(quiet=as_json),
    )
    kept = f"Kept: {done['file']}" if done["file"] else "Not kept; --out FOLDER keeps it."
    show(done, as_json, [*done["sentences"], f"Rule: {done['rules']}", kept])

