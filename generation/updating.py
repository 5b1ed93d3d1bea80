"""Bringing a model up to date with patients who came later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from extraction.records import Cohort, InputError
from generation.engine import ABLE, Model, Progress, report_progress
from generation.randomness import integer_seed

if TYPE_CHECKING:
    from generation.evaluation.drift import DriftReport

FEWEST_NEW = 25
_HELD_OUT = 0.2


@dataclass(frozen=True)
class Update:
    """Outcome of an update.

    Parameters
    ----------
    model
        The new version if it was kept, else the old model.
    kept
        Whether the held-out score did not fall.
    score_before, score_after
        Mean log-likelihood of new patients held out of the update, in nats a patient.
    gain_se
        Standard error of the paired difference of the scores.
    held_out
        How many new patients were held out.
    drift
        What moved between the model's patients and the new ones.
    """

    model: Model
    kept: bool
    score_before: float
    score_after: float
    gain_se: float
    held_out: int
    drift: DriftReport

    @property
    def gain(self) -> float:
        """Score after less score before."""
        return self.score_after - self.score_before

    @property
    def sentence(self) -> str:
        """The outcome in words."""
        low, high = (self.gain + z * self.gain_se for z in (-1.96, 1.96))
        told = (
            f"version {self.model.card.version} is kept" if self.kept
            else f"version {self.model.card.version} stays as it was"
        )
        return (
            f"The likelihood of {self.held_out} held-out new patients changes by {self.gain:+.3f} "
            f"nats a patient [{low:+.3f}, {high:+.3f}]: {told}."
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {
            "kept": self.kept,
            "version": self.model.card.version,
            "score_before": self.score_before,
            "score_after": self.score_after,
            "gain": self.gain,
            "gain_se": self.gain_se,
            "held_out": self.held_out,
            "drift": self.drift.to_dict(),
        }


def update(
    model: Model,
    cohort: Cohort,
    seed: int = 0,
    earlier: Cohort | None = None,
    progress: Progress | None = None,
) -> Update:
    """Fit a new version of a model with patients who came later; see `Model.update`."""
    from generation.evaluation.drift import drift

    _check(model, cohort, earlier)
    told = drift(model, cohort, integer_seed(seed, "update drift"))
    report_progress(progress, "drift judged", 0.2)
    fresh, held = cohort.split(1 - _HELD_OUT, integer_seed(seed, "update split"))
    known = earlier
    if known is None:
        known = model.sample(model.card.n_train, seed=integer_seed(seed, "update replay"))
    learnt = Cohort.concat([known, fresh])
    candidate = model.refitted(learnt, integer_seed(seed, "update fit"), progress)
    before, after = (np.asarray(m.log_prob(held)) for m in (model, candidate))
    gain = after - before
    kept = bool(gain.mean() >= 0)
    if kept:
        candidate.card = candidate.card.model_copy(update={
            "version": model.card.version + 1,
            "updated_from": model.card.data_digest,
            "n_train": model.card.n_train + len(fresh),
            "replayed": 0 if earlier is not None else len(known),
        })
    report_progress(progress, "updated", 1.0)
    return Update(
        candidate if kept else model, kept, float(before.mean()), float(after.mean()),
        float(gain.std(ddof=1) / np.sqrt(len(gain))), len(held), told,
    )


def _check(model: Model, cohort: Cohort, earlier: Cohort | None) -> None:
    """Refuse an update that cannot be judged or would mix studies."""
    faults = []
    if "update" not in model.supports:
        able = ", ".join(repr(name) for name in ABLE["update"])
        faults.append(f"engine {model.engine!r}: cannot be updated; use engine {able}, or fit anew")
    if model.card.privacy is not None:
        faults.append(
            "model: was fitted under differential privacy; an update spends more of the budget: "
            "fit anew on all patients with the epsilon that is left"
        )
    if len(cohort) < FEWEST_NEW:
        faults.append(
            f"cohort: {len(cohort)} new patients; at least {FEWEST_NEW} are needed, a fifth of "
            "whom judges the update"
        )
    for name, other in (("cohort", cohort), ("earlier", earlier)):
        if other is not None and other.schema != model.schema:
            faults.append(
                f"{name}: its schema is not the model's; bring it to the model's variables, "
                "endpoints, visits and arms with Cohort.with_schema, or fit anew"
            )
    if earlier is not None and earlier.digest() != model.card.data_digest:
        faults.append(
            "earlier: is not the cohort that the model was fitted to (its digest differs from "
            "the card's data_digest); leave it out to use the model's own patients in its place"
        )
    faults += _not_new(model, cohort, earlier)
    if faults:
        raise InputError(faults)


def _not_new(model: Model, cohort: Cohort, earlier: Cohort | None) -> list[str]:
    """What of a cohort brings nothing new: it would be counted twice."""
    faults = []
    if cohort.sources["name"].astype(str).str.startswith("synthetic:").any():
        faults.append(
            "cohort: holds synthetic patients, who carry nothing that their model does not know; "
            "give real ones"
        )
    if cohort.digest() == model.card.data_digest:
        faults.append("cohort: is the one that the model was fitted to; give new patients alone")
    if earlier is not None and (cohort.positions(earlier.subjects) >= 0).any():
        faults.append("cohort: holds patients of the earlier cohort; give the new ones alone")
    return faults
