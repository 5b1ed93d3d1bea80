"""A fitted model on disk: ``model.json`` and ``arrays.safetensors``, never a pickle.

``model.json`` holds the model card, the structure, and the size and SHA-256 of the
array file; both are checked before anything is used. A folder is written beside its
place and then renamed, so a killed process leaves either the old model or the new.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from extraction.records import InputError

FORMAT = 1
MODEL_FILE = "model.json"
ARRAY_FILE = "arrays.safetensors"
_MOST_JSON_BYTES = 64 * 2**20
_MARK = "$array"


def pack(tree: Any) -> tuple[Any, dict[str, np.ndarray]]:
    """Split a nested state into plain JSON and its arrays.

    Parameters
    ----------
    tree
        Nested dicts and lists of JSON values and numpy arrays.

    Returns
    -------
    The tree with every array replaced by a reference, and the arrays by name.
    """
    arrays: dict[str, np.ndarray] = {}

    def walk(node: Any, path: str) -> Any:
        if isinstance(node, np.ndarray):
            arrays[path] = np.ascontiguousarray(node)
            return {_MARK: path}
        if isinstance(node, dict):
            return {str(key): walk(value, f"{path}.{key}") for key, value in node.items()}
        if isinstance(node, list | tuple):
            return [walk(value, f"{path}.{k}") for k, value in enumerate(node)]
        return node.item() if isinstance(node, np.generic) else node

    return walk(tree, "model"), arrays


def unpack(tree: Any, arrays: dict[str, np.ndarray]) -> Any:
    """Put the arrays of :func:`pack` back into their places."""
    if isinstance(tree, dict):
        if set(tree) == {_MARK}:
            return arrays[tree[_MARK]]
        return {key: unpack(value, arrays) for key, value in tree.items()}
    if isinstance(tree, list):
        return [unpack(value, arrays) for value in tree]
    return tree


def write_artifact(folder: Path | str, card: dict[str, Any], state: Any) -> Path:
    """Write a model folder atomically.

    Parameters
    ----------
    folder
        Where the model goes; a model already there is replaced.
    card
        The model card as JSON.
    state
        Nested dicts and lists of JSON values and numpy arrays.
    """
    from safetensors.numpy import save_file

    target = Path(folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() and not (target / MODEL_FILE).exists():
        raise InputError(f"{target.name}: exists and is not a model; choose another folder")
    structure, arrays = pack(state)
    staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        save_file(arrays, staging / ARRAY_FILE)
        body = {"format": FORMAT, "card": card, "structure": structure}
        body["files"] = {ARRAY_FILE: _fingerprint(staging / ARRAY_FILE)}
        document = {**body, "sha256": _digest(body)}
        text = json.dumps(document, indent=1)
        (staging / MODEL_FILE).write_text(text + "\n", encoding="utf-8")
        _swap(staging, target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return target


def read_artifact(folder: Path | str) -> tuple[dict[str, Any], Any]:
    """Read a model folder after checking its sizes and hashes.

    Returns
    -------
    The model card and the state with its arrays.

    Raises
    ------
    InputError
        If a file is absent, was cut or changed, or is of a newer format.
    """
    from safetensors.numpy import load_file

    document = read_card(folder)
    source = Path(folder)
    faults = [
        f"{source.name}/{name}: missing, cut or changed since it was saved; restore or refit"
        for name, expected in document["files"].items()
        if not _unchanged(source / name, expected)
    ]
    if faults:
        raise InputError(faults)
    arrays = load_file(source / ARRAY_FILE)
    return document["card"], unpack(document["structure"], arrays)


def read_card(folder: Path | str) -> dict[str, Any]:
    """Read and check ``model.json`` alone."""
    path = Path(folder) / MODEL_FILE
    if not path.is_file():
        raise InputError(f"{Path(folder).name}: no {MODEL_FILE}; give the folder of a saved model")
    if path.stat().st_size > _MOST_JSON_BYTES:
        raise InputError(f"{path.name}: larger than {_MOST_JSON_BYTES} bytes; not a model file")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name}: not readable as JSON; restore it or refit") from error
    keys = {"format", "card", "structure", "files", "sha256"}
    if not isinstance(document, dict) or set(document) != keys:
        raise InputError(f"{path.name}: fields differ from {sorted(keys)}; not a model file")
    if document["format"] != FORMAT:
        raise InputError(
            f"{path.name}: format {document['format']!r}; this version reads {FORMAT}; upgrade"
        )
    digest = document.pop("sha256")
    if digest != _digest(document) or set(document["files"]) != {ARRAY_FILE}:
        raise InputError(f"{path.name}: changed since it was saved; restore it or refit")
    return document


def _digest(body: dict[str, Any]) -> str:
    canonical = json.dumps(body, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8")).hexdigest()


def _fingerprint(path: Path) -> dict[str, Any]:
    return {
        "bytes": path.stat().st_size,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }


def _unchanged(path: Path, expected: dict[str, Any]) -> bool:
    return (
        path.is_file()
        and path.stat().st_size == expected["bytes"]
        and _fingerprint(path) == expected
    )


def _swap(staging: Path, target: Path) -> None:
    """Move the finished folder into place, putting a former model aside first."""
    staging.chmod(0o755)
    if not target.exists():
        os.replace(staging, target)
        return
    former = staging.with_name(staging.name + ".former")
    os.replace(target, former)
    os.replace(staging, target)
    shutil.rmtree(former, ignore_errors=True)
