"""Multiple synthesis: each synthesis from a model refitted to a bootstrap resample of patients.

Syntheses drawn from one fit all repeat that fit's error, so what lies between them is Monte Carlo
noise alone. A refit to a resample moves as the fit would move over trials, which is what a
variance needs; `simulation.analysis.combining` turns the syntheses into one estimate.

K-fold members cannot do this: two of them share (K - 2)/(K - 1) of their patients, so that the
variance of a mean between members is K/(K - 1)^2 of its sampling variance (.31 for K = 5).

A resample holds a patient more than once. An engine that stops its training early on patients left
out sees copies of some of them, so that its refits stop a little later than its own fit would.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import pandas as pd

from extraction.records import Cohort, InputError, RefusedError
from extraction.records.files import write_atomically
from generation.engine import Progress, check_trainable, report_progress
from generation.randomness import generator, integer_seed
from generation.registry import engine_class, fit
from generation.tokenizer import IntArray

MINIMUM_REFITS = 20
"""Fewest refits on which a variance may rest (their variance then has a relative SE of .32)."""

_FORMAT = 1
_WORK = "synthesis.json"
_TABLES = ("observations", "derived", "episodes", "events")


@dataclass(frozen=True)
class MultipleSynthesis:
    """Synthetic cohorts of as many bootstrap refits.

    Attributes
    ----------
    cohorts
        One synthetic cohort a refit.
    digests
        Their digests: SHA-256 of the cohorts' canonical bytes.
    n_train
        Real patients behind every refit.
    work
        What was done: engine, its version, options, seed, digest of the data.
    """

    cohorts: tuple[Cohort, ...]
    digests: tuple[str, ...]
    n_train: int
    work: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.cohorts)

    def save(self, folder: Path | str) -> Path:
        """Write to a folder: one cohort folder a refit, and what they are."""
        place = _open(Path(folder), dict(self.work))
        for k, cohort in enumerate(self.cohorts):
            if not _place(place, k).exists():
                cohort.write(_place(place, k))
        return place

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Read a finished multiple synthesis.

        Raises
        ------
        InputError
            If the folder is none, or some refits are not finished.
        """
        place = Path(folder)
        work = _read_work(place)
        left = [k for k in range(work["m"]) if not _place(place, k).exists()]
        if left:
            raise InputError(
                f"{place.name}: {len(left)} of {work['m']} refits are not finished; call multiple "
                "with the same arguments and folder to go on"
            )
        cohorts = tuple(Cohort.read(_place(place, k)) for k in range(work["m"]))
        return cls(cohorts, tuple(c.digest() for c in cohorts), work["n_train"], work)


def multiple(
    cohort: Cohort,
    engine: str = "twin",
    m: int = 20,
    seed: int = 0,
    n: int | None = None,
    progress: Progress | None = None,
    *,
    folder: Path | str | None = None,
    scheme: Literal["bootstrap", "k_fold"] = "bootstrap",
    **options: Any,
) -> MultipleSynthesis:
    """Fit m models to bootstrap resamples of the patients and draw one cohort from each.

    Parameters
    ----------
    cohort
        Real patients; the resamples keep the size of each arm of a randomised trial.
    m
        Refits, at least 2; 20 or more where a variance is claimed.
    n
        Synthetic patients of each; as many as there are real ones by default.
    folder
        Where finished refits are kept. A second call with the same arguments does those that are
        missing only, and gives the same cohorts as an uninterrupted one.
    scheme
        Only "bootstrap"; see the module's first lines for why K-fold members are refused.
    options
        The engine's own options.

    Raises
    ------
    RefusedError
        For K-fold members.
    InputError
        For wrong arguments, or a folder of other work.
    """
    if scheme != "bootstrap":
        raise RefusedError(
            "scheme: 'k_fold' is refused where a variance is claimed: members share most of their "
            "patients, and a mean varies between them K/(K - 1)^2 as much as between trials (.31 "
            "for K = 5); use 'bootstrap'"
        )
    work = describe(cohort, engine, m, seed, n, options)
    place = None if folder is None else _open(Path(folder), work)
    made: list[Cohort] = []
    for k in range(m):
        report_progress(progress, f"refit {k + 1} of {m}", k / m)
        made.append(_kept(cohort, work, k, place))
    report_progress(progress, "refits done", 1.0)
    return MultipleSynthesis(
        tuple(made), tuple(c.digest() for c in made), len(cohort), work
    )


def describe(
    cohort: Cohort, engine: str, m: int, seed: int, n: int | None, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Check the arguments of `multiple` and name the work by plain values.

    Raises
    ------
    InputError
        With every fault.
    """
    kind = engine_class(engine)
    check_trainable(cohort, engine)
    faults = []
    if not 2 <= m <= 10_000:
        faults.append(f"m: {m} came; it must be from 2 to 10,000")
    if n is not None and n < 1:
        faults.append(f"n: {n} came; it must be at least 1")
    if faults:
        raise InputError(faults)
    return {
        "format": _FORMAT,
        "engine": engine,
        "engine_version": kind.engine_version,
        "options": dict(options),
        "m": m,
        "n": n or len(cohort),
        "n_train": len(cohort),
        "seed": seed,
        "data_digest": cohort.digest(),
    }


def replicate(cohort: Cohort, work: Mapping[str, Any], index: int) -> Cohort:
    """Refit number `index` and its synthetic cohort: a pure function, the caller's to spread."""
    seed = int(work["seed"])
    chosen = resample(cohort, bootstrap_rows(cohort, seed, index))
    model = fit(
        chosen, work["engine"], seed=integer_seed(seed, "synthesis.fit", index), **work["options"]
    )
    return model.sample(work["n"], seed=integer_seed(seed, "synthesis.sample", index))


def bootstrap_rows(cohort: Cohort, seed: int, index: int) -> IntArray:
    """Subject rows of resample number `index`, shape (n,): within arms if these are randomised."""
    rng = generator(seed, "synthesis.bootstrap", index)
    rows = np.arange(len(cohort))
    if not cohort.schema.randomised:
        return rng.choice(rows, len(rows))
    arms = cohort.subjects["arm"].fillna("").to_numpy().astype(str)
    chosen = [rng.choice(rows[arms == arm], int((arms == arm).sum())) for arm in np.unique(arms)]
    return np.sort(np.concatenate(chosen))


def resample(cohort: Cohort, rows: IntArray) -> Cohort:
    """Patients at these subject rows, repeats allowed; each copy is a subject of its own.

    The copies are named ``B-000001`` and so on in the order of `rows`.
    """
    names = np.array([f"B-{k + 1:06d}" for k in range(len(rows))], dtype=object)
    subjects = cohort.subjects.iloc[rows].reset_index(drop=True)
    drawn = pd.DataFrame({"_row": rows, "_name": names})
    tables = {}
    for name in _TABLES:
        frame = getattr(cohort, name)
        copies = frame.assign(_row=cohort.positions(frame)).merge(drawn, on="_row")
        tables[name] = copies.assign(subject_id=copies["_name"]).drop(columns=["_row", "_name"])
    return Cohort.build(
        cohort.schema, subjects.assign(subject_id=names), sources=cohort.sources, **tables
    )


def _kept(cohort: Cohort, work: Mapping[str, Any], index: int, place: Path | None) -> Cohort:
    """Refit number `index`, read from its folder if it is there already."""
    if place is None:
        return replicate(cohort, work, index)
    folder = _place(place, index)
    if not folder.exists():
        replicate(cohort, work, index).write(folder)
    return Cohort.read(folder)


def _place(folder: Path, index: int) -> Path:
    return folder / f"replicate-{index:05d}"


def _open(folder: Path, work: Mapping[str, Any]) -> Path:
    """Make the folder of a work, or check that it is this work's.

    Raises
    ------
    InputError
        If the folder holds other work.
    """
    if (folder / _WORK).exists():
        held = _read_work(folder)
        other = sorted(key for key in work if held.get(key) != work[key])
        if other:
            raise InputError(
                f"{folder.name}: it holds a synthesis of another {', '.join(other)}; go on with "
                "the same arguments or choose a new folder"
            )
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(dict(work), indent=1, sort_keys=True) + "\n"
    write_atomically(folder / _WORK, text.encode())
    return folder


def _read_work(folder: Path) -> dict[str, Any]:
    try:
        work = json.loads((folder / _WORK).read_text("utf-8"))
    except (OSError, ValueError):
        raise InputError(
            f"{folder.name}: no multiple synthesis ({_WORK} is missing or cannot be read)"
        ) from None
    if work.get("format") != _FORMAT:
        raise InputError(f"{folder.name}: written by another version; make it again")
    return dict(work)
