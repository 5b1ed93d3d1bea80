"""Decision rules of designs. A rule is one file here and one line in `Choice`."""

from typing import Annotated

from pydantic import Field

from simulation.trial.rules.base import Evidence, Looks, Rule, State
from simulation.trial.rules.group_sequential import Fixed, GroupSequentialRule
from simulation.trial.rules.multi_arm import MultiArmRule
from simulation.trial.rules.reestimation import ReestimationRule

Choice = Annotated[
    Fixed | GroupSequentialRule | MultiArmRule | ReestimationRule, Field(discriminator="kind")
]

__all__ = ["Choice", "Evidence", "Looks", "Rule", "State"]
