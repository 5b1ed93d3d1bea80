"""Real trials for the benchmark of external controls: their sites, and banks to resample.

ACTG320 names no sites. Its pseudo-sites are thirds fixed by hashes before any outcome was read:
"random" (the hash alone) and "case mix" (the hash and the CD4 count, so that sites differ in whom
they see). The pilot's sites are real; they are dealt into three groups by their rank. Only the
development three quarters of each trial are used (`benchmarks.lockbox`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from benchmarks.lockbox import development
from extraction.records import Cohort
from extraction.sources.public import public_trial
from simulation.analysis.arrays import BoolArray, FloatArray, IntArray
from simulation.analysis.external.time_to_event import pseudo_values
from simulation.analysis.linear import predict_masked

GROUPS = 3
ACTG320_DAYS, PILOT_DAYS = 240.0, 84.0


@dataclass(frozen=True)
class Trial:
    """Treated and randomised controls of one trial, by hidden group.

    Attributes
    ----------
    name, outcome
        In words.
    better
        Sign of a benefit in the outcome: 1 or -1.
    ids, treated, group
        Per patient (N,): identifier, arm and hidden group.
    x, columns
        Baseline (N, P) and names.
    y
        Outcome (N,); NaN where it is time-to-event.
    time, event
        Days and indicator (N,), or None for a measured outcome.
    horizon
        Days of the restricted mean; NaN for a measured outcome.
    """

    name: str
    outcome: str
    better: float
    ids: npt.NDArray[np.str_]
    treated: BoolArray
    group: IntArray
    x: FloatArray
    columns: tuple[str, ...]
    y: FloatArray
    time: FloatArray | None = None
    event: FloatArray | None = None
    horizon: float = float("nan")

    def values(self, rows: BoolArray) -> FloatArray:
        """Outcomes of one group of patients: measured, or pseudo-values of the restricted mean."""
        if self.time is None or self.event is None:
            return self.y[rows]
        return pseudo_values(self.time[rows], self.event[rows], self.horizon)


def _unit(ids: npt.NDArray[np.str_], salt: str) -> FloatArray:
    """A number in (0, 1) per patient by hash: chosen by no seed and no outcome."""
    digests = (hashlib.blake2b(f"{salt}|{i}".encode(), digest_size=8).digest() for i in ids)
    return np.array([(int.from_bytes(d, "big") + 0.5) / 2.0**64 for d in digests])


def visible_half(ids: npt.NDArray[np.str_]) -> BoolArray:
    """The half of hidden controls that the hybrid design sees, by hash."""
    seen: BoolArray = _unit(ids, "visible") < 0.5
    return seen


def _thirds(key: FloatArray) -> IntArray:
    ranks = np.argsort(np.argsort(key, kind="stable"), kind="stable")
    return np.asarray(ranks * GROUPS // key.size, dtype=np.int64)


def _z(values: FloatArray) -> FloatArray:
    return np.asarray((values - values.mean()) / values.std(), dtype=np.float64)


@cache
def cohort(name: str) -> Cohort:
    """Development part of a public trial."""
    return development(public_trial(name))


@cache
def actg320(split: str = "random") -> Trial:
    """ACTG320, AIDS or death; `split` is "random" or "case mix"."""
    table = cohort("actg320").to_table()
    ids = table["subject_id"].to_numpy(dtype=str)
    cd4 = np.log1p(table["cd4"].to_numpy(dtype=float))
    key = _unit(ids, "pseudo-site")
    if split == "case mix":
        key = _z(key) + 0.5 * _z(cd4)
    columns = {
        "age": table["age"],
        "log CD4": cd4,
        "Karnofsky": table["karnof"],
        "male": table["sex"] == "male",
        "white": table["race"] == "white",
        "drug use": table["ivdrug"] == "yes",
        "log prior ZDV": np.log1p(table["priorzdv"]),
    }
    return Trial(
        f"ACTG320, {split} pseudo-sites",
        f"days free of AIDS and death, first {ACTG320_DAYS:g}",
        1.0,
        ids,
        (table["arm"] != "ZDV + 3TC").to_numpy(),
        _thirds(key),
        np.column_stack([np.asarray(v, dtype=np.float64) for v in columns.values()]),
        tuple(columns),
        np.full(len(table), np.nan),
        table["aids_time"].to_numpy(dtype=float),
        table["aids_event"].to_numpy(dtype=float),
        ACTG320_DAYS,
    )


@cache
def actg175() -> Trial:
    """ACTG175's zidovudine arm as historical controls; nobody is treated. Another endpoint."""
    table = cohort("actg175").to_table()
    table = table[table["arm"] == "ZDV"]
    columns = {
        "age": table["age"],
        "log CD4": np.log1p(table["cd4"]),
        "Karnofsky": table["karnof"],
        "male": table["sex"] == "male",
        "white": table["race"] == "white",
        "drug use": table["ivdrug"] == "yes",
    }
    return Trial(
        "ACTG175, zidovudine",
        f"days free of CD4 decline, AIDS and death, first {ACTG320_DAYS:g}",
        1.0,
        table["subject_id"].to_numpy(dtype=str),
        np.zeros(len(table), dtype=bool),
        np.zeros(len(table), dtype=np.int64),
        np.column_stack([np.asarray(v, dtype=np.float64) for v in columns.values()]),
        tuple(columns),
        np.full(len(table), np.nan),
        table["progression_time"].to_numpy(dtype=float),
        table["progression_event"].to_numpy(dtype=float),
        ACTG320_DAYS,
    )


@cache
def pilot(outcome: str = "ADAS") -> Trial:
    """The CDISC pilot, high dose and placebo, sites in three groups.

    "ADAS": change of ADAS-Cog at week 8 among those measured then (by week 24 more than half of
    the high dose are gone). "dermatologic": days to the first dermatologic event.
    """
    whole = cohort("cdisc_pilot")
    people = whole.subjects.assign(week8=whole.at_visit("ADAS", "Week 8").to_numpy())
    events = whole.events[whole.events["endpoint"] == "dermatologic"].set_index("subject_id")
    people["site rank"] = np.unique(people["SITEGR1"].to_numpy(dtype=str), return_inverse=True)[1]
    people = people[people["arm"].isin(["Placebo", "Xanomeline High Dose"])]
    measured = outcome == "ADAS"
    if measured:
        people = people[people["week8"].notna()]
    columns = {
        "age": people["AGE"],
        "female": people["SEX"] == "F",
        "ADAS-Cog": people["ADASBL"],
        "MMSE": people["MMSETOT"],
        "log duration": np.log1p(people["DURDIS"]),
    }
    ids = people["subject_id"].to_numpy(dtype=str)
    own = events.loc[ids]
    return Trial(
        "CDISC pilot, sites",
        "ADAS-Cog change at week 8" if measured else f"days free of dermatologic events, first "
        f"{PILOT_DAYS:g}",
        -1.0 if measured else 1.0,
        ids,
        (people["arm"] != "Placebo").to_numpy(),
        people["site rank"].to_numpy(dtype=np.int64) % GROUPS,
        np.column_stack([np.asarray(v, dtype=np.float64) for v in columns.values()]),
        tuple(columns),
        (people["week8"] - people["ADASBL"]).to_numpy(dtype=float),
        None if measured else own["day"].to_numpy(dtype=float),
        None if measured else own["observed"].to_numpy(dtype=float),
        float("nan") if measured else PILOT_DAYS,
    )


@dataclass(frozen=True)
class Bank:
    """Real controls to resample.

    Attributes
    ----------
    x, y
        Baseline (N, P) and outcome (N,), signed so that more is better, in standard deviations.
    score, residual
        Outcome explained by the baseline, and the rest (N,).
    """

    x: FloatArray
    y: FloatArray
    score: FloatArray
    residual: FloatArray

    def drifted(self, kind: str, size: float) -> FloatArray:
        """Chances (N,) to draw each patient so that the external controls fare worse.

        "measured" lowers the mean of the prognostic score by `size` of its standard deviations;
        "unmeasured" lowers the mean outcome by `size` of its own, and keeps the means of all
        baseline columns. Exponential tilting: the least change that does it.
        """
        if kind == "measured":
            return tilted(_z(self.score)[:, None], np.array([-size]))
        moments = np.column_stack([self.residual, (self.x - self.x.mean(0)) / self.x.std(0)])
        return tilted(moments, np.r_[-size, np.zeros(self.x.shape[1])])


def tilted(moments: FloatArray, aim: FloatArray) -> FloatArray:
    """Chances (N,) proportional to exp(moments . b) whose weighted means of columns are `aim`.

    Raises
    ------
    ValueError
        Where no patients have such means.
    """
    from scipy.optimize import minimize
    from scipy.special import logsumexp, softmax

    away = moments - aim
    # Aims out of reach drive the slopes to infinity.
    with np.errstate(over="ignore", invalid="ignore"):
        found = minimize(
            lambda b: float(logsumexp(away @ b)),
            np.zeros(aim.size),
            jac=lambda b: softmax(away @ b) @ away,
            method="BFGS",
            options={"gtol": 1e-8},
        )
    chances: FloatArray = softmax(away @ found.x)
    if np.abs(chances @ away).max() > 1e-4:
        raise ValueError("drift: too large for these patients; choose a smaller one")
    return chances


@cache
def bank(name: str) -> Bank:
    """Controls of "actg320" (pseudo-values) or "pilot" (ADAS-Cog change at week 8)."""
    trial = actg320() if name == "actg320" else pilot()
    rows = ~trial.treated
    raw = trial.better * trial.values(rows)
    y, x = _z(raw), trial.x[rows]
    score = predict_masked(x[None], y[None], np.ones((1, y.size)))[0]
    return Bank(x, y, score, y - score)
