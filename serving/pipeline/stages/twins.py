"""Stage `twins`: out-of-fold forecasts of the endpoint, beside what happened."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from extraction.records import Cohort, InputError
from generation.randomness import integer_seed
from generation.registry import engine_class
from serving.analyses.effects import observed_outcome
from serving.analyses.modelling import model_cohort
from serving.pipeline.stage import Job
from serving.study.parts import PrimaryEndpoint
from simulation.twins.validation import ForecastValidation, cross_forecast

from .tools import plain, write_table

BoolArray = npt.NDArray[np.bool_]
_CONVINCING = 0.3  # lower 95 % limit of a correlation
_LIMIT = 1.96
_FEWEST_OF_A_REASON = 5  # rarer reasons are told together, since they may name a patient
_LETTERS = "ABCDEFGHIJKL"
_BANDS = (0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975)


def run(job: Job) -> dict[str, Any]:
    """Forecast from the chosen visit and from baseline; see `serving.pipeline.stage`."""
    study = job.trial
    settings = study.twins
    assert settings is not None
    if "timeline" not in engine_class(study.models.engine).supports:
        raise InputError(
            f"models.engine: {study.models.engine} cannot continue a patient's history, which "
            "the section twins needs; choose engine twin or leave the section out"
        )
    whole = Cohort.read(job.stage("cohort") / "cohort")
    cohort = model_cohort(whole, study.models)
    end = study.endpoint
    first = _first_visit(cohort)
    made: dict[str, ForecastValidation] = {}
    for k, start in enumerate((settings.from_visit, first)):
        made[start] = cross_forecast(
            cohort,
            end.variable,
            start,
            end.visit,
            folds=settings.folds,
            draws=settings.draws,
            seed=integer_seed(job.seed, "twins"),
            engine=study.models.engine,
            examples=settings.examples if k == 0 else 0,
            progress=_half(job, k),
            **study.models.options,
        )
    main, baseline = made[settings.from_visit], made[first]
    write_table(main.patients.drop(columns="arm"), job.folder / "forecasts.parquet")
    window = cohort.schema.visit(settings.from_visit)
    return {
        "variable": end.variable,
        "visit": end.visit,
        "day": cohort.schema.visit(end.visit).day,
        "from_visit": settings.from_visit,
        "from_day": window.high,
        "label": cohort.schema.variable(end.variable).title,
        "unit": cohort.schema.variable(end.variable).unit,
        "patients": accounts(whole, cohort, study.endpoint, main),
        **figures(main),
        "from_baseline": figures(baseline),
        "verdict": _verdict(figures(main), figures(baseline), settings.from_visit, end.visit),
        "examples": plain(
            [
                _example(cohort, main, row, _LETTERS[k])
                for k, row in enumerate(sorted(main.forecasts))
            ]
        ),
    }


def figures(found: ForecastValidation) -> dict[str, Any]:
    """Coverage, errors and correlations of one set of forecasts, JSON-able."""
    whole = found.to_dict()
    errors = {row.pop("forecast"): row for row in whole["errors"]}
    return dict(
        plain(
            {
                "n": whole["n"],
                "without_truth": whole["without_truth"],
                "not_seen": whole["not_seen"],
                "coverage": {f"{100 * row['level']:g}": row for row in whole["coverage"]},
                "mae": errors,
                "correlation": whole["correlation_of_change"],
                "correlations": whole["correlations"],
                "crps": whole["crps"],
            }
        )
    )


def accounts(
    whole: Cohort, cohort: Cohort, end: PrimaryEndpoint, found: ForecastValidation
) -> dict[str, Any]:
    """Where every patient is, and why those without a truth have none; counts only.

    Parameters
    ----------
    whole, cohort
        The trial, and the part of it that models learn from.
    end
        The endpoint; its `discontinuation` gives the reasons.
    found
        Forecasts from the chosen visit.

    Returns
    -------
    dict
        ``all`` = ``judged`` + ``without_truth`` + ``not_seen``; ``in_window`` and
        ``at_analysis_visit`` count outcomes by the schema's window and by the trial's own visit;
        ``stopped_before`` counts reasons (None without an endpoint of discontinuation).
    """
    start = cohort.at_visit(end.variable, found.start)
    truth = cohort.at_visit(end.variable, found.target)
    named = observed_outcome(whole, end.variable, end.visit)["value"]
    return {
        "all": len(cohort),
        "judged": len(found.patients),
        "without_truth": found.without_truth,
        "not_seen": found.not_seen,
        "in_window": int(truth.notna().sum()),
        "at_analysis_visit": int(named.notna().sum()),
        "stopped_before": _stopped(whole, end, (start.notna() & truth.isna()).to_numpy()),
    }


def _stopped(cohort: Cohort, end: PrimaryEndpoint, lost: BoolArray) -> dict[str, int] | None:
    """Of some patients, how many had stopped by the visit, by reason; rare reasons together."""
    if not end.discontinuation:
        return None
    left = cohort.endpoint(end.discontinuation)
    by = cohort.schema.visit(end.visit).high
    stopped = (left["observed"].astype(bool) & (left["day"] <= by)).to_numpy() & lost
    reasons = left["cause"].astype(object).where(left["cause"].notna(), "no reason given")
    counts = reasons[stopped].astype(str).str.lower().value_counts()
    common = counts[counts >= _FEWEST_OF_A_REASON]
    told = {str(reason): int(n) for reason, n in common.items()}
    rest = int(counts.sum() - common.sum())
    return told | ({"another reason": rest} if rest else {})


def _verdict(main: dict[str, Any], baseline: dict[str, Any], start: str, end: str) -> str:
    """What may be said of the forecasts, by a rule that is fixed here.

    The words grade what is known at two visits, never the twin against its peers; against
    carrying the last value forward only the paired difference of errors counts.
    """
    r, base = main["correlation"], baseline["correlation"]
    later = ("is not shown to predict", "hardly predicts", "predicts")[_strength(r)]
    early = ("is not shown to", "hardly does", "does so too")[_strength(base)]
    peers = main["correlations"]
    return (
        f"What is known at {start} {later} the change from baseline to {end} (forecast and true "
        f"{_r(r)}); baseline alone {early} ({_r(base)}; 'predicts' "
        f"needs a lower limit above {_CONVINCING}). That is what the visit knows, not what the "
        f"twin adds: carrying the {start} value forward reaches {_r(peers['carry_forward'])}, "
        f"ridge {_r(peers['ridge'])}. The twin is {against_carrying(main['mae']['carry_forward'])}."
    )


def against_carrying(gain: dict[str, float]) -> str:
    """Say how the twin does against the last value carried forward.

    Parameters
    ----------
    gain
        ``twin_minus_peer`` and ``difference_se`` of the paired absolute errors.
    """
    mean, half = gain["twin_minus_peer"], _LIMIT * gain["difference_se"]
    told = f"mean error {mean:+.2f}, 95 % {mean - half:+.2f} to {mean + half:+.2f}"
    if mean + half < 0:
        return f"better than carrying the last value forward ({told})"
    if mean - half > 0:
        return f"worse than carrying the last value forward ({told})"
    return (
        f"about as good as carrying the last value forward, with intervals around it; not shown "
        f"to be better ({told})"
    )


def _strength(r: dict[str, Any]) -> int:
    """0: the interval holds 0; 1: it lies above 0; 2: it lies above the limit for convincing."""
    low = r["low"]
    return 0 if low is None else int(low > 0) + int(low > _CONVINCING)


def _r(found: dict[str, Any]) -> str:
    if found["r"] is None:
        return "r undefined"
    return f"r = {found['r']:.2f}, {found['low']:.2f} to {found['high']:.2f}"


def _first_visit(cohort: Cohort) -> str:
    return min(cohort.schema.visits, key=lambda v: v.day).name


def _half(job: Job, k: int) -> Any:
    return lambda what, share: job.tell(what, 0.5 * k + 0.5 * share)


def _example(cohort: Cohort, found: ForecastValidation, row: int, letter: str) -> dict[str, Any]:
    """One patient's history, truth and forecast bands; no identifier."""
    name = found.variable
    subject = cohort.subject_ids[row]
    rows = cohort.observed(name)
    rows = rows[rows["subject_id"] == subject].sort_values("day")
    forecast = found.forecasts[row]
    end = cohort.schema.visit(found.target)
    rows = rows[rows["day"] <= end.high]
    known = rows["day"] <= forecast.from_day
    # Later visits are forecast too; the question ends at the target visit.
    shown = forecast.days <= end.day
    bands = np.nanquantile(forecast.draws[name][:, shown], _BANDS, axis=0)
    quantiles = {
        f"q{100 * q:04.1f}".replace(".0", "").replace(".", "_"): b.tolist()
        for q, b in zip(_BANDS, bands, strict=True)
    }
    return {
        "label": f"Patient {letter}",
        "arm": str(cohort.subjects["arm"].iloc[row]),
        "history": rows.loc[known, ["day", "value"]].to_numpy().tolist(),
        "truth": rows.loc[~known, ["day", "value"]].to_numpy().tolist(),
        "quantiles": {"days": forecast.days[shown].tolist(), **quantiles},
    }
