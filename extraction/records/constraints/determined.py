"""Categories that other columns determine: grades of a number, and groups of categories."""

from __future__ import annotations

from abc import abstractmethod
from itertools import pairwise
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field, model_validator

from .kinds import BoolArray, ComputedRule

ObjectArray = npt.NDArray[np.object_]

_DIGITS = 9


class _DeterminedRule(ComputedRule):
    """A constraint that fixes a column of categories."""

    target: str

    @property
    def target_column(self) -> str:
        """The column that is computed."""
        return self.target

    @property
    @abstractmethod
    def levels_used(self) -> dict[str, tuple[str, ...]]:
        """Categories that the constraint names, by column."""

    @abstractmethod
    def compute(self, frame: pd.DataFrame) -> ObjectArray:
        """Return the target of each row, None where it does not follow from the inputs."""

    def holds(self, frame: pd.DataFrame) -> BoolArray:
        """Whether each row's target is what its inputs give; nothing to say meets it."""
        want, have = self.compute(frame), frame[self.target]
        silent = np.array([w is None for w in want], dtype=bool) | have.isna().to_numpy()
        return np.asarray(silent | (have.astype(object).to_numpy() == want))


class Grade(_DeterminedRule):
    """A grade: the interval in which a number, or the sum of two or more, lies.

    Strata such as CD4 above 50, tenths of a score, tumour size classes:
    ``Grade(target="STRATUM", columns=("CD4",), cuts=(50.5,), levels=("<=50", ">50"))``. A level
    begins at its cut.
    """

    kind: Literal["grade"] = "grade"
    columns: tuple[str, ...] = Field(min_length=1, description="numbers that are added up")
    cuts: tuple[float, ...] = Field(min_length=1, description="rising; a level begins at its cut")
    levels: tuple[str, ...] = Field(min_length=2, description="one more than cuts, lowest first")

    @model_validator(mode="after")
    def _shaped(self) -> Self:
        if len(self.levels) != len(self.cuts) + 1:
            raise ValueError(
                f"{self.title}: {len(self.cuts)} cuts part {len(self.cuts) + 1} levels, "
                f"{len(self.levels)} are given"
            )
        if not all(a < b for a, b in pairwise(self.cuts)):
            raise ValueError(f"{self.title}: cuts must rise")
        return self

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns that it is computed from."""
        return self.columns

    @property
    def levels_used(self) -> dict[str, tuple[str, ...]]:
        """Categories that the constraint names, by column."""
        return {self.target: self.levels}

    def _words(self) -> str:
        return f"{self.target} grades {' + '.join(self.columns)}"

    def compute(self, frame: pd.DataFrame) -> ObjectArray:
        """Return the level of each row, None where a number is missing."""
        return graded(score(frame, self.columns), np.array(self.cuts), self.levels)


class Grouping(_DeterminedRule):
    """Groups of another column's categories: a disease class of disease groups, a region of sites.

    ``Grouping(target="REGION", column="SITE", groups={"701": "North", "702": "North",
    "703": "South"})``; a category that is not named says nothing.
    """

    kind: Literal["grouping"] = "grouping"
    column: str
    groups: dict[str, str] = Field(min_length=2, description="category -> its group")

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns that it is computed from."""
        return (self.column,)

    @property
    def levels_used(self) -> dict[str, tuple[str, ...]]:
        """Categories that the constraint names, by column."""
        return {self.column: tuple(self.groups), self.target: tuple(self.groups.values())}

    def _words(self) -> str:
        return f"{self.target} groups {self.column}"

    def compute(self, frame: pd.DataFrame) -> ObjectArray:
        """Return the group of each row, None where the category is missing or not named."""
        column = frame[self.column]
        return np.array([self.groups.get(v) for v in column], dtype=object)


def score(frame: pd.DataFrame, columns: tuple[str, ...]) -> npt.NDArray[np.float64]:
    """Sum of the columns, free of the last digits' noise, NaN where one is missing."""
    parts = frame[list(columns)].to_numpy(dtype=np.float64, na_value=np.nan)
    return np.asarray(np.round(parts.sum(axis=1), _DIGITS))


def graded(
    values: npt.NDArray[np.float64], cuts: npt.NDArray[np.float64], levels: tuple[str, ...]
) -> ObjectArray:
    """Level of each value, None where it is missing."""
    named = np.array([*levels, None], dtype=object)
    place = np.searchsorted(cuts, np.nan_to_num(values), side="right")
    return np.asarray(named[np.where(np.isfinite(values), place, len(levels))])
