"""`trialtwin extract restore`."""

from __future__ import annotations

from pathlib import Path

import click

from serving.cli.options import FILE, common
from serving.cli.outcome import counted, show

EXAMPLES = """
\b
Example:
  trialtwin extract restore facts --vault /safe/vault --key-file ~/keys/notes.key --out originals
"""


@click.command(epilog=EXAMPLES)
@click.argument("folder", type=FILE)
@click.option("--vault", type=FILE, required=True, help="Vault that `extract notes` wrote.")
@click.option("--key-file", type=FILE, required=True, help="Key that it was given.")
@click.option("--out", type=FILE, required=True, help="New folder, apart from the notes.")
@common
def extract_restore(
    folder: Path, vault: Path, key_file: Path, out: Path, seed: int | None, as_json: bool
) -> None:
    """Turn the notes of an extraction back to what they were, with their identifiers.

    FOLDER was written by `extract notes --vault`. The notes go to OUT/notes.jsonl, which its owner
    alone can read; nothing of them is printed.
    """
    from serving import service

    done = service.restore_notes(folder, vault, key_file, out)
    notes = counted(done["n_notes"], "note")
    show(
        done,
        as_json,
        [f"{notes} with their identifiers, readable by you alone: {done['folder']}"],
    )
