"""Baseline columns that others determine: found in the training patients, then computed.

A column that repeats another, is a sum, difference, product or ratio of two (body-mass index), or
cuts a number into classes (strata, deciles) is not drawn: drawn, it would contradict the others.
What the schema declares is computed by `generation.constrained`; here is what nobody declared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from generation.assembly import Values
from generation.tokenizer import MINIMUM_CELL, FloatArray, to_grid
from generation.tokenizer_fitting import learn_step

_AGREE = 0.99
_CLASS_AGREES = 0.95
_LEAST = 20
_MOST_LEVELS = 20
_MOST_NUMBERS = 16
_SCREENED = 300
_SCREENED_AGREE = 0.95
_MOST_WRONG = 0.15
_COARSE = 0.1
_FAR = 0.5
_SIMPLE: dict[str, Callable[[FloatArray, FloatArray], FloatArray]] = {
    "sum": lambda x, y: x + y,
    "difference": lambda x, y: x - y,
    "product": lambda x, y: x * y,
    "ratio": lambda x, y: x / y,
    "ratio to the square": lambda x, y: x / y**2,
}


@dataclass(frozen=True)
class Rule:
    """How one column follows from one or two numeric ones.

    Attributes
    ----------
    target, inputs
        The column, and what it is computed from.
    combine
        "value" of the one input, or how the two are combined into a score.
    scale, shift, step
        A number is shift + scale x score, rounded to the grid of `step` (0: six figures).
    cuts, levels
        A class is the level after the last cut that the score reaches; empty for a number.
    """

    target: str
    inputs: tuple[str, ...]
    combine: str
    scale: float = 1.0
    shift: float = 0.0
    step: float = 0.0
    cuts: tuple[float, ...] = ()
    levels: tuple[Any, ...] = ()

    def score(self, values: dict[str, FloatArray]) -> FloatArray:
        """The inputs combined, NaN where one is missing."""
        return combined(self.combine, *(values[name] for name in self.inputs))

    def compute(self, values: dict[str, FloatArray]) -> Values:
        """The column from its inputs, missing where one of them is."""
        score = self.score(values)
        seen = np.isfinite(score)
        if not self.levels:
            return np.where(seen, to_grid(self.shift + self.scale * score, self.step), np.nan)
        place = np.searchsorted(np.array(self.cuts), np.where(seen, score, 0.0), side="right")
        if isinstance(self.levels[0], str):
            classes = np.array([*self.levels, None], dtype=object)
            return np.asarray(classes[np.where(seen, place, len(self.levels))], dtype=object)
        return np.where(seen, np.array(self.levels, dtype=np.float64)[place], np.nan)

    def state(self) -> dict[str, Any]:
        """Return everything needed to rebuild the rule."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Rule:
        """Rebuild from :meth:`state`."""
        tuples = {key: tuple(state[key]) for key in ("inputs", "cuts", "levels")}
        return cls(**{**state, **tuples})


def combined(combine: str, x: FloatArray, y: FloatArray | None = None) -> FloatArray:
    """Score of one or two inputs, rounded so that equal sums are equal."""
    if y is None:
        return np.round(x, 9)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        found = _SIMPLE[combine](x, y)
    rounded = np.round(np.where(np.isfinite(found), found, np.nan), 9)
    return np.asarray(rounded, dtype=np.float64)


def find_rules(raw: dict[str, Values]) -> tuple[Rule, ...]:
    """Columns that one or two numeric ones determine.

    A rule holds within the recorded rounding in 99 % of at least 20 patients, and the column is
    missing where an input is. Later columns are preferred as targets; no input is itself computed.

    Parameters
    ----------
    raw
        Values by column: float64 (NaN missing) or str objects (None missing), each (n,).
    """
    numbers = {
        name: np.asarray(values, dtype=np.float64)
        for name, values in raw.items() if values.dtype != object and _varied(values)
    }
    numbers = dict(list(numbers.items())[:_MOST_NUMBERS])
    found: list[Rule] = []
    for target in reversed(list(raw)):
        taken = {r.target for r in found}
        if target in {name for r in found for name in r.inputs}:
            continue
        free = {n: v for n, v in numbers.items() if n != target and n not in taken}
        few = slice(None, None, max(1, len(raw[target]) // _SCREENED))
        some = {name: values[few] for name, values in free.items()}
        hopeful = _rules_of(target, raw[target][few], some, _SCREENED_AGREE)
        rule = next((r for h in hopeful for r in _proved(h, raw[target], free)), None)
        if rule is not None:
            found.append(rule)
    return tuple(found)


def _proved(hint: Rule, values: Values, free: dict[str, FloatArray]) -> Iterator[Rule]:
    """The rule learnt from all patients, if it holds among them."""
    labels = _labels(values, MINIMUM_CELL) if _in_classes(values) else None
    return _tried(hint, values, labels, free, _AGREE)


def _varied(values: Values) -> bool:
    seen = values[np.isfinite(values)]
    return len(seen) >= _LEAST and len(np.unique(seen)) > 3


def _rules_of(
    target: str, values: Values, free: dict[str, FloatArray], agree: float
) -> Iterator[Rule]:
    """Rules that hold, simplest first."""
    pairs: list[str] = list(_SIMPLE)
    labels = None
    if _in_classes(values):
        labels = _labels(values, MINIMUM_CELL if agree == _AGREE else 1)
        # Two inputs can seem to decide a yes or no by chance: only classes in a row are tried.
        pairs = [] if len(labels[1]) < 3 else [c for c in _SIMPLE if c != "ratio to the square"]
    for names, combine in _candidates(free, pairs):
        yield from _tried(Rule(target, names, combine), values, labels, free, agree)


def _in_classes(values: Values) -> bool:
    if values.dtype == object:
        return True
    numbers = np.asarray(values, dtype=np.float64)
    return len(np.unique(numbers[np.isfinite(numbers)])) <= _MOST_LEVELS


def _tried(
    hint: Rule,
    values: Values,
    labels: tuple[npt.NDArray[np.int64], list[Any]] | None,
    free: dict[str, FloatArray],
    agree: float,
) -> Iterator[Rule]:
    """The rule of these inputs, if it holds."""
    if labels is None:
        yield from _formula(hint, np.asarray(values, dtype=np.float64), free, agree)
    elif 2 <= len(labels[1]) <= _MOST_LEVELS:
        yield from _classes(hint, *labels, free, agree)


def _candidates(
    free: dict[str, FloatArray], pairs: Iterable[str]
) -> Iterator[tuple[tuple[str, ...], str]]:
    yield from (((name,), "value") for name in free)
    for combine in pairs:
        for x, y in combinations(free, 2):
            yield (x, y), combine
            if combine not in ("sum", "product"):
                yield (y, x), combine


def _formula(
    hint: Rule, values: FloatArray, free: dict[str, FloatArray], agree: float
) -> Iterator[Rule]:
    """The number as scale x score + shift, if it is that."""
    target, names, combine = hint.target, hint.inputs, hint.combine
    columns = [free[name] for name in names]
    score = combined(combine, *columns)
    both = np.isfinite(score) & np.isfinite(values)
    if both.sum() < _LEAST or np.mean(np.isfinite(score) == np.isfinite(values)) < agree:
        return
    t, s = values[both], score[both]
    scale, shift = _line(combine, t, s)
    if not np.isfinite(scale) or scale == 0:
        return
    # Rounding is not worth working out where the distance is a good part of the spread.
    if np.mean(np.abs(t - shift - scale * s) > _FAR * np.std(t)) > 1 - agree:
        return
    step = learn_step(t)
    slack = np.full(len(t), step / 2)
    for k in range(len(columns)):
        moved = [c[both] + (learn_step(c[both]) / 2 if j == k else 0.0)
                 for j, c in enumerate(columns)]
        slack = slack + abs(scale) * np.abs(combined(combine, *moved) - s)
    slack = slack + 1e-6 * np.maximum(np.abs(t), 1e-3)
    held = np.abs(t - shift - scale * s) <= slack
    if np.mean(held) >= agree and np.median(slack) <= _COARSE * np.std(t):
        yield Rule(target, names, combine, scale, shift, step)


def _line(combine: str, t: FloatArray, s: FloatArray) -> tuple[float, float]:
    """Scale and shift; a scale close to a power of ten is that power."""
    if combine in ("sum", "difference"):
        return 1.0, 0.0
    if combine == "value":
        low, high = np.argmin(s), np.argmax(s)
        flat = s[high] <= s[low]
        scale = np.nan if flat else float((t[high] - t[low]) / (s[high] - s[low]))
        if abs(scale - 1) < 0.01:
            scale = 1.0
        return scale, float(np.median(t - scale * s))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = t / s
    scale = float(np.median(ratio[np.isfinite(ratio)])) if np.isfinite(ratio).any() else np.nan
    if not np.isfinite(scale) or scale == 0:
        return np.nan, 0.0
    power = float(np.copysign(10.0 ** np.round(np.log10(abs(scale))), scale))
    return (power if abs(scale / power - 1) < 0.01 else scale), 0.0


def _labels(values: Values, least: int) -> tuple[npt.NDArray[np.int64], list[Any]]:
    """Number of each value's level (-1 missing), and the levels, none where a level has too few."""
    seen = np.array([v is not None and v == v for v in values], dtype=bool)
    unique, code, count = np.unique(
        values[seen].astype(str) if values.dtype == object else values[seen],
        return_inverse=True, return_counts=True,
    )
    labels = np.full(len(values), -1, dtype=np.int64)
    labels[seen] = code
    if (count < least).any():
        return labels, []
    return labels, [u.item() if isinstance(u, np.generic) else u for u in unique]


def _classes(
    hint: Rule,
    labels: npt.NDArray[np.int64],
    levels: list[Any],
    free: dict[str, FloatArray],
    agree: float,
) -> Iterator[Rule]:
    """The classes as intervals of the score, if they are that."""
    score = combined(hint.combine, *(free[name] for name in hint.inputs))
    both = np.isfinite(score) & (labels >= 0)
    if both.sum() < _LEAST or np.mean(np.isfinite(score) == (labels >= 0)) < agree:
        return
    if _wrong(score[both], labels[both]) > _MOST_WRONG:
        return
    s, k = score[both], labels[both]
    centres = np.array([np.median(s[k == level]) for level in range(len(levels))])
    order = np.argsort(centres)
    if (np.diff(centres[order]) <= 0).any():
        return
    cuts = [_cut(s[k == a], s[k == b]) for a, b in pairwise(order)]
    if (np.diff(cuts) <= 0).any():
        return
    right = order[np.searchsorted(np.array(cuts), s, side="right")] == k
    by_class = [right[k == level].mean() for level in range(len(levels))]
    if right.mean() >= agree and min(by_class) >= _CLASS_AGREES - (_AGREE - agree):
        ordered = tuple(levels[level] for level in order)
        yield replace(hint, cuts=tuple(cuts), levels=ordered)


def _wrong(score: FloatArray, labels: npt.NDArray[np.int64]) -> float:
    """Share of changes of class along the score beyond those that classes in a row need."""
    along = labels[np.argsort(score, kind="stable")]
    needed = len(np.unique(along)) - 1
    return (np.count_nonzero(np.diff(along)) - needed) / max(len(along), 1)


def _cut(below: FloatArray, above: FloatArray) -> float:
    """Roundest number that parts two classes with the fewest errors; the upper one reaches it."""
    s = np.concatenate([below, above])
    upper = np.repeat([0, 1], [len(below), len(above)])
    order = np.argsort(s, kind="stable")
    s, upper = s[order], upper[order]
    ends = np.flatnonzero(np.diff(s) > 0)
    if not len(ends):
        return float(s[-1])
    errors = np.cumsum(upper)[ends] + (len(below) - np.cumsum(1 - upper)[ends])
    best = ends[np.argmin(errors)]
    low, high = float(s[best]), float(s[best + 1])
    for digits in range(-3, 10):
        unit = 10.0**-digits
        rounded = round(np.ceil(high / unit - 1 - 1e-9) * unit, max(digits, 0))
        for value in (rounded, round(rounded + unit, max(digits, 0))):
            if low < value <= high:
                return float(value)
    return high
