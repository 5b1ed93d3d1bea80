"""The part of a cohort that models learn from."""

from __future__ import annotations

from collections.abc import Sequence

from extraction.records import Cohort
from serving.study.trial import ModelsSection


def model_cohort(cohort: Cohort, models: ModelsSection) -> Cohort:
    """Return a cohort with the named variables and endpoints only.

    Parameters
    ----------
    cohort
        All arms.
    models
        Which baseline variables, variables over time and endpoints a model is to learn.
    """
    return narrowed(cohort, (*models.baseline, *models.longitudinal), models.endpoints)


def narrowed(cohort: Cohort, variables: Sequence[str], endpoints: Sequence[str]) -> Cohort:
    """Return a cohort with these variables and endpoints only.

    Raises
    ------
    InputError
        When a name is not in the schema.
    """
    for name in endpoints:
        cohort.schema.endpoint(name)
    wanted = set(endpoints)
    kept = tuple(e for e in cohort.schema.endpoints if e.name in wanted)
    return cohort.with_schema(cohort.schema.keep(variables).replace(endpoints=kept))


def notice(n: int, n_train: int) -> str:
    """Say what goes with every set of synthetic patients."""
    return (
        f"{n} synthetic patients from a model of n_train = {n_train} real patients. Synthetic "
        "patients are not data: they carry no information beyond the patients behind the model, "
        "and a test that counts them as patients is invalid."
    )
