"""`trialtwin train` and `trialtwin generate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from serving.cli.options import FILE, as_json, common, overwrite, pairs, progress_lines, seed_of
from serving.cli.outcome import show

TRAIN = """
\b
Examples:
  trialtwin train my-trial --out model
  trialtwin train my-trial --out controls --fit controls --engine cart
  trialtwin train my-trial --out model --variables AGE,SEX,ADASBL,ADAS --endpoints dermatologic
  trialtwin train my-trial --out model --option checkpoint=work   (goes on after a kill)
  trialtwin train my-trial --out private --engine mixture --option epsilon=3
"""
GENERATE = """
\b
Examples:
  trialtwin generate quickstart -n 200 --out arm --given AGE=[70,90] --given SEX=F
  trialtwin generate model -n 1000 --out arm --arm Placebo --seed 7
  trialtwin generate quickstart -n 50 --out arm --given "ADAS@Week 24=>=30"
"""


def _words(text: str) -> tuple[str, ...]:
    return tuple(w.strip() for w in text.split(",") if w.strip())


@click.command(epilog=TRAIN)
@click.argument("cohort", type=FILE)
@click.option("--out", type=FILE, required=True, help="New folder of the model.")
@click.option(
    "--engine", default="twin", show_default=True,
    help="twin, mixture (instant, exact conditions, private with an epsilon), cart, or SDV's: "
    "sdv-gaussian-copula, sdv-ctgan, sdv-tvae, sdv-copulagan, sdv-par.",
)
@click.option(
    "--fit",
    type=click.Choice(["all_arms", "controls"]),
    default="all_arms",
    show_default=True,
    help="controls: for synthetic controls; all_arms: for forecasts under each arm.",
)
@click.option(
    "--control-arm", default=None, help="Control arm, where the cohort names none or another."
)
@click.option("--variables", default="", help="Names to learn, with commas; all when empty.")
@click.option("--endpoints", default="", help="Endpoints to learn, with commas.")
@click.option("--option", "options", multiple=True, help="NAME=VALUE, an option of the engine.")
@overwrite
@seed_of(click.INT)
@as_json
def train(
    cohort: Path,
    out: Path,
    engine: str,
    fit: str,
    options: tuple[str, ...],
    overwrite: bool,
    seed: int | None,
    as_json: bool,
    **learnt: Any,
) -> None:
    """Fit a generative model to a cohort's folder."""
    from extraction.records.errors import Faults
    from serving import service
    from serving.service.models import Only

    faults = Faults()
    chosen: dict[str, Any] = {}
    with faults.catch():
        chosen = pairs(options, "--option")

    done = service.train(
        cohort,
        out,
        engine,
        "controls" if fit == "controls" else "all_arms",
        Only(
            _words(learnt["variables"]), _words(learnt["endpoints"]), learnt["control_arm"]
        ),
        seed or 0,
        chosen,
        overwrite=overwrite,
        also=faults,
        progress=progress_lines(quiet=as_json),
    )
    show(
        done,
        as_json,
        [
            f"{done['engine']} fitted to {done['n_train']} patients, {_whom(fit, done['arms'])}.",
            *done["notes"],
            f"Model: {done['folder']}",
        ],
    )


def _whom(fit: str, arms: list[str]) -> str:
    named = ", ".join(arms) or "not named"
    if fit == "controls":
        return f"controls (arm {named})"
    return f"all arms ({named})"


@click.command(epilog=GENERATE)
@click.argument("model")
@click.option("-n", "n", type=click.IntRange(1, 1_000_000), required=True, help="Patients.")
@click.option("--out", type=FILE, required=True, help="New folder.")
@click.option(
    "--given",
    "given",
    multiple=True,
    help="NAME=VALUE condition: AGE=[70,90], ADAS@Week 24=>=30, <endpoint>_time=<=180.",
)
@click.option("--arm", default=None, help="Arm; by the design when empty.")
@common
def generate(
    model: str,
    n: int,
    out: Path,
    given: tuple[str, ...],
    arm: str | None,
    seed: int | None,
    as_json: bool,
) -> None:
    """Sample synthetic patients from MODEL: a model's folder, a run's folder or a run's name."""
    from serving import service

    done = service.generate(model, n, out, pairs(given, "--given") or None, arm, seed or 0)
    show(
        done,
        as_json,
        [
            f"{n} synthetic patients: {done['folder']}",
            f"About {done['expected_training_patients']:.0f} of {done['n_train']} training "
            f"patients stand behind the request; effective sample size "
            f"{done['effective_sample_size']:.0%}, {done['draws_per_patient']:.1f} draws each.",
            *done["notes"],
            done["notice"],
        ],
    )
