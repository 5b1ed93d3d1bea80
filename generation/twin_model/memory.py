"""What the visit regressions remember of a patient: own values, gaps, and what was measured."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np

from generation.tokenizer import FloatArray

_FORGETTING = 0.5


@dataclass(frozen=True)
class Memory:
    """One variable's past by patient, shapes (n,); NaN where there is none.

    Attributes
    ----------
    last, mean, first
        Last value, mean of all, and first value.
    recent
        Mean that halves the weight of the past at each value.
    swing
        Mean absolute change between neighbouring values.
    count
        Number of values.
    day
        Day of the last value.
    """

    last: FloatArray
    mean: FloatArray
    first: FloatArray
    recent: FloatArray
    swing: FloatArray
    count: FloatArray
    day: FloatArray

    @classmethod
    def empty(cls, n: int) -> Self:
        """Nothing seen yet."""
        nothing = np.full(n, np.nan)
        return cls(nothing, nothing, nothing, nothing, nothing, np.zeros(n), nothing)

    def see(self, values: FloatArray, day: FloatArray) -> Memory:
        """Memory after values were seen on a day (NaN: not measured)."""
        seen, old = np.isfinite(values), self.count > 0
        count = self.count + seen
        total = np.where(old, self.mean * self.count, 0.0) + np.where(seen, values, 0.0)
        recent = np.where(old, self.recent + _FORGETTING * (values - self.recent), values)
        changes = np.maximum(self.count - 1, 0.0)
        moved = np.abs(values - self.last)
        swing = np.where(changes > 0, (self.swing * changes + moved) / (changes + 1), moved)
        return Memory(
            last=np.where(seen, values, self.last),
            mean=np.where(count > 0, total / np.maximum(count, 1), np.nan),
            first=np.where(old, self.first, np.where(seen, values, np.nan)),
            recent=np.where(seen, recent, self.recent),
            swing=np.where(seen & old, swing, self.swing),
            count=count,
            day=np.where(seen, day, self.day),
        )

    def take(self, rows: np.ndarray) -> Memory:
        """Some of the patients."""
        return Memory(*(getattr(self, f.name)[rows] for f in fields(self)))

    @classmethod
    def stack(cls, parts: list[Memory]) -> Memory:
        """Several groups of patients below each other."""
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))


@dataclass(frozen=True)
class History:
    """All that is known of n patients between two visits.

    Attributes
    ----------
    memory
        Past of each variable, on the scale of its regressions.
    day
        Day of the last visit, at least 0, shape (n,).
    visits
        Number of visits after baseline.
    gap, gap_mean
        Log of days between the last two visits, and its mean; NaN before two visits.
    measured, measured_share
        Which variables the last visit held and the share of visits that held each, shape (n, V);
        NaN before the first visit.
    attended, attended_share
        Whether the last planned visit was attended, and the share so far; NaN before the first.
    absent
        Planned visits missed since the last one attended.
    """

    memory: dict[str, Memory]
    day: FloatArray
    visits: FloatArray
    gap: FloatArray
    gap_mean: FloatArray
    measured: FloatArray
    measured_share: FloatArray
    seen: FloatArray
    attended: FloatArray
    attended_share: FloatArray
    due: FloatArray
    absent: FloatArray

    @classmethod
    def empty(cls, names: tuple[str, ...], n: int) -> Self:
        """Patients without any visit."""
        blank, wide, zero = np.full(n, np.nan), np.full((n, len(names)), np.nan), np.zeros(n)
        memory = {name: Memory.empty(n) for name in names}
        return cls(memory, zero, zero, blank, blank, wide, wide, zero, blank, blank, zero, zero)

    def __len__(self) -> int:
        return len(self.day)

    def see(
        self, day: FloatArray, attends: np.ndarray, values: dict[str, FloatArray],
        later: bool, due: np.ndarray,
    ) -> History:
        """History after one more visit.

        Parameters
        ----------
        day, attends
            Its day and who came, shape (n,).
        values
            What was measured, NaN where it was not.
        later
            Whether the visit lies after baseline.
        due
            Who was still followed when it was due.
        """
        memory = {name: m.see(values[name], day) for name, m in self.memory.items()}
        held = np.column_stack([
            np.zeros((len(day), 0)), *(np.isfinite(values[name]) for name in self.memory)
        ]).astype(np.float64)
        here = attends[:, None]
        seen = self.seen + attends
        share = np.where(self.seen[:, None] > 0, self.measured_share, 0.0)
        share = share + (held - share) / np.maximum(seen, 1)[:, None]
        since = np.maximum(day, 0.0) - self.day
        counts = attends & later & (since > 0)
        gap = np.log(np.where(counts, since, 1.0))
        number = self.visits + counts
        old = np.where(self.visits > 0, self.gap_mean, 0.0)
        times = self.due + due
        kept = np.where(self.due > 0, self.attended_share, 0.0)
        return replace(
            self,
            memory=memory,
            day=np.where(attends, np.maximum(day, self.day), self.day),
            visits=number,
            gap=np.where(counts, gap, self.gap),
            gap_mean=np.where(counts, old + (gap - old) / np.maximum(number, 1), self.gap_mean),
            measured=np.where(here, held, self.measured),
            measured_share=np.where(here, share, self.measured_share),
            seen=seen,
            attended=np.where(due, attends.astype(np.float64), self.attended),
            attended_share=np.where(
                due, kept + (attends - kept) / np.maximum(times, 1), self.attended_share
            ),
            due=times,
            absent=np.where(due, np.where(attends, 0.0, self.absent + 1), self.absent),
        )

    def take(self, rows: np.ndarray) -> History:
        """Some of the patients."""
        memory = {name: m.take(rows) for name, m in self.memory.items()}
        rest = {f.name: getattr(self, f.name)[rows] for f in fields(self) if f.name != "memory"}
        return History(memory=memory, **rest)

    @classmethod
    def stack(cls, parts: list[History]) -> History:
        """Several groups of patients below each other."""
        memory = {
            name: Memory.stack([p.memory[name] for p in parts]) for name in parts[0].memory
        }
        rest = {
            f.name: np.concatenate([getattr(p, f.name) for p in parts])
            for f in fields(cls) if f.name != "memory"
        }
        return cls(memory=memory, **rest)


@dataclass(frozen=True)
class Occasion:
    """One visit of n patients as the regressions see it.

    ``static`` penalised covariates (n, p); ``free`` unpenalised ones: visit or time, arm,
    arm by time (n, q); ``day`` the day of the visit and ``gap`` log of days since the last one.
    """

    static: FloatArray
    free: FloatArray
    day: FloatArray
    gap: FloatArray

    @classmethod
    def stack(cls, parts: list[Occasion]) -> Occasion:
        """Several visits below each other."""
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))

    def take(self, rows: np.ndarray) -> Occasion:
        """Some of the rows."""
        return Occasion(*(getattr(self, f.name)[rows] for f in fields(self)))
