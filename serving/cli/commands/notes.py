"""`trialtwin extract notes`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from serving.cli.options import FILE, common, overwrite
from serving.cli.outcome import show

if TYPE_CHECKING:
    from serving.service import Protection

EXAMPLES = """
\b
Examples:
  trialtwin extract notes notes.csv --out facts
  trialtwin extract notes folder-of-txt --out facts --study HOSPITAL
  trialtwin extract notes notes.csv --out facts --key-file ~/keys/notes.key --vault /safe/vault
"""


def protected(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options on identifiers; the command is given them as one `protection`."""

    @wraps(command)
    def called(
        key_file: Path | None,
        vault: Path | None,
        code_ids: bool,
        keep_identifiers: bool,
        **others: Any,
    ) -> None:
        from serving.service import Protection

        command(protection=Protection(keep_identifiers, key_file, vault, code_ids), **others)

    for option in reversed(_PROTECTION):
        called = option(called)
    return called


_PROTECTION = (
    click.option(
        "--key-file",
        type=FILE,
        help="Key of the surrogates, made when missing; without one they differ from run to run.",
    ),
    click.option(
        "--vault", type=FILE, help="Folder, apart from the notes, for what was replaced, encrypted."
    ),
    click.option(
        "--code-ids", is_flag=True, help="Replace ids of notes and subjects by codes too."
    ),
    click.option(
        "--keep-identifiers",
        is_flag=True,
        help="Store names, dates and numbers of patients as they stand.",
    ),
)


@click.command(epilog=EXAMPLES)
@click.argument("where", type=FILE)
@click.option("--out", type=FILE, required=True, help="New folder of facts and cohort.")
@click.option("--study", default="NOTES", show_default=True, help="Study of notes that name none.")
@click.option("--preset", default="fast", show_default=True, help="Pipeline that reads the notes.")
@protected
@overwrite
@common
def extract_notes(
    where: Path,
    out: Path,
    study: str,
    preset: str,
    protection: Protection,
    overwrite: bool,
    seed: int | None,
    as_json: bool,
) -> None:
    """Find facts in notes, each with its place in the text, and turn them into a cohort.

    WHERE is a folder of .txt files (subject.txt, or subject@day.txt), or a .csv or .jsonl file with
    subject_id and text and, where known, note_id, study_id, day and kind. Notes that cannot be read
    are set aside and counted. The 18 identifiers of HIPAA's Safe Harbor are replaced by surrogates
    before anything is stored.
    """
    from serving import service

    done = service.extract_notes(where, out, study, preset, overwrite, protection)
    if protection.keep_identifiers:
        click.echo(f"Warning: {done['warning']}", err=True)
    show(
        done,
        as_json,
        [
            f"{done['n_facts']} facts in {done['n_notes']} notes of {done['subjects']} subjects.",
            *(f"  {kind}: {n}" for kind, n in done["by_type"].items()),
            *(f"  set aside, {why}: {n}" for why, n in done["set_aside"].items()),
            *(f"  replaced, {kind}: {n}" for kind, n in done.get("replaced", {}).items()),
            f"Facts: {done['folder']}",
        ],
    )
