"""Engines of the Synthetic Data Vault (SDV 2.0), for comparison.

SDV and the packages under it are licensed under BUSL-1.1, see :data:`BUSL_CLAUSE`. SDV
saves pickles only, and pickles are never loaded here: a saved SDV model is its data hash,
seed and options, from which it is refitted.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field

from extraction.records import Cohort, InputError
from extraction.records.conditions import Interval
from generation.applicability import require_expected
from generation.artifact import write_artifact
from generation.assembly import to_arrays, to_cohort
from generation.cart_columns import (
    ARM,
    Bound,
    EndpointCodec,
    FlatColumns,
    FlatTable,
    encode,
    parse_given,
    plausible,
)
from generation.engine import (
    Capability,
    Model,
    ModelCard,
    Options,
    Progress,
    SampleRequest,
    SamplingReport,
    parse_options,
    report_progress,
)
from generation.randomness import integer_seed
from generation.tokenizer import CategoricalCodec, NumericCodec

BUSL_CLAUSE = (
    "SDV, ctgan, copulas, deepecho and rdt are licensed under BUSL-1.1: production use is "
    "granted except for a commercial offering that lets third parties use their "
    "functionality (a 'Synthetic Data Service')."
)

_LOG = logging.getLogger(__name__)
_TABLE = "patients"
_BATCHES = 30
_FEWEST = 500


class GaussianCopulaOptions(Options):
    """Options of SDV's Gaussian copula."""

    default_distribution: Literal["beta", "norm", "truncnorm", "gamma", "uniform"] = Field(
        "beta", description="marginal distribution of numbers"
    )


class GaussianCopulaModel(Model):
    """SDV's GaussianCopulaSynthesizer over the flat table of a cohort.

    The arm is a column like any other. Conditions are met by rejection, in at most 30
    batches. The same n and seed give the same patients; the prefix property does not hold.
    Impossible rows that SDV draws are closed at the end of observation.
    """

    engine: ClassVar[str] = "sdv-gaussian-copula"
    supports: ClassVar[frozenset[Capability]] = frozenset(
        {"static", "events", "visits", "conditions"}
    )
    keyed: ClassVar[bool] = False

    def __init__(
        self, card: ModelCard, columns: FlatColumns, synthesizer: Any, fixed: dict[str, Any]
    ) -> None:
        super().__init__(card)
        self.columns, self.synthesizer, self.fixed = columns, synthesizer, fixed

    @classmethod
    def fit(
        cls, cohort: Cohort, seed: int = 0, progress: Progress | None = None, **options: Any
    ) -> Self:
        """Fit the copula to the flat table."""
        chosen = parse_options(GaussianCopulaOptions, cls.engine, options)
        _LOG.warning(BUSL_CLAUSE)
        arrays = to_arrays(cohort)
        columns = FlatColumns.fit(cohort.schema, arrays, 16)
        table = columns.read(arrays)
        frame, fixed = _to_frame(columns, table, len(cohort))
        report_progress(progress, "copula", 0.0)
        with _quiet():
            from sdv.metadata import Metadata
            from sdv.single_table import GaussianCopulaSynthesizer

            metadata = Metadata.load_from_dict({"tables": {_TABLE: {"columns": {
                name: {"sdtype": "categorical" if kind.kind == "O" else "numerical"}
                for name, kind in frame.dtypes.items()
            }}}})
            synthesizer = GaussianCopulaSynthesizer(metadata, **chosen.model_dump())
            synthesizer.fit({_TABLE: frame})
        report_progress(progress, "copula", 1.0)
        card = ModelCard.describe(
            cohort, cls.engine, cls.engine_version, seed, chosen.model_dump(),
            ("sdv", "copulas", "rdt"),
        )
        return cls(card, columns, synthesizer, fixed)

    def _sample(self, request: SampleRequest) -> tuple[Cohort, SamplingReport]:
        """Draw patients, by rejection where there is a condition; see `Model.sample`."""
        n, given = request.n, request.given
        bounds, arms = parse_given(given, request.arm, self.card, self.columns)
        if set(arms) < set(self.card.arms):
            bounds[ARM] = frozenset(arms)
        kept, drawn = [], 0
        batch = max(n, _FEWEST) if bounds else n
        with _quiet():
            self.synthesizer.reset_sampling()
            self.synthesizer._set_random_state(integer_seed(request.seed, "sdv"))
            for _ in range(_BATCHES):
                frame = self.synthesizer.sample(batch)[_TABLE]
                drawn += batch
                kept.append(frame[_meets(frame, self.fixed, bounds)])
                if sum(map(len, kept)) >= n:
                    break
        met = sum(map(len, kept))
        if request.gate and met:
            require_expected(given, self.card.n_train, met / drawn)
        if met < n:
            raise InputError(
                f"given: only {met} of {drawn} draws met the condition and {n} are needed; "
                "widen it, or use engine 'twin'"
            )
        frame = pd.concat(kept, ignore_index=True).iloc[:n]
        table = _to_table(self.columns, frame, self.fixed)
        arrays = self.columns.write(table, n, request.until_day)
        method = "rejection" if bounds else "unconditional"
        report = SamplingReport(n, self.card.n_train, met / drawn, 1.0, method)
        made = to_cohort(
            arrays, self.schema, self.engine, report.sentence(), patients=request.patients
        )
        return made, report

    def save(self, folder: Path | str) -> Path:
        """Write the data hash, seed and options: enough to refit, not to load."""
        return write_artifact(folder, self.card.model_dump(mode="json"), {"refit": True})

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Refuse: SDV models are pickles.

        Raises
        ------
        InputError
            Always; the message says how to get the model back.
        """
        raise InputError(
            f"{Path(folder).name}: an SDV model cannot be loaded (SDV saves pickles only, which "
            "are never loaded); refit it on the cohort with the data_digest, seed and options "
            "of its model.json"
        )


def _to_frame(
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


def _to_table(columns: FlatColumns, frame: pd.DataFrame, fixed: dict[str, Any]) -> FlatTable:
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


def _meets(frame: pd.DataFrame, fixed: dict[str, Any], bounds: dict[str, Bound]) -> np.ndarray:
    """Rows inside every bound."""
    inside = np.ones(len(frame), dtype=bool)
    for name, bound in bounds.items():
        values = _column(frame, fixed, name)
        if isinstance(bound, Interval):
            inside &= bound.contains(values.to_numpy(dtype=np.float64))
        else:
            inside &= values.isin(bound).to_numpy()
    return inside


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back SDV's advice (deprecations of its own dependencies among it)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
