"""Sequential classification and regression trees: the baseline every engine must beat or tie.

Each column is drawn from a tree on the columns before it (Reiter, 2005, "Using CART to
generate partially synthetic, public use microdata", J Off Stat 21(3)). A leaf stores how
its patients spread over the column's tokens (`generation.tokenizer`), smoothed towards the
nodes above it (`generation.cart_trees`), never a patient's value; numbers are decoded by
interpolating quantiles inside the token's bin.

A randomised arm is drawn by the design, independent of baseline. An endpoint's day and
status share one tree and one token, so no impossible pair can be drawn.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from pydantic import Field

from extraction.records import Cohort, InputError
from generation.applicability import require_expected
from generation.artifact import read_artifact, write_artifact
from generation.assembly import to_arrays, to_cohort
from generation.cart_columns import (
    ARM,
    Bound,
    FlatColumns,
    FlatTable,
    arm_share,
    design_arms,
    parse_given,
)
from generation.cart_trees import Tree, grow
from generation.engine import (
    Capability,
    Model,
    ModelCard,
    Options,
    Progress,
    SampleRequest,
    SamplingReport,
    check_planned_visits,
    parse_options,
    report_progress,
)
from generation.randomness import Stream, decision_id, integer_seed
from generation.tokenizer import FloatArray, IntArray

_CANDIDATES = 32
_LOT = 2048


class CartOptions(Options):
    """Options of the tree engine."""

    leaf_patients: int = Field(10, ge=5, le=500, description="fewest training patients in a leaf")
    bins: int = Field(40, ge=4, le=200, description="most quantile bins of a numeric column")
    smoothing: float = Field(
        5.0, ge=0, le=1000,
        description="patients' worth of the parent's shares that a node's own are mixed with",
    )


class CartModel(Model):
    """Sequential trees over baseline, arm, outcome and planned visits.

    Conditions clamp or restrict columns and weight the candidates of each patient by the
    probability of the condition (32 candidates a patient); the report gives the effective
    sample size. Visits are columns at their target day; unplanned visits are not generated.
    """

    engine: ClassVar[str] = "cart"
    engine_version: ClassVar[str] = "3"
    supports: ClassVar[frozenset[Capability]] = frozenset(
        {"static", "events", "visits", "conditions"}
    )

    def __init__(self, card: ModelCard, columns: FlatColumns, trees: dict[str, Tree]) -> None:
        super().__init__(card)
        self.columns = columns
        self.trees = trees

    @classmethod
    def fit(
        cls, cohort: Cohort, seed: int = 0, progress: Progress | None = None, **options: Any
    ) -> Self:
        """Grow one tree a column."""
        chosen = parse_options(CartOptions, cls.engine, options)
        check_planned_visits(cohort.schema, cls.engine)
        arrays = to_arrays(cohort)
        bins = int(np.clip(len(cohort) // 12, 4, chosen.bins))
        columns = FlatColumns.fit(cohort.schema, arrays, bins)
        table = columns.read(arrays)
        trees: dict[str, Tree] = {}
        for k, name in enumerate(columns.order):
            report_progress(progress, f"tree of {name}", k / len(columns.order))
            inputs = columns.inputs(table, columns.order[:k], len(cohort))
            if name not in columns.by_design:
                codes, _ = table[name]
                known = codes >= 0
                trees[name] = grow(
                    inputs[known], columns.target(name, table)[known], codes[known],
                    columns.tokens(name), chosen.leaf_patients, chosen.smoothing,
                    integer_seed(seed, "cart", decision_id(name)),
                )
        card = ModelCard.describe(
            cohort, cls.engine, cls.engine_version, seed, chosen.model_dump(),
            ("scikit-learn", "numpy"),
        )
        report_progress(progress, "trees grown", 1.0)
        return cls(card, columns, trees)

    def _sample(self, request: SampleRequest) -> tuple[Cohort, SamplingReport]:
        """Draw patients column by column; see `Model.sample`."""
        n, patients = request.n, request.patients
        bounds, arms = parse_given(request.given, request.arm, self.card, self.columns)
        stream = Stream(request.seed, "cart")
        probability = self._region_probability(bounds, arms)
        if request.gate:
            require_expected(request.given, self.card.n_train, probability)
        width = _CANDIDATES if bounds else 1
        identity = np.repeat(patients, width), np.tile(np.arange(width), n)
        table, log_weight = self._chain(identity, stream, bounds, arms, len(self.columns.order))
        chosen, share = self._resample(table, log_weight, patients, width, stream)
        method = "restricted trees, resampled" if bounds else "unconditional"
        report = SamplingReport(n, self.card.n_train, probability, share, method)
        arrays = self.columns.write(chosen, n, request.until_day)
        made = to_cohort(
            arrays, self.schema, self.engine, report.sentence(), patients=patients
        )
        return made, report

    def _chain(
        self,
        identity: tuple[IntArray, IntArray],
        stream: Stream,
        bounds: dict[str, Bound],
        arms: dict[str, float],
        columns: int,
    ) -> tuple[FlatTable, FloatArray]:
        """Draw the first columns in turn; return the log-probability of the condition too."""
        n = len(identity[0])
        table: FlatTable = {}
        log_weight = np.zeros(n)
        for k, name in enumerate(self.columns.order[:columns]):
            if name in self.columns.by_design:
                place = stream.uniform(patient=identity[0], decision=decision_id("arm"))
                table[name] = self.columns.by_label(name, design_arms(arms, place))
                continue
            inputs = self.columns.inputs(table, self.columns.order[:k], n)
            probability = self.trees[name].apply(inputs)
            region = self.columns.region(name, bounds, arms)
            if region is not None:
                probability = probability * region.share
                log_weight += np.log(np.maximum(probability.sum(axis=1), 1e-300))
            ids = {"patient": identity[0], "index": identity[1]}
            choice = stream.uniform(decision=decision_id(f"{name}:token"), **ids)
            place = stream.uniform(decision=decision_id(f"{name}:place"), **ids)
            tokens = pick(probability, choice)
            table[name] = self.columns.decode(name, tokens, place, region, bounds.get(name))
        return table, log_weight

    def _region_probability(self, bounds: dict[str, Bound], arms: dict[str, float]) -> float:
        """Share of the model's patients in the region, over a fixed lot of its patients.

        The gate stands on it: it must depend on the request alone, not on n or seed.
        """
        share = arm_share(arms, self.card) if self.columns.by_design else 1.0
        bound = [k for k, name in enumerate(self.columns.order) if name in {*bounds, ARM}]
        if not bound:
            return share
        lot = np.arange(_LOT), np.zeros(_LOT, dtype=np.int64)
        _, log_weight = self._chain(lot, Stream(0, "cart region"), bounds, arms, max(bound) + 1)
        return share * float(np.exp(log_weight).mean())

    def _resample(
        self,
        table: FlatTable,
        log_weight: FloatArray,
        patients: IntArray,
        width: int,
        stream: Stream,
    ) -> tuple[FlatTable, float]:
        """Keep one candidate a patient in proportion to its weight; the share that counts."""
        if width == 1:
            return table, 1.0
        n = len(patients)
        weights = np.exp(log_weight).reshape(n, width)
        total = weights.sum(axis=1)
        if not np.any(total > 1e-12):
            raise InputError(
                "given: no patient of this model meets the condition; widen it"
            )
        choice = stream.uniform(patient=patients, decision=decision_id("candidate"))
        kept = np.arange(n) * width + pick(weights + 1e-300, choice)
        share = float(np.mean(total**2 / np.maximum((weights**2).sum(axis=1), 1e-300)) / width)
        rows = {name: (codes[kept], values[kept]) for name, (codes, values) in table.items()}
        return rows, share

    def save(self, folder: Path | str) -> Path:
        """Write tree arrays and tokens; nothing is pickled."""
        state = {
            "columns": self.columns.state(),
            "trees": {name: dict(tree.__dict__) for name, tree in self.trees.items()},
        }
        return write_artifact(folder, self.card.model_dump(mode="json"), state)

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Read a saved tree model."""
        card, state = read_artifact(folder)
        trees = {name: Tree(**arrays) for name, arrays in state["trees"].items()}
        parsed = ModelCard.model_validate(card)
        return cls(parsed, FlatColumns.from_state(parsed.schema_, state["columns"]), trees)


def pick(probability: FloatArray, choice: FloatArray) -> IntArray:
    """Index drawn from each row's (unnormalised) probabilities by one uniform a row."""
    cumulative = np.cumsum(probability, axis=-1)
    target = choice[..., None] * cumulative[..., -1:]
    index = np.sum(cumulative <= target, axis=-1)
    return np.asarray(np.minimum(index, probability.shape[-1] - 1), dtype=np.int64)
