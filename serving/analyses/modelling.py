"""The part of a cohort that models learn from."""

from __future__ import annotations

from extraction.records import Cohort
from serving.study.trial import ModelsSection


def model_cohort(cohort: Cohort, models: ModelsSection) -> Cohort:
    """Return a cohort with the named variables and endpoints only; derived rows are left out.

    Parameters
    ----------
    cohort
        All arms.
    models
        Which baseline variables, variables over time and endpoints a model is to learn.
    """
    schema = cohort.schema.keep([*models.baseline, *models.longitudinal])
    wanted = set(models.endpoints)
    kept = tuple(e for e in cohort.schema.endpoints if e.name in wanted)
    narrow = cohort.with_schema(schema.replace(endpoints=kept))
    return Cohort.build(
        narrow.schema,
        narrow.subjects,
        narrow.observations,
        None,
        None,
        narrow.events,
        narrow.sources,
    )


def controls_of(cohort: Cohort) -> Cohort:
    """Return the patients of the control arm."""
    arm = cohort.subjects["arm"] == cohort.schema.control_arm
    return cohort.take(arm.to_numpy())
