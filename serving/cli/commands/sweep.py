"""`trialtwin sweep`."""

from __future__ import annotations

from pathlib import Path

import click

from serving.cli.compiling import tells_compiling
from serving.cli.options import FILE, common, execution, progress_lines
from serving.cli.outcome import show

EXAMPLES = """
\b
Examples:
  trialtwin sweep examples/sweep.yaml --folder runs/sizes
  trialtwin sweep examples/sweep.yaml --folder runs/sizes --execution processes --workers 8

\b
The folder then holds
  summary.csv                       one row for each trial and scenario, with the trial's folder
  DESIGN-HASH/replicates.parquet    one row for each replicate and scenario of a trial

Killed, or the machine gone? Run the same command again: finished chunks are not run twice, and the
digest is that of a run without a break. Add a design or a value to the file and run it again: only
what is new is simulated.
"""


@click.command(epilog=EXAMPLES)
@click.argument("plan", type=FILE)
@click.option(
    "--folder",
    type=FILE,
    default=None,
    help="Keeps every trial's replicates and the summary; the same command goes on from it.",
)
@execution
@common
@tells_compiling
def sweep(
    plan: Path,
    folder: Path | None,
    execution: str,
    workers: int | None,
    seed: int | None,
    as_json: bool,
) -> None:
    """Simulate many trials at once: the designs of a YAML file by its parameters.

    PLAN names designs and the values of their parameters; examples/sweep.yaml teaches its fields.
    All trials go through one pool of workers.
    """
    from serving.service import simulate_sweep

    asked, done = simulate_sweep(
        plan,
        folder,
        seed=seed,
        execution=execution,
        workers=workers,
        progress=progress_lines(as_json),
    )
    digest = done.digest()
    lines = [
        f"{done.frame['trial'].nunique()} trials of {done.replicates} replicates, "
        f"digest {digest[:12]}"
    ]
    lines += [
        f"  {row['trial']}; {row['scenario']}: rejects {row['any_rejection']:.4f} (MC SE "
        f"{row['any_rejection_se']:.4f}), expected patients {row['mean_n']:.1f}"
        for row in done.frame.to_dict("records")
    ]
    told = {
        "plan": asked.model_dump(mode="json"),
        "replicates": done.replicates,
        "seed": done.seed,
        "digest": digest,
        "rows": done.frame.to_dict("records"),
    }
    show(told, as_json, lines)
