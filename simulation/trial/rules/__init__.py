"""Decision rules of designs. A rule is one file here and one line in `Choice`."""

from typing import Annotated

from pydantic import Field

from simulation.trial.rules.base import ArmSummary, Evidence, Looks, Rule, State
from simulation.trial.rules.enrichment import EnrichmentRule
from simulation.trial.rules.group_sequential import Fixed, GroupSequentialRule
from simulation.trial.rules.multi_arm import MultiArmRule
from simulation.trial.rules.reestimation import ReestimationRule
from simulation.trial.rules.response_adaptive import ResponseAdaptiveRule

Choice = Annotated[
    EnrichmentRule
    | Fixed
    | GroupSequentialRule
    | MultiArmRule
    | ReestimationRule
    | ResponseAdaptiveRule,
    Field(discriminator="kind"),
]

__all__ = ["ArmSummary", "Choice", "Evidence", "Looks", "Rule", "State"]
