"""The context of use of a simulated trial, as its team states it; nothing is filled in.

The seven steps of FDA's draft guidance on the credibility of AI models (January 2025) and of ASME
V&V40 ask for it: question, context of use, model risk, plan, execution, documentation with
deviations, adequacy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, final

from pydantic import Field

from extraction.records.errors import nearest
from simulation.trial.plan import Filed, Plan

if TYPE_CHECKING:
    from simulation.trial import TrialDesign

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
class StatedEstimand(Plan):
    """What the team states of one hypothesis's estimand (ICH E9(R1)), by the design's words."""

    endpoint: Text | None = None
    treatment: Text | None = None
    population: Text | None = None
    variable: Text | None = None
    summary: Text | None = None
    intercurrent_events: dict[str, Text] | None = Field(
        default=None, description="strategy of each, as in the design"
    )


@final
class Stated(Plan):
    """What the team states of the design; each figure is checked against the design's file."""

    name: Text | None = None
    arms: tuple[Text, ...] | None = Field(default=None, description="names of all arms")
    control: Text | None = Field(default=None, description="name of the control arm")
    endpoints: tuple[Text, ...] | None = Field(default=None, description="names of all endpoints")
    alpha: float | None = Field(default=None, gt=0, lt=1, description="one-sided")
    n: int | None = Field(default=None, ge=1, description="patients planned")
    looks: int | None = Field(default=None, ge=1, description="with the last")
    scenarios: tuple[Text, ...] | None = Field(
        default=None, description="names of those given; no effect is there in any case"
    )
    estimands: dict[str, StatedEstimand] = Field(
        default_factory=dict, description="by hypothesis, as the page names it"
    )


@final
class Update(Plan):
    """A change of the model, design or plan."""

    date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$", description="as 2026-01-31")]
    what: Text


@final
class Context(Filed):
    """What the team states. Whatever is left out is printed as "not stated".

    Raises
    ------
    InputError
        With every fault at once.
    """

    EXAMPLE: ClassVar[str] = "examples/context.yaml"

    design: Stated = Stated()
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
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """Build it from a dictionary; InputError lists every fault."""
        dated = values.get("updates")
        if isinstance(dated, list):
            # YAML turns 2026-01-31 into a date.
            values = {**values, "updates": [_with_text_date(entry) for entry in dated]}
        return super().parse(values)


def contradictions(context: Context, design: TrialDesign) -> list[str]:
    """Say where what the team states is not what the design's file says.

    Parameters
    ----------
    context
        Whose `design` is compared.
    design
        That is simulated.

    Returns
    -------
    list of str
        One sentence each; empty where nothing contradicts.
    """
    stated, rule = context.design, design.rule
    known: dict[str, Any] = {
        "name": design.name,
        "control": next(arm.name for arm in design.arms if arm.control),
        "alpha": getattr(rule, "alpha", None),
        "n": design.n,
        "looks": rule.looks.count,
    }
    faults = []
    for name, value in known.items():
        told = getattr(stated, name)
        if told is not None and told != value:
            faults.append(_fault(name, told, value))
    lists = {"arms": design.arms, "endpoints": design.endpoints, "scenarios": design.scenarios}
    for name, parts in lists.items():
        told, names = getattr(stated, name), [part.name for part in parts]
        if told is not None and sorted(told) != sorted(names):
            faults.append(_fault(name, ", ".join(told), ", ".join(names)))
    tested = {held.name: held for held in design.tested}
    for name, estimand in stated.estimands.items():
        if name not in tested:
            faults.append(
                f"context: design.estimands names {name!r}, and the design tests "
                f"{', '.join(tested)}{nearest(name, tested)}; make them one"
            )
            continue
        found = asdict(design.estimand(tested[name])) | {"endpoint": tested[name].endpoint.name}
        faults += _estimand_faults(name, estimand, found)
    return faults


def _estimand_faults(
    name: str, estimand: StatedEstimand, found: Mapping[str, Any]
) -> Iterator[str]:
    """Compare the attributes that are stated."""
    for attribute, told in estimand.model_dump(exclude_none=True).items():
        where = f"estimands.{name}.{attribute}"
        if attribute != "intercurrent_events":
            if told != found[attribute]:
                yield _fault(where, told, found[attribute])
            continue
        for event, strategy in told.items():
            if strategy != found[attribute].get(event):
                there = found[attribute].get(event, "no such event")
                yield _fault(f"{where}.{event}", strategy, there)


def _fault(where: str, told: Any, found: Any) -> str:
    told, found = (f"{v:g}" if isinstance(v, float) else str(v) for v in (told, found))
    return f"context: design.{where} is {told!r}, and the design says {found!r}; make them one"


def _with_text_date(entry: Any) -> Any:
    if isinstance(entry, dict) and hasattr(entry.get("date"), "isoformat"):
        return entry | {"date": entry["date"].isoformat()[:10]}
    return entry
