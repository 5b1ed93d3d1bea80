"""A stage's key covers every source file that the stage can reach: no stale result is shown."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from serving.pipeline.cache import TOP, versions
from serving.pipeline.plan import stages_of
from serving.pipeline.stage import Stage
from serving.study import load_study

ROOMS = ("extraction", "generation", "simulation", "serving")
STUDIES = [load_study(TOP / "configs" / f"{name}.yaml") for name in
           ("quickstart", "historical-score")]
STAGES = [pytest.param(stage, id=f"{study.name}-{stage.name}")
          for study in STUDIES for stage in stages_of(study)]


def file_of(module: str) -> Path | None:
    place = TOP.joinpath(*module.split("."))
    found = (place.with_suffix(".py"), place / "__init__.py")
    return next((path for path in found if path.is_file()), None)


def names_in(node: ast.AST, package: list[str]) -> Iterator[str]:
    """Modules that a statement imports, or that a "module:name" string names."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        above = package[: len(package) - node.level + 1] if node.level else []
        module = ".".join([*above, *([node.module] if node.module else [])])
        yield module
        yield from (f"{module}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and ":" in node.value:
        yield node.value.partition(":")[0]


def only_for_types(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
    )


@cache
def reached_from(file: Path) -> frozenset[Path]:
    tree = ast.parse(file.read_text("utf-8"))
    skipped = {id(n) for part in ast.walk(tree) if only_for_types(part) for n in ast.walk(part)}
    package = list(file.relative_to(TOP).parts[:-1])
    found = {
        file_of(name)
        for node in ast.walk(tree)
        if id(node) not in skipped
        for name in names_in(node, package)
        if name.split(".")[0] in ROOMS
    }
    return frozenset(path for path in found if path is not None)


def closure(file: Path) -> set[Path]:
    seen: set[Path] = set()
    waiting = {file}
    while waiting:
        seen |= (now := waiting)
        waiting = {path for one in now for path in reached_from(one)} - seen
    return seen


@pytest.mark.parametrize("stage", STAGES)
def test_the_code_of_a_stage_is_all_that_it_reaches(stage: Stage) -> None:
    start = file_of(stage.function.partition(":")[0])
    assert start is not None
    reached = {path.relative_to(TOP).as_posix() for path in closure(start)}
    left_out = {p for p in reached if not any(f"{p}/".startswith(f"{c}/") for c in stage.code)}
    assert left_out == set()


@pytest.mark.parametrize("stage", STAGES)
def test_the_code_of_a_stage_is_there(stage: Stage) -> None:
    assert [place for place in stage.code if not (TOP / place).exists()] == []


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_names_every_stage_that_it_reads(stage: Stage) -> None:
    start = file_of(stage.function.partition(":")[0])
    assert start is not None
    calls = [n for n in ast.walk(ast.parse(start.read_text("utf-8"))) if isinstance(n, ast.Call)]
    read = {
        call.args[0].value
        for call in calls
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in ("stage", "result")
        and call.args
        and isinstance(call.args[0], ast.Constant)
    }
    assert read <= set(stage.after)


def test_versions_name_what_draws_and_reads() -> None:
    assert {"python", "matplotlib", "jinja2", "pyreadstat", "pint"} <= set(versions())
    assert "absent" not in versions().values()
