"""Mixed model for repeated measures over all visits, read at the last."""

from typing import ClassVar, Literal, final

import numpy as np
from pydantic import Field

from simulation.analysis.longitudinal.batch import mmrm_batch
from simulation.analysis.longitudinal.design import FAMILIES, Family, Method
from simulation.trial.analyses.base import Analysis, Fit, LookData
from simulation.trial.outcomes.base import Booleans


@final
class Mmrm(Analysis):
    """REML over all visits: treatment by visit, covariates by visit, read at the last visit.

    Every patient with a value counts; at an interim look so does who awaits his last visit. With
    values missing at random given those seen before it estimates the hypothetical effect had
    nobody left. Standard errors are Kenward and Roger's; families of covariance are tried in
    order, and where none converges there is no estimate.
    Information is 1 / variance.
    """

    every_visit: ClassVar[bool] = True
    takes: ClassVar[tuple[str, ...]] = ("continuous",)
    ratio: ClassVar[bool] = False
    kind: Literal["mmrm"] = "mmrm"
    covariance: tuple[Family, ...] = Field(
        default=FAMILIES, min_length=1, description="families of covariance, in order of fallback"
    )

    @property
    def summary(self) -> str:
        """For the estimand."""
        return "difference in means at the last visit, had nobody left"

    def fit(self, data: LookData, treated: int, control: int, among: Booleans | None = None) -> Fit:
        """Compare two arms in every replicate."""
        there, arm = data.pair(treated, control, among)
        assert data.observed.values is not None
        last = np.eye(len(data.observed.values))[-1:]
        found = mmrm_batch(
            np.moveaxis(data.observed.values, 0, -1),
            arm,
            np.moveaxis(data.covariates, 0, -1),
            included=there,
            contrasts=last,
            method=Method(self.covariance),
        )
        sound = found.converged & (found.se[:, 0] > 0)
        se = np.where(sound, found.se[:, 0], np.inf)
        z = np.where(sound, found.z[:, 0], 0.0)
        estimate = np.where(sound, found.estimate[:, 0], np.nan)
        more = {
            "df": found.df[:, 0],
            "naive_se": found.naive_se[:, 0],
            "family": found.family.astype(np.float64),
            "adjusted": found.adjusted[:, 0].astype(np.float64),
        }
        return Fit(estimate, se, z, 1 / se**2, found.n, more)
