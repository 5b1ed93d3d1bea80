"""Results of chunks: what is allowed, its canonical bytes, its digest and its file form."""

import hashlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from extraction.records.errors import InputError

Result = pd.DataFrame | dict[str, np.ndarray[Any, Any]]
_ARRAY_KINDS = "biufU"


def result_faults(result: object) -> list[str]:
    """Say what keeps a result from being stored without pickle and reproduced byte for byte."""
    if isinstance(result, pd.DataFrame):
        return _frame_faults(result)
    if not isinstance(result, dict):
        return [f"result: a {type(result).__name__} came; return a DataFrame or a dict of arrays"]
    faults = []
    for name, values in result.items():
        if not isinstance(name, str):
            faults.append("result: an array's name is not text; name arrays by text")
        elif not isinstance(values, np.ndarray) or values.dtype.kind not in _ARRAY_KINDS:
            faults.append(f"result[{name!r}]: return a numeric, boolean or text array")
    return faults


def _frame_faults(frame: pd.DataFrame) -> list[str]:
    faults = []
    columns: list[object] = list(frame.columns)
    if not isinstance(frame.index, pd.RangeIndex) or frame.index.start or frame.index.step != 1:
        faults.append("result: the index is not 0, 1, ...; call reset_index(drop=True)")
    for name in columns:
        if not isinstance(name, str):
            faults.append("result: a column's name is not text; name columns by text")
            continue
        values = frame[name]
        if values.dtype == object:
            if not all(v is None or isinstance(v, str) for v in values):
                faults.append(f"result[{name!r}]: an object column may hold text and None only")
        elif not isinstance(values.dtype, np.dtype) or values.dtype.kind not in "biuf":
            faults.append(f"result[{name!r}]: {values.dtype} is not numeric, boolean or text")
    return faults


def encode(result: Result) -> tuple[str, bytes]:
    """File ending and bytes of a result: Parquet for a frame, npz without pickle for arrays."""
    buffer = io.BytesIO()
    if isinstance(result, pd.DataFrame):
        pq.write_table(pa.Table.from_pandas(result), buffer, compression="zstd")
        return "parquet", buffer.getvalue()
    np.savez_compressed(buffer, allow_pickle=False, **result)
    return "npz", buffer.getvalue()


def decode(ending: str, data: bytes) -> Result:
    """Read the result held in the bytes of a chunk's file."""
    if ending == "parquet":
        frame: pd.DataFrame = pq.read_table(io.BytesIO(data)).to_pandas()
        return frame
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def concatenate(results: Sequence[Result]) -> Result:
    """Results of all chunks as one, in chunk order (arrays along their first axis).

    Raises
    ------
    InputError
        If there is none, or frames and arrays, or different names, come together.
    """
    if not results:
        raise InputError("results: none came; at least one chunk is needed")
    first = results[0]
    if any(type(r) is not type(first) or list(r) != list(first) for r in results):
        raise InputError("results: chunks differ in kind or names; one function returns one kind")
    if isinstance(first, pd.DataFrame):
        frames = [r for r in results if isinstance(r, pd.DataFrame)]
        return pd.concat(frames, ignore_index=True)
    return {name: np.concatenate([r[name] for r in results]) for name in first}


def digest(result: Result | Sequence[Result]) -> str:
    """SHA-256 of the canonical bytes of a result (or of chunks put together), in hex.

    Names, types, shapes and little-endian values count; the chunk grid, the memory layout, the
    bits of a NaN and the form in which text is stored do not.
    """
    whole = result if isinstance(result, pd.DataFrame | dict) else concatenate(result)
    total = hashlib.sha256()
    for name, values in whole.items():
        for part in _canonical(str(name), np.asarray(values)):
            total.update(len(part).to_bytes(8, "little"))
            total.update(part)
    return total.hexdigest()


def _canonical(name: str, values: np.ndarray[Any, Any]) -> list[bytes]:
    head = [name.encode(), repr(values.shape).encode()]
    if values.dtype.kind in "OU":
        texts = [b"\x00" if v is None else b"\x01" + str(v).encode() for v in values.ravel()]
        return [*head, b"text", *texts]
    if values.dtype.kind == "f":
        values = np.where(np.isnan(values), np.array(np.nan, dtype=values.dtype), values)
    ordered = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    return [*head, ordered.dtype.str.encode(), ordered.tobytes()]
