"""Stage `notes`: write the notes, read the facts back, compare what both say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from extraction.notes import extract, to_cohort
from extraction.notes.codes import vocabulary_of
from extraction.notes.facts import Fact
from extraction.notes.note import Note
from extraction.notes.scoring import score
from extraction.records import Cohort
from generation.narratives import RenderedNote, write_notes
from generation.randomness import generator, integer_seed
from serving.analyses.notes import agreement, dressed
from serving.pipeline.stage import Job

from .tools import plain, write_table

Read = list[tuple[Note, tuple[Fact, ...]]]
_FIELDS = (
    "type",
    "start",
    "stop",
    "assertion",
    "name",
    "value",
    "unit",
    "dose",
    "dose_unit",
    "route",
    "frequency",
    "severity",
)


def run(job: Job) -> dict[str, Any]:
    """Render, extract, score and compare; see `serving.pipeline.stage`."""
    settings = job.trial.notes
    assert settings is not None
    cohort = _chosen(job, Cohort.read(job.stage("cohort") / "cohort"), settings.patients)
    seed = integer_seed(job.seed, "notes")
    written = write_notes(cohort, seed, lambda what, share: job.tell(what, 0.3 * share))
    read: Read = []
    own = [vocabulary_of(told) for told in settings.vocabularies]
    for note, facts in extract(written, settings.preset, 1, settings.codes, own):
        read.append((note, facts))
        job.tell("reading facts back", 0.3 + 0.5 * len(read) / len(written))
    left_out: dict[str, int] = {}
    found = to_cohort(read, cohort.schema, left_out)
    found.write(job.folder / "extracted")
    job.tell("comparing", 0.9)
    _write(job, written, read)
    return dict(
        plain(
            {
                "label": "regression test",
                "n_notes": len(written),
                "n_patients": len(cohort),
                "n_facts": sum(len(facts) for _, facts in read),
                "scores": _scores(written, read),
                "failures": _failures(written, read),
                "agreement": agreement(cohort, found, job.trial.endpoint),
                "left_out": dict(left_out),
                "digest": found.digest(),
                "examples": _examples(job, seed),
            }
        )
    )


def _chosen(job: Job, cohort: Cohort, patients: int | None) -> Cohort:
    if patients is None or patients >= len(cohort):
        return cohort
    order = generator(job.seed, "notes.patients").permutation(len(cohort))
    kept = np.zeros(len(cohort), dtype=bool)
    kept[order[:patients]] = True
    return cohort.take(kept)


def _scores(written: Sequence[RenderedNote], read: Read) -> dict[str, Any]:
    """Facts read back against the facts that the notes state; strict spans and assertions."""
    pairs = ((facts, note.facts) for note, (_, facts) in zip(written, read, strict=True))
    both = score(pairs, {f.type for note in written for f in note.facts})
    whole = both.to_dict()

    def row(scores: dict[str, Any]) -> dict[str, Any]:
        return {"gold" if k == "marked" else k: v for k, v in scores.items()}

    return {
        "overall": row(whole["strict"]),
        "relaxed": row(whole["relaxed"]),
        "types": {k: row(v) for k, v in whole["types"].items() if v["marked"] or v["found"]},
        "assertions": {
            k: row(v) for k, v in whole["assertions"].items() if v["marked"] or v["found"]
        },
        "attributes": {k: v for k, v in whole["attributes"].items() if v["of"]},
    }


def _failures(written: Sequence[RenderedNote], read: Read) -> list[dict[str, Any]]:
    """How often each kind of mistake is made; no words of a note."""
    counts: Counter[tuple[str, str]] = Counter()
    for note, (_, facts) in zip(written, read, strict=True):
        ours = {(f.type, f.start, f.stop): f.assertion for f in facts}
        stated = {(f.type, f.start, f.stop): f.assertion for f in note.facts}
        counts.update((k[0], "missed") for k in stated if k not in ours)
        counts.update((k[0], "not stated") for k in ours if k not in stated)
        counts.update(
            (k[0], f"{stated[k]} read as {ours[k]}")
            for k in stated
            if k in ours and stated[k] != ours[k]
        )
    return [
        {"type": kind, "failure": failure, "n": n}
        for (kind, failure), n in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]


def _write(job: Job, written: Sequence[RenderedNote], read: Read) -> None:
    columns = ("note_id", "study_id", "subject_id", "day", "kind", "text", "rendered")
    notes = pd.DataFrame([{c: getattr(n, c) for c in columns} for n in written])
    facts = pd.DataFrame(
        [
            {"note_id": note.note_id, **{name: getattr(fact, name) for name in _FIELDS}}
            for note, found in read
            for fact in found
        ],
        columns=["note_id", *_FIELDS],
    )
    write_table(notes, job.folder / "notes.parquet")
    numeric = ("value", "dose")
    write_table(facts.astype(dict.fromkeys(numeric, "float64")), job.folder / "facts.parquet")


def _examples(job: Job, seed: int) -> list[dict[str, Any]]:
    """Notes of synthetic patients with the facts read from them; of real patients none."""
    settings = job.trial.notes
    assert settings is not None
    if not settings.examples:
        return []
    synthetic = Cohort.read(job.stage("models") / "synthetic")
    few = synthetic.take(np.arange(len(synthetic)) < settings.examples)
    real = Cohort.read(job.stage("cohort") / "cohort")
    written = write_notes(dressed(few, real, job.seed), seed)
    kinds = ("admission", "adverse_event")
    chosen = [
        next((n for n in written if n.subject_id == subject and n.kind == kind), None)
        for subject, kind in zip(
            [s for s in few.subject_ids for _ in kinds], kinds * len(few), strict=True
        )
    ]
    shown = [n for n in chosen if n is not None][: settings.examples]
    return [
        {
            "title": f"{note.kind.replace('_', ' ').capitalize()} note of a synthetic patient",
            "text": note.text,
            "facts": [{name: getattr(fact, name) for name in _FIELDS} for fact in facts],
        }
        for note, facts in extract(shown, settings.preset, codes=False)
    ]
