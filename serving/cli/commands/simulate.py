"""`trialtwin simulate`."""

from __future__ import annotations

from pathlib import Path

import click

from serving.cli.options import FILE, common, execution
from serving.cli.outcome import show

EXAMPLES = """
\b
Examples:
  trialtwin simulate examples/design.yaml --replicates 10000
  trialtwin simulate my-design.yaml --population quickstart --replicates 10000
  trialtwin simulate my-design.yaml --resume runs/my-trial --execution processes --workers 2
"""


@click.command(epilog=EXAMPLES)
@click.argument("design", type=FILE)
@click.option(
    "--population",
    default=None,
    help="A run or model (twins under control) or a cohort's folder, in place of the design's own.",
)
@click.option("--replicates", type=click.IntRange(1, 10_000_000), default=10_000, show_default=True)
@click.option("--resume", type=FILE, default=None, help="Folder that keeps finished chunks.")
@execution
@common
def simulate(
    design: Path,
    population: str | None,
    replicates: int,
    resume: Path | None,
    execution: str,
    workers: int | None,
    seed: int | None,
    as_json: bool,
) -> None:
    """Simulate a trial from the YAML file of its DESIGN.

    examples/design.yaml teaches every field of the file; copy it and change it.
    """
    from serving import service

    done = service.simulate_trial(
        design,
        population,
        replicates,
        seed or 0,
        execution=execution,
        workers=workers,
        folder=resume,
    )
    lines = [f"{done['design']['name']}: {replicates} replicates, digest {done['digest'][:12]}"]
    lines += [
        f"  {s['name']}: rejects {s['any_rejection']['value']:.4f} (MC SE "
        f"{s['any_rejection']['se']:.4f}), expected patients {s['n']['value']:.1f}"
        for s in done["scenarios"]
    ]
    show(done, as_json, lines)
