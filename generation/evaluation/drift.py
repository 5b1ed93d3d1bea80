"""What moved between the patients a model describes and patients who came later."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import chi2, ks_2samp, kstwobign, norm

from extraction.records import Cohort
from generation.evaluation.metric import plain
from generation.evaluation.running import one_thread
from generation.evaluation.separation import detect
from generation.evaluation.survival import cox_ridge, times_events
from generation.evaluation.tables import EndpointColumns, Floats, Table, tables
from generation.randomness import integer_seed

if TYPE_CHECKING:
    import pandas as pd

    from generation.engine import Model

LEVEL = 0.05
"""Chance that any column is called moved although none has moved."""
_FEWEST_EVENTS = 5
_LEAST_MISSING = 0.01
_MOST_DRAWN = 4000


@dataclass(frozen=True)
class Shift:
    """How far one column (or endpoint) moved.

    Parameters
    ----------
    column, measure
        What was compared and how: "standardised mean difference", "difference of shares" (the
        level that moved most), "difference of missing shares" or "log hazard ratio".
    value, low, high
        New patients less the model's, and its 95 % interval (of one column alone).
    p_value
        Holm-adjusted over all columns.
    """

    column: str
    measure: str
    value: float
    low: float
    high: float
    p_value: float

    @property
    def moved(self) -> bool:
        """Whether the column moved, at 5 % over all columns."""
        return self.p_value < LEVEL

    @property
    def sentence(self) -> str:
        """The finding in words."""
        told = "moved" if self.moved else "not shown to have moved"
        return (
            f"{self.column}: {self.measure} {self.value:+.2f} [{self.low:+.2f}, {self.high:+.2f}], "
            f"adjusted p {self.p_value:.3f}: {told}."
        )


@dataclass(frozen=True)
class DriftReport:
    """What moved, by how much, with what certainty.

    Parameters
    ----------
    shifts
        One a column, the surest first.
    patients, n_train
        New patients, and those behind the model.
    separation
        Area under the curve of a classifier that tells new patients from the model's, with its
        95 % interval; .5 when nothing moved and the model is faithful.
    """

    shifts: tuple[Shift, ...]
    patients: int
    n_train: int
    separation: tuple[float, float, float]

    @property
    def moved(self) -> tuple[str, ...]:
        """Names of what moved."""
        return tuple(shift.column for shift in self.shifts if shift.moved)

    @property
    def sentences(self) -> tuple[str, ...]:
        """One line a column that moved, then how well the two are told apart."""
        area, low, high = self.separation
        lines = [shift.sentence for shift in self.shifts if shift.moved]
        lines = lines or ["No column is shown to have moved."]
        return (
            *lines,
            f"New patients are told from the model's with AUC {area:.3f} [{low:.3f}, {high:.3f}] "
            "(0.5 is chance).",
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        area, low, high = self.separation
        return {
            "patients": self.patients,
            "n_train": self.n_train,
            "moved": list(self.moved),
            "separation": plain({"area": area, "low": low, "high": high}),
            "shifts": [plain({**vars(s), "moved": s.moved}) for s in self.shifts],
        }

    def to_frame(self) -> pd.DataFrame:
        """One row a column."""
        import pandas as pd

        return pd.DataFrame([{**vars(s), "moved": s.moved} for s in self.shifts])


@one_thread()
def drift(model: Model, cohort: Cohort, seed: int = 0) -> DriftReport:
    """Compare patients with what a model expects.

    The model stands for the patients it learnt from. However many synthetic patients are drawn,
    its side of every comparison has the variance of `n_train` patients, and that of the draws.

    Parameters
    ----------
    cohort
        Patients the model has not learnt from, of its schema.
    """
    n_train = model.card.n_train
    drawn = model.sample(min(_MOST_DRAWN, max(4 * len(cohort), 4 * n_train)), seed=seed)
    new, old = tables([cohort, drawn], real=[0], names=("new", "the model's sample"))
    return DriftReport(
        shifts(new, old, n_train), len(cohort), n_train, _separation(new, old, n_train, seed)
    )


def shifts(new: Table, old: Table, n_train: int) -> tuple[Shift, ...]:
    """Every column's shift, Holm-adjusted, the surest first.

    Parameters
    ----------
    new, old
        New patients and the model's.
    n_train
        Patients behind the model. Its side varies with them and with what was drawn: by
        1/n_train + 1/drawn.
    """
    behind = 1 / (1 / n_train + 1 / max(len(old), 1))
    return tuple(_adjusted(sorted(_shifts(new, old, behind), key=lambda s: s.p_value)))


def _shifts(new: Table, old: Table, n_train: float) -> Iterator[Shift]:
    layout = new.layout
    times = {e.time for e in layout.endpoints}
    events = {e.event for e in layout.endpoints}
    for endpoint in layout.endpoints:
        yield from _hazards(endpoint, new, old, n_train)
    for j, name in enumerate(layout.numeric):
        if j not in times:
            ours, theirs = new.numbers[:, j], old.numbers[:, j]
            gaps, lost = np.isnan(ours), np.isnan(theirs)
            yield from _missing(name, gaps, lost, n_train)
            yield from _numbers(name, ours[~gaps], theirs[~lost], n_train / len(old))
    for j, name in enumerate(layout.categorical):
        if j not in events:
            mine, known = new.codes[:, j], old.codes[:, j]
            yield from _missing(name, mine < 0, known < 0, n_train)
            yield from _shares(name, mine[mine >= 0], known[known >= 0], n_train / len(old))


def _numbers(name: str, new: Floats, old: Floats, share: float) -> Iterator[Shift]:
    """Standardised mean difference, with the Kolmogorov-Smirnov test of the whole law."""
    if len(new) < 2 or len(old) < 2:
        return
    behind = max(share * len(old), 1.0)
    spread = float(np.sqrt((new.var(ddof=1) + old.var(ddof=1)) / 2)) or 1.0
    value = float(new.mean() - old.mean()) / spread
    se = float(np.sqrt(1 / len(new) + 1 / behind))
    distance = float(ks_2samp(new, old).statistic)
    p = float(kstwobign.sf(distance / se))
    yield Shift(name, "standardised mean difference", value, *_interval(value, se), p)


def _shares(name: str, new: np.ndarray, old: np.ndarray, share: float) -> Iterator[Shift]:
    """Difference of the share that moved most, with the chi-squared test of all."""
    if not len(new) or not len(old):
        return
    levels = int(max(new.max(), old.max())) + 1
    behind = max(share * len(old), 1.0)
    ours, theirs = (np.bincount(c, minlength=levels) / len(c) for c in (new, old))
    pooled = (len(new) * ours + behind * theirs) / (len(new) + behind)
    wide = 1 / len(new) + 1 / behind
    seen = pooled > 0
    statistic = float((((ours - theirs) ** 2)[seen] / pooled[seen]).sum()) / wide
    worst = int(np.abs(ours - theirs).argmax())
    value = float(ours[worst] - theirs[worst])
    se = float(np.sqrt(max(pooled[worst] * (1 - pooled[worst]), 1e-12) * wide))
    p = float(chi2.sf(statistic, max(int(seen.sum()) - 1, 1)))
    yield Shift(name, "difference of shares", value, *_interval(value, se), p)


def _missing(name: str, new: np.ndarray, old: np.ndarray, n_train: float) -> Iterator[Shift]:
    pooled = float((new.sum() + old.mean() * n_train) / (len(new) + n_train))
    if not _LEAST_MISSING < pooled < 1 - _LEAST_MISSING:
        return
    value = float(new.mean() - old.mean())
    se = float(np.sqrt(pooled * (1 - pooled) * (1 / len(new) + 1 / n_train)))
    p = float(2 * norm.sf(abs(value) / se))
    yield Shift(name, "difference of missing shares", value, *_interval(value, se), p)


def _hazards(
    endpoint: EndpointColumns, new: Table, old: Table, n_train: float
) -> Iterator[Shift]:
    """Log hazard ratio of the new patients, without covariates."""
    parts = [times_events(t, endpoint) for t in (new, old)]
    kept = [(time[known], event[known]) for time, event, known in parts]
    happened = [int(event.sum()) for _, event in kept]
    behind = happened[1] * n_train / len(old)
    if min(happened[0], behind) < _FEWEST_EVENTS:
        return
    time, event = (np.concatenate([k[i] for k in kept]) for i in (0, 1))
    group = np.repeat([1.0, 0.0], [len(k[0]) for k in kept])
    value = float(cox_ridge(group[:, None], time, event, 1e-6)[0])
    se = float(np.sqrt(1 / happened[0] + 1 / behind))
    p = float(2 * norm.sf(abs(value) / se))
    yield Shift(endpoint.name, "log hazard ratio", value, *_interval(value, se), p)


def _interval(value: float, se: float) -> tuple[float, float]:
    return value - 1.96 * se, value + 1.96 * se


def _adjusted(shifts: list[Shift]) -> list[Shift]:
    """Holm's step-down adjustment of rising p-values (Holm 1979)."""
    adjusted, so_far = [], 0.0
    for place, shift in enumerate(shifts):
        so_far = min(1.0, max(so_far, (len(shifts) - place) * shift.p_value))
        adjusted.append(Shift(**{**vars(shift), "p_value": so_far}))
    return adjusted


def _separation(new: Table, old: Table, n_train: int, seed: int) -> tuple[float, float, float]:
    """Area of a classifier at equal sizes; its error widened for the patients behind the model."""
    size = min(len(new), len(old))
    found = detect(old.head(size), new.head(size), integer_seed(seed, "drift"))
    se = float(np.sqrt(found.se**2 + (found.synthetic**2).sum() * size / n_train))
    return found.area, found.area - 1.96 * se, found.area + 1.96 * se
