"""Cells of a flat table as numbers, words and results beyond a limit, faults counted."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from extraction.records.errors import Faults
from extraction.records.units import is_ucum

Numbers = npt.NDArray[np.float64]

_COMMA = r"^\s*[-+]?\d+,\d+\s*$"
_MOST_SHOWN = 12
_LIMIT = r"^\s*<\s*=?\s*(\d+(?:\.\d+)?)\s*$"


def is_unit(code: str) -> bool:
    """Whether a code is UCUM; an annotation in braces, like {score}, counts as the unit one."""
    plain = re.sub(r"\{[^{}]*\}", "", code)
    return plain == "" or is_ucum(plain)


def exact(values: pd.Series[Any]) -> Numbers:
    """Cells as the float64 nearest to what is written; NaN for what is no number.

    pandas' own parser may miss by one unit in the last place, and then the same data read from
    CSV and from Parquet would have different digests.
    """
    if values.dtype.kind in "fiub":
        return values.to_numpy(np.float64, na_value=np.nan)
    codes, unique = pd.factorize(values.astype(object), use_na_sentinel=True)
    known = pd.to_numeric(pd.Series(unique, dtype=object), errors="coerce").notna()
    parsed = [float(v) if ok else np.nan for v, ok in zip(unique, known, strict=True)]
    return np.array([*parsed, np.nan])[codes]


def words(values: pd.Series[Any]) -> pd.Series[Any]:
    """Cells as words: 1.0 and "1.0" are "1", True is "true", blank is None."""
    codes, unique = pd.factorize(values.astype(object), use_na_sentinel=True)
    spelt = np.array([_as_word(v) for v in unique] + [None], dtype=object)
    return pd.Series(spelt[codes], index=values.index)


def texts(values: pd.Series[Any]) -> pd.Series[Any]:
    """Cells as they stand, stripped; whole floats without their ".0"."""
    codes, unique = pd.factorize(values.astype(object), use_na_sentinel=True)
    spelt = np.array([_as_text(v) for v in unique] + [None], dtype=object)
    return pd.Series(spelt[codes], index=values.index)


def numbers(values: pd.Series[Any], where: str, faults: Faults) -> Numbers:
    """Cells as float64; decimal commas and other text are faults with their count."""
    if values.dtype.kind in "fiub":
        out = values.to_numpy(np.float64, na_value=np.nan)
        if np.isinf(out).any():
            faults.add(f"{where}: {int(np.isinf(out).sum())} row(s) are infinite")
        return out
    text = texts(values)
    out = exact(text)
    bad = text.notna().to_numpy() & ~np.isfinite(out)
    commas = bad & decimal_commas(text)
    if commas.any():
        faults.add(
            f"{where}: {int(commas.sum())} row(s) hold a decimal comma; write a decimal point"
        )
    if (bad & ~commas).any():
        faults.add(f"{where}: {int((bad & ~commas).sum())} row(s) are not finite numbers")
    return np.where(np.isfinite(out), out, np.nan)


def decimal_commas(values: pd.Series[Any]) -> npt.NDArray[np.bool_]:
    """Which cells of text are numbers with a decimal comma."""
    return values.astype("string").str.match(_COMMA).fillna(False).to_numpy(bool)


def results(
    values: pd.Series[Any], where: str, faults: Faults
) -> tuple[Numbers, npt.NDArray[np.bool_]]:
    """Measured values and which of them are only known to lie below a limit ("<5")."""
    if values.dtype.kind in "fiub":
        return numbers(values, where, faults), np.zeros(len(values), dtype=bool)
    limit = texts(values).astype("string").str.extract(_LIMIT)[0]
    below = limit.notna().to_numpy()
    return numbers(values.astype(object).where(~below, limit), where, faults), below


def categories(
    values: pd.Series[Any],
    labels: dict[str, str] | None,
    known: tuple[str, ...],
    where: str,
    faults: Faults,
) -> pd.Series[Any]:
    """Cells as categories, by way of labels; unknown words are a fault with their count."""
    plain = words(values)
    mapped = plain.map(_keyed(labels)).astype(object) if labels else plain
    original = texts(values)
    mapped = mapped.where(mapped.isin(known), original.where(original.isin(known), mapped))
    wrong = int((plain.notna() & ~mapped.isin(known)).sum())
    if wrong:
        listed = tuple(labels) if labels else known
        shown = ", ".join(listed[:_MOST_SHOWN]) + (", ..." if len(listed) > _MOST_SHOWN else "")
        faults.add(
            f"{where}: {wrong} row(s) hold a word that the mapping does not list ({shown}); "
            "add it there or correct the table"
        )
    return mapped.where(mapped.isin(known), None)


def _keyed(labels: dict[str, str]) -> dict[str, str]:
    return {_as_word(key) or key: label for key, label in labels.items()}


def _as_text(value: Any) -> str | None:
    if isinstance(value, float | np.floating):
        return f"{float(value):.12g}"
    return str(value).strip() or None


def _as_word(value: Any) -> str | None:
    text = _as_text(value)
    if text is None:
        return None
    if text.lower() in ("true", "false"):
        return text.lower()
    number = pd.to_numeric(text, errors="coerce")
    return text if pd.isna(number) else f"{float(number):.12g}"
