"""The card of a fitted model: what it was fitted to, with what, and how well."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from extraction.records import Cohort, CohortSchema

_FEWEST = 5  # patients of whom a count may be told


class ModelCard(BaseModel):
    """What a model was fitted to, with what, and how well.

    ``fit`` separates the two fits that must never be mixed: ``controls_only`` (a
    prognostic model, synthetic controls) and ``all_arms`` (the arm is a condition).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    engine: str
    engine_version: str
    schema_: CohortSchema = Field(description="schema of the training cohort")
    arms: tuple[str, ...] = Field(description="arms that the training cohort contains")
    n_train: int = Field(ge=1, description="training patients: all the information there is")
    n_by_arm: dict[str, int] = Field(
        default_factory=dict,
        description="training patients by arm, where no count below five can be told from them",
    )
    data_digest: str = Field(description="digest of the training cohort's canonical bytes")
    seed: int
    options: dict[str, Any] = Field(default_factory=dict)
    metrics: dict[str, float] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    fit: Literal["all_arms", "controls_only"]
    privacy: dict[str, Any] | None = Field(
        default=None, description="privacy spent on the training patients; None: none promised"
    )
    version: int = Field(
        default=1, ge=1, description="1, and one more with every update that was kept"
    )
    updated_from: str | None = Field(
        default=None, description="data digest of the version that this one was updated from"
    )
    replayed: int = Field(
        default=0, ge=0,
        description="of n_train, patients that an update knew only through the model",
    )

    @classmethod
    def describe(
        cls,
        cohort: Cohort,
        engine: str,
        engine_version: str,
        seed: int,
        options: dict[str, Any],
        packages: tuple[str, ...],
        metrics: dict[str, float] | None = None,
        privacy: dict[str, Any] | None = None,
    ) -> Self:
        """Card of a model fitted to a cohort."""
        arms = present_arms(cohort)
        controls = len(cohort.schema.arms) > 1 and arms == (cohort.schema.control_arm,)
        return cls(
            engine=engine,
            engine_version=engine_version,
            schema_=cohort.schema,
            arms=arms,
            n_train=len(cohort),
            n_by_arm=told_by_arm(cohort),
            data_digest=cohort.digest(),
            seed=seed,
            options=options,
            metrics=metrics or {},
            versions={name: _version(name) for name in packages},
            fit="controls_only" if controls else "all_arms",
            privacy=privacy,
        )

    def __repr__(self) -> str:
        arms = ", ".join(f"{arm} {self.n_by_arm.get(arm, '')}".strip() for arm in self.arms)
        return (
            f"ModelCard({self.engine} {self.engine_version}, {self.fit}: {self.n_train} patients "
            f"of {self.schema_.study_id}{f' ({arms})' if arms else ''}, seed {self.seed})"
        )

    __str__ = __repr__

    def n_under(self, arm: str) -> int | None:
        """Training patients of an arm; None where an older folder or a tiny arm is not told."""
        return self.n_train if len(self.arms) < 2 else self.n_by_arm.get(arm)


def present_arms(cohort: Cohort) -> tuple[str, ...]:
    """Arms that have patients, in the schema's order."""
    seen = set(cohort.subjects["arm"].dropna().unique())
    known = [arm for arm in cohort.schema.arms if arm in seen]
    return (*known, *sorted(seen - set(known)))


def told_by_arm(cohort: Cohort) -> dict[str, int]:
    """Patients by arm, without what would tell of fewer than five patients.

    Where the arms told and the number of patients together leave one to four, the smallest arm
    told is kept back as well.
    """
    counts = cohort.subjects["arm"].value_counts()
    told = {arm: int(counts[arm]) for arm in present_arms(cohort) if counts[arm] >= _FEWEST}
    if told and 0 < len(cohort) - sum(told.values()) < _FEWEST:
        del told[min(told, key=lambda arm: told[arm])]
    return told


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"
