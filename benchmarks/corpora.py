"""The public corpora of marked notes: fetched apart, never kept here, so they may be absent."""

from __future__ import annotations

from pathlib import Path

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def absent(data: Path, *names: str) -> list[str]:
    """Say which corpora a folder lacks; a benchmark without its corpus is skipped, not failed."""
    lacking = [name for name in names if not (data / name).exists()]
    if lacking:
        print(f"Skipped: {', '.join(lacking)} not found; name the corpora's folder with --data.")
    return lacking
