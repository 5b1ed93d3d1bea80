"""Which form an answer has, and the answer in that form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal
from urllib.parse import quote

import pandas as pd
from fastapi import Response
from fastapi.responses import StreamingResponse

from serving.service.control_table import csv_lines, json_lines

Format = Literal["json", "csv", "parquet"]
MEDIA: Mapping[Format, str] = {
    "json": "application/json",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
}


def chosen(named: Format | None, accept: str | None) -> Format:
    """Return the format named in the request, else the first one its Accept header knows."""
    if named is not None:
        return named
    wanted = [part.partition(";")[0].strip().lower() for part in (accept or "").split(",")]
    for media in wanted:
        for name, known in MEDIA.items():
            if media == known:
                return name
    return "json"


def table_answer(
    form: Format,
    tables: Iterable[pd.DataFrame],
    about: Mapping[str, Any],
    name: str,
    parquet: Callable[[], bytes],
) -> Response:
    """Return synthetic patients with what stands behind them.

    Parameters
    ----------
    form
        The format.
    tables
        The rows, in pieces; read by CSV and JSON, which are streamed.
    about
        n_train, n_region, ess, digest, notice and the like: fields of the JSON, and headers
        ``X-Trialtwin-...`` in every format, since CSV has no other place for them.
    name
        Of the file, without its ending.
    parquet
        Gives the bytes of the Parquet file.
    """
    headers = about_headers(about)
    if form != "json":
        headers["Content-Disposition"] = f'attachment; filename="{name}.{form}"'
    if form == "parquet":
        return Response(parquet(), media_type=MEDIA[form], headers=headers)
    lines = csv_lines(tables) if form == "csv" else json_lines(tables, about)
    return StreamingResponse(lines, media_type=MEDIA[form], headers=headers)


def about_headers(about: Mapping[str, Any]) -> dict[str, str]:
    """Return the plain fields as headers; text is percent-encoded where it must be."""
    return {
        f"X-Trialtwin-{key.replace('_', '-').title()}": quote(str(value), safe=" ,.;:()'-%")
        for key, value in about.items()
        if isinstance(value, str | int | float)
    }
