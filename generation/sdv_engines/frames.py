"""Flat columns as the frames that SDV takes, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from extraction.records import InputError
from extraction.records.conditions import Interval
from generation.cart_columns import (
    Bound,
    EndpointCodec,
    FlatColumns,
    FlatTable,
    encode,
    plausible,
)
from generation.tokenizer import CategoricalCodec, NumericCodec


def to_frame(
    columns: FlatColumns, table: FlatTable, n: int
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Flat frame of the columns that vary, and the value of each that does not."""
    data: dict[str, Any] = {}
    for name, codec in columns.codecs.items():
        codes, values = table[name]
        if isinstance(codec, EndpointCodec):
            data[f"{name} day"] = values
            data[f"{name} status"] = codec.status(codes).astype(str).astype(object)
        elif isinstance(codec, CategoricalCodec):
            data[name] = codec.decode(codes)
        else:
            data[name] = values
    frame = pd.DataFrame(data, index=pd.RangeIndex(n))
    fixed: dict[str, Any] = {
        str(name): (None if frame[name].dropna().empty else frame[name].dropna().iloc[0])
        for name in frame
        if frame[name].nunique(dropna=False) < 2 or frame[name].nunique() < 1
    }
    varying = frame.drop(columns=list(fixed))
    if varying.shape[1] == 0:
        raise InputError("cohort: no column varies; an SDV engine has nothing to learn")
    return varying, fixed


def to_table(columns: FlatColumns, frame: pd.DataFrame, fixed: dict[str, Any]) -> FlatTable:
    """Drawn frame as tokens and numbers."""
    table: FlatTable = {}
    for name, codec in columns.codecs.items():
        if isinstance(codec, EndpointCodec):
            day = _column(frame, fixed, f"{name} day").to_numpy(dtype=np.float64)
            status = _column(frame, fixed, f"{name} status").astype(int).to_numpy()
            status = np.where(np.isfinite(day), status, -1)
            codes = np.append(codec.starts[:-1], codec.starts[-1])[status]
            table[name] = (codes, np.maximum(day, 0.0))
            continue
        raw = _column(frame, fixed, name)
        if isinstance(codec, NumericCodec):
            values = raw.to_numpy(dtype=np.float64)
            variable = columns.visit_of.get(name, (name, 0))[0]
            if variable in columns.schema:
                values = plausible(values, columns.schema.variable(variable))
            table[name] = encode(codec, values)
        else:
            labels = raw.astype(object)
            table[name] = encode(codec, labels.where(labels.notna(), None).to_numpy())
    return table


def _column(frame: pd.DataFrame, fixed: dict[str, Any], name: str) -> pd.Series:
    return pd.Series([fixed[name]] * len(frame)) if name in fixed else frame[name]


def meets(frame: pd.DataFrame, fixed: dict[str, Any], bounds: dict[str, Bound]) -> np.ndarray:
    """Rows inside every bound."""
    inside = np.ones(len(frame), dtype=bool)
    for name, bound in bounds.items():
        values = _column(frame, fixed, name)
        if isinstance(bound, Interval):
            inside &= bound.contains(values.to_numpy(dtype=np.float64))
        else:
            inside &= values.isin(bound).to_numpy()
    return inside
