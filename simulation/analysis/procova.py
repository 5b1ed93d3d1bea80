"""PROCOVA: ANCOVA with a prognostic score locked on a historical trial.

A score is locked (hashed) before the target trial's outcomes are read. A tamper-evident log keeps
the order of events, and a score is refused when its hash differs, when it was learnt on the target
trial, or when the outcomes were read first. Qualified by EMA in September 2022.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from extraction.records.errors import InputError, RefusedError
from simulation.analysis.arrays import FloatArray, numeric, stop
from simulation.analysis.cox import CoxScore
from simulation.analysis.estimate import Estimand, Estimate, from_t
from simulation.analysis.prognostic import TrialData

Action = Literal["score locked", "outcomes read", "score used"]


def _sha256(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def folder_digest(folder: Path) -> str:
    """SHA-256 of a model folder: every file's relative name and bytes, in the order of names."""
    total = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = path.relative_to(folder).as_posix()
        total.update(json.dumps([name, hashlib.sha256(path.read_bytes()).hexdigest()]).encode())
    return total.hexdigest()


@dataclass(frozen=True)
class LogEntry:
    """One event: what happened to which trial or score, when, and the hash of the log so far."""

    action: Action
    study_id: str
    digest: str
    at: str
    chain: str


@dataclass(frozen=True)
class AnalysisLog:
    """Append-only order of events; each entry is chained to those before it by SHA-256."""

    entries: tuple[LogEntry, ...] = ()

    def add(self, action: Action, study_id: str, digest: str = "", at: str = "") -> AnalysisLog:
        """New log with one more event; `at` is a time stamp for readers, order is what counts."""
        before = self.entries[-1].chain if self.entries else ""
        chain = _sha256([before, action, study_id, digest, at])
        return AnalysisLog((*self.entries, LogEntry(action, study_id, digest, at, chain)))

    def position(self, action: Action, study_id: str, digest: str | None = None) -> int | None:
        """Place of the first such event, or None."""
        for place, entry in enumerate(self.entries):
            same = entry.action == action and entry.study_id == study_id
            if same and digest in (None, entry.digest):
                return place
        return None

    def intact(self) -> bool:
        """Whether no entry was changed, removed from within, or put in between."""
        again = AnalysisLog()
        for entry in self.entries:
            again = again.add(entry.action, entry.study_id, entry.digest, entry.at)
        return again == self

    def to_list(self) -> list[dict[str, str]]:
        """JSON-able entries in order."""
        return [dict(vars(entry)) for entry in self.entries]


@dataclass(frozen=True)
class LockedScore:
    """A frozen prognostic score (build with `lock_cox_score`, `lock_linear_score`, `lock_model`).

    Parameters
    ----------
    study_id
        The historical trial it was learnt on.
    data_digest
        Hash of the training data (`Cohort.digest()`), so that a renamed copy is recognised.
    content
        JSON-able definition: kind, columns, coefficients, centre, scale; or a model folder's hash.
    digest
        SHA-256 of the three above.
    """

    study_id: str
    data_digest: str
    content: Mapping[str, Any]
    digest: str

    @classmethod
    def of(cls, study_id: str, data_digest: str, content: Mapping[str, Any]) -> LockedScore:
        """Lock a definition: compute its hash."""
        return cls(study_id, data_digest, dict(content),
                   _sha256([study_id, data_digest, dict(content)]))

    def check(self, log: AnalysisLog, target_study: str, target_digest: str = "",
              folder: Path | None = None) -> None:
        """Refuse every use that PROCOVA does not allow.

        Parameters
        ----------
        log
            Events so far, in the order "score locked", the target's "outcomes read", and only
            then any "score used" in the target.
        target_study, target_digest
            The trial to be analysed and the hash of its data.
        folder
            The model folder, for scores that are a model.

        Raises
        ------
        RefusedError
            With all reasons together.
        """
        reasons = [*self._hash_faults(folder), *self._order_faults(log, target_study)]
        same_data = bool(target_digest) and target_digest == self.data_digest
        if target_study == self.study_id or same_data:
            reasons.append(f"score: learnt on {self.study_id}, the trial to be analysed; PROCOVA "
                           "needs historical data; use cross-fitted covariate adjustment")
        if reasons:
            raise RefusedError(reasons)

    def _hash_faults(self, folder: Path | None) -> list[str]:
        faults = []
        if _sha256([self.study_id, self.data_digest, dict(self.content)]) != self.digest:
            faults.append("score: its content does not match its hash; it was changed after the "
                          "lock; restore the locked score")
        expected = self.content.get("folder_digest")
        if expected is not None and (folder is None or folder_digest(folder) != expected):
            faults.append("score: the model folder is absent or does not match the locked hash; "
                          "give the folder that was locked")
        return faults

    def _order_faults(self, log: AnalysisLog, target_study: str) -> list[str]:
        faults = []
        if not log.intact():
            faults.append("log: its chain of hashes is broken; entries were changed; restore it")
        locked = log.position("score locked", self.study_id, self.digest)
        read = log.position("outcomes read", target_study)
        if locked is None:
            faults.append("log: no entry locks this score; lock it before outcomes are read")
        elif read is not None and read < locked:
            faults.append(f"log: outcomes of {target_study} were read before the score was locked; "
                          "such a score is not prespecified")
        if read is None:
            faults.append(f"log: no entry says when the outcomes of {target_study} were read, so "
                          "that the lock cannot be shown to be earlier; add 'outcomes read' "
                          "when they are read")
        used = log.position("score used", target_study, self.digest)
        if used is not None and (read is None or used < read):
            faults.append(f"log: the score was used in {target_study} before its outcomes were "
                          "read; the order is score locked, outcomes read, score used")
        return faults

    def score(self, columns: Mapping[str, ArrayLike]) -> FloatArray:
        """Linear score (N,) from the named baseline columns, each (N,).

        Raises
        ------
        InputError
            When a column is absent, or the score is a model folder (score with the model itself).
        """
        if "coefficients" not in self.content:
            raise InputError("score: a locked model folder has no formula; sample from the model")
        linear = CoxScore(tuple(self.content["names"]), np.asarray(self.content["coefficients"]),
                          np.asarray(self.content["centre"]), np.asarray(self.content["scale"]),
                          0.0, 0, 0)
        return linear.score(columns)


def lock_linear_score(study_id: str, names: tuple[str, ...], coefficients: FloatArray,
                      centre: FloatArray, scale: FloatArray, *, kind: str = "linear",
                      data_digest: str = "", n: int = 0) -> LockedScore:
    """Lock sum of coefficients * (x - centre) / scale over the named baseline columns."""
    return LockedScore.of(study_id, data_digest, {
        "kind": kind, "names": list(names), "coefficients": np.asarray(coefficients).tolist(),
        "centre": np.asarray(centre).tolist(), "scale": np.asarray(scale).tolist(), "n": n})


def lock_cox_score(study_id: str, score: CoxScore, data_digest: str = "") -> LockedScore:
    """Lock a score of `cox.fit_cox_score`."""
    return lock_linear_score(study_id, score.names, score.coefficients, score.centre, score.scale,
                             kind="log hazard ratio", data_digest=data_digest, n=score.n)


def lock_model(study_id: str, folder: Path, data_digest: str = "") -> LockedScore:
    """Lock a saved model by the hash of its folder."""
    return LockedScore.of(study_id, data_digest,
                          {"kind": "model", "folder_digest": folder_digest(folder)})


@dataclass(frozen=True)
class ScoreAdjusted:
    """ANCOVA with a locked score beside the same ANCOVA without it, per active arm."""

    effects: Mapping[str, Estimate]
    plain: Mapping[str, Estimate]
    variance_ratio: Mapping[str, float]
    partial_correlation: Estimate


def procova(trial: TrialData, score: LockedScore, values: ArrayLike, log: AnalysisLog,
            target_study: str, *, target_digest: str = "", folder: Path | None = None,
            level: float = 0.95, estimand: Estimand | None = None) -> ScoreAdjusted:
    """Adjust a trial for a locked score on top of its own covariates.

    Parameters
    ----------
    trial
        Outcomes, arms, baseline and site (`prognostic.trial_data`).
    score, log, target_study, target_digest, folder
        The locked score and what `LockedScore.check` needs.
    values
        Score of each patient (N,), from `score.score(columns)` or from the locked model.

    Returns
    -------
    ScoreAdjusted
        Effects with and without the score; ratios of squared standard errors; the partial
        correlation with its interval.

    Raises
    ------
    RefusedError
        When the score may not be used for this trial.
    """
    score.check(log, target_study, target_digest, folder)
    faults: list[str] = []
    column = numeric("values", values, faults, trial.y.shape)
    stop(faults)
    fitted, bare = trial.fit(trial.arms[None], column[None]), trial.fit(trial.arms[None])
    effects, plain = {}, {}
    for i, name in enumerate(trial.active):
        extra = {"arm": name, "control": trial.control, "score_digest": score.digest,
                 "score_learnt_on": score.study_id}
        plain[name] = from_t("ANCOVA", bare.effect[0, i], bare.se[0, i], trial.y.size, bare.df,
                             level=level, estimand=estimand)
        effects[name] = from_t("PROCOVA", fitted.effect[0, i], fitted.se[0, i], trial.y.size,
                               fitted.df, level=level, estimand=estimand, extra=extra)
    ratio = {name: float(effects[name].se**2 / plain[name].se**2) for name in trial.active}
    t = float(fitted.statistic[0, -1])
    r = t / np.sqrt(t**2 + fitted.df)
    return ScoreAdjusted(effects, plain, ratio, correlation(r, fitted.df + 2, level=level))


def correlation(r: float, n: int, *, level: float = 0.95) -> Estimate:
    """Interval of a correlation by Fisher's z; for a partial one, n less the columns held fixed.

    Raises
    ------
    InputError
        When |r| is not below 1 or fewer than four patients remain.
    """
    faults = [] if abs(r) < 1 else [f"r: {r:g}; allowed: above -1 and below 1; check the score"]
    if n < 4:
        faults.append(f"n: {n}; at least 4; a correlation of so few says nothing; add patients")
    stop(faults)
    line = from_t("Fisher's z", float(np.arctanh(r)), float(1 / np.sqrt(n - 3)), n, level=level)
    return Estimate("correlation, Fisher's z", None, float(r), line.se, float(np.tanh(line.low)),
                    float(np.tanh(line.high)), line.p_value, n, None,
                    {"scale": "se is that of Fisher's z", "level": level})
