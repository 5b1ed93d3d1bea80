"""A patient's likelihood under the twin engine, and how far orders of columns disagree on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from extraction.records import Cohort, InputError
from generation.assembly import align, require_variables, to_arrays
from generation.engine import arm_fault
from generation.randomness import generator
from generation.tokenizer import FloatArray, IntArray
from generation.twin_model.columns import ARM
from generation.twin_model.visit_scoring import score_visits

if TYPE_CHECKING:
    from generation.twin_model.model import TwinModel


@dataclass(frozen=True)
class OrderedLogProb:
    """Log-probability of each patient, averaged over random orders of the columns.

    Attributes
    ----------
    mean
        Log of the mean probability over orders, in nats, shape (n,): the mean over orders is
        itself a law, the mixture of the orders' laws.
    se
        Its Monte Carlo standard error over orders (delta method), shape (n,).
    spread
        Standard deviation of the log-probability between orders, shape (n,): 0 where all orders
        agree, as those of one joint law do.
    by_order
        Log-probability under each order, shape (orders, n).
    """

    mean: FloatArray
    se: FloatArray
    spread: FloatArray
    by_order: FloatArray

    @classmethod
    def of(cls, by_order: FloatArray) -> OrderedLogProb:
        """Summarise log-probabilities under random orders, shape (orders, n)."""
        orders = len(by_order)
        top = by_order.max(axis=0)
        share = np.exp(by_order - top)
        mean = share.mean(axis=0)
        nothing = np.zeros(by_order.shape[1])
        spread = by_order.std(axis=0, ddof=1) if orders > 1 else nothing
        se = share.std(axis=0, ddof=1) / np.sqrt(orders) / mean if orders > 1 else nothing + np.nan
        return cls(top + np.log(mean), se, spread, by_order)

    @property
    def disagreement(self) -> float:
        """Mean over patients of `spread`, in nats."""
        return float(self.spread.mean())


class LogProbParts(NamedTuple):
    """Log-probability of patients in nats, by what it tells of.

    Attributes
    ----------
    baseline
        Baseline columns and arm, shape (n,).
    outcome
        Events, and leaving where a hazard drives it, given the visits before them, shape (n,).
    visits
        Visits after baseline: who came when, what was measured, the values, shape (n,).
    """

    baseline: FloatArray
    outcome: FloatArray
    visits: FloatArray

    @property
    def total(self) -> FloatArray:
        """Log-probability of all."""
        return self.baseline + self.outcome + self.visits


def log_prob_parts(
    model: TwinModel, cohort: Cohort, order: Sequence[str] | None
) -> LogProbParts:
    """Log-probability of each patient under one order; see `TwinModel.log_prob`."""
    names = model.sampler.columns.names
    if order is not None and sorted(order) != sorted(names):
        raise InputError(
            f"order: must hold each drawn baseline column once: {', '.join(names)}"
        )
    places = None if order is None else np.array([names.index(name) for name in order])
    found = _under(model, cohort, [places])
    return found._replace(baseline=found.baseline[0])


def log_prob_orders(model: TwinModel, cohort: Cohort, orders: int, seed: int) -> OrderedLogProb:
    """Log-probability over random orders; see `TwinModel.log_prob_orders`."""
    if orders < 1:
        raise InputError(f"orders: {orders}; at least 1 is needed, and 2 for a standard error")
    rng = generator(seed, "twin likelihood orders")
    count = len(model.sampler.columns)
    found = _under(model, cohort, [rng.permutation(count) for _ in range(orders)])
    return OrderedLogProb.of(found.total)


def _under(model: TwinModel, cohort: Cohort, orders: Sequence[IntArray | None]) -> LogProbParts:
    """Log-probabilities under several orders; the baseline's of shape (orders, n)."""
    from generation.twin_model.parts import arm_features

    require_variables(cohort, model.schema)
    arrays = align(to_arrays(cohort), model.schema, model.visit_names)
    unknown = sorted(set(arrays.arm) - set(model.card.arms) - {None})
    if unknown:
        raise InputError([arm_fault(str(a), model.card.arms) for a in unknown])
    columns = model.sampler.columns
    encoded = columns.encode(arrays)
    rest = np.zeros(len(arrays))
    if ARM not in columns.names and len(model.card.arms) > 1:
        ratio = {a: (model.schema.allocation or {}).get(a, 1.0) for a in model.card.arms}
        share = {a: np.log(r / sum(ratio.values())) for a, r in ratio.items()}
        rest += np.array([share.get(a, 0.0) for a in arrays.arm])
    rich = np.concatenate(
        [columns.features(encoded, True), arm_features(arrays.arm, model.card.arms)], axis=1
    )
    visits = score_visits(model.parts, model.card.arms, arrays)
    outcome = model.outcome.log_prob(rich, arrays) + visits.events
    baseline = np.stack([model.sampler.log_prob(encoded, order) + rest for order in orders])
    return LogProbParts(baseline, outcome, visits.visits)
