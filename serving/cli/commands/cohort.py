"""`trialtwin cohort describe|validate|export`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from serving.cli.options import FILE, common
from serving.cli.outcome import show

DESCRIBE = """
\b
Example:
  trialtwin cohort describe runs/quickstart/stages/cohort/cohort
"""
VALIDATE = """
\b
Example:
  trialtwin cohort validate my-trial
"""
EXPORT = """
\b
Examples:
  trialtwin cohort export my-trial --out my-trial-csv
  trialtwin cohort export my-trial --out copy --form parquet
"""


@click.command(epilog=DESCRIBE)
@click.argument("folder", type=FILE)
@common
def describe(folder: Path, seed: int | None, as_json: bool) -> None:
    """Show counts, location, spread and missing share of a cohort.

    Terms of episodes are named from five patients on.
    """
    from serving import service

    done = service.describe(folder)
    found = done["summary"]
    lines = [f"{found['study_id']}: {found['subjects']} subjects"]
    lines += [f"  {arm}: {n}" for arm, n in found["arms"].items()]
    lines += [f"  {name}: {told(v)}" for name, v in found["variables"].items()]
    lines += [
        f"  {name}: {v['events']} events in {v['subjects']} subjects"
        for name, v in found["endpoints"].items()
    ]
    show(done, as_json, [*lines, *_tables(found)])


def _tables(found: dict[str, Any]) -> list[str]:
    """Rows of the tables; the commonest terms of episodes with their patients."""
    lines = []
    for kind, n in found["episodes"].items():
        terms = ", ".join(f"{term} {m}" for term, m in found["commonest"].get(kind, {}).items())
        named = f"; patients with the commonest: {terms}" if terms else ""
        lines.append(f"  episodes, {kind.replace('_', ' ')}: {n}{named}")
    return [*lines, f"  observations: {found['observations']}", f"  events: {found['events']}"]


def told(variable: dict[str, Any]) -> str:
    """One variable in a line."""
    missing = f", {variable['missing']:.0%} missing" if variable["missing"] else ""
    if "mean" in variable:
        if variable["mean"] is None:
            return f"no value{missing}"
        spread = "" if variable["sd"] is None else f" (SD {variable['sd']:.3g})"
        return f"mean {variable['mean']:.4g}{spread} {variable['unit'] or ''}".rstrip() + missing
    return ", ".join(f"{level} {n}" for level, n in variable["counts"].items()) + missing


@click.command(epilog=VALIDATE)
@click.argument("folder", type=FILE)
@common
def validate(folder: Path, seed: int | None, as_json: bool) -> None:
    """Check a cohort: its files' hashes and every rule of the data model."""
    from serving import service

    done = service.validate(folder)
    show(done, as_json, [f"{done['subjects']} subjects, no fault. Digest: {done['digest']}"])


@click.command(epilog=EXPORT)
@click.argument("folder", type=FILE)
@click.option("--out", type=FILE, required=True, help="New folder.")
@click.option("--form", type=click.Choice(["csv", "parquet"]), default="csv", show_default=True)
@common
def export(folder: Path, out: Path, form: str, seed: int | None, as_json: bool) -> None:
    """Write a cohort for other tools: CSV with a data dictionary, or Parquet."""
    from serving import service

    done = service.export(folder, out, form)
    show(done, as_json, [f"{done['subjects']} subjects as {form}: {done['folder']}"])
