"""Notes: find their facts, however many they are, and turn them into a cohort."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from extraction.notes.batch import Scan
from extraction.records.errors import Faults, TrialtwinError

from .coding import Coding
from .folders import check_out
from .protecting import KEPT, Protection
from .unfinished import Unfinished

MOST_IN_COHORT = 20_000  # notes; a cohort is held in memory as a whole
_REDONE = 3
_VERSIONS = ("trialtwin", "python", "spacy", "pyarrow")
_GATHERING = "gathering the facts into a cohort"
Progress = Callable[[str, float, int], None]
"""Told what is done, its share from 0 to 1, and the notes in it (0 while they are counted)."""


@dataclass(frozen=True)
class Pace:
    """How much is read at a time and where; what is found depends on none of it.

    Parameters
    ----------
    execution
        ``serial``, ``processes`` or ``ray``.
    workers
        Processes or Ray workers; by default one a CPU.
    chunk
        Records read at a time: what is lost when a run is killed, and the notes in a file.
    cohort
        Whether a cohort is written too; by default up to `MOST_IN_COHORT` notes.
    progress
        See `Progress`.
    """

    execution: str = "serial"
    workers: int | None = None
    chunk: int = 500
    cohort: bool | None = None
    progress: Progress | None = None


def extract_notes(
    where: Path,
    out: Path,
    study: str = "NOTES",
    preset: str = "fast",
    overwrite: bool = False,
    protection: Protection | None = None,
    pace: Pace | None = None,
    dry_run: bool = False,
    coding: Coding | None = None,
) -> dict[str, Any]:
    """Find the facts of notes, each with its place in the text, and write them and a cohort.

    Notes are streamed: memory does not grow with their number. A run that was stopped, however it
    was stopped, goes on where it was when the same is asked again, to the same bytes.

    Parameters
    ----------
    where
        A folder of .txt files, or a JSON-lines, CSV or Parquet file (`extraction.notes.batch`).
    out
        New folder: ``notes.parquet/`` and ``facts.parquet/`` in parts, ``set_aside.jsonl``,
        ``extraction.json`` (hashes and counts) and ``cohort/``; written whole or not at all.
        Spans index the text in ``notes.parquet``.
    study
        Study of notes that name none.
    preset
        Pipeline that reads the notes.
    overwrite
        Whether an earlier extraction at `out`, finished or not, may be replaced.
    protection
        How identifiers are treated; by default all are replaced and nothing can be turned back.
    pace
        Where the work runs.
    dry_run
        Look through the notes and write nothing; the first records that would be set aside are
        named in ``first_set_aside``.
    coding
        Which codes facts get; by default those of every vocabulary that is installed.

    Returns
    -------
    dict
        Counts of notes, facts and subjects, notes set aside by reason, identifiers replaced by
        kind, facts that the cohort leaves out by reason, and the folder.

    Raises
    ------
    InputError
        With every fault of the input; never a note's words.
    """
    guard, pace = protection or Protection(), pace or Pace()
    work = Unfinished(out)
    coding = coding or Coding()
    found = _checked(where, out, study, preset, overwrite, guard, pace, coding)
    if dry_run:
        return _plan(found, work, pace, guard.code_ids)
    if overwrite:
        work.discard()
    with work.held():
        return _run(where, study, preset, guard, pace, found, work, coding)


def _checked(
    where: Path,
    out: Path,
    study: str,
    preset: str,
    overwrite: bool,
    guard: Protection,
    pace: Pace,
    coding: Coding,
) -> Scan:
    """Look through the notes; all faults of what was asked at once."""
    from extraction.notes.batch import open_source, scan
    from extraction.notes.pipeline import PRESETS

    faults = Faults()
    if preset not in PRESETS:
        faults.add(f"preset {preset!r} is not known; allowed: {', '.join(PRESETS)}")
    if pace.chunk < 1:
        faults.add(f"chunk: {pace.chunk} came; it must be at least 1")
    with faults.catch():
        guard.check(out)
    with faults.catch():
        check_out(out, overwrite, "extraction.json")
    with faults.catch():
        coding.loaded()  # its faults are told before all notes are looked through
    with faults.catch():
        source = open_source(where)
        with closing(source.raw()) as raw:
            next(raw, None)  # a missing column is told beside the other faults
    faults.raise_if_any()
    return scan(source, study, _telling(pace.progress, 0))


def _telling(progress: Progress | None, notes: int) -> Callable[[str, float], None] | None:
    if progress is None:
        return None
    return lambda what, share: progress(what, share, notes)


def _plan(found: Scan, work: Unfinished, pace: Pace, hide_names: bool) -> dict[str, Any]:
    first = [
        {"where": f"record {number + 1}" if hide_names else one.where, "reason": one.reason}
        for number, one in found.aside
    ]
    return {
        "dry_run": True,
        "folder": str(work.out),
        "n_notes": found.notes,
        "subjects": found.subjects,
        "set_aside": found.reasons,
        "first_set_aside": first,
        "encoding_guessed": found.guesses,
        "chunks": -(-found.records // pace.chunk),
        "finished_chunks": work.finished_chunks(),
        "cohort": _with_cohort(found.notes, pace),
    }


def _with_cohort(notes: int, pace: Pace) -> bool:
    return notes <= MOST_IN_COHORT if pace.cohort is None else pace.cohort


def _run(
    where: Path,
    study: str,
    preset: str,
    guard: Protection,
    pace: Pace,
    found: Scan,
    work: Unfinished,
    coding: Coding,
) -> dict[str, Any]:
    import numpy as np

    from extraction.notes.batch import assemble, manifest_with
    from extraction.notes.batch.chunk import ASIDE
    from extraction.notes.batch.parts import FACTS, NOTES

    key = guard.key(work.key)
    guard.check_vault(key, work.out)
    wanted = coding.wanted()
    about = _about(where, study, preset, pace, found, key, wanted.pop("versions"))
    identity = {
        **about,
        "vocabularies": wanted.pop("own"),
        "key": guard.fingerprint(key),
        "code_ids": guard.code_ids,
    }
    work.belongs_to(identity, (NOTES, FACTS, ASIDE))
    payload = {
        "study": study,
        "preset": preset,
        "chunk": pace.chunk,
        "records": found.records,
        "code_ids": guard.code_ids,
        "identity": identity,
        **wanted,
    }
    np.save(work.repeats, found.repeats, allow_pickle=False)
    paths = {"source": where, "work": work.folder, "repeats": work.repeats}
    paths |= {} if key is None else {"key": key}
    paths |= {} if guard.vault is None else {"vault": guard.vault}
    results = _chunks(
        payload, {n: str(p.resolve()) for n, p in paths.items()}, pace, work, found.notes
    )
    told = assemble(work.folder, results, about)
    wants_cohort = told["notes"] and _with_cohort(told["notes"], pace)
    cohort = _cohort(work.folder, pace.progress) if wants_cohort else {}
    if cohort:
        manifest_with(work.folder, left_out=cohort["left_out"])
    work.finish((ASIDE,), private=guard.keep_identifiers)
    return _told(told, found, cohort, work.out)


def _about(
    where: Path,
    study: str,
    preset: str,
    pace: Pace,
    found: Scan,
    key: Path | None,
    codes: Any,
) -> dict[str, Any]:
    """Return what the manifest says of the source, the settings and the versions."""
    from serving.pipeline.cache import code_digest, versions

    return {
        "source": {
            "name": where.name,
            "sha256": found.sha256,
            "records": found.records,
            "encoding_guessed": found.guesses,
        },
        "study": study,
        "preset": preset,
        "chunk": pace.chunk,
        "identifiers": "kept" if key is None else "replaced",
        "codes": codes,
        "versions": {name: versions()[name] for name in _VERSIONS},
        "code": code_digest(("extraction/notes",)),
    }


def _chunks(
    payload: dict[str, Any], paths: dict[str, str], pace: Pace, work: Unfinished, notes: int
) -> list[Any]:
    """Return every chunk's counts; a chunk whose files were lost is done again."""
    from extraction.notes.batch import broken_chunks
    from simulation.execution import map_chunks

    for _ in range(_REDONE):
        results = map_chunks(
            "extraction.notes.batch:extract_chunk",
            payload,
            payload["records"],
            pace.chunk,
            pace.execution,
            pace.workers,
            work.chunks,
            _telling(pace.progress, notes),
            paths=paths,
        )
        broken = broken_chunks(work.folder, results)  # type: ignore[arg-type]
        if not broken:
            return list(results)
        work.forget(broken)
    raise TrialtwinError(
        f"{work.out.name}: its files are changed by somebody else; use another folder"
    )


def _cohort(folder: Path, progress: Progress | None) -> dict[str, Any]:
    from extraction.notes import to_cohort
    from extraction.notes.batch import stored_pairs

    tell = _telling(progress, 0) or (lambda what, share: None)
    tell(_GATHERING, 0.0)
    left_out: dict[str, int] = {}
    cohort = to_cohort(stored_pairs(folder), report=left_out)
    cohort.write(folder / "cohort")
    tell(_GATHERING, 1.0)
    return {"subjects": len(cohort), "left_out": left_out, "digest": cohort.digest()}


def _told(told: dict[str, Any], found: Scan, cohort: dict[str, Any], out: Path) -> dict[str, Any]:
    kept = told["identifiers"] == "kept"
    return {
        "folder": str(out),
        "n_notes": told["notes"],
        "set_aside": told["reasons"],
        "encoding_guessed": found.guesses,
        "n_facts": told["facts"],
        "subjects": found.subjects,
        "by_type": told["types"],
        "identifiers": told["identifiers"],
        **({"warning": KEPT} if kept else {"replaced": told["replaced"]}),
        "cohort": bool(cohort),
        **cohort,
    }
