"""From finished chunks to one folder: files checked, what was set aside gathered, a manifest."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .chunk import ASIDE, Counts
from .parts import FACTS, NOTES, file_hash, part_name

MANIFEST = "extraction.json"
SET_ASIDE = "set_aside.jsonl"
FORMAT = 1


def files_of(chunk: int) -> tuple[str, str, str]:
    """Return the files of a chunk below the working folder: notes, facts, set aside."""
    name = part_name(chunk)
    return f"{NOTES}/{name}", f"{FACTS}/{name}", f"{ASIDE}/part-{chunk:06d}.jsonl"


def broken_chunks(work: Path, results: Sequence[Counts]) -> list[int]:
    """Return the chunks whose files are missing or were changed since they were written."""
    return [
        chunk
        for chunk, result in enumerate(results)
        if any(
            not (work / name).is_file() or file_hash(work / name) != str(known)
            for name, known in zip(files_of(chunk), result["sha256"], strict=True)
        )
    ]


def assemble(work: Path, results: Sequence[Counts], about: Mapping[str, Any]) -> dict[str, Any]:
    """Write `SET_ASIDE` and `MANIFEST` from the finished chunks; return what the manifest holds.

    Parameters
    ----------
    work
        Folder of the parts.
    results
        One of `extract_chunk` for every chunk, in order.
    about
        What was asked: source, preset, versions.
    """
    with (work / SET_ASIDE).open("wb") as whole:
        for chunk in range(len(results)):
            whole.write((work / files_of(chunk)[2]).read_bytes())
    told: dict[str, Any] = {
        "format": FORMAT,
        **about,
        "notes": _sum(results, "notes"),
        "facts": _sum(results, "facts"),
        **{what: _total(results, what) for what in ("types", "reasons", "replaced")},
        "files": {
            name: str(known)
            for chunk, result in enumerate(results)
            for name, known in zip(files_of(chunk)[:2], result["sha256"][:2], strict=True)
        }
        | {SET_ASIDE: file_hash(work / SET_ASIDE)},
    }
    (work / MANIFEST).write_text(json.dumps(told, indent=1, sort_keys=True) + "\n", "utf-8")
    return told


def manifest_with(work: Path, **more: Any) -> None:
    """Add to `MANIFEST` what is known only once the parts are gathered."""
    path = work / MANIFEST
    told = json.loads(path.read_text("utf-8")) | more
    path.write_text(json.dumps(told, indent=1, sort_keys=True) + "\n", "utf-8")


def _sum(results: Sequence[Counts], what: str) -> int:
    return int(np.sum([result[what][0] for result in results]))


def _total(results: Sequence[Counts], what: str) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for result in results:
        for name, n in zip(result[what], result[f"n_{what}"], strict=True):
            counts[str(name)] += int(n)
    return dict(sorted(counts.items()))
