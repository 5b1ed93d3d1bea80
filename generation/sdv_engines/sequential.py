"""SDV's PARSynthesizer: visits as a sequence given a patient's static columns.

The static columns (baseline, arm, end of follow-up, endpoints) are drawn from a Gaussian
copula; the visits of a patient from a recurrent net given them (Zhang, Patki and
Veeramachaneni, 2022, "Sequential models in the Synthetic Data Vault").
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from pydantic import Field

from extraction.records import Cohort, InputError, Variable
from generation.assembly import TrialArrays, Values, lay_out_visits, to_arrays
from generation.cart_columns import plausible
from generation.engine import Capability, Options
from generation.sdv_engines.common import TABLE, SdvModel, metadata, sdtypes
from generation.sdv_engines.frames import to_table

PATIENT, DAY = "patient number", "visit day"
_FEWEST_PATIENTS = 20


class ParOptions(Options):
    """Options of SDV's PAR; the defaults are SDV's."""

    epochs: int = Field(128, ge=1, le=5000, description="passes over the training patients")
    sample_size: int = Field(1, ge=1, le=100, description="draws a step of which the best is kept")
    cuda: bool = Field(False, description="whether a GPU is used where there is one")


class ParModel(SdvModel):
    """SDV's PARSynthesizer over the visits of a cohort; refuses cohorts without visits.

    Visits after the end of observation, which SDV does draw, are cut. A condition is refused;
    one arm is met by rejection.
    """

    engine: ClassVar[str] = "sdv-par"
    lot: ClassVar[int] = 100
    supports: ClassVar[frozenset[Capability]] = frozenset({"static", "events", "visits"})
    kind = ParOptions
    packages = ("sdv", "deepecho", "copulas", "rdt", "torch")

    @classmethod
    def _arrays(cls, cohort: Cohort) -> TrialArrays:
        arrays = to_arrays(cohort)
        return replace(arrays, visits=(), visit_day=np.zeros((len(cohort), 0)), values={})

    @classmethod
    def _fitted(cls, frame: pd.DataFrame, cohort: Cohort, options: Any) -> Any:
        from sdv.sequential import PARSynthesizer

        visits = _visit_rows(cohort)
        long = visits.join(frame, on=PATIENT)
        kinds = {**sdtypes(long), PATIENT: "id", DAY: "numerical"}
        synthesizer = PARSynthesizer(
            metadata(kinds, sequence_key=PATIENT, sequence_index=DAY),
            context_columns=[str(c) for c in frame.columns],
            **options.model_dump(),
        )
        synthesizer.fit({TABLE: long})
        return synthesizer

    def _reset(self, seed: int) -> None:
        self.synthesizer._data_processor.reset_sampling()
        context = self.synthesizer._context_synthesizer
        context.reset_sampling()
        context._set_random_state(seed)

    def _rows(self, n: int) -> pd.DataFrame:
        drawn: pd.DataFrame = self.synthesizer.sample_sequences(n)[TABLE]
        order = pd.factorize(drawn[PATIENT])[0]
        return drawn.drop(columns=PATIENT).set_index(order)

    def _write(self, frame: pd.DataFrame, n: int, until_day: float | None) -> TrialArrays:
        first = frame[~frame.index.duplicated()].reset_index(drop=True)
        arrays = self.columns.write(to_table(self.columns, first, self.fixed), n, until_day)
        place = frame.index.to_numpy(dtype=np.int64)
        day = np.round(frame[DAY].to_numpy(dtype=np.float64))
        column, order = lay_out_visits(arrays, self.schema, place, day)
        for variable in self.schema.longitudinal:
            if variable.name in frame:
                drawn = _values(frame[variable.name], variable)
                shape = arrays.visit_day.shape
                wide: Values = np.full(shape, np.nan)
                wide = wide if variable.numeric else np.full(shape, None, dtype=object)
                wide[place[order], column[order]] = drawn[order]
                arrays.values[variable.name] = wide
        gone = arrays.visit_day > arrays.follow_up[:, None]
        arrays.visit_day = np.where(gone, np.nan, arrays.visit_day)
        return arrays


def _values(raw: pd.Series, variable: Variable) -> Values:
    if variable.numeric:
        return plausible(raw.to_numpy(dtype=np.float64), variable)
    labels = raw.astype(object)
    return np.asarray(labels.where(labels.notna(), None), dtype=object)


def _visit_rows(cohort: Cohort) -> pd.DataFrame:
    """One row a visit: patient number, day and the values of that day."""
    arrays = to_arrays(cohort)
    rows, columns = np.nonzero(np.isfinite(arrays.visit_day))
    if len(np.unique(rows)) < _FEWEST_PATIENTS:
        raise InputError(
            f"cohort: fewer than {_FEWEST_PATIENTS} patients have visits; engine 'sdv-par' draws "
            "sequences of visits; use engine 'twin', 'mixture' or 'cart' for static data"
        )
    data: dict[str, Any] = {PATIENT: rows, DAY: arrays.visit_day[rows, columns]}
    for name, values in arrays.values.items():
        data[name] = values[rows, columns]
    frame = pd.DataFrame(data)
    kept = [c for c in frame if c in (PATIENT, DAY) or frame[c].notna().any()]
    return frame[kept].sort_values([PATIENT, DAY], ignore_index=True)
