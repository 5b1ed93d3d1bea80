"""A lock's digest of source covers every file that a planned analysis is computed by."""

from __future__ import annotations

import ast
from pathlib import Path

from serving.pipeline.cache import TOP, versions
from serving.service import analysing

STORING = {
    "extraction/lazy.py",
    "simulation/execution/manifest.py",
    "simulation/execution/results.py",
    "simulation/trial/design/partial.py",
}
"""Files that change no figure."""


def named(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


def imported(file: Path) -> set[Path]:
    """Our files that one imports by a full name, those for types alone too."""
    nodes = ast.walk(ast.parse(file.read_text("utf-8")))
    places = [TOP.joinpath(*name.split(".")) for node in nodes for name in named(node)]
    found = {p for place in places for p in (place.with_suffix(".py"), place / "__init__.py")}
    return {path for path in found if path.is_file()}


def test_the_digest_of_the_source_covers_what_analyses_import() -> None:
    covered = {p for c in analysing._CODE for p in [TOP / c, *(TOP / c).rglob("*.py")]}
    assert all((TOP / place).exists() for place in analysing._CODE)
    planned = (TOP / "simulation/trial/planned").glob("*.py")
    direct = {path for file in planned for path in imported(file)}
    assert len(direct) > 10
    outside = {p.relative_to(TOP).as_posix() for p in direct - covered}
    assert {p for p in outside if not p.endswith("__init__.py")} <= STORING


def test_a_lock_holds_the_versions_that_figures_rest_on() -> None:
    held = analysing._versions()
    assert {"python", "numba", "numpy", "scipy"} <= set(held)
    assert set(held) <= set(versions())
