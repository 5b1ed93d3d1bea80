"""A cohort on disk: a folder of Parquet and JSON, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from .cohort import TABLES, Cohort
from .errors import Faults, InputError
from .files import flush
from .schema import SCHEMA_VERSION, CohortSchema, checked

HEAD = "cohort.json"

Head = dict[str, Any]
# From a schema version to the function that brings a head of that version to the next one.
MIGRATIONS: Mapping[int, Callable[[Head], Head]] = {}


def digest(cohort: Cohort) -> str:
    """Return the SHA-256 over the schema and the canonical bytes of every table."""
    total = hashlib.sha256(cohort.schema.model_dump_json().encode())
    for name in TABLES:
        total.update(name.encode() + table_bytes(getattr(cohort, name)))
    return total.hexdigest()


def table_bytes(frame: pd.DataFrame) -> bytes:
    """Return the SHA-256 of a table's names and cells, independent of pandas' storage."""
    total = hashlib.sha256()
    for column in frame.columns:
        values = frame[column]
        total.update(f"\x1d{column}\x1d".encode())
        if values.dtype.kind in "fiu":
            numbers = values.to_numpy(dtype=np.float64, copy=True)
            numbers[np.isnan(numbers)] = np.nan  # one NaN pattern
            total.update((numbers + 0.0).tobytes())  # and one zero
        else:
            cells = ("\x00" if v is None or v is pd.NA or v != v else str(v) for v in values)
            total.update("\x1f".join(cells).encode())
    return total.digest()


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Give an empty folder beside `folder` that takes its place only when all went well."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder.name}: a file is in the way; a folder is written there")
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        yield fresh
        for path in (*fresh.rglob("*"), fresh):
            flush(path)
        if folder.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
            os.replace(folder, old / "old")
            os.replace(fresh, folder)
            shutil.rmtree(old)
        else:
            os.replace(fresh, folder)
        flush(folder.parent)
    finally:
        if fresh.exists():
            shutil.rmtree(fresh)


def write(cohort: Cohort, folder: Path) -> Path:
    """Write the cohort; an existing cohort folder is replaced, any other folder is refused."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / HEAD).exists():
        raise InputError(f"{folder.name}: the folder holds other files; give a new folder")
    with atomic_folder(folder) as fresh:
        files = {
            name: _write_table(getattr(cohort, name), fresh / f"{name}.parquet") for name in TABLES
        }
        head = {
            "schema_version": SCHEMA_VERSION,
            "digest": digest(cohort),
            "files": files,
            "schema": cohort.schema.model_dump(mode="json"),
        }
        (fresh / HEAD).write_text(json.dumps(head, indent=2, ensure_ascii=False), "utf-8")
    return folder


def _write_table(frame: pd.DataFrame, path: Path) -> str:
    numeric = {c: frame[c].dtype.kind in "fiu" for c in frame.columns}
    flags = {c for c in frame.columns if c in ("ongoing", "serious", "observed")}
    fields = [
        pa.field(str(c), pa.float64() if numeric[c] else pa.bool_() if c in flags else pa.string())
        for c in frame.columns
    ]
    table = pa.Table.from_pandas(frame, schema=pa.schema(fields), preserve_index=False)
    pq.write_table(table.replace_schema_metadata(None), path, compression="zstd")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read(folder: Path) -> Cohort:
    """Read and check a cohort folder; all damaged files are named at once."""
    head = read_head(folder)
    faults = Faults(folder.name)
    frames: dict[str, pd.DataFrame] = {}
    for name in TABLES:
        with faults.catch():
            frames[name] = _read_table(folder / f"{name}.parquet", head["files"].get(name))
    faults.raise_if_any()
    schema = checked(CohortSchema, head["schema"], f"{folder.name}/{HEAD}")
    return Cohort.build(schema, **frames)


def read_head(folder: Path) -> Head:
    """Read `cohort.json`, migrated to this version."""
    try:
        head = json.loads((folder / HEAD).read_text("utf-8"))
        version = int(head["schema_version"])
        head["files"], head["schema"]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            f"{folder.name}: this is not a cohort folder (no readable {HEAD}); "
            "make one with 'trialtwin ingest'"
        ) from None
    if version > SCHEMA_VERSION:
        raise InputError(
            f"{folder.name}: written by a newer Trialtwin (schema version {version}); "
            f"this one reads up to {SCHEMA_VERSION}"
        )
    while version < SCHEMA_VERSION:
        head = MIGRATIONS[version](head)
        version += 1
    return dict(head)


def _read_table(path: Path, sha256: str | None) -> pd.DataFrame:
    if not path.is_file():
        raise InputError(f"{path.name} is missing; the folder is incomplete")
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise InputError(f"{path.name} is damaged or was changed (its hash differs)")
    frame: pd.DataFrame = pq.read_table(pa.BufferReader(data)).to_pandas()
    return frame
