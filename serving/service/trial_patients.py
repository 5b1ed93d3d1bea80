"""Whose patients a simulated trial has: a model's twins, a cohort's controls, or a formula's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from extraction.records import Cohort

from .models import find_model

if TYPE_CHECKING:
    from simulation.trial import TrialDesign


def patients(plan: TrialDesign, named: str | None, seed: int) -> tuple[Any, dict[str, Any] | None]:
    """Open the model or cohort that is named, or that the design names.

    Parameters
    ----------
    plan
        The design.
    named
        Folder of a model or a cohort, or a run's name, in place of the design's own.
    seed
        Of the twins that are drawn from a model.

    Returns
    -------
    The population (None: the design's own by formula), and the card of a model.

    Raises
    ------
    InputError
        If there is no such model or cohort.
    """
    from simulation.trial import TwinPopulation
    from simulation.trial.design.sources import CohortSource, ModelSource

    source = plan.population
    if named is not None:
        is_cohort = (Path(named) / "cohort.json").is_file()
        source = CohortSource(where=named) if is_cohort else ModelSource(model=named)
    if isinstance(source, CohortSource):
        return Cohort.read(source.where), None
    if isinstance(source, ModelSource):
        from generation import load_model

        model = load_model(find_model(source.model))
        people = TwinPopulation.from_model(model, plan, source.twins, source.given, seed)
        return people, model.card.model_dump(mode="json", by_alias=True)
    return None, None
