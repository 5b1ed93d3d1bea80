"""`trialtwin extract notes`."""

from __future__ import annotations

from pathlib import Path

import click

from serving.cli.options import FILE, common, overwrite
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
@overwrite
@common
def extract_notes(
    where: Path,
    out: Path,
    study: str,
    preset: str,
    overwrite: bool,
    seed: int | None,
    as_json: bool,
) -> None:
    """Find facts in notes, each with its place in the text, and turn them into a cohort.

    WHERE is a folder of .txt files (subject.txt, or subject@day.txt), or a .csv or .jsonl file with
    subject_id and text and, where known, note_id, study_id, day and kind. Notes that cannot be read
    are set aside and counted.
    """
    from serving import service

    done = service.extract_notes(where, out, study, preset, overwrite)
    show(
        done,
        as_json,
        [
            f"{done['n_facts']} facts in {done['n_notes']} notes of {done['subjects']} subjects.",
            *(f"  {kind}: {n}" for kind, n in done["by_type"].items()),
            *(f"  set aside, {why}: {n}" for why, n in done["set_aside"].items()),
            f"Facts: {done['folder']}",
        ],
    )
