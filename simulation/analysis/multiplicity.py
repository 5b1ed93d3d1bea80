"""Several hypotheses at one level: graphical procedures and closed tests, batched over replicates.

All p values are one-sided, (R, H): R replicates, H hypotheses. The familywise error rate is kept
in the strong sense, for any joint law of the p values (Simes and Hochberg: under independence or
the positive dependence of usual trials).

Sources: graphs: Bretz, Maurer, Brannath and Posch (2009), doi 10.1002/sim.3495; closed tests:
Marcus, Peritz and Gabriel (1976), doi 10.1093/biomet/63.3.655; Holm (1979); Hochberg (1988),
doi 10.1093/biomet/75.4.800; Simes (1986), doi 10.1093/biomet/73.3.751.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any, Final, Self, final

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from extraction.records.errors import InputError
from extraction.records.schema import pydantic_faults

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
Weight = Annotated[float, Field(ge=0, le=1)]

MOST: Final = 12
"""Most hypotheses: procedures over all 2^H intersections."""
_TINY: Final = 1e-12


@final
class Graph(BaseModel):
    """A sequentially rejective graphical procedure.

    Hypothesis i is tested at weight i times alpha; once rejected, its weight goes to hypothesis j
    by the share transitions[i][j].

    Examples
    --------
    >>> primary_first = Graph(weights=(0.5, 0.5, 0, 0), transitions=(
    ...     (0, 0.5, 0.5, 0), (0.5, 0, 0, 0.5), (0, 1, 0, 0), (1, 0, 0, 0)))
    >>> primary_first.reject([[0.01, 0.02, 0.005, 0.5]], 0.025)[0].tolist()
    [True, True, True, False]
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    weights: tuple[Weight, ...] = Field(min_length=1, max_length=MOST)
    transitions: tuple[tuple[Weight, ...], ...] = Field(default=())

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        h, faults = len(self.weights), []
        if sum(self.weights) > 1 + 1e-9:
            faults.append("weights: they sum to more than 1; lower them")
        if self.transitions and [len(row) for row in self.transitions] != [h] * h:
            faults.append(f"transitions: give {h} rows of {h} shares, or none")
        for i, row in enumerate(self.transitions):
            if sum(row) > 1 + 1e-9:
                faults.append(f"transitions[{i}]: the shares sum to more than 1; lower them")
            if i < len(row) and row[i] != 0:
                faults.append(f"transitions[{i}][{i}]: it must be 0; nothing goes to itself")
        if faults:
            raise ValueError("\n".join(faults))
        return self

    @classmethod
    def parse(cls, values: dict[str, Any]) -> Self:
        """Build a graph; InputError lists every fault."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise InputError(pydantic_faults(error, "graph", cls)) from None

    @property
    def table(self) -> Floats:
        """Weights of what is left after each set of rejections, (2^H, H).

        The row's number has bit i set if hypothesis i has been rejected.
        """
        return _weights_table(self)

    def left(self, rejected: ArrayLike) -> Floats:
        """Weights after rejections (R, H); 0 for what has been rejected.

        For trials with several looks: hypothesis i is tested at these weights times alpha, on its
        own boundary, and rejections free their weight for all looks (Maurer and Bretz 2013,
        doi 10.1080/19466315.2013.807748).
        """
        done = np.asarray(rejected, dtype=bool)
        return np.asarray(self.table[done @ (1 << np.arange(len(self.weights)))])

    def reject(self, p: ArrayLike, alpha: float) -> Booleans:
        """Hypotheses rejected at a one-sided level, (R, H)."""
        values = _p_values(p)
        done = np.zeros(values.shape, dtype=bool)
        for _ in range(len(self.weights)):
            weights = self.left(done)
            now = done | ((values <= weights * alpha) & (weights > 0))
            if np.array_equal(now, done):
                break
            done = now
        return done

    def adjusted(self, p: ArrayLike) -> Floats:
        """Adjusted p values, (R, H): the least level at which each is rejected (1 if none)."""
        values = _p_values(p)
        rows = np.arange(len(values))
        done = np.zeros(values.shape, dtype=bool)
        out, highest = np.ones_like(values), np.zeros(len(values))
        for _ in range(values.shape[1]):
            weights = self.left(done)
            some = (weights > 0) & ~done
            ratio = np.where(some, values / np.where(some, weights, 1.0), np.inf)
            best = ratio.argmin(axis=1)
            highest = np.maximum(highest, np.minimum(ratio[rows, best], 1.0))
            testable = some[rows, best]
            out[rows[testable], best[testable]] = highest[testable]
            done[rows, best] |= testable
        return out


@lru_cache(maxsize=64)
def _weights_table(graph: Graph) -> Floats:
    h = len(graph.weights)
    table = np.zeros((1 << h, h))
    shares: list[Floats] = [np.zeros((h, h))] * (1 << h)
    table[0] = graph.weights
    shares[0] = np.asarray(graph.transitions or np.zeros((h, h)), dtype=np.float64)
    for rejected in range(1, 1 << h):
        last = rejected.bit_length() - 1
        before = rejected ^ (1 << last)
        table[rejected], shares[rejected] = _without(table[before], shares[before], last)
    table[table < _TINY] = 0.0  # no p value is small enough for such a weight
    table.setflags(write=False)
    return table


def _without(weights: Floats, shares: Floats, gone: int) -> tuple[Floats, Floats]:
    """Weights and transitions after one rejection (algorithm 1 of Bretz et al. 2009)."""
    moved = weights + weights[gone] * shares[gone]
    moved[gone] = 0.0
    through = shares + np.outer(shares[:, gone], shares[gone])
    back = 1 - shares[:, gone] * shares[gone]
    new = np.where(back[:, None] > _TINY, through / np.maximum(back, _TINY)[:, None], 0.0)
    np.fill_diagonal(new, 0.0)
    new[gone] = new[:, gone] = 0.0
    return moved, new


def holm(hypotheses: int) -> Graph:
    """Holm's step-down procedure as a graph."""
    share = 1 / (hypotheses - 1) if hypotheses > 1 else 0.0
    return Graph(
        weights=(1 / hypotheses,) * hypotheses,
        transitions=tuple(
            tuple(0.0 if i == j else share for j in range(hypotheses)) for i in range(hypotheses)
        ),
    )


def fixed_sequence(hypotheses: int) -> Graph:
    """Test in the given order, each at the full level, until one is not rejected."""
    return fallback((1.0, *(0.0,) * (hypotheses - 1)))


def fallback(weights: tuple[float, ...]) -> Graph:
    """Test in the given order; a rejected hypothesis leaves its weight to the next one."""
    h = len(weights)
    return Graph(
        weights=weights,
        transitions=tuple(tuple(float(j == i + 1) for j in range(h)) for i in range(h)),
    )


def bonferroni(weights: tuple[float, ...]) -> Graph:
    """Fixed shares of the level."""
    return Graph(weights=weights)


def hochberg(p: ArrayLike) -> Floats:
    """Adjusted p values of Hochberg's step-up procedure, (R, H)."""
    values = _p_values(p)
    order = np.argsort(-values, axis=1)
    largest_first = np.take_along_axis(values, order, axis=1) * np.arange(1, values.shape[1] + 1)
    stepped = np.minimum(np.minimum.accumulate(largest_first, axis=1), 1.0)
    out = np.empty_like(values)
    np.put_along_axis(out, order, stepped, axis=1)
    return out


def intersections(hypotheses: int) -> Booleans:
    """All intersection hypotheses, (2^H - 1, H): row s - 1 holds those whose bit is set in s.

    Raises
    ------
    InputError
        For more than `MOST` hypotheses.
    """
    if not 1 <= hypotheses <= MOST:
        raise InputError(f"hypotheses: {hypotheses} came; closed tests take 1 to {MOST}")
    numbers = np.arange(1, 1 << hypotheses)
    return ((numbers[:, None] >> np.arange(hypotheses)) & 1).astype(bool)


def simes(p: ArrayLike) -> Floats:
    """P values of all intersections by Simes' test, (R, 2^H - 1)."""
    values = _p_values(p)
    out = []
    for members in intersections(values.shape[1]):
        ranked = np.sort(values[:, members], axis=1)
        size = ranked.shape[1]
        out.append((ranked * size / np.arange(1, size + 1)).min(axis=1))
    return np.stack(out, axis=1)


def weighted_bonferroni(p: ArrayLike, graph: Graph) -> Floats:
    """P values of all intersections by the weights that a graph gives them, (R, 2^H - 1)."""
    values = _p_values(p)
    members = intersections(values.shape[1])
    weights = graph.left(~members)
    out = []
    for inside, share in zip(members, weights, strict=True):
        some = inside & (share > 0)
        scaled = values[:, some] / share[some] if some.any() else np.ones((len(values), 1))
        out.append(np.minimum(scaled.min(axis=1), 1.0))
    return np.stack(out, axis=1)


def closed_p_values(p: ArrayLike) -> Floats:
    """Adjusted p values (R, H) from those of all intersections (R, 2^H - 1).

    A hypothesis is rejected if every intersection that holds it is.
    """
    of_sets = np.asarray(p, dtype=np.float64)
    members = intersections(int(of_sets.shape[1] + 1).bit_length() - 1)
    return np.stack([of_sets[:, column].max(axis=1) for column in members.T], axis=1)


def closed_rejections(rejected: ArrayLike) -> Booleans:
    """Hypotheses (R, H) whose every intersection among (R, 2^H - 1) is rejected."""
    of_sets = np.asarray(rejected, dtype=bool)
    members = intersections(int(of_sets.shape[1] + 1).bit_length() - 1)
    return np.stack([of_sets[:, column].all(axis=1) for column in members.T], axis=1)


def _p_values(p: ArrayLike) -> Floats:
    values = np.atleast_2d(np.asarray(p, dtype=np.float64))
    return np.where(np.isnan(values), 1.0, values)
