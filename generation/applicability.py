"""Whether enough real patients stand behind a conditioned request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from extraction.records import Cohort, InputError, RefusedError, Timeline, conditions
from generation.card import present_arms
from generation.request import arm_fault

MINIMUM_REGION = 20
SMALLEST_CELL = 5


@dataclass(frozen=True)
class Applicability:
    """How many training patients a request rests on.

    Attributes
    ----------
    n_train
        Training patients in all.
    n_region
        Training patients that meet the condition, in the arm where one is named.
    minimum
        Fewest that a request may rest on.
    allowed
        Whether `n_region` reaches the minimum.
    reason
        The verdict in a sentence.
    """

    n_train: int
    n_region: int
    minimum: int
    allowed: bool
    reason: str


def applicability(
    cohort: Cohort, given: Any = None, arm: str | None = None, minimum: int = MINIMUM_REGION
) -> Applicability:
    """Count the training patients in the region that a request describes.

    A patient whose data leave the condition unknown is not counted. A `Timeline`
    conditions on one person: the patients of the arm count.

    Raises
    ------
    InputError
        If the arm is absent from the cohort or the condition is not understood.
    """
    if arm is not None and arm not in present_arms(cohort):
        raise InputError(arm_fault(arm, present_arms(cohort)))
    inside = np.ones(len(cohort), dtype=bool)
    if isinstance(given, Timeline):
        arm = arm or given.arm
    elif given is not None:
        inside = cohort.mask(conditions.parse(given, cohort.schema)) == 1
    if arm is not None:
        inside = inside & (cohort.subjects["arm"] == arm).to_numpy()
    n_region = int(inside.sum())
    allowed = n_region >= minimum
    verdict = "enough" if allowed else "too few"
    reason = (
        f"{n_region} of {len(cohort)} training patients meet the condition; "
        f"{minimum} are needed: {verdict}"
    )
    return Applicability(len(cohort), n_region, minimum, allowed, reason)


def require(
    cohort: Cohort, given: Any = None, arm: str | None = None, minimum: int = MINIMUM_REGION
) -> Applicability:
    """Return the applicability of a request, or refuse it.

    Raises
    ------
    RefusedError
        If fewer than `minimum` training patients meet the condition.
    """
    verdict = applicability(cohort, given, arm, minimum)
    if not verdict.allowed:
        raise RefusedError(f"request: {too_few(verdict.n_region, verdict.n_train, minimum)}")
    return verdict


def require_expected(given: Any, n_train: int, probability: float) -> None:
    """Refuse a condition by a model that has no patients at hand, only their expected number.

    Parameters
    ----------
    given
        What was asked; None and a `Timeline` (one person's own history) are let through.
    n_train
        Training patients of the model.
    probability
        Share of the model's patients that meet the condition.

    Raises
    ------
    RefusedError
        If fewer than 20 training patients are expected to meet the condition.
    """
    expected = n_train * probability
    if given is None or isinstance(given, Timeline) or expected >= MINIMUM_REGION:
        return
    raise RefusedError(f"given: {too_few(int(expected), n_train, about=True)}")


def too_few(
    n_region: int, n_train: int, minimum: int = MINIMUM_REGION, about: bool = False
) -> str:
    """Say why a region is too small and what to do; a count of one to four is not told.

    `about` marks a number that a model expects, not one that was counted.
    """
    shown = f"about {n_region}" if about else f"only {n_region}"
    if (about or n_region) and n_region < SMALLEST_CELL:
        shown = f"fewer than {SMALLEST_CELL}"
    return (
        f"{shown} of {n_train} real patients meet these conditions; at least {minimum} are "
        "needed. With so few, synthetic patients would retell single persons instead of "
        "describing a group. Widen the conditions or add data"
    )
