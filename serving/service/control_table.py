"""A synthetic control arm as one flat table, in the formats that leave the service."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from extraction.records import Cohort

ORIGIN = "synthetic_from_n_train"
"""Column of every exported row: how many real patients its model has seen."""

_ROWS = 1_000


def control_table(cohort: Cohort, n_train: int) -> pd.DataFrame:
    """Return one row a synthetic patient, with every column that the schema can give.

    Columns: ``subject_id, arm``, baseline variables, ``variable@visit``, and for each endpoint
    ``_time`` (days), ``_event`` (1 or 0) and, with several causes, ``_cause``; the last one,
    :data:`ORIGIN`, says on every row what the row is. Columns do not depend on what was drawn,
    so that the chunks of one arm fit together.
    """
    flat = cohort.to_table()
    schema = cohort.schema
    unused = {v.name for v in schema.static} - {v.name for v in schema.baseline}
    kinds = {
        f"{v.name}@{visit.name}": v.numeric for v in schema.longitudinal for visit in schema.visits
    }
    columns: dict[str, Any] = {"subject_id": flat["subject_id"], "arm": flat["arm"]}
    for variable in schema.baseline:
        columns[variable.name] = flat[variable.name]
    for name, numeric in kinds.items():
        empty = np.full(len(flat), np.nan) if numeric else np.full(len(flat), None, dtype=object)
        columns[name] = flat.get(name, empty)
    for name in map(str, flat):
        if name not in columns and name not in unused:
            columns[name] = flat[name]
    table = pd.DataFrame(columns)
    for name in columns:
        if table[name].dtype == object:
            table[name] = table[name].where(table[name].notna(), None)
    return table.assign(**{ORIGIN: np.int64(n_train)})


def without_empty(table: pd.DataFrame) -> pd.DataFrame:
    """Leave out columns in which no patient has a value (visits at which nothing is measured)."""
    return table.loc[:, table.notna().any(axis=0).to_numpy()]


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as JSON-able dictionaries, missing values as None."""
    plain = table.astype(object).where(table.notna(), None)
    return [{str(k): v for k, v in row.items()} for row in plain.to_dict("records")]


def csv_lines(tables: Iterable[pd.DataFrame]) -> Iterator[bytes]:
    """Yield CSV in pieces of about a thousand rows, the header once."""
    header = True
    for table in tables:
        for start in range(0, len(table), _ROWS):
            part = table.iloc[start : start + _ROWS]
            yield part.to_csv(index=False, header=header, lineterminator="\n").encode()
            header = False


def json_lines(tables: Iterable[pd.DataFrame], head: Mapping[str, Any]) -> Iterator[bytes]:
    """Yield one JSON object in pieces: the fields of `head`, then ``records``."""
    opening = json.dumps(dict(head), allow_nan=False)
    yield (opening[:-1] + ', "records": [').encode()
    between = ""
    for table in tables:
        for start in range(0, len(table), _ROWS):
            rows = records(table.iloc[start : start + _ROWS])
            text = ",\n".join(json.dumps(row, allow_nan=False) for row in rows)
            yield (between + text).encode()
            between = ",\n"
    yield b"]}"


def parquet_bytes(table: pd.DataFrame, about: Mapping[str, Any]) -> bytes:
    """Return Parquet whose file metadata carry, under ``trialtwin``, what the rows are."""
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    note = json.dumps(dict(about), sort_keys=True, allow_nan=False).encode()
    buffer = io.BytesIO()
    pq.write_table(arrow.replace_schema_metadata({b"trialtwin": note}), buffer, compression="zstd")
    return buffer.getvalue()


def parquet_parts(path: Path) -> Iterator[pd.DataFrame]:
    """Yield a Parquet file in pieces, so that none of it has to fit into memory at once."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=_ROWS):
            yield batch.to_pandas()
