"""Judging extracted facts against reference facts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from extraction.records import InputError

from .marked_notes import read_marked

_PATIENTS = 30


def evaluate_notes(bank: Path | None = None, preset: str = "fast", seed: int = 0) -> dict[str, Any]:
    """Judge extracted facts against marked ones.

    Parameters
    ----------
    bank
        File or folder of marked notes (`serving.service.marked_notes`). Without one, notes are
        rendered from 30 patients of the CDISC pilot and judged against what they state.
    preset
        Pipeline that reads the notes.

    Returns
    -------
    dict
        ``strict, relaxed, spans, types, assertions, attributes``: precision, recall and F1; and
        ``label``: what the figures mean.

    Raises
    ------
    InputError
        With every fault of the bank, or when it marks no fact at all.
    """
    marked = _rendered(seed) if bank is None else read_marked(bank)
    if not any(facts for _, facts in marked):
        raise InputError(
            f"{bank.name if bank else 'notes'}: no fact is marked, so there is nothing to judge; "
            "mark facts as [[text|type]]"
        )
    from extraction.notes import load_pipeline
    from extraction.notes.scoring import score

    nlp = load_pipeline(preset, codes=False)  # they are not judged here
    docs = nlp.pipe([text for text, _ in marked])
    found = score((doc._.facts, facts) for doc, (_, facts) in zip(docs, marked, strict=True))
    label = "regression test on rendered notes" if bank is None else f"marked notes: {bank.name}"
    return {"label": label, "n_notes": len(marked), **found.to_dict()}


def _rendered(seed: int) -> list[tuple[str, tuple[Any, ...]]]:
    from extraction.sources.public import public_trial
    from generation.narratives import write_notes
    from generation.randomness import generator

    cohort = public_trial("cdisc_pilot")
    kept = np.zeros(len(cohort), dtype=bool)
    kept[generator(seed, "evaluate.notes").permutation(len(cohort))[:_PATIENTS]] = True
    return [(note.text, note.facts) for note in write_notes(cohort.take(kept), seed)]
