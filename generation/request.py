"""A request to sample as engines see it, and the report of how it was met."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd


@dataclass(frozen=True)
class SamplingReport:
    """How a condition was met.

    Attributes
    ----------
    n
        Synthetic patients returned.
    n_train
        Training patients: synthetic patients carry no information beyond theirs.
    region_probability
        Share of the model's patients that meet the condition (1 without one).
    expected_training_patients
        ``n_train * region_probability``: how many real patients stand behind the request.
    effective_sample_size
        Kish's effective share of the importance weights, 0 to 1, averaged over patients.
    method
        How the condition was met, in words.
    constraint_rate
        Share of first draws that met every declared constraint, 0 to 1; the others were drawn
        again.
    draws_per_patient
        Patients drawn for each one returned: what rejection cost (1 where there was none).
    """

    n: int
    n_train: int
    region_probability: float = 1.0
    effective_sample_size: float = 1.0
    method: str = "unconditional"
    notes: tuple[str, ...] = field(default=())
    constraint_rate: float = 1.0
    draws_per_patient: float = 1.0

    @property
    def expected_training_patients(self) -> float:
        """Training patients expected to meet the condition."""
        return self.n_train * self.region_probability

    def sentence(self) -> str:
        """One line for the provenance of a synthetic cohort: the same for any n."""
        return f"sampled from a model of n_train={self.n_train} patients; {self.method}"


@dataclass(frozen=True)
class SampleRequest:
    """One checked request to sample, as an engine sees it.

    Attributes
    ----------
    patients
        Numbers of the patients to draw, from 0, shape (n,): rising, but not always one after
        the other. A keyed engine's draws belong to these numbers; others only count them.
    given
        As in `Model.sample`.
    arm, until_day, seed, dropout, gate
        As in `Model.sample`.
    """

    patients: npt.NDArray[np.int64]
    given: Any = None
    arm: str | None = None
    until_day: float | None = None
    seed: int = 0
    dropout: bool = True
    gate: bool = True

    @property
    def n(self) -> int:
        """Patients to draw."""
        return len(self.patients)


def subject_names(
    patients: npt.NDArray[np.int64], prefix: str = "S"
) -> npt.NDArray[np.object_]:
    """Names of synthetic patients by their numbers from 0: ``S-000001`` is number 0."""
    thousands, rest = np.divmod(patients + 1, 1000)
    heads, which = np.unique(thousands, return_inverse=True)
    begun = np.array([f"{prefix}-{k:03d}" for k in heads.tolist()], dtype=object)
    ends = np.array([f"{k:03d}" for k in range(1000)], dtype=object)
    return np.asarray(begun[which.ravel()] + ends[rest], dtype=object)


def subject_numbers(names: npt.NDArray[np.object_]) -> npt.NDArray[np.int64]:
    """Numbers from 0 of patients by the names that `subject_names` gave them."""
    numbers = pd.Series(names, dtype=object).str.slice(2).to_numpy()
    return numbers.astype(np.int64) - 1


def arm_fault(arm: str, known: tuple[str, ...]) -> str:
    """Message for an arm that a model has never seen."""
    return (
        f"arm: {arm!r} is absent from the training cohort; this model knows "
        f"{', '.join(map(repr, known)) or 'no arms'}; a forecast under another arm is refused"
    )
