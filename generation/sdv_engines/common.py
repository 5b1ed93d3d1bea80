"""What every SDV engine shares: the licence's clause, seeds, silence, and no loading."""

from __future__ import annotations

import logging
import warnings
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from extraction.records import Cohort, InputError
from generation.applicability import require_expected
from generation.artifact import write_artifact
from generation.assembly import TrialArrays, to_arrays, to_cohort
from generation.cart_columns import ARM, Bound, FlatColumns, parse_given
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
from generation.sdv_engines.frames import meets, to_frame

BUSL_CLAUSE = (
    "SDV, ctgan, copulas, deepecho and rdt are licensed under BUSL-1.1: production use is "
    "granted except for a commercial offering that lets third parties use their "
    "functionality (a 'Synthetic Data Service')."
)
TABLE = "patients"

_LOG = logging.getLogger("generation.sdv_engines")
_BATCHES = 30


class SdvModel(Model):
    """Base of the SDV engines.

    The arm is a column like any other. Conditions are met by rejection, in at most 30 batches.
    The same n and seed give the same patients; the prefix property does not hold. Impossible
    rows that SDV draws are closed at the end of observation.
    """

    keyed: ClassVar[bool] = False
    kind: ClassVar[type[Options]]
    supports: ClassVar[frozenset[Capability]] = frozenset(
        {"static", "events", "visits", "conditions"}
    )
    packages: ClassVar[tuple[str, ...]] = ("sdv", "rdt", "copulas")

    def __init__(
        self, card: ModelCard, columns: FlatColumns, synthesizer: Any, fixed: dict[str, Any]
    ) -> None:
        super().__init__(card)
        self.columns, self.synthesizer, self.fixed = columns, synthesizer, fixed

    @classmethod
    def fit(
        cls, cohort: Cohort, seed: int = 0, progress: Progress | None = None, **options: Any
    ) -> Self:
        """Fit the synthesizer to the flat table; numpy's and torch's own states are kept."""
        chosen = parse_options(cls.kind, cls.engine, options)
        _state_clause()
        arrays = cls._arrays(cohort)
        columns = FlatColumns.fit(cohort.schema, arrays, 16)
        frame, fixed = to_frame(columns, columns.read(arrays), len(cohort))
        report_progress(progress, cls.engine, 0.0)
        with seeded(integer_seed(seed, cls.engine)):
            synthesizer = cls._fitted(frame, cohort, chosen)
        report_progress(progress, cls.engine, 1.0)
        card = ModelCard.describe(
            cohort, cls.engine, cls.engine_version, seed, chosen.model_dump(), cls.packages
        )
        return cls(card, columns, synthesizer, fixed)

    @classmethod
    def _arrays(cls, cohort: Cohort) -> TrialArrays:
        """The part of a cohort that stands in the flat table."""
        return to_arrays(cohort)

    @classmethod
    @abstractmethod
    def _fitted(cls, frame: pd.DataFrame, cohort: Cohort, options: Any) -> Any:
        """Fit SDV's synthesizer; all its random states are seeded."""

    @abstractmethod
    def _rows(self, n: int) -> pd.DataFrame:
        """Draw n rows (or, indexed by patient, n patients); random states are seeded."""

    @abstractmethod
    def _write(self, frame: pd.DataFrame, n: int, until_day: float | None) -> TrialArrays:
        """Turn the rows of n patients into arrays."""

    def _reset(self, seed: int) -> None:
        """Set SDV's own random states."""
        self.synthesizer.reset_sampling()
        self.synthesizer._set_random_state(seed)

    def _sample(self, request: SampleRequest) -> tuple[Cohort, SamplingReport]:
        """Draw patients, by rejection where there is a condition; see `Model.sample`."""
        bounds, arms = parse_given(request.given, request.arm, self.card, self.columns)
        if set(arms) < set(self.card.arms):
            bounds[ARM] = frozenset(arms)
        n = request.n
        probability = self._region(bounds) if bounds else 1.0
        if request.gate:
            require_expected(request.given, self.card.n_train, probability)
        with seeded(integer_seed(request.seed, "sdv")):
            self._reset(integer_seed(request.seed, "sdv"))
            frame = self._kept(n, bounds)
        arrays = self._write(frame, n, request.until_day)
        method = "rejection" if bounds else "unconditional"
        report = SamplingReport(n, self.card.n_train, probability, 1.0, method)
        made = to_cohort(
            arrays, self.schema, self.engine, report.sentence(), patients=request.patients
        )
        return made, report

    def _region(self, bounds: dict[str, Bound]) -> float:
        """Share of a fixed lot of the model's patients inside the bounds.

        The gate stands on it: it must depend on the request alone, not on n or seed.
        """
        with seeded(0):
            self._reset(0)
            frame = self._rows(self.lot)
        return float(meets(_first_rows(frame), self.fixed, bounds).mean())

    def _kept(self, n: int, bounds: dict[str, Bound]) -> pd.DataFrame:
        """The first n patients inside the bounds, numbered from 0 by the index."""
        batch = max(n, self.lot) if bounds else n
        kept: list[pd.DataFrame] = []
        met = drawn = 0
        while met < n and drawn < _BATCHES * batch:
            frame = self._rows(batch)
            first = _first_rows(frame)
            inside = first.index[meets(first, self.fixed, bounds)]
            place = pd.Series(np.arange(met, met + len(inside)), index=inside)
            frame = frame[frame.index.isin(inside)]
            kept.append(frame.set_index(place.loc[frame.index].to_numpy()))
            met, drawn = met + len(inside), drawn + batch
        if met < n:
            raise InputError(
                f"given: only {met} of {drawn} draws met the condition and {n} are needed; "
                "widen it, or use engine 'twin'"
            )
        every = pd.concat(kept)
        return every[every.index < n]

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


def _first_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """One row a patient: of a visit table the first, which has the static columns too."""
    return frame[~frame.index.duplicated()]


def metadata(columns: dict[str, str], **sequence: str) -> Any:
    """SDV's description of one table: the sdtype of each column, and what orders a sequence."""
    from sdv.metadata import Metadata

    described = {name: {"sdtype": sdtype} for name, sdtype in columns.items()}
    return Metadata.load_from_dict({"tables": {TABLE: {"columns": described, **sequence}}})


def sdtypes(frame: pd.DataFrame) -> dict[str, str]:
    """Words are categorical, all else numerical."""
    return {
        str(name): "categorical" if kind.kind == "O" else "numerical"
        for name, kind in frame.dtypes.items()
    }


@cache
def _state_clause() -> None:
    """Log the licence's clause, once a process."""
    _LOG.warning(BUSL_CLAUSE)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed the global generators that SDV draws from, restore them, and hold back its advice.

    SDV, ctgan and deepecho draw from numpy's and torch's global states.
    """
    import torch

    before = np.random.get_state()  # noqa: NPY002
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")
        np.random.seed(seed)  # noqa: NPY002
        torch.manual_seed(seed)
        try:
            yield
        finally:
            np.random.set_state(before)  # noqa: NPY002
