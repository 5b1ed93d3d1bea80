"""Small things that several stages share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


def plain(value: Any, digits: int = 10) -> Any:
    """JSON types only; NaN and infinities become None; floats keep `digits` significant digits.

    The last bits of a sum depend on the machine's linear algebra; they are not written.
    """
    if isinstance(value, Mapping):
        return {str(k): plain(v, digits) for k, v in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [plain(v, digits) for v in value]
    if isinstance(value, np.generic):
        return plain(value.item(), digits)
    if isinstance(value, float):
        return float(f"{value:.{digits}g}") if math.isfinite(value) else None
    return value


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a table as Parquet whose bytes depend on its content alone."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    pq.write_table(table, path, compression="zstd")
