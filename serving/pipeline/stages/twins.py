"""Stage `twins`: out-of-fold forecasts of the endpoint, beside what happened."""

from __future__ import annotations

from typing import Any

import numpy as np

from extraction.records import Cohort, InputError
from generation.randomness import integer_seed
from generation.registry import engine_class
from serving.analyses.modelling import model_cohort
from serving.pipeline.stage import Job
from simulation.twins.validation import ForecastValidation, cross_forecast

from .tools import plain, write_table

_CONVINCING = 0.3
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
        "who": f"only patients seen at {settings.from_visit} and at {end.visit} have a truth to "
        "compare with; of those who left before nothing can be said",
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
                "coverage": {f"{100 * row['level']:g}": row for row in whole["coverage"]},
                "mae": errors,
                "correlation": whole["correlation_of_change"],
                "crps": whole["crps"],
            }
        )
    )


def _verdict(main: dict[str, Any], baseline: dict[str, Any], start: str, end: str) -> str:
    """What may be said of the forecasts, by a rule that is fixed here."""

    def told(found: dict[str, Any]) -> str:
        r = found["correlation"]
        word = "convincing" if r["low"] > _CONVINCING else "not convincing"
        return f"r = {r['r']:.2f} ({r['low']:.2f} to {r['high']:.2f}), {word}"

    gain = main["mae"]["carry_forward"]
    return (
        f"Change since baseline at {end}, forecast and true: from {start} {told(main)}; from "
        f"baseline alone {told(baseline)} (convincing: lower limit above {_CONVINCING}). Mean "
        f"error from {start} {gain['twin_minus_peer']:+.2f} (SE {gain['difference_se']:.2f}) "
        "against carrying the last value forward."
    )


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
    known = rows["day"] <= forecast.from_day
    bands = np.nanquantile(forecast.draws[name], _BANDS, axis=0)
    quantiles = {
        f"q{100 * q:04.1f}".replace(".0", "").replace(".", "_"): b.tolist()
        for q, b in zip(_BANDS, bands, strict=True)
    }
    return {
        "label": f"Patient {letter}",
        "arm": str(cohort.subjects["arm"].iloc[row]),
        "history": rows.loc[known, ["day", "value"]].to_numpy().tolist(),
        "truth": rows.loc[~known, ["day", "value"]].to_numpy().tolist(),
        "quantiles": {"days": forecast.days.tolist(), **quantiles},
    }
