"""A page of notes with their facts marked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from extraction.notes import Fact, Note
from extraction.records import InputError
from extraction.records.errors import Faults
from extraction.records.files import write_atomically

from .coding import Coding
from .protecting import Protection

MOST_BYTES = 8 * 2**20
Pairs = list[tuple[Note, tuple[Fact, ...]]]


def show_notes(
    where: Path,
    out: Path,
    preset: str = "fast",
    most: int = 50,
    overwrite: bool = False,
    protection: Protection | None = None,
    coding: Coding | None = None,
) -> dict[str, Any]:
    """Write one HTML file that shows notes with their facts marked.

    Parameters
    ----------
    where
        A .txt file, a source of notes (`extraction.notes.batch.open_source`), or a folder that
        `extract_notes` wrote.
    out
        The page.
    preset
        Pipeline that reads the notes; those of an extraction are not read again.
    most
        Notes shown.
    overwrite
        Whether a file at `out` may be replaced.
    protection
        How identifiers are treated: the page is a store too.
    coding
        Which codes facts get; those of an extraction stay as they are.

    Returns
    -------
    dict
        ``page``, ``n_notes`` (shown), ``total``, ``n_facts`` and ``set_aside``.

    Raises
    ------
    InputError
        With every fault of what was asked; never a note's words.
    """
    from extraction.notes.pipeline import PRESETS
    from serving.report.notes_page import notes_page

    guard, faults = protection or Protection(), Faults()
    if preset not in PRESETS:
        faults.add(f"preset {preset!r} is not known; allowed: {', '.join(PRESETS)}")
    if most < 1:
        faults.add(f"most: {most} came; it must be at least 1")
    if out.is_dir() or (out.exists() and not overwrite):
        faults.add(f"{out.name}: it exists; name a new file, or give --overwrite to replace a file")
    if guard.vault is not None:
        faults.add("vault: nothing is put into it for a page; drop it")
    with faults.catch():
        guard.check()
    faults.raise_if_any()
    shown = _stored(where, most, guard) if (where / "extraction.json").is_file() else None
    shown = shown or _read(where, preset, most, guard, coding or Coding())
    page = notes_page(shown.pairs, shown.about)
    if len(page.encode()) > MOST_BYTES:
        raise InputError(f"most: {most} notes make a page above 8 MB; show fewer")
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, page.encode(errors="replace"))
    return {
        "page": str(out),
        "n_notes": len(shown.pairs),
        "total": shown.about["total"],
        "n_facts": sum(len(facts) for _, facts in shown.pairs),
        "set_aside": shown.about["set_aside"],
    }


@dataclass
class _Shown:
    pairs: Pairs
    about: dict[str, Any] = field(default_factory=dict)


def _stored(folder: Path, most: int, guard: Protection) -> _Shown:
    """Return the first notes of an extraction as they are stored."""
    import json

    from extraction.notes.batch import stored_pairs

    try:
        head = json.loads((folder / "extraction.json").read_text("utf-8"))
        about = {**{n: head[n] for n in ("preset", "identifiers")}, "total": head["notes"]}
        with (folder / "set_aside.jsonl").open(encoding="utf-8") as lines:
            aside = [json.loads(line) for line in islice(lines, most)]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            f"{folder.name}: extraction.json or set_aside.jsonl is damaged; extract the notes again"
        ) from None
    guard.check_shown(about["identifiers"])
    pairs = list(islice(stored_pairs(folder), most))
    return _Shown(pairs, {**about, "set_aside": aside})


def _read(where: Path, preset: str, most: int, guard: Protection, coding: Coding) -> _Shown:
    """Read the first notes of a source; what fails is set aside."""
    from extraction.notes.batch import SetAside, open_source
    from extraction.notes.batch.sources import read_raw

    source = open_source(where)
    notes: list[Note] = []
    aside: list[SetAside] = []
    total = 0
    for raw in source.raw():
        if len(notes) >= most:
            total += 1
            continue
        made = read_raw(source, raw, "NOTES")
        if isinstance(made, SetAside):
            aside.append(made)
        else:
            notes.append(made)
            total += 1
    pairs = list(_facts(notes, preset, aside, coding, guard))
    if not pairs:
        known = "; ".join(sorted({a.reason for a in aside})) or "there is none"
        raise InputError(f"{source.name}: no note can be shown ({known})")
    about = {
        "preset": preset,
        "identifiers": "kept" if guard.keep_identifiers else "replaced",
        "total": total,
        "set_aside": [{"where": a.where, "reason": a.reason} for a in aside],
    }
    return _Shown(pairs, about)


def _facts(
    notes: list[Note], preset: str, aside: list[Any], coding: Coding, guard: Protection
) -> Iterator[tuple[Note, tuple[Fact, ...]]]:
    from extraction.notes import load_pipeline
    from extraction.notes.batch import SetAside
    from extraction.notes.dating.component import dated

    nlp = load_pipeline(preset, coding.codes, coding.loaded())
    protected = guard.shown()
    for number, note in enumerate(notes, start=1):
        failed = "identifiers could not be replaced"
        try:
            stored = protected(note)
            failed = "the pipeline failed"
            facts = nlp(dated(nlp, stored))._.facts
        except Exception as error:  # noqa: BLE001 - one note never stops the others
            aside.append(SetAside(f"note {number}", f"{failed} ({type(error).__name__})"))
        else:
            yield stored, facts
