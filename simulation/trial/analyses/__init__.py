"""Analyses of a trial's endpoints over batches of replicates.

An analysis is one file here and one line in `Choice`.
"""

from typing import Annotated, get_args

from pydantic import Field

from simulation.trial.analyses.ancova import Ancova
from simulation.trial.analyses.base import Analysis, Fit, LookData
from simulation.trial.analyses.commensurate_prior import CommensuratePrior
from simulation.trial.analyses.count_regression import CountRegression
from simulation.trial.analyses.cox import Cox
from simulation.trial.analyses.cumulative_incidence import IncidenceDifference
from simulation.trial.analyses.external_aipw import ExternalAipw
from simulation.trial.analyses.external_difference import ExternalDifference
from simulation.trial.analyses.external_weights import ExternalWeights
from simulation.trial.analyses.fine_gray import FineGray
from simulation.trial.analyses.landmark import Landmark
from simulation.trial.analyses.log_rank import LogRank
from simulation.trial.analyses.max_combo import MaxCombo
from simulation.trial.analyses.mmrm import Mmrm
from simulation.trial.analyses.normalised_power_prior import NormalisedPowerPrior
from simulation.trial.analyses.power_prior import PowerPrior
from simulation.trial.analyses.proportions import Proportions
from simulation.trial.analyses.rates import Rates
from simulation.trial.analyses.rmst import RestrictedMean
from simulation.trial.analyses.robust_map import RobustMap
from simulation.trial.analyses.standardised import Standardised

Choice = Annotated[
    Ancova
    | CommensuratePrior
    | CountRegression
    | Cox
    | ExternalAipw
    | ExternalDifference
    | ExternalWeights
    | FineGray
    | IncidenceDifference
    | Landmark
    | LogRank
    | MaxCombo
    | Mmrm
    | NormalisedPowerPrior
    | PowerPrior
    | Proportions
    | Rates
    | RestrictedMean
    | RobustMap
    | Standardised,
    Field(discriminator="kind"),
]

KINDS: dict[str, type[Analysis]] = {
    held.model_fields["kind"].default: held for held in get_args(get_args(Choice)[0])
}
"""Analyses by kind."""

DEFAULTS: dict[str, Analysis] = {
    "continuous": Ancova(),
    "binary": Proportions(),
    "count": Rates(),
    "time_to_event": LogRank(),
}
"""Analysis of each kind of endpoint where a design names none."""

__all__ = ["DEFAULTS", "KINDS", "Analysis", "Choice", "Fit", "LookData"]
