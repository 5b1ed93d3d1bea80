"""SDV's synthesizers with their defaults (300 epochs; PAR 128), on one thread, without a GPU."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import job
import numpy as np
import pandas as pd
import torch

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
from sdv.metadata import Metadata  # noqa: E402
from sdv.sequential import PARSynthesizer  # noqa: E402
from sdv.single_table import (  # noqa: E402
    CopulaGANSynthesizer,
    CTGANSynthesizer,
    GaussianCopulaSynthesizer,
    TVAESynthesizer,
)

torch.set_num_threads(1)
_TABLE = "patients"
_FLAT = {
    "sdv-gaussian-copula": GaussianCopulaSynthesizer,
    "sdv-ctgan": CTGANSynthesizer,
    "sdv-tvae": TVAESynthesizer,
    "sdv-copulagan": CopulaGANSynthesizer,
}


def _metadata(table: pd.DataFrame) -> dict[str, Any]:
    known = set(job.numeric(table))
    kinds = {c: "numerical" if c in known else "categorical" for c in table.columns}
    return {"columns": {c: {"sdtype": kind} for c, kind in kinds.items()}}


def fit(tables: job.Tables, task: dict[str, Any]) -> Any:
    np.random.seed(task["seed"])  # noqa: NPY002 - what SDV draws with
    torch.manual_seed(task["seed"])
    static = tables["static"]
    if task["engine"] == "sdv-par":
        return _fit_sequences(static, tables["visits"])
    table = static.drop(columns=job.KEY)
    metadata = Metadata.load_from_dict({"tables": {_TABLE: _metadata(table)}})
    model = _FLAT[task["engine"]](metadata)
    model.fit({_TABLE: table})
    return model, list(table.columns), None


def _fit_sequences(static: pd.DataFrame, visits: pd.DataFrame) -> Any:
    """PAR of the visits with every static column as context."""
    context = [c for c in static.columns if c != job.KEY]
    rows = visits.merge(static, on=job.KEY).sort_values([job.KEY, job.DAY], kind="stable")
    described = _metadata(rows)
    described["columns"][job.KEY] = {"sdtype": "id"}
    described |= {"sequence_key": job.KEY, "sequence_index": job.DAY}
    metadata = Metadata.load_from_dict({"tables": {_TABLE: described}})
    model = PARSynthesizer(metadata, context_columns=context, cuda=False)
    model.fit({_TABLE: rows})
    return model, context, [c for c in visits.columns if c != job.KEY]


def sample(fitted: Any, n: int, task: dict[str, Any]) -> job.Tables:
    torch.manual_seed(task["seed"])
    model, columns, of_visits = fitted
    if of_visits is None:
        return {"static": model.sample(n)[_TABLE][columns]}
    rows = model.sample_sequences(num_sequences=n)[_TABLE]
    static = rows.drop_duplicates(job.KEY)[[job.KEY, *columns]]
    return {"static": static, "visits": rows[[job.KEY, *of_visits]]}


job.run(fit, sample)
