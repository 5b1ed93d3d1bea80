"""`trialtwin run`."""

from __future__ import annotations

from pathlib import Path

import click

from serving.cli.options import FILE, common, execution, reporter
from serving.cli.outcome import show

EXAMPLES = """
\b
Examples:
  trialtwin run configs/quickstart.yaml
  trialtwin run configs/quickstart.yaml --dry-run
  trialtwin run configs/quickstart.yaml --execution processes --workers 2
"""


@click.command(epilog=EXAMPLES)
@click.argument("config", type=FILE)
@click.option("--out", type=FILE, default=None, help="Folder of the run [default: runs/<name>].")
@click.option("--dry-run", is_flag=True, help="List the stages, cached or to be run, and why.")
@execution
@common
def run(
    config: Path,
    out: Path | None,
    dry_run: bool,
    execution: str,
    workers: int | None,
    seed: int | None,
    as_json: bool,
) -> None:
    """Run a study from its YAML file.

    Stages whose inputs, settings, code and versions are unchanged are taken from the run's
    folder. A run that was stopped or killed goes on where it was when it is called again.
    """
    from serving import service

    if dry_run:
        planned = service.plan_study(config, out, seed)
        width = max(len(p["stage"]) for p in planned)
        lines = [f"{p['stage']:<{width}}  {p['state']:<8}  {p['why']}" for p in planned]
        show(planned, as_json, lines)
        return
    done = service.run_study(
        config, out, seed, execution=execution, workers=workers, reporter=reporter()
    )
    lines = ["", "What was found", *(f"  {line}" for line in done["findings"]), ""]
    lines.append(f"Report: {done['report']}" if done["report"] else f"Results: {done['folder']}")
    show(done, as_json, lines)
