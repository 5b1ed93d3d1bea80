"""The `mixture` engine: classes over a tree of columns, fitted at once and answered exactly.

Every conditional of this model is a finite sum, so the probability of a region, the law of a
column given any condition, and draws under conditions are exact: no rejection, no weights. It
is the check of every other engine's conditions, and with ``epsilon`` the private engine
(`generation.mixture.private`).

Limits, stated: visits are columns at their target day, and unplanned visits are not generated;
likelihoods are of tokens (`generation.tokenizer`), not of values inside a bin; the answers are
of the drawn columns, before follow-up is closed (`generation.assembly.settle`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from extraction.records import Cohort, InputError, RefusedError, conditions
from generation.applicability import require_expected
from generation.artifact import read_artifact, write_artifact
from generation.assembly import require_variables, to_arrays, to_cohort
from generation.cart_columns import (
    ARM,
    Bound,
    EndpointCodec,
    FlatColumns,
    FlatTable,
    allowed_arms,
    parse_given,
    region_of,
)
from generation.engine import (
    Capability,
    Model,
    ModelCard,
    Progress,
    SampleRequest,
    SamplingReport,
    check_planned_visits,
    parse_options,
    report_progress,
)
from generation.mixture import inference
from generation.mixture.classes import ClassTree
from generation.mixture.fitting import (
    choose_classes,
    expectation_maximisation,
    find_edges,
    read_rows,
)
from generation.mixture.options import MixtureOptions, check_options
from generation.mixture.private import fit_private
from generation.privacy.card import privacy_notes, private_card
from generation.randomness import Stream, decision_id
from generation.tokenizer import CategoricalCodec, FloatArray, NumericCodec

GRID = (1, 2, 4, 6, 8, 12, 16)
_PLACES = (np.arange(64) + 0.5) / 64


class MixtureModel(Model):
    """Latent classes over a tree of columns with exact conditionals."""

    engine: ClassVar[str] = "mixture"
    engine_version: ClassVar[str] = "2"
    supports: ClassVar[frozenset[Capability]] = frozenset(
        {"static", "events", "visits", "conditions", "log_prob", "update"}
    )

    def __init__(self, card: ModelCard, columns: FlatColumns, tree: ClassTree) -> None:
        super().__init__(card)
        self.columns = columns
        self.tree = tree

    @classmethod
    def fit(
        cls, cohort: Cohort, seed: int = 0, progress: Progress | None = None, **options: Any
    ) -> Self:
        """Find the tree, choose the number of classes and fit them."""
        chosen = parse_options(MixtureOptions, cls.engine, options)
        check_options(chosen)
        if chosen.epsilon is not None:
            return cls._fit_private(cohort, seed, chosen, progress)
        check_planned_visits(cohort.schema, cls.engine)
        arrays = to_arrays(cohort)
        bins = int(np.clip(len(cohort) // 25, 4, chosen.bins))
        columns = FlatColumns.fit(cohort.schema, arrays, bins)
        rows = read_rows(columns, columns.read(arrays), len(cohort))
        report_progress(progress, "columns read", 0.1)
        edges = find_edges(columns, rows)
        report_progress(progress, "tree found", 0.3)
        classes = chosen.classes
        scores: dict[int, float] = {}
        if classes == "auto":
            classes, scores = choose_classes(columns, rows, edges, GRID, seed)
        report_progress(progress, f"{classes} classes chosen", 0.8)
        tree = expectation_maximisation(columns, rows, edges, int(classes), seed)
        metrics = {"classes": float(tree.classes)}
        if scores:
            metrics["held_out_log_likelihood"] = scores[int(classes)]
        card = ModelCard.describe(
            cohort, cls.engine, cls.engine_version, seed, chosen.model_dump(), ("numpy",), metrics
        )
        report_progress(progress, "classes fitted", 1.0)
        return cls(card, columns, by_design(tree, columns))

    @classmethod
    def _fit_private(
        cls, cohort: Cohort, seed: int, chosen: MixtureOptions, progress: Progress | None
    ) -> Self:
        """Fit with differential privacy; the card tells nothing that was not paid for."""
        assert chosen.epsilon is not None
        delta = chosen.delta or 1.0 / (10 * len(cohort))
        report_progress(progress, "measuring with noise", 0.1)
        private = fit_private(
            cohort, chosen.epsilon, delta, chosen.follow_up_days, chosen.noise_seed
        )
        card = private_card(
            cohort, cls, seed, chosen.model_dump(exclude={"noise_seed"}),
            ("numpy", "opacus"), private.ledger, private.warning,
        )
        report_progress(progress, "private tree fitted", 1.0)
        return cls(card, private.columns, by_design(private.tree, private.columns))

    def _sample(self, request: SampleRequest) -> tuple[Cohort, SamplingReport]:
        """Draw from the exact conditional; see `Model.sample`."""
        bounds, arms = self._bounds(request.given, request.arm)
        evidence = self._evidence(bounds)
        found = inference.propagate(self.tree, evidence, self._arms(arms))
        if found.probability <= 0.0:
            raise InputError("given: no patient of this model meets the condition; widen it")
        if request.gate:
            require_expected(request.given, self.card.n_train, found.probability)
        stream = Stream(request.seed, "mixture")
        arm, codes = inference.draw(self.tree, found, request.patients, stream)
        nothing = np.full(request.n, -1, dtype=np.int64), np.full(request.n, np.nan)
        table: FlatTable = dict.fromkeys(self.columns.order, nothing)
        table |= {ARM: (arm, arm.astype(np.float64))} if ARM in table else {}
        for name, own in codes.items():
            place = stream.uniform(patient=request.patients, decision=decision_id(f"{name}:place"))
            region = self.columns.region(name, bounds, arms)
            table[name] = self.columns.decode(name, own, place, region, bounds.get(name))
        report = SamplingReport(
            request.n, self.card.n_train, found.probability, 1.0,
            "exact conditional" if bounds or request.arm else "unconditional",
            notes=self.notes(),
        )
        arrays = self.columns.write(table, request.n, request.until_day)
        made = to_cohort(
            arrays, self.schema, self.engine, report.sentence(), patients=request.patients
        )
        return made, report

    def takes(self, target: conditions.Target) -> bool:
        """Values at planned visits are columns: their bounds are met without rejection."""
        plain = conditions.Target(target.name, target.visit)
        return target == plain and str(target) in self.columns.visit_of

    def refitted(self, cohort: Cohort, seed: int, progress: Progress | None = None) -> Self:
        """Fit to a cohort on this model's bins, beginning from its classes.

        Raises
        ------
        RefusedError
            For a private model: its bins and classes were paid for once, new patients are not.
        """
        if self.card.privacy is not None:
            raise RefusedError(
                "update: a private mixture is fitted anew, with a budget of its own (the ledger "
                "adds both up)"
            )
        rows = read_rows(self.columns, self.columns.read(to_arrays(cohort)), len(cohort))
        edges = find_edges(self.columns, rows)
        report_progress(progress, "tree found", 0.3)
        tree = expectation_maximisation(
            self.columns, rows, edges, self.tree.classes, seed, start=self.tree
        )
        card = ModelCard.describe(
            cohort, self.engine, self.engine_version, seed, dict(self.card.options), ("numpy",),
            {"classes": float(tree.classes)},
        )
        report_progress(progress, "classes fitted", 1.0)
        return type(self)(card, self.columns, by_design(tree, self.columns))

    def notes(self) -> tuple[str, ...]:
        """What a reader of a sample must know about this model."""
        return privacy_notes(self.card)

    def log_prob(self, cohort: Cohort) -> FloatArray:
        """Exact log-probability of each patient's tokens in nats; unknown ones are summed out.

        The arm counts by the design's ratio where it was randomised. A token that the model
        holds impossible gives minus 690 or so, not minus infinity.
        """
        require_variables(cohort, self.schema)
        table = self.columns.read(to_arrays(cohort))
        codes = [table[name][0] for name in self.tree.names]
        arm = table[ARM][0] if ARM in table else np.zeros(len(cohort), dtype=np.int64)
        return inference.log_rows(self.tree, codes, arm)

    def region_probability(
        self,
        given: Any = None,
        arm: str | None = None,
        tokens: Mapping[str, FloatArray] | None = None,
    ) -> float:
        """Exact share of the model's patients that meet a condition.

        Parameters
        ----------
        given
            As in `Model.sample`, and values at planned visits as well.
        arm
            Arm to look at; None allows every arm of the condition.
        tokens
            Share (0 to 1) of each token of any flat column, such as ``endpoint death``
            (`token_labels` names a column's tokens).
        """
        evidence, arms = self._understood(given, arm, tokens)
        return inference.propagate(self.tree, evidence, arms).probability

    def conditional(
        self,
        given: Any,
        target: str,
        arm: str | None = None,
        tokens: Mapping[str, FloatArray] | None = None,
    ) -> FloatArray:
        """Exact probability of each token of a column under a condition, shape (tokens,).

        `target` is a flat column: a baseline variable, ``arm``, ``<variable>@<visit>`` or
        ``endpoint <name>``; its tokens are named by `token_labels`.

        Raises
        ------
        InputError
            If there is no such column, or no patient of the model meets the condition.
        """
        evidence, arms = self._understood(given, arm, tokens)
        found = inference.propagate(self.tree, evidence, arms)
        if found.probability <= 0.0:
            raise InputError("given: no patient of this model meets the condition; widen it")
        if target == ARM and ARM in self.columns.codecs:
            return np.asarray(found.state.sum(axis=1) / found.probability)
        if target not in self.tree.names:
            known = ", ".join(self.columns.order)
            raise InputError(f"target: {target!r} is not a column; columns are {known}")
        return inference.marginal(self.tree, evidence, target, arms)

    def conditional_mean(self, given: Any, target: str, arm: str | None = None) -> float:
        """Exact mean of a numeric column, of patients who have it, under a condition."""
        codec = self.columns.codecs.get(target)
        if not isinstance(codec, NumericCodec):
            raise InputError(f"target: {target!r} is not a numeric column")
        probability = self.conditional(given, target, arm)[: codec.bins]
        bounds = self._bounds(given)[0]
        region = region_of(codec, bounds[target]) if target in bounds else None
        start = np.zeros(codec.bins) if region is None else region.start[: codec.bins]
        stop = np.ones(codec.bins) if region is None else region.stop[: codec.bins]
        place = start[:, None] + _PLACES * (stop - start)[:, None]
        bins = np.repeat(np.arange(codec.bins), len(_PLACES))
        means = codec.decode(bins, place.ravel()).reshape(codec.bins, -1).mean(axis=1)
        return float(probability @ means / probability.sum())

    def token_labels(self, target: str) -> tuple[str, ...]:
        """Plain names of a flat column's tokens, in order."""
        codec = self.columns.codecs[target]
        if isinstance(codec, EndpointCodec):
            kinds = ("censored", *self.schema.endpoint(codec.name).causes)
            named = [
                f"{kind} {_span(day, b)}"
                for kind, day in zip(kinds, codec.days, strict=True) for b in range(day.bins)
            ]
            return (*named, *(["no record"] if codec.no_record else []))
        if isinstance(codec, CategoricalCodec):
            return (*codec.categories, *(["missing"] if codec.missing else []))
        return (
            *(_span(codec, b) for b in range(codec.bins)),
            *(["missing"] if codec.missing else []),
        )

    def _understood(
        self, given: Any, arm: str | None, tokens: Mapping[str, FloatArray] | None
    ) -> tuple[dict[str, FloatArray], FloatArray | None]:
        """Evidence and allowed arms of a question."""
        bounds, arms = self._bounds(given, arm)
        evidence = self._evidence(bounds)
        for name, share in (tokens or {}).items():
            wanted = self.columns.codecs[name].tokens if name in self.tree.names else -1
            if np.shape(share) != (wanted,):
                raise InputError(f"tokens: {name}: give one share for each token of a flat column")
            evidence[name] = evidence.get(name, np.ones(wanted)) * np.asarray(share, dtype=float)
        return evidence, self._arms(arms)

    def _bounds(
        self, given: Any, arm: str | None = None
    ) -> tuple[dict[str, Bound], dict[str, float]]:
        """Bounds over baseline columns and planned visits, and the allowed arms."""
        if given is None:
            return {}, allowed_arms(None, arm, self.card)
        own, parts = conditions.divide(conditions.parse(given, self.schema), self.schema)
        visits: dict[str, Bound] = {}
        rest: list[conditions.Condition] = [
            conditions.Test(conditions.Target(name), bound) for name, bound in own.items()
        ]
        for part in parts:
            name = str(part.target) if isinstance(part, conditions.Test) else ""
            if isinstance(part, conditions.Test) and name in self.columns.visit_of:
                visits[name] = _both(visits.get(name), part.check)
            else:
                rest.append(part)
        bounds, arms = parse_given(conditions.All(tuple(rest)), arm, self.card, self.columns)
        return {**bounds, **visits}, arms

    def _evidence(self, bounds: Mapping[str, Bound]) -> dict[str, FloatArray]:
        """Share of each token inside its bound."""
        evidence = {}
        for name, bound in bounds.items():
            codec = self.columns.codecs[name]
            if not isinstance(codec, EndpointCodec):
                evidence[name] = region_of(codec, bound).share
        return evidence

    def _arms(self, arms: Mapping[str, float]) -> FloatArray | None:
        """Which arms may be drawn, as 0 and 1 by token."""
        codec = self.columns.codecs.get(ARM)
        if not isinstance(codec, CategoricalCodec):
            return None
        names = np.array(list(arms), dtype=object)
        allowed = np.zeros(codec.tokens)
        allowed[codec.encode(names)] = 1.0
        return allowed

    def save(self, folder: Path | str) -> Path:
        """Write class parameters and tokens; nothing is pickled."""
        state = {"columns": self.columns.state(), "tree": self.tree.state()}
        return write_artifact(folder, self.card.model_dump(mode="json"), state)

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Read a saved mixture."""
        card, state = read_artifact(folder)
        parsed = ModelCard.model_validate(card)
        columns = FlatColumns.from_state(parsed.schema_, state["columns"])
        return cls(parsed, columns, ClassTree.from_state(state["tree"]))


def _both(one: Bound | None, other: Bound) -> Bound:
    """What two bounds on one column leave."""
    if isinstance(one, conditions.Interval) and isinstance(other, conditions.Interval):
        return one.intersect(other)
    return one & other if isinstance(one, frozenset) and isinstance(other, frozenset) else other


def by_design(tree: ClassTree, columns: FlatColumns) -> ClassTree:
    """The mixture with the arm drawn by the design's ratio, where there is one."""
    codec = columns.codecs.get(ARM)
    if not columns.by_design or not isinstance(codec, CategoricalCodec):
        return tree
    ratio = columns.schema.allocation or {}
    share = np.array([float(ratio.get(name, 1.0)) for name in codec.categories])
    share = np.tile(share / share.sum(), (tree.classes, 1))
    return ClassTree(tree.names, tree.leaves, tree.weight, share)


def _span(codec: NumericCodec, token: int) -> str:
    """A bin in plain words."""
    if codec.atom[token]:
        return f"{codec.knots[token, 0]:g}"
    return f"{codec.edges[token]:g} to {codec.edges[token + 1]:g}"

