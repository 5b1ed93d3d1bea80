"""`trialtwin evaluate cohort|notes`."""

from __future__ import annotations

from pathlib import Path

import click

from serving.cli.options import FILE, common
from serving.cli.outcome import show

COHORT = """
\b
Example:
  trialtwin evaluate cohort arm/cohort --train trained-on --holdout held-out
"""
NOTES = """
\b
Example:
  trialtwin evaluate notes tests/notes/bank/test
"""


@click.command(epilog=COHORT)
@click.argument("synthetic", type=FILE)
@click.option("--train", type=FILE, required=True, help="Real patients the model was fitted to.")
@click.option("--holdout", type=FILE, required=True, help="Real patients it never saw.")
@common
def evaluate_cohort(
    synthetic: Path, train: Path, holdout: Path, seed: int | None, as_json: bool
) -> None:
    """Judge synthetic patients: fidelity, utility and privacy, each beside its controls."""
    from serving import service

    done = service.evaluate_cohort(synthetic, train, holdout, seed or 0)
    lines = [done["caution"], *(f"  {m['sentence']}" for m in done["metrics"])]
    show(done, as_json, lines)


@click.command(epilog=NOTES)
@click.argument("bank", type=FILE, required=False)
@click.option("--preset", default="fast", show_default=True, help="Pipeline that reads the notes.")
@common
def evaluate_notes(bank: Path | None, preset: str, seed: int | None, as_json: bool) -> None:
    """Judge extracted facts against the facts marked in BANK, a file or folder of marked notes.

    Without BANK, notes are rendered from patients of the CDISC pilot: a regression test.
    """
    from serving import service

    done = service.evaluate_notes(bank, preset, seed or 0)
    lines = [
        f"{done['label']}, {done['n_notes']} notes",
        f"strict F1 {done['strict']['f1']:.3f}, relaxed F1 {done['relaxed']['f1']:.3f}",
        *(
            f"  {name}: precision {s['precision']:.3f}, recall {s['recall']:.3f}, F1 {s['f1']:.3f} "
            f"({s['marked']} marked, {s['found']} found)"
            for name, s in done["types"].items()
            if s["marked"] or s["found"]  # of nothing, nothing is missed: no merit
        ),
    ]
    show(done, as_json, lines)
