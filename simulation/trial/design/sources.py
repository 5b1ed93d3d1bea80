"""Where a design's patients come from, by name: found and opened by the caller."""

from typing import Annotated, Any, Literal, final

from pydantic import Field

from simulation.trial.plan import Name, Plan
from simulation.trial.population.parametric import ParametricPopulation


@final
class ModelSource(Plan):
    """Twins under control from a generative model."""

    kind: Literal["model"] = "model"
    model: Name = Field(description="folder of the model, or name of a run")
    given: dict[str, Any] | None = Field(default=None, description="conditions on the twins")
    twins: int = Field(default=2000, ge=200, le=1_000_000, description="size of their table")
    fresh: bool = Field(
        default=False, description="whether every patient is drawn anew, not from the table"
    )
    device: Literal["cpu", "gpu", "auto"] = Field(
        default="cpu", description="where fresh patients are drawn; auto: on a GPU if there is one"
    )


@final
class CohortSource(Plan):
    """The control patients of a cohort, drawn with replacement."""

    kind: Literal["cohort"] = "cohort"
    where: Name = Field(description="folder of the cohort")


Source = Annotated[ParametricPopulation | ModelSource | CohortSource, Field(discriminator="kind")]
