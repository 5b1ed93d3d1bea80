"""Synthetic control arms on request, behind the gate that says when not to give one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from extraction.records import Cohort
from generation.applicability import SMALLEST_CELL, Applicability, require
from generation.engine import Model
from generation.given import check_given

from .auditing import audit_notice, audits_of, require_audit

if TYPE_CHECKING:
    from serving.registry import Registry
    from simulation.audit import InferenceAudit

MOST_PATIENTS = 5_000
"""Most patients of one direct request; larger ones are jobs."""

Use = Literal["exploration", "software_testing", "augment_control_arm"]


class ControlsRequest(BaseModel):
    """A request for a synthetic control arm."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    model: str = Field(max_length=100, description="name of a model, see /v1/models")
    n: int = Field(100, ge=1, le=200_000, description="synthetic patients")
    seed: int = Field(0, ge=0, lt=2**31, description="the same seed gives the same patients")
    given: dict[str, Any] | None = Field(
        None,
        description=(
            'conditions on baseline variables, e.g. {"AGE": [70, null], "SEX": "F"}, on values at '
            'visits, "ADAS@Week 24": ">=30", and on endpoints, "death_time": "<=180"'
        ),
    )
    arm: str | None = Field(None, max_length=200, description="arm; the control arm when empty")
    use: Use = Field(
        "exploration",
        description="what the rows are for; augment_control_arm needs a passing inference audit",
    )
    analysis: str | None = Field(
        None,
        max_length=500,
        description=(
            "for augment_control_arm: the planned analysis in the words of its audit, e.g. "
            '"mean of ADAS@Week 24"; the notice lists those that passed when empty'
        ),
    )

    @model_validator(mode="after")
    def _analysis_of_a_use(self) -> Self:
        if self.analysis is not None and self.use != "augment_control_arm":
            raise ValueError("analysis: only the use augment_control_arm takes one")
        return self


@dataclass(frozen=True)
class ControlArm:
    """A synthetic control arm and what stands behind it.

    Attributes
    ----------
    cohort
        The synthetic patients.
    arm
        Their arm; None where the model knows no arms.
    n_train
        Real patients that the model was fitted to.
    n_region
        Those of them that meet the request's conditions.
    ess
        Kish's effective number of the n synthetic patients, after weighting to the conditions.
    real
        Summary of the real patients in the region, without cells of fewer than five.
    digest
        SHA-256 of the synthetic cohort's canonical bytes.
    notice
        What the rows are and are not.
    """

    cohort: Cohort
    arm: str | None
    n_train: int
    n_region: int
    ess: float
    real: dict[str, Any]
    digest: str
    notice: str

    def about(self) -> dict[str, Any]:
        """Return the figures that go with the rows wherever they go."""
        return {
            "n": len(self.cohort),
            "arm": self.arm,
            "n_train": self.n_train,
            "n_region": self.n_region,
            "ess": round(self.ess, 2),
            "digest": self.digest,
            "notice": self.notice,
        }


def controls(request: ControlsRequest, registry: Registry) -> ControlArm:
    """Sample a synthetic control arm.

    Raises
    ------
    InputError
        For an unknown model, arm, variable or category (every fault at once).
    RefusedError
        If fewer than 20 real patients meet the conditions, or the rows are to augment a
        control arm and no inference audit of the model (for the stated analysis) has passed.
    """
    verdict = gate(request, registry)
    model = registry.model(request.model)
    arm = control_arm(request, model)
    cohort, report = model.sample_with_report(
        request.n, request.given, arm=arm, seed=request.seed,
        gate=False,  # the real patients have been counted
    )
    return ControlArm(
        cohort=cohort,
        arm=arm,
        n_train=verdict.n_train,
        n_region=verdict.n_region,
        ess=report.effective_sample_size * request.n,
        real=summary(region(request, registry)),
        digest=cohort.digest(),
        notice=told(request, registry, verdict),
    )


def gate(request: ControlsRequest, registry: Registry) -> Applicability:
    """Check a request without sampling: its use, model, arm, conditions and region.

    Raises
    ------
    InputError, RefusedError
        As `controls` does.
    """
    model = registry.model(request.model)
    _audits(request, registry)
    check_given(request.given, model.schema)
    return require(registry.training(request.model), request.given, control_arm(request, model))


def _audits(request: ControlsRequest, registry: Registry) -> Sequence[InferenceAudit]:
    """Audits behind a request that asks for them; refuse where none has passed."""
    if request.use != "augment_control_arm":
        return []
    folder = registry.find(request.model).run_folder
    known = audits_of(folder, registry.model(request.model).card)
    return require_audit(request.model, known, request.analysis)


def told(request: ControlsRequest, registry: Registry, verdict: Applicability) -> str:
    """Say what the rows are not, and what was audited."""
    audits = _audits(request, registry)
    return notice(verdict) + (audit_notice(audits) if audits else "")


def control_arm(request: ControlsRequest, model: Model) -> str | None:
    """Return the arm that a request means; None for a model that knows no arms."""
    if request.arm is not None:
        return request.arm
    named = model.schema.control_arm
    return named if named in model.card.arms else None


def region(request: ControlsRequest, registry: Registry) -> Cohort:
    """Return the real patients who meet a request's conditions."""
    arm = control_arm(request, registry.model(request.model))
    wanted = [c for c in (request.given, {"arm": arm} if arm else None) if c]
    return registry.training(request.model).where({"all": wanted})


def notice(verdict: Applicability) -> str:
    """Say what the rows are not."""
    return (
        f"Synthetic patients are not data. They carry no more information than the "
        f"{verdict.n_train} real patients behind the model, {verdict.n_region} of whom meet these "
        "conditions. A test that counts these rows as patients is invalid."
    )


def summary(cohort: Cohort) -> dict[str, Any]:
    """Summarise real patients: rounded moments of numbers, counts of five and more."""
    found: dict[str, Any] = {"n": len(cohort), "variables": {}}
    for variable in cohort.schema.baseline:
        values = cohort.subjects[variable.name]
        known = values.dropna()
        if len(known) < SMALLEST_CELL:
            continue
        found["variables"][variable.name] = (
            _moments(known.to_numpy(dtype=np.float64))
            if variable.numeric
            else {"counts": shown_counts(known.value_counts().to_dict())}
        )
    return found


def _moments(values: np.ndarray) -> dict[str, float]:
    """Mean and SD on a grid of a tenth of the SD or somewhat more.

    On a finer one the means of two regions that differ by one patient give that patient's value.
    """
    mean, sd = float(values.mean()), float(values.std(ddof=1))
    step = round_step(sd / 10) if sd > 0 else 1e-3
    return {"mean": round(step * round(mean / step), 10), "sd": round(step * round(sd / step), 10)}


def round_step(wanted: float) -> float:
    """Return the smallest of 1, 2, 5, 10, ... (times a power of ten) that is not below."""
    size = 10.0 ** np.floor(np.log10(wanted))
    return float(next(size * k for k in (1, 2, 5, 10) if size * k >= wanted * (1 - 1e-9)))


def shown_counts(counts: Mapping[Any, int]) -> dict[str, int | None]:
    """Hide counts of one to four, and more where a total would give hidden ones away.

    What is hidden is at least two levels that hold five patients together.
    """
    shown: dict[str, int | None] = {
        str(level): int(n) if n == 0 or n >= SMALLEST_CELL else None for level, n in counts.items()
    }
    small = [int(n) for n in counts.values() if 0 < n < SMALLEST_CELL]
    left = sorted((n, level) for level, n in shown.items() if n)
    hidden, together = len(small), sum(small)
    for n, level in left:
        if not hidden or (hidden > 1 and together >= SMALLEST_CELL):
            break
        shown[level] = None
        hidden, together = hidden + 1, together + n
    return shown
