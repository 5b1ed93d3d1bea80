"""Taggers of notes: train one on marked documents, judge one on them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extraction.records.errors import Faults, InputError

from .folders import check_out

if TYPE_CHECKING:
    from extraction.notes.encoder.settings import TrainingSettings

Progress = Callable[[str, float], None]


def train_notes(
    brat: Path,
    out: Path,
    labels: Sequence[str] = (),
    base: str | None = None,
    options: Mapping[str, Any] | None = None,
    checkpoint: Path | None = None,
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Fine-tune the tagger on a brat folder and report how well it does on held-out documents.

    Parameters
    ----------
    brat
        Folder of .txt and .ann files.
    out
        New folder: ``card.json`` and ``weights.safetensors``; written whole or not at all.
    labels
        Those to learn; empty learns all that are marked.
    base
        Encoder by name or path to begin from; None goes on from the weights that are shipped.
    options
        Fields of `extraction.notes.encoder.settings.TrainingSettings`.
    checkpoint
        Folder from which a training that was stopped goes on.
    overwrite
        Whether an earlier tagger at `out` may be replaced.

    Returns
    -------
    dict
        Counts of documents and spans, the labels, the held-out scores and the folder.

    Raises
    ------
    InputError
        With every fault of the input; never a word of a text.
    """
    from extraction.notes.encoder.brat import read_brat

    faults = Faults()
    with faults.catch():
        check_out(out, overwrite, "card.json")
    with faults.catch():
        documents = read_brat(brat)
    with faults.catch():
        settings = _settings(options or {})
    faults.raise_if_any()
    from extraction.notes.encoder.artifact import save_tagger
    from extraction.notes.encoder.own import train_own

    tagger, card = train_own(
        documents, brat.name, labels, base=base, settings=settings, seed=seed, progress=progress,
        checkpoint=checkpoint,
    )  # fmt: skip
    card = save_tagger(tagger, card, out)
    return {
        "folder": str(out),
        "documents": len(documents),
        "trained_on": card.corpora[0].documents,
        "labels": list(card.heads["own"]),
        "weights_sha256": card.weights_sha256,
        **card.scores,
    }


def _settings(options: Mapping[str, Any]) -> TrainingSettings:
    from pydantic import ValidationError

    from extraction.notes.encoder.settings import TrainingSettings

    try:
        return TrainingSettings.model_validate(dict(options))
    except ValidationError as error:
        raise InputError(
            [
                f"option {'.'.join(map(str, e['loc']))}: {e['msg']}; "
                f"allowed are {', '.join(TrainingSettings.model_fields)}"
                for e in error.errors(include_input=False)
            ]
        ) from None


def evaluate_gold(
    gold: Path,
    model: Path | None = None,
    head: str | None = None,
    out: Path | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Judge a tagger on a brat folder: strict and relaxed micro F1, and every type's.

    Parameters
    ----------
    gold
        Folder of .txt and .ann files.
    model
        Folder of a tagger; None for the shipped one.
    head
        Label set to ask; None takes the one that knows most of the marked spans.
    out
        File for the result as JSON.

    Returns
    -------
    dict
        ``micro``, ``types`` with intervals over documents, ``labels`` (what each was taken for),
        ``not_scored``: labels that the tagger does not know; ``known_labels``: those it does.

    Raises
    ------
    InputError
        With every fault of the input; never a word of a text.
    """
    from extraction.notes.encoder.brat import read_brat

    documents = read_brat(gold)
    from extraction.notes.encoder.artifact import SHIPPED, load_tagger, read_card
    from extraction.notes.encoder.gold import judge

    folder = SHIPPED if model is None else model
    card = read_card(folder)
    found = {
        "gold": gold.name,
        "model": card.name if model is None else model.resolve().name,
        **judge(load_tagger(folder, fast=True), card, documents, head, seed),
    }
    found["known_labels"] = list(card.shown[found["head"]])
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return found
