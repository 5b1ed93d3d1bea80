"""`trialtwin extract notes`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from serving.cli.options import FILE, common, execution, overwrite
from serving.cli.outcome import counted, show

if TYPE_CHECKING:
    from serving.service import Coding, Pace, Protection

EXAMPLES = """
\b
Examples:
  trialtwin extract notes notes.csv --out facts
  trialtwin extract notes folder-of-txt --out facts --study HOSPITAL
  trialtwin extract notes notes.parquet --out facts --execution processes --workers 8
  trialtwin extract notes notes.csv --out facts --key-file ~/keys/notes.key --vault /safe/vault
  trialtwin extract notes notes.csv --out facts --vocabulary rxnorm=RXNCONSO.RRF
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


def paced(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options on where and how much at a time; the command is given them as `pace`."""

    @wraps(command)
    def called(
        chunk: int, cohort: bool | None, execution: str, workers: int | None, **others: Any
    ) -> None:
        from serving.service import Pace

        command(pace=Pace(execution, workers, chunk, cohort), **others)

    for option in _PACE:
        called = option(called)
    return called


_PACE = (
    click.option(
        "--cohort/--no-cohort",
        default=None,
        help="Make a cohort of the facts, in memory; by default up to 20,000 notes.",
    ),
    click.option("--chunk", type=int, default=500, show_default=True, help="Notes read at a time."),
    execution,
)


def read_by(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options on pipeline and codes; the command is given them as one `reading`."""

    @wraps(command)
    def called(preset: str, codes: bool, vocabulary: tuple[str, ...], **others: Any) -> None:
        from serving.service import Coding

        command(reading=(preset, Coding(codes, vocabulary)), **others)

    for option in reversed(_READING):
        called = option(called)
    return called


_READING = (
    click.option("--preset", default="fast", show_default=True, help="Pipeline: fast or accurate."),
    click.option(
        "--codes/--no-codes",
        default=True,
        help="Give facts codes of ICD-10-CM, HPO and DrugBank, as far as installed.",
    ),
    click.option(
        "--vocabulary",
        multiple=True,
        metavar="KIND=PATH",
        help="Your own umls, rxnorm, snomed, loinc or csv; KIND+find finds its terms too.",
    ),
)


@click.command(epilog=EXAMPLES)
@click.argument("where", type=FILE)
@click.option("--out", type=FILE, required=True, help="New folder of facts and cohort.")
@click.option("--study", default="NOTES", show_default=True, help="Study of notes that name none.")
@click.option("--dry-run", is_flag=True, help="Look through the notes and write nothing.")
@read_by
@paced
@protected
@overwrite
@common
def extract_notes(
    where: Path,
    out: Path,
    study: str,
    reading: tuple[str, Coding],
    pace: Pace,
    dry_run: bool,
    protection: Protection,
    overwrite: bool,
    seed: int | None,
    as_json: bool,
) -> None:
    """Find facts in notes, each with its place in the text, and turn them into a cohort.

    WHERE is a folder of .txt files (subject.txt, or subject@day.txt), or a .csv, .jsonl or .parquet
    file with subject_id and text and, where known, note_id, study_id, day (days from index; without
    it values have no place in a cohort), date (YYYY-MM-DD) and kind. Any number of
    notes is read in bounded memory; a run that was stopped goes on where it was. Notes that cannot
    be read are set aside and counted. The 18 identifiers of HIPAA's Safe Harbor are replaced by
    surrogates before anything is stored.
    """
    from serving import service
    from serving.cli.notes_bar import NotesBar

    preset, coding = reading
    pace = pace if as_json else replace(pace, progress=NotesBar())
    done = service.extract_notes(
        where, out, study, preset, overwrite, protection, pace, dry_run, coding
    )
    if protection.keep_identifiers and not dry_run:
        click.echo(f"Warning: {done['warning']}", err=True)
    show(done, as_json, _plan_lines(done) if dry_run else _lines(done))


def _plan_lines(plan: dict[str, Any]) -> list[str]:
    began = plan["finished_chunks"]
    return [
        f"{counted(plan['n_notes'], 'note')} of {counted(plan['subjects'], 'subject')}, "
        f"in {counted(plan['chunks'], 'chunk')}.",
        *(f"  set aside, {why}: {n}" for why, n in plan["set_aside"].items()),
        *_named(plan["first_set_aside"], sum(plan["set_aside"].values())),
        *_guesses(plan["encoding_guessed"]),
        *([f"  an earlier run has finished {counted(began, 'chunk')}"] if began else []),
        f"Nothing was written. Facts would go to {plan['folder']}"
        + (", with a cohort." if plan["cohort"] else ", without a cohort (--cohort makes one)."),
    ]


def _named(first: list[dict[str, str]], total: int) -> list[str]:
    """Say where the first records stand that would be set aside; the run writes them all."""
    more = total - len(first)
    return [
        *(f"    {one['where']}: {one['reason']}" for one in first),
        *([f"    and {more} more"] if more else []),
    ]


def _guesses(n: int) -> list[str]:
    told = f"  encoding guessed, in files or lines: {n}; read as Windows-1252 or damaged UTF-8"
    return [told] if n else []


def _left_out(counts: dict[str, int]) -> list[str]:
    """Say what the cohort lacks, and what would bring the values in."""
    from extraction.notes.cohort import NO_DAY

    kept = {why.removeprefix("left out: "): n for why, n in counts.items()}
    undated = kept.pop(NO_DAY, 0)
    first = (
        f"  {counted(undated, 'value')} left out of the cohort: their notes have no day; "
        "name files subject@day.txt or give a column day"
    )
    return [
        *([first] if undated else []),
        *(
            f"  {why}: {n}"
            if why.startswith("contradictions")
            else f"  not in the cohort, {why}: {n}"
            for why, n in sorted(kept.items())
        ),
    ]


def _lines(done: dict[str, Any]) -> list[str]:
    return [
        f"{counted(done['n_facts'], 'fact')} in {counted(done['n_notes'], 'note')} of "
        f"{counted(done['subjects'], 'subject')}.",
        *(f"  {kind}: {n}" for kind, n in done["by_type"].items()),
        *(f"  set aside, {why}: {n}" for why, n in done["set_aside"].items()),
        *(["  each with its place in set_aside.jsonl"] if done["set_aside"] else []),
        *_guesses(done["encoding_guessed"]),
        *(f"  replaced, {kind}: {n}" for kind, n in done.get("replaced", {}).items()),
        *_left_out(done.get("left_out", {})),
        *([] if done["cohort"] else ["  no cohort was made; --cohort makes one, in memory"]),
        f"Facts: {done['folder']}",
    ]
