"""Columns of a model for repeated measurements, and the families of covariance over visits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from simulation.analysis.arrays import FloatArray, IntArray

Family = Literal["unstructured", "heterogeneous_ar1", "heterogeneous_cs"]
FAMILIES: tuple[Family, ...] = ("unstructured", "heterogeneous_ar1", "heterogeneous_cs")
"""In the kernel's numbering, and the pre-specified order of fallback."""

SmallSample = Literal["kenward_roger", "satterthwaite"]
Information = Literal["observed", "expected"]
MOST_VISITS = 12


@dataclass(frozen=True)
class Method:
    """How a model is fitted and its standard errors are found, fixed beforehand.

    Attributes
    ----------
    covariance
        Families of the covariance over visits in order: the next serves where one does not
        converge.
    small_sample
        "kenward_roger": degrees of freedom and adjusted standard errors; where the adjusted
        variance is not above 0, Satterthwaite's. "satterthwaite": the same degrees of freedom
        (for one contrast they agree) with the unadjusted standard error.
    information
        Of the covariance's parameters: "observed" as in SAS's PROC MIXED and R's mmrm, or
        "expected" as in the paper. Where the observed one is not positive definite the expected
        one serves.
    """

    covariance: tuple[Family, ...] = FAMILIES
    small_sample: SmallSample = "kenward_roger"
    information: Information = "observed"


USUAL = Method()


@dataclass(frozen=True)
class Layout:
    """Design of a model: means by visit, treatment by visit, covariates by visit, common columns.

    Attributes
    ----------
    visits, by_visit, common
        How many visits, covariates with a coefficient at each visit, and covariates with one.
    source, visit
        Of each column (P,): the patient's figure (0: constant, 1: treated, 2 and on: covariates)
        and the visit (`visits`: all).
    """

    visits: int
    by_visit: int
    common: int
    source: IntArray
    visit: IntArray

    @property
    def size(self) -> int:
        """Coefficients P."""
        return int(self.source.size)

    def effects(self, weights: FloatArray) -> FloatArray:
        """Contrasts (L, P) of coefficients from weights (L, V) of the differences at visits."""
        found = np.zeros((len(weights), self.size))
        found[:, self.visits : 2 * self.visits] = weights
        return found

    def means(self, coefficients: FloatArray) -> FloatArray:
        """Coefficients by visit (..., V, M) of each figure out of (..., P)."""
        figures = 2 + self.by_visit + self.common
        table = np.zeros((*coefficients.shape[:-1], self.visits, figures))
        for place, (source, visit) in enumerate(zip(self.source, self.visit, strict=True)):
            rows = slice(None) if visit == self.visits else slice(visit, visit + 1)
            table[..., rows, source] += coefficients[..., place, None]
        return table


def layout(visits: int, by_visit: int = 0, common: int = 0) -> Layout:
    """Lay out the columns for some visits and covariates."""
    blocks = 2 + by_visit
    source = np.repeat(np.arange(blocks, dtype=np.int64), visits)
    visit = np.tile(np.arange(visits, dtype=np.int64), blocks)
    return Layout(
        visits,
        by_visit,
        common,
        np.concatenate([source, blocks + np.arange(common, dtype=np.int64)]),
        np.concatenate([visit, np.full(common, visits, dtype=np.int64)]),
    )
