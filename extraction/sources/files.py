"""Reading CSV, Parquet and SAS transport files, with every fault named and no value shown."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from extraction.records.errors import InputError

SUFFIXES = (".xpt", ".parquet", ".csv")
MAX_BYTES = 4 * 2**30
_SEPARATORS = "\t|;,"  # the first of those that fit as well: commas stand in words and numbers too
_LOOKED_AT = 50  # rows from which a separator is found
_XPT_HEADER = b"HEADER RECORD*******"
_XPT_DATA = (_XPT_HEADER + b"OBS     HEADER", _XPT_HEADER + b"OBSV8   HEADER")
_XPT_MEMBER = (_XPT_HEADER + b"MEMBER  HEADER", _XPT_HEADER + b"MEMBV8  HEADER")
_XPT_RECORD = 80  # bytes; every part of a transport file is padded to whole records


def sha256_of_file(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def sha256_of_frame(frame: pd.DataFrame) -> str:
    """Hex digest of a frame's columns and values, whatever file it came from."""
    digest = hashlib.sha256()
    for column in frame.columns:
        digest.update(repr(str(column)).encode())
        digest.update(pd.util.hash_pandas_object(frame[column], index=False).to_numpy().tobytes())
    return digest.hexdigest()


def read_frame(
    path: Path,
    *,
    separator: str | None = None,
    encoding: str = "utf-8",
    missing: tuple[str, ...] = ("",),
    max_bytes: int = MAX_BYTES,
) -> pd.DataFrame:
    """Read one file; text of a CSV stays text, blank text is missing.

    Parameters
    ----------
    path
        A ``.csv``, ``.parquet`` or ``.xpt`` file.
    separator, encoding, missing
        Of a CSV file; a separator of None is found from its first rows, `missing` lists the cells
        that mean "no value".
    max_bytes
        Larger files are refused before they are opened.

    Raises
    ------
    InputError
        If the file is missing, empty, cut, ragged, too large or of another kind.
    """
    _check_size(path, max_bytes)
    suffix = path.suffix.lower()
    if suffix == ".csv":
        frame = _read_csv(path, separator, encoding, missing)
    elif suffix == ".parquet":
        frame = _read_parquet(path)
    elif suffix == ".xpt":
        frame = _read_xpt(path)
    else:
        raise InputError(f"{path.name}: kind {suffix or 'unknown'}; allowed are .csv .parquet .xpt")
    if frame.empty:
        raise InputError(f"{path.name}: 0 rows; at least one is needed")
    return frame


def _check_size(path: Path, max_bytes: int) -> None:
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the path of a file that exists")
    size = path.stat().st_size
    if size == 0:
        raise InputError(f"{path.name}: the file is empty (0 bytes)")
    if size > max_bytes:
        raise InputError(f"{path.name}: {size} bytes; the limit is {max_bytes}; split the file")


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        frame: pd.DataFrame = pa_parquet.ParquetFile(path).read().to_pandas()
    except (pa.ArrowException, OSError):
        raise InputError(
            f"{path.name}: not a whole Parquet file (cut or damaged); export it again"
        ) from None
    return frame


def _read_xpt(path: Path) -> pd.DataFrame:
    import pyreadstat

    try:
        try:
            frame, meta = pyreadstat.read_xport(str(path))
        except UnicodeDecodeError:  # SAS under Windows; the file itself names no encoding
            frame, meta = pyreadstat.read_xport(str(path), encoding="WINDOWS-1252")
    except (pyreadstat.ReadstatError, pyreadstat.PyreadstatError, UnicodeDecodeError):
        raise InputError(
            f"{path.name}: not a SAS transport file (version 5 or 8); export it again"
        ) from None
    _check_xpt_whole(path, len(frame), sum(meta.variable_storage_width.values()))
    return frame


def _check_xpt_whole(path: Path, rows: int, row_bytes: int) -> None:
    """Refuse a cut file, which pyreadstat reads short without a word, and a second dataset.

    What is left behind the last row must be blanks that fill the last record.
    """
    content = path.read_bytes()
    if sum(content.count(header) for header in _XPT_MEMBER) > 1:
        raise InputError(f"{path.name}: several datasets in one file; export one file a dataset")
    start = max(content.find(header) for header in _XPT_DATA)
    rest = content[start + _XPT_RECORD + rows * row_bytes :]
    if start < 0 or len(content) % _XPT_RECORD or len(rest) >= _XPT_RECORD or rest.strip(b" "):
        raise InputError(f"{path.name}: the transport file is cut; export it again")


def _read_csv(
    path: Path, separator: str | None, encoding: str, missing: tuple[str, ...]
) -> pd.DataFrame:
    separator = separator or _separator(path, encoding)
    names = _csv_header(path, separator, encoding)
    ragged: list[int] = []

    def skip(row: pa_csv.InvalidRow) -> str:
        ragged.append(row.number or 0)
        return "skip"

    table = _guard_csv(
        path,
        encoding,
        lambda: pa_csv.read_csv(
            path,
            read_options=pa_csv.ReadOptions(use_threads=False, encoding=encoding),
            parse_options=pa_csv.ParseOptions(
                delimiter=separator, invalid_row_handler=skip, newlines_in_values=True
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=list(missing),
                strings_can_be_null=True,
            ),
        ),
    )
    if ragged:
        lines = ", ".join(str(n) for n in ragged[:5])
        raise InputError(
            f"{path.name}: {len(ragged)} row(s) have not {len(names)} fields like the header "
            f"(first at line {lines}); quote separators inside values"
        )
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _guard_csv(path: Path, encoding: str, read: Callable[[], pa.Table]) -> pa.Table:
    """Run a CSV reader; its own messages quote rows of the file, so none is passed on."""
    try:
        return read()
    except (UnicodeDecodeError, LookupError, pa.ArrowInvalid) as error:
        text = str(error).lower()
        if isinstance(error, pa.ArrowInvalid) and "utf8" not in text:
            raise InputError(f"{path.name}: not a readable CSV file; export it again") from None
        raise InputError(
            f"{path.name}: not {encoding} text; save it as UTF-8 or name its encoding"
        ) from None


def _separator(path: Path, encoding: str) -> str:
    """The separator that cuts the header, and most of the first rows into as many fields.

    A comma where none does: the faults are told then.
    """

    def fits(mark: str) -> tuple[int, int]:
        lengths = [len(row) for row in _first_rows(path, mark, encoding, _LOOKED_AT) if row]
        fields = lengths[0] if lengths else 1
        return (lengths.count(fields), fields) if fields > 1 else (0, 0)

    best = max(_SEPARATORS, key=fits)
    return best if fits(best)[0] else ","


def _first_rows(path: Path, separator: str, encoding: str, n: int) -> list[list[str]]:
    import csv

    try:
        with path.open(encoding="utf-8-sig" if encoding == "utf-8" else encoding, newline="") as f:
            return list(islice(csv.reader(f, delimiter=separator), n))
    except (UnicodeDecodeError, LookupError, csv.Error):
        raise InputError(
            f"{path.name}: not {encoding} text; save it as UTF-8 or name its encoding"
        ) from None


def _csv_header(path: Path, separator: str, encoding: str) -> list[str]:
    names = next(iter(_first_rows(path, separator, encoding, 1)), [])
    repeated = sorted(name for name, n in Counter(names).items() if n > 1)
    if repeated:
        raise InputError([f"{path.name}: column {name} appears twice" for name in repeated])
    if not any(names):
        raise InputError(f"{path.name}: the first line names no columns")
    return names
