"""ARF (arfpy 0.1.1) with its defaults: 30 trees, at most 10 rounds.

arfpy knows no missing values and no rounding. Missing numbers become a flag column and the median,
missing words a word of their own; numbers are rounded to the decimals of the training table.
"""

from __future__ import annotations

import contextlib
import io
from typing import Any

import job
import numpy as np
import pandas as pd
from arfpy import arf

_GAP = "(missing)"
_FLAG = "(missing) "


def _decimals(values: pd.Series) -> int:
    known = values.dropna().to_numpy()
    for digits in range(6):
        if np.allclose(known, np.round(known, digits), atol=1e-9, rtol=0):
            return digits
    return 6


def fit(tables: job.Tables, task: dict[str, Any]) -> Any:
    np.random.seed(task["seed"])  # noqa: NPY002 - what arfpy draws with
    table = tables["static"].drop(columns=job.KEY)
    columns: dict[str, pd.Series] = {}
    for name in table.columns:
        values = table[name]
        if name not in job.numeric(table):
            columns[name] = values.fillna(_GAP).astype("category")
            continue
        columns[name] = values.fillna(values.median())
        if values.isna().any():
            columns[_FLAG + name] = values.isna().map({True: "yes", False: "no"}).astype("category")
    ready = pd.DataFrame(columns)
    with contextlib.redirect_stdout(io.StringIO()):
        model = arf.arf(x=ready, random_state=task["seed"], n_jobs=1)
        model.forde()
    return model, table


def sample(fitted: Any, n: int, task: dict[str, Any]) -> job.Tables:
    model, table = fitted
    drawn = model.forge(n=n)
    out = {}
    for name in table.columns:
        if name in job.numeric(table):
            values = pd.to_numeric(drawn[name]).round(_decimals(table[name]))
            gone = drawn[_FLAG + name].astype(str) == "yes" if _FLAG + name in drawn else None
            out[name] = values if gone is None else values.mask(gone)
        else:
            words = drawn[name].astype(object)
            out[name] = words.where(words != _GAP, None)
    return {"static": pd.DataFrame(out)}


job.run(fit, sample)
