"""Stopping of treatment: when it comes, what is left of the effect, what each strategy allows."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, final

from pydantic import Field

from extraction.records.errors import nearest
from simulation.trial.design.dropout import HazardDropout, ShareDropout
from simulation.trial.plan import Name, Plan

EVENT: Final = "discontinuation"
"""Its name among the intercurrent events."""

POLICY: Final = "treatment policy"
HYPOTHETICAL: Final = "hypothetical"
COMPOSITE: Final = "composite"
ON_TREATMENT: Final = "while on treatment"
STRATUM: Final = "principal stratum"

Left = Annotated[float, Field(ge=0, le=1)]


@final
class Discontinuation(Plan):
    """Patients stop treatment and stay in the trial; leaving the trial is dropout.

    `when` has the laws of dropout: a share by a time, or hazards by arm, baseline or outcome.
    From then on `effect_after` of the arm's effect is left (of a shift, or of a ratio's
    logarithm): with 0 patients are back on the course under control, with 1 nothing changes.
    What is seen and counted afterwards is the strategy's, by `intercurrent_events`.
    """

    when: Annotated[ShareDropout | HazardDropout, Field(discriminator="kind")]
    effect_after: Left = Field(default=0.0, description="share of the effect that is left")
    arms: dict[Name, Left] = Field(
        default_factory=dict, description="what is left of single arms' effects"
    )

    def left(self, arm: str) -> float:
        """Share of an arm's effect that is left."""
        return self.arms.get(arm, self.effect_after)

    def law(self, arm: str) -> float:
        """Share or rate at which an arm stops."""
        usual = self.when.share if isinstance(self.when, ShareDropout) else self.when.rate
        return self.when.arms.get(arm, usual)


def stopping_faults(
    stopping: Mapping[str, Discontinuation],
    arms: Sequence[str],
    endpoints: Sequence[Any],
    strategies: Mapping[str, Mapping[str, str]],
    analyses: Mapping[str, set[str]],
) -> list[str]:
    """Say what is wrong with stopping of treatment.

    Parameters
    ----------
    stopping
        By place in the design.
    arms, endpoints
        Of the design.
    strategies, analyses
        By endpoint: strategies of intercurrent events, and kinds of analysis.
    """
    faults = []
    for where, given in stopping.items():
        for field, named in (("when.arms", given.when.arms), ("arms", given.arms)):
            faults += [
                f"{where}.{field}: {name!r} is no arm; there are {', '.join(arms)}"
                f"{nearest(name, arms)}"
                for name in named
                if name not in arms
            ]
        endless = not any(getattr(e, "follow_up", None) or e.delay for e in endpoints)
        if isinstance(given.when, ShareDropout) and given.when.by is None and endless:
            faults.append(f"{where}.when.by: the endpoints have no end; say by when they stop")
    if stopping:
        for endpoint in endpoints:
            faults += _strategy_faults(
                endpoint, strategies[endpoint.name].get(EVENT), analyses.get(endpoint.name, set())
            )
    return faults


def _strategy_faults(endpoint: Any, strategy: str | None, analyses: set[str]) -> list[str]:
    where = f"intercurrent_events.{EVENT} of {endpoint.name!r}"
    if strategy is None:
        return [f"{where}: no strategy came; patients stop treatment, so name one"]
    if strategy == STRATUM:
        return [
            f"{where}: a principal stratum cannot be simulated, since who would stop under both "
            f"arms is not observed; choose {POLICY}, {HYPOTHETICAL}, {COMPOSITE} or {ON_TREATMENT}"
        ]
    faults = []
    if strategy == COMPOSITE and endpoint.kind in ("continuous", "count"):
        faults.append(
            f"{where}: a {endpoint.kind} outcome has no value that means failure; use a binary "
            "or time-to-event endpoint for a composite, or another strategy"
        )
    if strategy == ON_TREATMENT and endpoint.kind == "binary":
        faults.append(
            f"{where}: a binary outcome at one time has no value while on treatment; choose "
            f"{COMPOSITE} or another strategy"
        )
    if strategy == ON_TREATMENT and endpoint.kind == "continuous":
        if len(endpoint.visits) < 2:
            faults.append(f"{where}: the last value on treatment needs earlier visits; add some")
        if "mmrm" in analyses:
            faults.append(
                f"{where}: mmrm models the course at all visits, and the last value on treatment "
                "is one value; use ancova"
            )
    if strategy == HYPOTHETICAL and getattr(endpoint, "missing_is_failure", False):
        faults.append(
            f"{where}: missing_is_failure counts what is missing as failure, so nothing stays "
            f"hypothetical; choose {COMPOSITE}"
        )
    return faults
