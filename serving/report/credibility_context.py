"""The context of use of a simulated trial, as its team states it; nothing is filled in.

The seven steps of FDA's draft guidance on the credibility of AI models (January 2025) and of ASME
V&V40 ask for it: question, context of use, model risk, plan, execution, documentation with
deviations, adequacy.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self, final

from pydantic import Field

from extraction.records.errors import InputError
from simulation.trial.plan import Plan, Stated

Text = Annotated[str, Field(min_length=1, max_length=4000)]
Rank = Literal["low", "medium", "high"]
_RANKS: dict[str, int] = {"low": 1, "medium": 2, "high": 3}


@final
class ModelRisk(Plan):
    """How much the model decides, and what a wrong decision would do."""

    influence: Rank | None = Field(default=None, description="of the model on the decision")
    influence_because: Text | None = None
    consequence: Rank | None = Field(default=None, description="of a wrong decision")
    consequence_because: Text | None = None

    @property
    def rank(self) -> str | None:
        """Risk by the product of both ranks: 1 and 2 low, 3 and 4 medium, 6 and 9 high."""
        if self.influence is None or self.consequence is None:
            return None
        product = _RANKS[self.influence] * _RANKS[self.consequence]
        return "low" if product <= 2 else "medium" if product <= 4 else "high"


@final
class Finding(Plan):
    """Something that was compared with the model from outside."""

    what: Text
    finding: Text
    source: Text | None = None


@final
class Update(Plan):
    """A change of the model, design or plan."""

    date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$", description="as 2026-01-31")]
    what: Text


@final
class Context(Stated):
    """What the team states. Whatever is left out is printed as "not stated".

    Raises
    ------
    InputError
        With every fault at once.
    """

    question: Text | None = Field(default=None, description="that the simulation is to answer")
    context_of_use: Text | None = Field(
        default=None, description="role and scope of the simulation beside other evidence"
    )
    decision: Text | None = Field(default=None, description="that rests on it")
    model_risk: ModelRisk = ModelRisk()
    plan: Text | None = Field(
        default=None, description="where activities and acceptance limits were fixed beforehand"
    )
    data_lineage: tuple[Text, ...] = Field(
        default=(), description="where the figures in the design come from"
    )
    validation: tuple[Finding, ...] = Field(
        default=(), description="comparisons with data from outside, subgroups, calibration"
    )
    external_controls: tuple[Finding, ...] = Field(
        default=(), description="overlap, effective sample size, balance, tipping point"
    )
    deviations: tuple[Text, ...] | None = Field(
        default=None, description="from the plan; an empty list states that there were none"
    )
    limits: tuple[Text, ...] = ()
    updates: tuple[Update, ...] = ()
    adequacy: Text | None = Field(
        default=None, description="the team's judgement whether it suffices for the context"
    )
    responsible: Text | None = Field(default=None, description="role, not a person's data")

    @classmethod
    def _where(cls) -> str:
        return "context"

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a YAML file.

        Raises
        ------
        InputError
            If the file is missing, is not YAML, or has faults; all at once.
        """
        import yaml

        try:
            values: Any = yaml.safe_load(path.read_text("utf-8"))
        except FileNotFoundError:
            raise InputError(f"{path}: there is no such file; check the path") from None
        except (yaml.YAMLError, UnicodeDecodeError):
            raise InputError(f"{path.name}: it cannot be read as YAML; check its form") from None
        if not isinstance(values, dict):
            raise InputError(
                f"{path.name}: must be a mapping of names to values; see examples/context.yaml"
            )
        dated = values.get("updates")
        if isinstance(dated, list):
            # YAML turns 2026-01-31 into a date.
            values["updates"] = [_with_text_date(entry) for entry in dated]
        try:
            return cls(**{str(key): value for key, value in values.items()})
        except InputError as error:
            raise InputError(f"{path.name}: {fault}" for fault in error.faults) from None


def _with_text_date(entry: Any) -> Any:
    if isinstance(entry, dict) and hasattr(entry.get("date"), "isoformat"):
        return entry | {"date": entry["date"].isoformat()[:10]}
    return entry
