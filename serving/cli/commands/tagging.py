"""`trialtwin extract train`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from serving.cli.options import FILE, common, overwrite, pairs, progress_lines
from serving.cli.outcome import show

TRAIN = """
\b
Examples:
  trialtwin extract train --brat marked --out my-tagger
  trialtwin extract train --brat marked --out my-tagger --labels Drug,Dose --option epochs=12
  trialtwin extract train --brat marked --out my-tagger --checkpoint work   (goes on after a kill)
  trialtwin evaluate notes --gold others --model my-tagger
"""


@click.command(epilog=TRAIN)
@click.option("--brat", type=FILE, required=True, help="Folder of .txt files with .ann beside.")
@click.option("--out", type=FILE, required=True, help="New folder of the tagger.")
@click.option("--labels", default="", help="Labels to learn, with commas; all when empty.")
@click.option(
    "--base", default=None, help="Encoder by name or folder; else the shipped weights go on."
)
@click.option("--option", "options", multiple=True, help="NAME=VALUE, a setting of the training.")
@click.option("--checkpoint", type=FILE, default=None, help="Folder to go on from after a kill.")
@overwrite
@common
def extract_train(
    brat: Path,
    out: Path,
    labels: str,
    base: str | None,
    options: tuple[str, ...],
    checkpoint: Path | None,
    overwrite: bool,
    seed: int | None,
    as_json: bool,
) -> None:
    """Fine-tune the transformer on your own marked documents.

    About one document in seven, chosen by the hash of its text, is held out: it decides when to
    stop, and the scores told are its own. The weights are safetensors with a card in JSON.
    """
    from serving import service

    wanted = tuple(w.strip() for w in labels.split(",") if w.strip())
    done = service.train_notes(
        brat, out, wanted, base, pairs(options, "--option"), checkpoint, seed or 0, overwrite,
        progress_lines(quiet=as_json),
    )  # fmt: skip
    show(done, as_json, [*_told(done), f"Tagger: {done['folder']}"])


def _told(done: dict[str, Any]) -> list[str]:
    first = f"Trained on {done['trained_on']} of {done['documents']} documents."
    if "held_out" not in done:
        return [first, "No marked document was held out, so there is no score."]
    return [first, *score_lines(done["held_out"])]


def score_lines(judged: dict[str, Any]) -> list[str]:
    """Lines for people: micro F1 with its interval, then every type."""
    lines = [f"{judged['documents']} documents, label set {judged['head']}"]
    for kind in ("strict", "relaxed"):
        row = judged["micro"][kind]
        low, high = row["f1_interval"]
        # Of one document every draw is the same, so that an interval would say nothing.
        spread = f" ({low:.3f} to {high:.3f})" if judged["documents"] > 1 else ""
        lines.append(f"{kind} micro F1 {row['f1']:.3f}{spread}")
    if judged["documents"] == 1:
        lines.append("one document: it gives no interval")
    lines += [
        f"  {name}: precision {row['strict']['precision']:.3f}, recall "
        f"{row['strict']['recall']:.3f}, F1 {row['strict']['f1']:.3f}, relaxed "
        f"{row['relaxed']['f1']:.3f} ({row['marked']} marked, {row['found']} found)"
        for name, row in judged["types"].items()
    ]
    if judged["trained_on_documents"]:
        lines.insert(1, f"{judged['trained_on_documents']} of them were trained on: too good")
    lines += [f"  not scored, {name}: {n}" for name, n in judged["not_scored"].items()]
    if judged["not_scored"] and judged.get("known_labels"):
        lines.append(f"  to score them, rename to: {', '.join(judged['known_labels'])}")
    return lines
