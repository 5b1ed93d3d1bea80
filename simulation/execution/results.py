"""Results of chunks: what is allowed, its canonical bytes, its digest and its file form."""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, final

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
    # As numpy.savez_compressed, at the level that costs the driver least.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, values in result.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, values, allow_pickle=False)
    return "npz", buffer.getvalue()


@final
@dataclass(frozen=True)
class Encoded:
    """A result as its file will hold it; made by workers, who have the time.

    Attributes
    ----------
    ending, data, sha256
        File ending, bytes, and their hash.
    result
        The result itself; None of a frame, which is read back from its bytes.
    """

    ending: str
    data: bytes
    sha256: str
    result: Result | None

    @classmethod
    def of(cls, result: Result) -> "Encoded":
        """Encode a result."""
        ending, data = encode(result)
        kept = None if isinstance(result, pd.DataFrame) else result
        return cls(ending, data, hashlib.sha256(data).hexdigest(), kept)


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
    total = Digest()
    total.update(result if isinstance(result, pd.DataFrame | dict) else concatenate(result))
    return total.hexdigest()


@final
class Digest:
    """The digest of a result that comes in parts, whatever the parts.

    Each array has a hash of its own, which runs along the first axis: the bytes of a part follow
    those of the part before, so no part's end leaves a trace. The digest is that of all arrays'
    names, types, shapes and hashes.
    """

    def __init__(self) -> None:
        self._hashes: dict[str, tuple[str, Any]] = {}
        self._rows: dict[str, int] = {}

    def update(self, part: Result) -> None:
        """Add the next rows.

        Raises
        ------
        InputError
            If names, types or shapes differ from those of the rows before.
        """
        arrays = {str(name): np.asarray(values) for name, values in part.items()}
        forms = {name: _form(values) for name, values in arrays.items()}
        if not self._hashes:
            self._hashes = {name: (form, hashlib.sha256()) for name, form in forms.items()}
        if forms != {name: form for name, (form, _) in self._hashes.items()}:
            raise InputError("results: chunks differ in names, types or shapes; return one kind")
        for name, values in arrays.items():
            self._rows[name] = self._rows.get(name, 0) + len(values)
            for piece in _canonical(values):
                self._hashes[name][1].update(piece)

    def hexdigest(self) -> str:
        """Return the digest of all rows so far."""
        held = [
            [name, form, self._rows[name], value.hexdigest()]
            for name, (form, value) in self._hashes.items()
        ]
        return hashlib.sha256(json.dumps(held).encode()).hexdigest()


def _form(values: np.ndarray[Any, Any]) -> str:
    kind = "text" if values.dtype.kind in "OU" else values.dtype.newbyteorder("<").str
    return f"{kind} {list(values.shape[1:])}"


def _canonical(values: np.ndarray[Any, Any]) -> Iterator[bytes]:
    if values.dtype.kind in "OU":
        for text in values.ravel():
            data = b"" if text is None else b"\x01" + str(text).encode()
            yield len(data).to_bytes(8, "little") + data
        return
    if values.dtype.kind == "f":
        values = np.where(np.isnan(values), np.array(np.nan, dtype=values.dtype), values)
    yield np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).tobytes()
