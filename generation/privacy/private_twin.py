"""The private twin: every column from one network that was trained by DP-SGD.

A class of its own rather than a switch inside `twin`: copula, ridge Cox hazards, recalibration
and visit regressions of the twin read the patients without noise, and none of them may stand
behind a private model. Columns are drawn in a fixed order (baseline, arm by design, endpoints,
planned visits), so that likelihoods are exact; conditions are met as in `cart`.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import numpy as np
from pydantic import Field

from extraction.records import Cohort, RefusedError
from generation.artifact import read_artifact, write_artifact
from generation.assembly import to_arrays
from generation.cart import CartModel
from generation.cart_columns import ARM, EndpointCodec, FlatColumns
from generation.engine import (
    Capability,
    ModelCard,
    Options,
    Progress,
    SampleRequest,
    SamplingReport,
    parse_options,
    report_progress,
)
from generation.privacy.accountant import (
    ORDERS,
    SEARCH_ORDERS,
    Mechanism,
    epsilon_of,
    gaussian_curve,
    smallest_noise,
    total_curve,
)
from generation.privacy.card import privacy_notes, private_card
from generation.privacy.dpsgd import Head, Weights, heads_of, scale, train_private
from generation.privacy.ledger import PrivacyLedger, Release
from generation.privacy.preprocessing import (
    COUNTS,
    EDGES,
    Plan,
    PrivateTable,
    bounded_columns,
    check_private,
    column_names,
    low_utility,
    noise_generator,
    private_table,
    quantile_levels,
)
from generation.tokenizer import CategoricalCodec, FloatArray, NumericCodec

_PREPARED = 0.5
_DEPTH = 3


class PrivateTwinOptions(Options):
    """Options of the private twin."""

    epsilon: float = Field(gt=0, le=100, description="privacy budget of the whole fit")
    delta: float | None = Field(None, gt=0, lt=1, description="None is 1/(10 n)")
    follow_up_days: float | None = Field(None, gt=0, description="planned length of follow-up")
    steps: int = Field(150, ge=1, le=20_000, description="steps of DP-SGD")
    sample_rate: float = Field(0.2, gt=0, lt=1, description="share of patients in a batch")
    accept_low_utility: bool = Field(
        False, description="fit below epsilon 3 with fewer than 1,000 patients all the same"
    )
    noise_seed: int | None = Field(
        None, description="for tests alone: who knows the noise's seed can take the noise off"
    )


class NetworkColumn:
    """One column's law given the columns before it, as `cart` asks a tree for it."""

    def __init__(self, head: Head, weights: Weights, outputs: slice) -> None:
        self.head, self.weights, self.outputs = head, weights, outputs

    def apply(self, inputs: FloatArray) -> FloatArray:
        """Token probabilities of each row of inputs, shape (n, tokens)."""
        return self.head.probabilities(self.weights.outputs(inputs, self.outputs))


class PrivateTwinModel(CartModel):
    """One DP-SGD network over flat columns, with the privacy spent on its card."""

    engine: ClassVar[str] = "twin-private"
    engine_version: ClassVar[str] = "2"
    supports: ClassVar[frozenset[Capability]] = frozenset(
        {"static", "events", "visits", "conditions", "log_prob"}
    )

    def __init__(
        self, card: ModelCard, columns: FlatColumns, heads: dict[str, Head], weights: Weights
    ) -> None:
        self.heads, self.weights = heads, weights
        laws: dict[str, Any] = {}
        first = 0
        for name, head in heads.items():
            laws[name] = NetworkColumn(head, weights, slice(first, first + head.outputs))
            first += head.outputs
        super().__init__(card, columns, cast(Any, laws))

    @classmethod
    def fit(
        cls, cohort: Cohort, seed: int = 0, progress: Progress | None = None, **options: Any
    ) -> Self:
        """Spend the budget on bins, marginals and DP-SGD.

        Raises
        ------
        RefusedError
            Below epsilon 3 with fewer than 1,000 patients (unless accepted), for a schema that
            leaves ranges open, or an epsilon or delta out of bounds.
        """
        chosen = parse_options(PrivateTwinOptions, cls.engine, options)
        n = len(cohort)
        delta = chosen.delta or 1.0 / (10 * n)
        check_private(cohort, cls.engine, chosen.epsilon, delta, chosen.follow_up_days)
        warning = low_utility(chosen.epsilon, n)
        if warning and not chosen.accept_low_utility:
            raise RefusedError(
                f"epsilon: {warning}; give a larger epsilon or more patients, or say "
                "accept_low_utility=True"
            )
        prepared, noise, ledger = _budget(cohort, chosen, delta)
        rng = noise_generator(chosen.noise_seed)
        arrays = to_arrays(cohort)
        report_progress(progress, "private bins", 0.1)
        private = private_table(
            cohort.schema, arrays, chosen.follow_up_days, _DEPTH, prepared, rng,
        )
        report_progress(progress, "DP-SGD", 0.2)
        heads = heads_of(private.columns, private.share)
        weights = _train(private, heads, n, noise, chosen, rng)
        card = private_card(
            cohort, cls, seed, chosen.model_dump(exclude={"noise_seed"}),
            ("numpy", "torch", "opacus"), ledger, warning,
        )
        report_progress(progress, "private twin trained", 1.0)
        return cls(card, private.columns, heads, weights)

    def _sample(self, request: SampleRequest) -> tuple[Cohort, SamplingReport]:
        made, report = super()._sample(request)
        notes = (*report.notes, *privacy_notes(self.card))
        return made, SamplingReport(**{**report.__dict__, "notes": notes})

    def log_prob(self, cohort: Cohort) -> FloatArray:
        """Exact log-probability of each patient's tokens in nats, in the drawing order.

        An unknown token adds nothing; a randomised arm is a condition.
        """
        table = self.columns.read(to_arrays(cohort))
        total = np.zeros(len(cohort))
        for k, name in enumerate(self.columns.order):
            if name not in self.heads:
                continue
            inputs = self.columns.inputs(table, self.columns.order[:k], len(cohort))
            law = self.trees[name].apply(inputs)
            codes = table[name][0]
            picked = law[np.arange(len(codes)), np.maximum(codes, 0)]
            total += np.where(codes >= 0, np.log(np.maximum(picked, 1e-300)), 0.0)
        return total

    def save(self, folder: Path | str) -> Path:
        """Write network and tokens; nothing is pickled."""
        state = {
            "columns": self.columns.state(),
            "heads": {name: dict(head.__dict__) for name, head in self.heads.items()},
            "weights": asdict(self.weights),
        }
        return write_artifact(folder, self.card.model_dump(mode="json"), state)

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Read a saved private twin."""
        card, state = read_artifact(folder)
        parsed = ModelCard.model_validate(card)
        columns = FlatColumns.from_state(parsed.schema_, state["columns"])
        heads = {name: Head(**arrays) for name, arrays in state["heads"].items()}
        return cls(parsed, columns, heads, Weights(**state["weights"]))


def _budget(
    cohort: Cohort, chosen: PrivateTwinOptions, delta: float
) -> tuple[dict[str, Mechanism], float, PrivacyLedger]:
    """Mechanisms of the preparation, noise multiplier of DP-SGD, and what both spend."""
    schema = cohort.schema
    parts = [("gaussian", 0.6, len(column_names(schema)), COUNTS)]
    if bounded_columns(schema):
        parts.append(("exponential", 0.4, quantile_levels(schema, _DEPTH), EDGES))
    prepared = Plan(tuple(parts)).solve(_PREPARED * chosen.epsilon, delta)
    before = np.asarray(total_curve(list(prepared.values())))
    at_order = dict(zip(ORDERS, before, strict=True))

    def searched(noise: float) -> list[float]:
        sgd = gaussian_curve(noise, chosen.sample_rate, chosen.steps, SEARCH_ORDERS)
        return [a + at_order.get(o, np.inf) for a, o in zip(sgd, SEARCH_ORDERS, strict=True)]

    noise = smallest_noise(chosen.epsilon, delta, searched, SEARCH_ORDERS)
    sgd = np.asarray(gaussian_curve(noise, chosen.sample_rate, chosen.steps))
    curve = tuple(float(x) for x in before + sgd)
    release = Release(
        mechanism=(
            f"exponential choices, Gaussian counts, DP-SGD (noise multiplier {noise:.3f}, sample "
            f"rate {chosen.sample_rate:g}, {chosen.steps} steps)"
        ),
        what="private twin: bins, marginals, network",
        epsilon=epsilon_of(curve, delta), delta=delta, renyi=curve,
    )
    ledger = PrivacyLedger(
        epsilon_budget=chosen.epsilon, delta_budget=delta,
        noise_seeded=chosen.noise_seed is not None,
    )
    return prepared, noise, ledger.spend(release)


def _train(
    private: PrivateTable,
    heads: dict[str, Head],
    n: int,
    noise: float,
    chosen: PrivateTwinOptions,
    rng: np.random.Generator,
) -> Weights:
    """Scale the inputs, mask them by the drawing order and train."""
    columns, table = private.columns, private.table
    inputs = columns.inputs(table, columns.order, n)
    centre, spread = _units(columns, chosen.follow_up_days or 1.0)
    width = [columns.inputs(table, [name], n).shape[1] for name in columns.order]
    ends = np.cumsum(width)
    seen = {name: ends[k] - width[k] for k, name in enumerate(columns.order)}
    before = np.stack([np.arange(inputs.shape[1]) < seen[name] for name in heads]).astype(float)
    first, bias, second, skip = train_private(
        scale(inputs, centre, spread), before, [table[name][0] for name in heads],
        list(heads.values()), noise, chosen.sample_rate, chosen.steps, rng,
    )
    return Weights(
        np.ascontiguousarray(first), bias, np.ascontiguousarray(second),
        np.ascontiguousarray(skip), centre, spread,
    )


def _units(columns: FlatColumns, follow_up_days: float) -> tuple[FloatArray, FloatArray]:
    """Centre and spread of each input, from the schema and noisy counts alone."""
    centre: list[float] = []
    spread: list[float] = []
    for name in columns.order:
        codec = columns.codecs[name]
        if isinstance(codec, EndpointCodec):
            centre += [follow_up_days / 2, 0.0]
            spread += [follow_up_days / 4, 1.0]
        elif isinstance(codec, NumericCodec):
            centre += [codec.centre, 0.0]
            spread += [codec.scale, 1.0]
        elif isinstance(codec, CategoricalCodec) and codec.ordinal:
            centre += [(codec.tokens - 1) / 2]
            spread += [max((codec.tokens - 1) / 4, 0.5)]
        else:
            centre += [0.0 if name != ARM else 0.5] * codec.tokens
            spread += [1.0 if name != ARM else 0.5] * codec.tokens
    return np.array(centre), np.array(spread)
