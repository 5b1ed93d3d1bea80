"""Baseline columns of the twin engine and how the net and the regressions see them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import eval_legendre, ndtri

from extraction.records import CohortSchema
from generation.assembly import TrialArrays, Values
from generation.cart_columns import encode, fit_variable
from generation.tokenizer import (
    CategoricalCodec,
    Codec,
    FloatArray,
    IntArray,
    NumericCodec,
    codec_from_state,
)
from generation.tokenizer_fitting import category_cuts, default_bins, fit_categorical
from generation.twin_model.derived import Rule, find_rules
from generation.twin_model.net_settings import MANY

ARM = "arm"
_DEGREE, _DEGREE_OF_MANY = 4, 6
_MOST_BINS = 32


@dataclass(frozen=True)
class Encoded:
    """Baseline columns of patients: tokens (-1 unknown) and numbers, both (n, columns).

    A category's number is its token.
    """

    codes: IntArray
    numbers: FloatArray

    def take(self, rows: npt.NDArray[Any]) -> Encoded:
        """The patients at these rows."""
        return Encoded(self.codes[rows], self.numbers[rows])

    def copy(self) -> Encoded:
        """The same values in arrays of their own."""
        return Encoded(self.codes.copy(), self.numbers.copy())


@dataclass(frozen=True)
class BaselineColumns:
    """The columns known at index: baseline variables, day-0 visit values, a non-random arm.

    Parameters
    ----------
    names
        Columns in order; a visit value is called ``variable@visit``.
    codecs
        Their tokens.
    visit_of
        For visit columns: the variable and the visit's number.
    copies
        Visit columns that repeat a baseline variable: copied, not modelled.
    rules, rule_codecs
        Columns that others determine: computed, not drawn; and their tokens, for regressions.
    degree, curves
        Highest Legendre degree of a number's logits, and of its inputs.
    """

    names: tuple[str, ...]
    codecs: tuple[Codec, ...]
    visit_of: dict[str, tuple[str, int]]
    copies: dict[str, str]
    rules: tuple[Rule, ...] = ()
    rule_codecs: tuple[Codec, ...] = ()
    degree: int = 4
    curves: int = 3

    @classmethod
    def fit(
        cls, schema: CohortSchema, arrays: TrialArrays, day_zero: tuple[int, ...], joint: bool
    ) -> BaselineColumns:
        """Learn tokens; numeric bins get edges where a number decides a category.

        Values of the `day_zero` visits are columns too when `joint`; those that repeat a
        baseline variable are copies in any case.
        """
        raw: dict[str, Values] = dict(arrays.baseline)
        visit_of: dict[str, tuple[str, int]] = {}
        copies: dict[str, str] = {}
        variables = {v.name: v for v in schema.baseline}
        for k in day_zero:
            for variable in schema.longitudinal:
                name = f"{variable.name}@{arrays.visits[k] or k}"
                values = arrays.values[variable.name][:, k]
                if np.mean(_present(values)) < 0.05:
                    continue
                twin = _repeated(values, arrays.baseline) if variable.numeric else None
                if twin is not None:
                    copies[name] = twin
                elif joint:
                    raw[name], variables[name] = values, variable
                if twin is not None or joint:
                    visit_of[name] = (variable.name, k)
        rules = find_rules(raw)
        computed = {rule.target for rule in rules}
        n = len(arrays)
        bins = max(default_bins(n), min(_MOST_BINS, n // 25))
        profile = _profile(raw)
        codecs: dict[str, Codec] = {
            name: fit_categorical(
                name, np.asarray(raw[name], object), v.categories, v.kind == "ordinal", profile
            )
            for name, v in variables.items() if not v.numeric
        }
        labels = [c.encode(np.asarray(raw[n], object)) for n, c in codecs.items()
                  if isinstance(c, CategoricalCodec) and n not in computed]
        for name, variable in variables.items():
            if variable.numeric:
                numbers = np.asarray(raw[name], dtype=np.float64)
                cuts = tuple(category_cuts(numbers, labels))
                codecs[name] = fit_variable(variable, numbers, bins, cuts)
        names = [name for name in variables if name not in computed]
        if not schema.randomised and any(a is not None for a in arrays.arm):
            codecs[ARM] = fit_categorical(ARM, arrays.arm, schema.arms or None)
            names.append(ARM)
        return cls(
            tuple(names), tuple(codecs[k] for k in names), visit_of, copies,
            rules, tuple(codecs[rule.target] for rule in rules),
            _DEGREE if n < MANY else _DEGREE_OF_MANY,
        )

    def __len__(self) -> int:
        return len(self.names)

    def metrics(self) -> dict[str, float]:
        """Figures for the model card: computed columns, and categories too rare to be kept."""
        codecs = (*self.codecs, *self.rule_codecs)
        merged = sum(len(c.merged) for c in codecs if isinstance(c, CategoricalCodec))
        return {"computed_columns": float(len(self.rules)), "merged_categories": float(merged)}

    def codec(self, name: str) -> Codec:
        """Tokens of a column, drawn or computed."""
        names = (*self.names, *(rule.target for rule in self.rules))
        return (*self.codecs, *self.rule_codecs)[names.index(name)]

    def encode(self, arrays: TrialArrays) -> Encoded:
        """Tokens and numbers of a cohort's baseline."""
        n = len(arrays)
        codes = np.full((n, len(self)), -1, dtype=np.int64)
        numbers = np.full((n, len(self)), np.nan)
        for c, (name, codec) in enumerate(zip(self.names, self.codecs, strict=True)):
            codes[:, c], numbers[:, c] = encode(codec, self._raw(name, arrays))
        return Encoded(codes, numbers)

    def _raw(self, name: str, arrays: TrialArrays) -> Values:
        if name in self.visit_of:
            variable, visit = self.visit_of[name]
            column: Values = arrays.values[variable][:, visit]
            return column
        return arrays.arm if name == ARM else arrays.baseline[name]

    def decode(self, encoded: Encoded, name: str) -> Values:
        """Values of one column."""
        name = self.copies.get(name, name)
        rule = next((r for r in self.rules if r.target == name), None)
        if rule is not None:
            inputs = {k: np.asarray(self.decode(encoded, k), np.float64) for k in rule.inputs}
            return rule.compute(inputs)
        c = self.names.index(name)
        codec = self.codecs[c]
        if isinstance(codec, CategoricalCodec):
            return codec.decode(encoded.codes[:, c])
        return encoded.numbers[:, c]

    # -- the net's view ---------------------------------------------------------------------

    @cached_property
    def input_slices(self) -> tuple[slice, ...]:
        """Where each column's network inputs stand."""
        numeric = 3 + self.curves
        widths = [numeric if isinstance(c, NumericCodec) else c.tokens + 1 for c in self.codecs]
        ends = np.cumsum([0, *widths])
        return tuple(slice(int(a), int(b)) for a, b in pairwise(ends.tolist()))

    @property
    def input_width(self) -> int:
        """Number of network inputs."""
        return self.input_slices[-1].stop if len(self) else 0

    def inputs(self, encoded: Encoded, column: int) -> npt.NDArray[np.float32]:
        """One column's network inputs as if observed (zero where unknown), float32.

        Numbers: rank, robust z, missing flag, observed flag; categories: one-hot, flag.
        """
        return self.inputs_of(column, encoded.codes[:, column], encoded.numbers[:, column])

    def inputs_of(
        self, column: int, codes: IntArray, numbers: FloatArray
    ) -> npt.NDArray[np.float32]:
        """`inputs` of a column whose tokens and numbers are given, (n,) each."""
        codec = self.codecs[column]
        seen = (codes >= 0)[:, None]
        if isinstance(codec, NumericCodec):
            rank = 2 * codec.rank(numbers, codes) - 1
            lost = codes >= codec.bins
            block = np.column_stack([
                rank, codec.robust_z(numbers) / 2, lost, np.ones(len(codes)),
                *(np.where(lost, 0.0, _legendre(k, rank)) for k in range(2, self.curves + 1)),
            ])
        else:
            block = np.column_stack([
                codes[:, None] == np.arange(codec.tokens), np.ones(len(codes))
            ])
        return np.asarray(block * seen, dtype=np.float32)

    @cached_property
    def token_slices(self) -> tuple[slice, ...]:
        """Where each column's logits stand."""
        ends = np.cumsum([0, *(c.tokens for c in self.codecs)])
        return tuple(slice(int(a), int(b)) for a, b in pairwise(ends.tolist()))

    @cached_property
    def log_marginal(self) -> npt.NDArray[np.float32]:
        """Log share of each token, shape (tokens,)."""
        mass = np.concatenate([c.mass for c in self.codecs]) if len(self) else np.ones(1)
        return np.asarray(np.log(np.maximum(mass, 1e-6)), dtype=np.float32)

    @cached_property
    def basis(self) -> npt.NDArray[np.float32]:
        """Block-diagonal basis of the logits, shape (head outputs, tokens).

        Numbers: Legendre polynomials of degree 1 to 4 on bin rank and one free logit for
        each atom and for missing; categories: one free logit each.
        """
        blocks = self._bases
        rows = sum(b.shape[0] for b in blocks)
        full = np.zeros((rows, sum(b.shape[1] for b in blocks)), dtype=np.float32)
        top = left = 0
        for block in blocks:
            full[top : top + block.shape[0], left : left + block.shape[1]] = block
            top, left = top + block.shape[0], left + block.shape[1]
        return full

    @cached_property
    def _bases(self) -> list[FloatArray]:
        return [_column_basis(codec, self.degree) for codec in self.codecs]

    @cached_property
    def head_slices(self) -> tuple[slice, ...]:
        """Where each column's head outputs stand."""
        ends = np.cumsum([0, *(len(b) for b in self._bases)])
        return tuple(slice(int(a), int(b)) for a, b in pairwise(ends.tolist()))

    # -- the regressions' view --------------------------------------------------------------

    def features(self, encoded: Encoded, rich: bool) -> FloatArray:
        """Regression features of the baseline columns, the arm apart, shape (n, p).

        Numbers give their normal score and a missing flag, and when `rich` also the
        clipped z, the squared score less one and its positive part; categories one-hots
        without the most frequent. Unknown values sit at the centre.
        """
        blocks = [np.zeros((len(encoded.codes), 0))]
        for c, codec in enumerate(self.codecs):
            if self.names[c] != ARM:
                codes, numbers = encoded.codes[:, c], encoded.numbers[:, c]
                blocks.append(_features(codec, codes, numbers, rich))
        for rule, codec in zip(self.rules, self.rule_codecs, strict=True):
            blocks.append(_features(codec, *encode(codec, self.decode(encoded, rule.target)), rich))
        return np.concatenate(blocks, axis=1)

    def state(self) -> dict[str, Any]:
        """Return everything needed to rebuild the columns."""
        return {
            "names": list(self.names),
            "codecs": [codec.state() for codec in self.codecs],
            "visit_of": {name: list(place) for name, place in self.visit_of.items()},
            "copies": dict(self.copies),
            "rules": [rule.state() for rule in self.rules],
            "rule_codecs": [codec.state() for codec in self.rule_codecs],
            "degree": self.degree,
            "curves": self.curves,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> BaselineColumns:
        """Rebuild from :meth:`state`."""
        return cls(
            tuple(state["names"]),
            tuple(codec_from_state(codec) for codec in state["codecs"]),
            {name: (str(v), int(k)) for name, (v, k) in state["visit_of"].items()},
            dict(state["copies"]),
            tuple(Rule.from_state(rule) for rule in state["rules"]),
            tuple(codec_from_state(codec) for codec in state["rule_codecs"]),
            int(state["degree"]),
            int(state["curves"]),
        )


def _profile(raw: dict[str, Values]) -> FloatArray:
    """Numeric columns in robust standard deviations from their medians, 0 where missing."""
    blocks = [np.zeros((len(next(iter(raw.values()), np.zeros(0))), 0))]
    for values in raw.values():
        numbers = np.asarray(values, dtype=np.float64) if values.dtype != object else None
        if numbers is None or not np.isfinite(numbers).any():
            continue
        low, middle, high = np.nanquantile(numbers, [0.25, 0.5, 0.75])
        scale = (high - low) / 1.349 or 1.0
        blocks.append(np.nan_to_num(np.clip((numbers - middle) / scale, -4, 4))[:, None])
    return np.concatenate(blocks, axis=1)


def _present(values: Values) -> npt.NDArray[np.bool_]:
    return np.array([v is not None and v == v for v in values], dtype=bool)


def _repeated(values: Values, baseline: dict[str, Values]) -> str | None:
    """Baseline variable that a visit's values repeat, if any."""
    numbers = np.asarray(values, dtype=np.float64)
    for name, other in baseline.items():
        if other.dtype == object:
            continue
        both = np.isfinite(numbers) & np.isfinite(other)
        enough = both.sum() >= 0.8 * np.isfinite(numbers).sum()
        if enough and both.any() and np.mean(np.abs(numbers - other)[both] < 1e-9) > 0.95:
            return name
    return None


def _features(codec: Codec, codes: IntArray, numbers: FloatArray, rich: bool) -> FloatArray:
    """Regression features of one column, shape (n, p)."""
    if isinstance(codec, CategoricalCodec):
        others = np.delete(np.arange(codec.tokens), int(np.argmax(codec.mass)))
        return np.asarray(codes[:, None] == others, dtype=np.float64)
    score = ndtri(np.clip(codec.rank(numbers, codes), 0.005, 0.995))
    lost = codes >= codec.bins
    score = np.where(lost, 0.0, score)
    block = [score]
    if rich:
        z = codec.robust_z(numbers)
        square = np.where(lost | (codes < 0), 0.0, score**2 - 1)
        block += [np.clip(z, -3, 3), square, np.maximum(score, 0.0)]
    if codec.missing and codec.bins:
        block.append(lost.astype(np.float64))
    return np.column_stack(block)


def _column_basis(codec: Codec, most: int) -> FloatArray:
    if isinstance(codec, CategoricalCodec):
        return np.eye(codec.tokens)
    free = np.append(codec.atom, np.ones(codec.tokens - codec.bins, dtype=bool))
    rows = list(np.eye(codec.tokens)[free])
    if codec.bins > 1:
        cumulative = codec.cumulative
        middle = cumulative[:-1] + cumulative[1:] - 1
        for degree in range(1, min(most, codec.bins - 1) + 1):
            row = np.zeros(codec.tokens)
            row[: codec.bins] = _legendre(degree, middle)
            rows.append(row)
    return np.array(rows).reshape(-1, codec.tokens)


def _legendre(degree: int, x: FloatArray) -> FloatArray:
    return np.asarray(eval_legendre(degree, x))
