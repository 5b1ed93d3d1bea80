"""How good forecasts are, judged only on patients whom the model has never seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from extraction.records import Cohort, InputError, VisitWindow
from generation import fit
from generation.randomness import integer_seed
from generation.twin_model.model import TwinModel
from simulation.analysis.ridge import baseline_features, ridge_learner
from simulation.twins.days import FEWEST_DRAWS, measured_visits
from simulation.twins.forecast import FloatArray, Forecast
from simulation.twins.twin import Twin

LEVELS = (0.5, 0.8, 0.95)
FEWEST_FOR_A_VERDICT = 400
_QUANTILES = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)


@dataclass(frozen=True, eq=False)
class ForecastValidation:
    """Out-of-fold forecasts of one variable at one visit, beside what really came.

    Parameters
    ----------
    patients
        One row a patient with a known outcome: arm, truth, the twin's mean, quantiles, PIT and
        CRPS, and the forecasts of the peers (``carry_forward``, ``ridge``).
    forecasts
        A few patients' whole forecasts, for fan charts, with their row in `patients`.
    without_truth
        Patients in follow-up at the start whose outcome was not observed: nothing can be said
        of how well they were forecast.
    not_seen
        Patients not observed at the first or the start visit, who are not forecast. The judged,
        those without a truth and these are all patients.
    """

    variable: str
    start: str
    target: str
    patients: pd.DataFrame
    forecasts: dict[int, Forecast]
    without_truth: int
    not_seen: int = 0

    def __repr__(self) -> str:
        twin, *peers = self.errors()
        told = ", ".join(f"{peer['forecast']} {peer['mae']:.3g}" for peer in peers)
        return (
            f"ForecastValidation({self.variable} at {self.target} from {self.start}: "
            f"{len(self.patients)} patients, mean absolute error {twin['mae']:.3g}; {told})"
        )

    def coverage(self) -> list[dict[str, Any]]:
        """Share of truths inside each central interval, with a 95 % Wilson interval.

        By the house's rule the verdict is "not shown" below 400 patients, "off" when the
        interval excludes nominal by more than 4 points, else "holds".
        """
        rows = []
        for level in LEVELS:
            inside = (self.patients["pit"] - 0.5).abs() <= level / 2
            share = stats.binomtest(int(inside.sum()), len(inside))
            low, high = share.proportion_ci(method="wilson")
            off = low > level + 0.04 or high < level - 0.04
            verdict = "off" if off else "holds"
            if len(inside) < FEWEST_FOR_A_VERDICT and not off:
                verdict = "not shown"
            rows.append(
                {
                    "level": level,
                    "coverage": float(inside.mean()),
                    "low": float(low),
                    "high": float(high),
                    "n": len(inside),
                    "verdict": verdict,
                }
            )
        return rows

    def errors(self) -> list[dict[str, Any]]:
        """Mean absolute error of the twin and its peers; differences are paired by patient."""
        truth = self.patients["truth"].to_numpy()
        twin = np.abs(self.patients["q0.5"].to_numpy() - truth)
        rows = [{"forecast": "twin", "mae": float(twin.mean()), "se": _se(twin)}]
        for peer in ("carry_forward", "ridge"):
            other = np.abs(self.patients[peer].to_numpy() - truth)
            gain = twin - other
            rows.append(
                {
                    "forecast": peer,
                    "mae": float(other.mean()),
                    "se": _se(other),
                    "twin_minus_peer": float(gain.mean()),
                    "difference_se": _se(gain),
                }
            )
        return rows

    def correlation(self) -> dict[str, float | None]:
        """Correlation of the twin's forecast and true change; see `correlations`."""
        return self.correlations()["twin"]

    def correlations(self) -> dict[str, dict[str, float | None]]:
        """Correlation of forecast and true change from the first visit, with Fisher intervals.

        The change counts from the first planned visit whatever the start, so that forecasts from
        different visits answer the same question. A forecast of no change for anybody, as the
        first value carried forward is, has no correlation: all three figures are None.

        Returns
        -------
        dict
            ``r``, ``low`` and ``high`` (95 %) of ``twin``, ``carry_forward`` and ``ridge``.
        """
        start = self.patients["first"].to_numpy()
        change = self.patients["truth"].to_numpy() - start
        columns = {"twin": "mean", "carry_forward": "carry_forward", "ridge": "ridge"}
        return {
            name: _correlation(self.patients[column].to_numpy() - start, change)
            for name, column in columns.items()
        }

    def to_dict(self) -> dict[str, Any]:
        """JSON-able figures; no identifiers."""
        return {
            "variable": self.variable,
            "start": self.start,
            "target": self.target,
            "n": len(self.patients),
            "without_truth": self.without_truth,
            "not_seen": self.not_seen,
            "coverage": self.coverage(),
            "errors": self.errors(),
            "correlation_of_change": self.correlation(),
            "correlations": self.correlations(),
            "crps": {
                "mean": float(self.patients["crps"].mean()),
                "se": _se(self.patients["crps"].to_numpy()),
            },
        }


def cross_forecast(
    cohort: Cohort,
    variable: str,
    start: str,
    target: str,
    *,
    folds: int = 5,
    draws: int = 400,
    seed: int = 0,
    engine: str = "twin",
    examples: int = 6,
    progress: Callable[[str, float], None] | None = None,
    **options: Any,
) -> ForecastValidation:
    """Forecast every patient's value at a visit by a model fitted to the other folds.

    Parameters
    ----------
    variable
        Numeric longitudinal variable.
    start, target
        Visits of the schema; the history ends with the start visit's window (`start` may be the
        visit of baseline).
    folds
        Folds, balanced by arm; a model never sees a patient of its own fold.
    draws
        Futures a patient.
    examples
        Patients whose whole forecast is kept.

    Returns
    -------
    ForecastValidation
        Only patients observed at the first visit and at both visits can be judged.

    Raises
    ------
    InputError
        When the visits' windows are not apart or too few patients can be judged.
    """
    begin, end = cohort.schema.visit(start), cohort.schema.visit(target)
    if end.low <= begin.high:
        raise InputError(f"cross_forecast: the window of {target} does not follow that of {start}")
    fold = cohort.folds(folds, seed)
    now = cohort.at_visit(variable, start).to_numpy(dtype=np.float64)
    truth = cohort.at_visit(variable, target).to_numpy(dtype=np.float64)
    opening = min(cohort.schema.visits, key=lambda v: v.day).name
    first = cohort.at_visit(variable, opening).to_numpy(dtype=np.float64)
    judged = np.isfinite(first) & np.isfinite(now) & np.isfinite(truth)
    if judged.sum() < 2 * folds:
        raise InputError(
            f"cross_forecast: {int(judged.sum())} patients have {variable} at both {start} and "
            f"{target}; at least two a fold are needed"
        )
    kept = set(np.flatnonzero(judged)[:: max(1, int(judged.sum()) // max(1, examples))][:examples])
    seen = measured_visits(cohort, variable, begin.high)
    later = sorted({*(v.day for v in seen), end.day})
    rows: list[pd.DataFrame] = []
    forecasts: dict[int, Forecast] = {}
    for k in range(folds):
        train, test = cohort.take(fold != k), np.flatnonzero((fold == k) & judged)
        if not len(test):
            continue
        model = fit(train, engine=engine, seed=integer_seed(seed, "cross_forecast", k), **options)
        batched = isinstance(model, TwinModel)
        made = {
            int(i): Twin(model, cohort.timeline(cohort.subject_ids[i], begin.high)).forecast(
                days=later,
                variables=[variable],
                endpoints=[],
                draws=draws,
                seed=_own_seed(seed, cohort, int(i)),
                sparse="keep",
            )
            for i in test
            if not batched or i in kept
        }
        column = later.index(end.day)
        if isinstance(model, TwinModel):
            drawn = _futures(model, cohort, test, variable, begin, end, draws, seed)
        else:
            drawn = np.stack([made[i].draws[variable][:, column] for i in made])
        ridge = _ridge(cohort, variable, start, now, truth, judged & (fold != k), test)
        rows.append(
            _score(test, drawn, truth[test]).assign(
                arm=cohort.subjects["arm"].to_numpy()[test],
                first=first[test],
                carry_forward=now[test],
                ridge=ridge,
            )
        )
        forecasts |= {i: made[i] for i in made if i in kept}
        if progress is not None:
            progress(f"forecasts from {start}", (k + 1) / folds)
    patients = pd.concat(rows).sort_index()
    lost = int((np.isfinite(now) & ~np.isfinite(truth)).sum())
    unseen = len(cohort) - len(patients) - lost
    return ForecastValidation(variable, start, target, patients, forecasts, lost, unseen)


def _futures(
    model: TwinModel,
    cohort: Cohort,
    rows: npt.NDArray[np.int64],
    variable: str,
    begin: VisitWindow,
    end: VisitWindow,
    draws: int,
    seed: int,
) -> FloatArray:
    """Values at a visit of all futures of some patients at once, shape (patients, draws)."""
    inside = np.zeros(len(cohort), dtype=bool)
    inside[rows] = True
    own = integer_seed(seed, "cross_forecast.draws")
    made = model.futures(cohort.take(inside), begin.high, draws, seed=own, until_day=end.high)
    column = made.visits.index(end.name)
    values = made.values[variable][:, column].astype(np.float64)
    came = np.isfinite(made.visit_day[:, column])
    return np.where(came, values, np.nan).reshape(len(rows), draws)


def _own_seed(seed: int, cohort: Cohort, row: int) -> int:
    """Seed of a patient's draws, by who it is: another order or company changes nothing."""
    who = "\x1f".join(cohort.subjects[["study_id", "subject_id"]].iloc[row].astype(str))
    own = int.from_bytes(blake2b(who.encode(), digest_size=4).digest(), "little")
    return integer_seed(seed, "cross_forecast.draws", own)


def _score(rows: npt.NDArray[np.int64], drawn: FloatArray, truth: FloatArray) -> pd.DataFrame:
    """Mean, quantiles, PIT (ties split) and CRPS of draws, shape (patients, draws).

    Futures in which the visit is missed hold no value and are left out: the truths, too, are
    those of visits that took place.

    Raises
    ------
    InputError
        When fewer than 20 draws of a patient hold a value.
    """
    held = np.isfinite(drawn)
    m = held.sum(axis=1)
    if m.min() < FEWEST_DRAWS:
        raise InputError(
            f"cross_forecast: {int((m < FEWEST_DRAWS).sum())} patients have fewer than "
            f"{FEWEST_DRAWS} draws with a value at the target visit; raise draws"
        )
    below = (drawn < truth[:, None]).sum(axis=1) / m
    ties = (drawn == truth[:, None]).sum(axis=1) / m
    # E|X - X'| from order statistics; Gneiting and Raftery 2007, doi 10.1198/016214506000001437.
    place = 2 * np.arange(1, drawn.shape[1] + 1) - m[:, None] - 1
    ordered = np.nan_to_num(np.sort(np.where(held, drawn, np.nan), axis=1))  # missing ones last
    spread = (ordered * place).sum(axis=1) * 2 / (m * (m - 1))
    crps = np.where(held, np.abs(drawn - truth[:, None]), 0.0).sum(axis=1) / m - spread / 2
    quantiles = np.nanquantile(drawn, _QUANTILES, axis=1)
    columns = {f"q{q:g}": values for q, values in zip(_QUANTILES, quantiles, strict=True)}
    return pd.DataFrame(
        {
            "truth": truth,
            "mean": np.nanmean(drawn, axis=1),
            **columns,
            "pit": below + ties / 2,
            "crps": crps,
            "draws": m,
        },
        index=rows,
    )


def _ridge(
    cohort: Cohort,
    variable: str,
    start: str,
    now: FloatArray,
    truth: FloatArray,
    train: npt.NDArray[np.bool_],
    test: npt.NDArray[np.int64],
) -> FloatArray:
    """Ridge on the same patients: baseline, arm, and the values so far."""
    subjects = cohort.subjects
    numbers = {v.name: subjects[v.name].to_numpy() for v in cohort.schema.baseline if v.numeric}
    factors = {
        v.name: subjects[v.name].to_numpy() for v in cohort.schema.baseline if not v.numeric
    } | {"arm": subjects["arm"].to_numpy()}
    day = cohort.schema.visit(start).day
    for visit in cohort.schema.visits:
        if visit.day < day:
            numbers[f"@{visit.name}"] = cohort.at_visit(variable, visit.name).to_numpy()
    features = baseline_features({**numbers, "now": now}, factors)
    change = ridge_learner(features[train], (truth - now)[train], features[test])
    forecast: FloatArray = now[test] + change
    return forecast


def _correlation(forecast: FloatArray, change: FloatArray) -> dict[str, float | None]:
    if np.ptp(forecast) < 1e-9 or np.ptp(change) < 1e-9:
        return {"r": None, "low": None, "high": None}
    r = stats.pearsonr(forecast, change)
    low, high = r.confidence_interval()
    return {"r": float(r.statistic), "low": float(low), "high": float(high)}


def _se(values: npt.NDArray[np.float64]) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))
