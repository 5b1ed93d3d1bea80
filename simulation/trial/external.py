"""Draw external controls: who they are, what they have, and how far they drift in a scenario."""

from dataclasses import dataclass
from typing import Any, Final, Self, final

import numpy as np
from scipy.special import expit

from extraction.records.errors import InputError
from generation.randomness import Stream, decision_id
from simulation.trial.analyses.base import External
from simulation.trial.design import Enrolment, Scenario, Tested, TrialDesign
from simulation.trial.enrol import Enrolled, screen
from simulation.trial.outcomes import Latent
from simulation.trial.outcomes.base import Floats, Indices
from simulation.trial.population import ParametricPopulation, Population, WithExternal

STREAM: Final = "simulation.trial.external"
_SPREAD: Final = decision_id("external.spread")
_MODEL: Final = decision_id("external.model")


def population_of(design: TrialDesign, population: Population) -> Population | None:
    """Where external controls come from; None where it is yet to be opened."""
    given = design.external_controls
    if isinstance(population, WithExternal):
        return population.external
    if given is None or given.population is None:
        return population
    return given.population if isinstance(given.population, ParametricPopulation) else None


@final
@dataclass(frozen=True)
class Outside:
    """External controls of some replicates before they drift; scenarios share them.

    Attributes
    ----------
    population, enrolled, latents
        Who they are and what they have, (R, M), or (1, M) where one cohort serves all.
    away
        Standard normals (R, 1), or (1, 1), of the drift between trials and of the model's error.
    """

    design: TrialDesign
    population: Population
    enrolled: Enrolled
    latents: dict[str, Latent]
    away: tuple[Floats, Floats]

    @classmethod
    def draw(
        cls, design: TrialDesign, population: Population, seed: int, replicates: Indices
    ) -> Self | None:
        """Draw those of replicates; None for a design without any.

        Raises
        ------
        InputError
            If too few of their population are eligible.
        """
        given, people = design.external_controls, population_of(design, population)
        if given is None or people is None:
            return None
        stream = Stream(seed, STREAM)
        numbers = np.zeros(1, dtype=np.int64) if given.fixed else replicates
        enrolled = _chosen(design, people, stream, numbers, given.n)
        wanted = {t.endpoint.name: t.endpoint for t in design.tested if t.analysis.external}
        latents = {
            name: people.latent(endpoint, enrolled.place, enrolled.baseline)
            for name, endpoint in wanted.items()
        }
        first = np.zeros(1, dtype=np.int64)
        away = tuple(stream.normal(numbers[:, None], first, key) for key in (_SPREAD, _MODEL))
        return cls(design, people, enrolled, latents, (away[0], away[1]))

    def seen(
        self, tested: Tested, scenario: Scenario, at: Indices, refused: Indices | None
    ) -> External:
        """External controls as an analysis takes them, in the replicates at some places."""
        latent, given = self.latents[tested.endpoint.name], self.design.external_controls
        assert given is not None
        drift = given.drift if scenario.external_drift is None else scenario.external_drift
        shift = drift + given.spread * self.away[0]
        if given.n_train is not None:
            shift = shift + _sd(latent) * self.away[1] / np.sqrt(given.n_train)
        columns = [
            column
            for name in tested.analysis.covariates
            for column in self.population.columns(name, self.enrolled.baseline)
        ]
        values = _shifted(latent, shift)
        shape = (len(at), values.shape[1])
        covariates = np.stack(columns) if columns else np.empty((0, *values.shape))
        if len(values) > 1:
            values, covariates = values[at], covariates[:, at]
        return External(
            kind=tested.endpoint.kind,
            values=np.broadcast_to(values, shape),
            covariates=np.broadcast_to(covariates, (len(covariates), *shape)),
            n_train=given.n_train,
            refused=refused,
        )


def _chosen(
    design: TrialDesign, population: Population, stream: Stream, numbers: Indices, n: int
) -> Enrolled:
    """The first n eligible candidates of each replicate."""
    enrolled = screen(design, Enrolment(), population, stream, numbers, n)
    short = ~np.isfinite(enrolled.entry).all(axis=1)
    if short.any():
        raise InputError(
            f"external_controls.n: {n} are wanted, and too few candidates of their population meet "
            f"the trial's eligibility (replicate {int(numbers[short][0])}); widen the criteria, "
            "lower n or take other controls"
        )
    return enrolled


def _sd(latent: Latent) -> Floats:
    """SD of one patient's outcome, or the SD that one leaves of log odds, (R, 1)."""
    if latent.values is not None:
        return np.asarray(np.nanstd(latent.values[-1], axis=1, keepdims=True))
    assert latent.log_odds is not None and latent.uniform is not None
    odds = np.broadcast_to(latent.log_odds, latent.uniform.shape)
    share = expit(odds).mean(axis=1, keepdims=True)
    return np.asarray(1 / np.sqrt(share * (1 - share)))


def _shifted(latent: Latent, shift: Any) -> Floats:
    """Last values after a shift of the outcome, or of log odds; NaN where unknown."""
    if latent.values is not None:
        return np.asarray(latent.values[-1] + shift)
    assert latent.uniform is not None and latent.log_odds is not None
    happens = (latent.uniform < expit(latent.log_odds + shift)).astype(np.float64)
    return np.where(np.isnan(latent.uniform), np.nan, happens)
