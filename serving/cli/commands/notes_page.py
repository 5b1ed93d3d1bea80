"""`trialtwin extract show`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from serving.cli.commands.notes import protected, read_by
from serving.cli.options import FILE, common, overwrite
from serving.cli.outcome import counted, show

if TYPE_CHECKING:
    from serving.service import Coding, Protection

EXAMPLES = """
\b
Examples:
  trialtwin extract show note.txt --out page.html
  trialtwin extract show folder-of-txt --out page.html --preset accurate
  trialtwin extract show facts --out page.html          # a folder made by extract notes
"""


@click.command(epilog=EXAMPLES)
@click.argument("where", type=FILE)
@click.option("--out", type=FILE, required=True, help="The page, one HTML file.")
@click.option("--most", type=int, default=50, show_default=True, help="Notes shown.")
@read_by
@protected
@overwrite
@common
def extract_show(
    where: Path,
    out: Path,
    reading: tuple[str, Coding],
    most: int,
    protection: Protection,
    overwrite: bool,
    seed: int | None,
    as_json: bool,
) -> None:
    """Show notes with their facts marked, on a page that can be printed.

    WHERE is a .txt file, what `extract notes` reads, or what it wrote. The page loads nothing and
    holds no script. Identifiers are replaced on it unless they are kept.
    """
    from serving import service

    preset, coding = reading
    done = service.show_notes(where, out, preset, most, overwrite, protection, coding)
    aside = [f"  set aside, {one['where']}: {one['reason']}" for one in done["set_aside"]]
    more = f", of {done['total']}" if done["total"] > done["n_notes"] else ""
    show(
        done,
        as_json,
        [
            f"{counted(done['n_facts'], 'fact')} in {counted(done['n_notes'], 'note')}{more}.",
            *aside,
            f"Page: {done['page']}",
        ],
    )
