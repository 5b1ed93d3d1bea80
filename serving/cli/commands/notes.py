"""`trialtwin extract notes`."""

from __future__ import annotations

from pathlib import Path

import click

from serving.cli.options import FILE, common
from serving.cli.outcome import show

EXAMPLES = """
\b
Examples:
  trialtwin extract notes notes.csv --out facts
  trialtwin extract notes folder-of-txt --out facts --study HOSPITAL
"""


@click.command(epilog=EXAMPLES)
@click.argument("where", type=FILE)
@click.option("--out", type=FILE, required=True, help="New folder of facts and cohort.")
@click.option("--study", default="NOTES", show_default=True, help="Study of notes that name none.")
@click.option("--preset", default="fast", show_default=True, help="Pipeline that reads the notes.")
@common
def extract_notes(
    where: Path, out: Path, study: str, preset: str, seed: int | None, as_json: bool
) -> None:
    """Find facts in notes, each with its place in the text, and turn them into a cohort.

    WHERE is a CSV or Parquet table with the columns subject_id and text (and note_id, study_id,
    day, kind where they are known), or a folder of .txt files, one a subject.
    """
    from serving import service

    done = service.extract_notes(where, out, study, preset)
    show(
        done,
        as_json,
        [
            f"{done['n_facts']} facts in {done['n_notes']} notes of {done['subjects']} subjects.",
            *(f"  {kind}: {n}" for kind, n in done["by_type"].items()),
            f"Facts: {done['folder']}",
        ],
    )
