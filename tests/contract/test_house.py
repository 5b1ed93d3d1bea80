"""The rules of the house: direction of imports, light packages, pins, size, no machine paths."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

MACHINE_PATH = re.compile(r"(?:^|[^A-Za-z0-9_.])/(?:work|root|home|Users)/\w")
HEAVY = {
    "fastapi",
    "gradio",
    "matplotlib",
    "pytorch_lightning",
    "ray",
    "sdmetrics",
    "sdv",
    "sklearn",
    "spacy",
    "torch",
    "transformers",
}
LIGHT = ["extraction", "extraction.records", "generation", "simulation", "serving", "serving.cli"]
ROOMS = {"extraction", "generation", "simulation", "serving"}
TEXT = {".py", ".md", ".toml", ".txt", ".yaml", ".yml", ".json", ".css", ".html", ".j2", ".ipynb"}
LONGEST_FILE = 400


def run(*command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def tracked(root: Path) -> list[Path]:
    listing = run("git", "ls-files", "-z", folder=root)
    assert listing.returncode == 0, listing.stderr
    files = [root / name for name in listing.stdout.split("\0") if name]
    return [file for file in files if file.is_file()]


def with_machine_path(files: list[Path]) -> list[str]:
    """Places, as "file:line", where a text file names a folder of somebody's machine."""
    texts = [file for file in files if file.suffix in TEXT or file.name == "Makefile"]
    return [
        f"{file}:{number}"
        for file in texts
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
        if MACHINE_PATH.search(line)
    ]


def too_long(files: list[Path]) -> list[str]:
    lengths = {
        file: len(file.read_text(encoding="utf-8").splitlines())
        for file in files
        if file.suffix == ".py"
    }
    return [f"{file}: {length}" for file, length in lengths.items() if length > LONGEST_FILE]


def test_imports_run_one_way(root: Path) -> None:
    check = run(
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))",
        folder=root,
    )
    assert check.returncode == 0, check.stdout + check.stderr


def test_ruff_is_clean(root: Path) -> None:
    check = run(sys.executable, "-m", "ruff", "check", "--no-cache", ".", folder=root)
    assert check.returncode == 0, check.stdout + check.stderr


@pytest.mark.parametrize("module", LIGHT)
def test_package_is_light(module: str, root: Path) -> None:
    code = f"import sys, {module}; print(*sorted(set(sys.modules) & {HEAVY!r}))"
    loaded = run(sys.executable, "-c", code, folder=root)
    assert loaded.returncode == 0, loaded.stderr
    assert loaded.stdout.split() == [], f"import {module} also loads {loaded.stdout}"


def direct_requirements(root: Path) -> list[Requirement]:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    wanted = [Requirement(line) for line in [*project["dependencies"], *extras]]
    return [requirement for requirement in wanted if requirement.name != project["name"]]


def pins(root: Path) -> dict[str, str]:
    lines = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    entries = [line.split("==") for line in lines if line and not line.startswith("#")]
    assert all(len(entry) == 2 for entry in entries), "every line reads name==version"
    return {canonicalize_name(name): version for name, version in entries}


def test_every_direct_requirement_is_pinned_within_its_bound(root: Path) -> None:
    pinned = pins(root)
    wrong = [
        str(requirement)
        for requirement in direct_requirements(root)
        if not requirement.specifier.contains(pinned.get(canonicalize_name(requirement.name), "0"))
        or canonicalize_name(requirement.name) not in pinned
    ]
    assert wrong == []


def test_pins_are_sorted_and_without_local_builds(root: Path) -> None:
    text = (root / "constraints.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert lines == sorted(lines, key=str.upper)
    assert [line for line in lines if "+" in line] == []


def test_every_direct_requirement_is_explained(root: Path) -> None:
    page = (root / "docs" / "dependencies.md").read_text(encoding="utf-8").lower()
    missing = [item.name for item in direct_requirements(root) if f"| {item.name} " not in page]
    assert missing == []


def imported(file: Path) -> set[str]:
    """Top-level packages that a module imports, at its head or inside a function."""
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [
        node.module
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0
    ]
    return {name.split(".")[0] for name in names} - sys.stdlib_module_names - ROOMS


def test_every_import_is_a_direct_requirement(root: Path) -> None:
    wanted = {canonicalize_name(item.name) for item in direct_requirements(root)}
    distributions = packages_distributions()
    modules = [file for room in sorted(ROOMS) for file in sorted((root / room).rglob("*.py"))]
    unnamed = [
        f"{file.relative_to(root)}: {name}"
        for file in modules
        for name in sorted(imported(file))
        if not wanted & {canonicalize_name(owner) for owner in distributions.get(name, [name])}
    ]
    assert unnamed == []


def test_no_file_names_a_machine(root: Path) -> None:
    assert with_machine_path(tracked(root)) == []


def test_no_module_is_too_long(root: Path) -> None:
    assert too_long(tracked(root)) == []


def test_the_checks_find_a_planted_fault(tmp_path: Path) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text("source = '" + "/".join(["", "home", "someone", "trial.csv"]) + "'\n" * 401)
    assert with_machine_path([planted]) == [f"{planted}:1"]
    assert too_long([planted]) == [f"{planted}: 401"]
