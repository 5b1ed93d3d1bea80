"""`trialtwin evaluate inference`."""

from __future__ import annotations

from typing import Any

import click

from serving.cli.options import common, execution, progress_lines
from serving.cli.outcome import show

EXAMPLES = """
\b
Examples:
  trialtwin evaluate inference quickstart --target "ADAS@Week 24"
  trialtwin evaluate inference my-run --target death --analysis log_hazard_ratio \\
      --execution processes --workers 4
"""


@click.command(epilog=EXAMPLES)
@click.argument("run")
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
@execution
@common
def evaluate_inference(run: str, as_json: bool, seed: int | None, **asked: Any) -> None:
    """Audit the model of controls of RUN: bias, coverage, type I error and power of an analysis.

    The model's engine is refitted to random halves of its controls, the other half plays the
    treated. A passing audit is kept with the run and allows synthetic controls of this model for
    augmenting a control arm. A stopped audit goes on where it was.
    """
    from serving import service

    plan = {
        "analysis": asked["analysis"],
        "target": asked["target"],
        "covariates": asked["covariates"],
        "horizon_days": asked["horizon"],
    }
    done = service.audit_inference(
        run,
        plan,
        replicates=asked["replicates"],
        n_synthetic=asked["synthetic"],
        refits=asked["refits"],
        seed=seed or 0,
        execution=asked["execution"],
        workers=asked["workers"],
        progress=progress_lines(quiet=as_json),
    )
    show(done, as_json, [*done["sentences"], f"Rule: {done['rules']}", f"Kept: {done['file']}"])

