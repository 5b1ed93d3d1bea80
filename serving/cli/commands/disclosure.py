"""`trialtwin evaluate disclosure`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from serving.cli.options import FILE, columns, common, pairs, progress_lines
from serving.cli.outcome import show

EXAMPLES = """
\b
Examples:
  trialtwin evaluate disclosure my-trial --engine twin --refits 12
  trialtwin evaluate disclosure trial.csv --arm arm --time days --event died --engine cart
  trialtwin evaluate disclosure my-trial --engine mixture --option epsilon=3
"""


@click.command(epilog=EXAMPLES)
@click.argument("cohort", type=FILE)
@click.option("--engine", default="twin", show_default=True, help="Engine that is attacked.")
@click.option(
    "--refits",
    type=click.INT,
    default=12,
    show_default=True,
    help="Models fitted to halves of the patients, an even number from 4.",
)
@click.option("--option", "options", multiple=True, help="NAME=VALUE for the engine.")
@columns
@common
def evaluate_disclosure(
    cohort: Path,
    engine: str,
    refits: int,
    options: tuple[str, ...],
    seed: int | None,
    as_json: bool,
    **known: str | None,
) -> None:
    """Attack an engine: what its synthetic patients give away about those of COHORT.

    COHORT is a cohort's folder or a CSV table with one row a patient. The engine is fitted to
    random halves of the patients; what an attack finds of those who were in, beyond what it finds
    of the others, is a leak.
    """
    from extraction.records.errors import Faults
    from serving import service
    from serving.service.patients import Columns

    faults = Faults()
    chosen: dict[str, Any] = {}
    with faults.catch():
        chosen = pairs(options, "--option")
    request = service.DisclosureRequest(
        cohort, engine, chosen, refits, seed or 0, Columns(**known)
    )
    done = service.evaluate_disclosure(request, progress_lines(quiet=as_json), also=faults)
    show(
        done,
        as_json,
        [
            f"Engine {done['engine']!r}, {done['patients']} patients, {done['refits']} refits: "
            f"{done['verdict']}",
            *done["sentences"],
            *done["notes"],
        ],
    )
