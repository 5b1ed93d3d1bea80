"""`trialtwin doctor`."""

from __future__ import annotations

import click

from serving.cli.options import common
from serving.cli.outcome import show

EXAMPLES = """
\b
Example:
  trialtwin doctor
"""


@click.command(epilog=EXAMPLES)
@common
@click.pass_context
def doctor(ctx: click.Context, seed: int | None, as_json: bool) -> None:
    """Check this installation: packages, disk, folders. Nothing is changed."""
    from serving import service

    done = service.doctor()
    lines = [
        f"{'good' if c['good'] else 'NOT GOOD':<9} {c['what']}: {c['found']}"
        + (f"; {c['do']}" if c["do"] else "")
        for c in done["checks"]
    ]
    show(done, as_json, lines)
    if not done["good"]:
        ctx.exit(1)
