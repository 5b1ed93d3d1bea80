"""`trialtwin evaluate cohort|notes`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from serving.cli.commands.tagging import score_lines
from serving.cli.options import FILE, asked_json, columns, json_or_file, progress_lines, seed_of
from serving.cli.outcome import show

COHORT = """
\b
Examples:
  trialtwin evaluate cohort arm/cohort --train trained-on --holdout held-out --html judged.html
  trialtwin evaluate cohort made.csv --train a.csv --holdout b.csv --time days --event died
  trialtwin evaluate cohort --cohort my-trial --engine cart --folds 5 --use exploration
"""
NOTES = """
\b
Examples:
  trialtwin evaluate notes tests/notes/bank/test
  trialtwin evaluate notes --gold marked --json scores.json
"""


@click.command(epilog=COHORT)
@click.argument("synthetic", type=FILE, required=False)
@click.option("--train", type=FILE, help="Real patients the model was fitted to.")
@click.option("--holdout", type=FILE, help="Real patients it never saw.")
@click.option("--cohort", type=FILE, help="Instead: real patients to judge an engine on.")
@click.option(
    "--engine", default="twin", show_default=True, help="Engine that is judged with --cohort."
)
@click.option("--folds", type=click.INT, default=5, show_default=True, help="Of --cohort.")
@click.option("--model", default=None, help="The fitted model: its folder, or its run.")
@click.option("--use", default=None, help="exploration, software_testing or augment_control_arm.")
@click.option("--analysis", default=None, help='Planned analysis, audited: "mean of ADAS@Week 24".')
@columns
@click.option("--html", type=FILE, default=None, help="Write a page with figures.")
@json_or_file
@seed_of(click.IntRange(0, 2**31 - 1))
def evaluate_cohort(
    synthetic: Path | None,
    as_json: str | None,
    seed: int | None,
    arm: str | None,
    time: str | None,
    event: str | None,
    subject: str | None,
    **given: Any,
) -> None:
    """Judge synthetic patients, or an engine, and say whether they suit a use.

    SYNTHETIC, --train and --holdout are cohort folders or CSV tables with one row a patient.
    Every measure stands beside a copy of the data, independent columns, a planted error and real
    patients against real patients.
    """
    from serving import service
    from serving.service.patients import Columns

    printed, file, synthetic = asked_json(as_json, synthetic)
    request = service.EvaluationRequest(
        synthetic=synthetic,
        seed=seed or 0,
        columns=Columns(arm, time, event, subject),
        json=file,
        **given,
    )
    done = service.evaluate_patients(request, progress_lines(quiet=printed))
    show(done, printed, _told(done))


def _told(done: dict[str, Any]) -> list[str]:
    """The verdicts for uses first, then the sentences by group, then the files."""
    uses = [done["use"]] if done["use"] else list(done["uses"].values())
    lines = [done["caution"], *done["compared"]["notes"], ""]
    for use in uses:
        lines.append(f"{use['use'].replace('_', ' ')}: {use['verdict']}")
        lines += [f"  {reason}" for reason in (use["reasons"] if done["use"] else [])]
    group = ""
    for metric in done["metrics"]:
        if metric["group"] != group:
            group = metric["group"]
            lines += ["", group]
        lines.append(f"  {metric['sentence']}")
    return [*lines, "", *(f"{kind}: {place}" for kind, place in done["files"].items())]


@click.command(epilog=NOTES)
@click.argument("bank", type=FILE, required=False)
@click.option("--preset", default="fast", show_default=True, help="Pipeline that reads the notes.")
@click.option(
    "--gold", type=FILE, default=None, help="Instead: a brat folder to judge a tagger on."
)
@click.option(
    "--model", type=FILE, default=None, help="Folder of the tagger; else the shipped one."
)
@click.option("--head", default=None, help="Label set of the tagger; else the one that fits best.")
@json_or_file
@seed_of(click.IntRange(0, 2**31 - 1))
def evaluate_notes(
    bank: Path | None,
    preset: str,
    gold: Path | None,
    model: Path | None,
    head: str | None,
    as_json: str | None,
    seed: int | None,
) -> None:
    """Judge extracted facts against the facts marked in BANK, a file or folder of marked notes.

    Without BANK, notes are rendered from patients of the CDISC pilot: a regression test. With
    --gold, the transformer is judged on documents marked in brat; labels that it does not know are
    told, not scored.
    """
    from serving import service

    printed, file, judged = asked_json(as_json, bank or gold)
    if gold is not None:
        done = service.evaluate_gold(gold, model, head, file, seed or 0)
        lines = [f"tagger {done['model']}", *score_lines(done)]
    else:
        done = service.evaluate_notes(judged, preset, seed or 0)
        lines = _fact_lines(done)
        if file is not None:
            file.write_text(json.dumps(done, ensure_ascii=False, indent=1) + "\n", "utf-8")
    show(done, printed, lines)


def _fact_lines(done: dict[str, Any]) -> list[str]:
    return [
        f"{done['label']}, {done['n_notes']} notes",
        f"strict F1 {done['strict']['f1']:.3f}, relaxed F1 {done['relaxed']['f1']:.3f}",
        *(
            f"  {name}: precision {s['precision']:.3f}, recall {s['recall']:.3f}, F1 {s['f1']:.3f} "
            f"({s['marked']} marked, {s['found']} found)"
            for name, s in done["types"].items()
            if s["marked"] or s["found"]  # of nothing, nothing is missed: no merit
        ),
    ]
