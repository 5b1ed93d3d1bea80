"""Drawing patients again, each by their own number, until everything asked of them holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from extraction.records import Cohort, InputError
from generation.randomness import integer_seed
from generation.request import SampleRequest, subject_names, subject_numbers

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
Judged = Callable[[SampleRequest], tuple[Cohort, dict[str, BoolArray]]]

_HOPELESS = 3000  # redraws without a single success after which more would be a waste
_WIDEST = 64
_MOST_ROWS = 20_000


def every(checks: dict[str, BoolArray], n: int) -> BoolArray:
    """Whether each of n patients meets everything, shape (n,)."""
    return np.asarray(np.all([np.ones(n, dtype=bool), *checks.values()], axis=0))


@dataclass(frozen=True)
class Redraws:
    """Later draws of patients who break something, in blocks of attempts that grow wider.

    A block draws every patient who waits `width` times over at once, as patients of their own
    numbers, and keeps each one's first success: few calls of an engine, however rare it is.

    Attributes
    ----------
    judged
        Draws a request's patients and tells what each of them meets.
    request
        What is asked.
    keyed
        Whether draws belong to the patients' numbers.
    most
        Draws of one patient, the first included, before the request is given up.
    patience
        Redraws without a single success after which it is given up.
    """

    judged: Judged
    request: SampleRequest
    keyed: bool
    most: int
    patience: int

    def run(self, cohort: Cohort, checks: dict[str, BoolArray]) -> tuple[Cohort, int]:
        """Replace the patients who break something; also the number of draws in all."""
        met = every(checks, len(cohort))
        numbers = subject_numbers(cohort.subject_ids)
        kept, waiting = [cohort.take(met)], np.sort(numbers[~met])
        counts = {title: [int(ok.sum()), len(ok)] for title, ok in checks.items()}
        attempts, block, redraws, accepted = 1, 0, 0, 0
        while attempts < self.most and (accepted or redraws < max(_HOPELESS, self.patience)):
            width, block = min(2 ** max(block - 3, 0), _WIDEST), block + 1
            for k, part in enumerate(np.array_split(waiting, self._parts(waiting, width))):
                made, found = self._block(part, width, block, k)
                for title, ok in found.items():
                    counts[title][0] += int(ok.sum())
                    counts[title][1] += len(ok)
                chosen = self._first(made, every(found, len(made)), width)
                kept.append(chosen)
                redraws, accepted = redraws + len(made), accepted + len(chosen)
                waiting = np.setdiff1d(waiting, subject_numbers(chosen.subject_ids))
            attempts += width
            if not len(waiting):
                parts = [part for part in kept if len(part)]
                return Cohort.concat(parts), len(cohort) + redraws
        raise InputError(_given_up(counts, len(waiting), self.request.n, self.most))

    def _parts(self, waiting: IntArray, width: int) -> int:
        return -(-len(waiting) * width // _MOST_ROWS)

    def _block(
        self, part: IntArray, width: int, block: int, k: int
    ) -> tuple[Cohort, dict[str, BoolArray]]:
        """Draw patients `width` times over; attempt j of patient p has number p * width + j."""
        ids = (block,) if self.keyed else (block, k)
        again = replace(
            self.request,
            patients=np.add.outer(part * width, np.arange(width)).ravel(),
            gate=False,
            seed=integer_seed(self.request.seed, "constraints", *ids),
        )
        return self.judged(again)

    def _first(self, made: Cohort, met: BoolArray, width: int) -> Cohort:
        """Each patient's first success, by the patient's own name."""
        if width == 1:
            return made.take(met)
        numbers = subject_numbers(made.subject_ids)
        rows = np.flatnonzero(met)
        rows = rows[np.argsort(numbers[rows])]
        first = rows[np.unique(numbers[rows] // width, return_index=True)[1]]
        chosen = np.zeros(len(made), dtype=bool)
        chosen[first] = True
        return _renamed(made.take(chosen), numbers[chosen] // width)


def _renamed(cohort: Cohort, numbers: IntArray) -> Cohort:
    """Patients under other numbers, shape (n,)."""
    if not len(cohort):
        return cohort
    names = subject_names(numbers, str(cohort.subject_ids[0])[0])
    return cohort.renamed(names)


def _given_up(counts: dict[str, list[int]], waiting: int, n: int, most: int) -> str:
    """Say which constraint is met most rarely."""
    share, title = min((ok / total, title) for title, (ok, total) in counts.items())
    return (
        f"constraints: {waiting} of {n} patients still break one after up to {most} draws each; "
        f"{title} is met by {share:.1%} of draws; widen the condition, or mend the constraint "
        "or the data it was declared for"
    )
