"""Two populations that travel together: the trial's, and that of its external controls."""

from pathlib import Path
from typing import Any, final

from extraction.records.schema import CohortSchema
from simulation.trial.outcomes import Endpoint, Latent
from simulation.trial.outcomes.base import Floats
from simulation.trial.population.base import Baseline, Place, Population


@final
class WithExternal(Population):
    """The trial's population, which brings external controls from a model or a cohort.

    Parameters
    ----------
    own
        Where patients of the trial come from.
    external
        Where its external controls come from.
    """

    def __init__(self, own: Population, external: Population) -> None:
        self.own = own
        self.external = external

    @property
    def baseline_schema(self) -> CohortSchema:
        """Baseline of the trial's patients."""
        return self.own.baseline_schema

    def baseline(self, place: Place) -> Baseline:
        """Draw the trial's candidates."""
        return self.own.baseline(place)

    def latent(self, endpoint: Endpoint, place: Place, baseline: Baseline) -> Latent:
        """Draw outcomes of the trial's candidates."""
        return self.own.latent(endpoint, place, baseline)

    def leaves(self, place: Place, baseline: Baseline) -> Floats | None:
        """When the trial's candidates leave."""
        return self.own.leaves(place, baseline)

    def endpoint_faults(self, endpoint: Endpoint) -> list[str]:
        """Say what the trial's population lacks."""
        return self.own.endpoint_faults(endpoint)

    def describe(self) -> dict[str, Any]:
        """Say what both are."""
        return self.own.describe() | {"external": self.external.describe()}

    def send(self, folder: Path) -> tuple[dict[str, Any], dict[str, str]]:
        """Send both."""
        own, paths = self.own.send(folder)
        external, more = self.external.send(folder)
        paths = paths | {f"external {name}": path for name, path in more.items()}
        return {"kind": "with_external", "own": own, "external": external}, paths
