"""`trialtwin update`."""

from __future__ import annotations

from pathlib import Path

import click

from serving.cli.options import FILE, common, overwrite, progress_lines
from serving.cli.outcome import show

EXAMPLES = """
\b
Examples:
  trialtwin update model later-patients --out model-2
  trialtwin update model later-patients --earlier my-trial --out model-2
"""


@click.command(epilog=EXAMPLES)
@click.argument("model")
@click.argument("cohort", type=FILE)
@click.option("--out", type=FILE, required=True, help="New folder of the new version.")
@click.option(
    "--earlier", type=FILE, default=None,
    help="Cohort that MODEL was fitted to; without it the model's own patients stand for them.",
)
@overwrite
@common
def update(
    model: str,
    cohort: Path,
    out: Path,
    earlier: Path | None,
    overwrite: bool,
    seed: int | None,
    as_json: bool,
) -> None:
    """Bring MODEL up to date with the patients of COHORT, whom it has not seen.

    Tells what moved, by how much and with what certainty. The new version is kept only if the
    likelihood of new patients left out of it does not fall.
    """
    from serving import service

    done = service.update(
        model, cohort, out, earlier, seed or 0, overwrite=overwrite,
        progress=progress_lines(quiet=as_json),
    )
    kept = f"Model: {done['folder']}" if done["folder"] else "Nothing was written."
    show(done, as_json, [*done["moved"], done["sentence"], kept])
