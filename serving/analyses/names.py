"""Whether the names that a study uses are in its data; every fault at once."""

from __future__ import annotations

from collections.abc import Iterable

from extraction.records import CohortSchema, InputError
from extraction.records.errors import nearest
from serving.study import HistoricalScoreStudy, TrialStudy


def check_trial(study: TrialStudy, schema: CohortSchema) -> None:
    """Refuse a study that names variables, visits, endpoints or arms the data do not have.

    Raises
    ------
    InputError
        With every such name, its place in the configuration and the nearest one there is.
    """
    baseline = [v.name for v in schema.baseline]
    faults = _missing("cohort.table_one", study.cohort.table_one, baseline, "baseline variable")
    faults += _missing("models.baseline", study.models.baseline, baseline, "baseline variable")
    longitudinal = [v.name for v in schema.longitudinal]
    faults += _missing(
        "models.longitudinal", study.models.longitudinal, longitudinal, "variable over time"
    )
    endpoints = [e.name for e in schema.endpoints]
    faults += _missing("models.endpoints", study.models.endpoints, endpoints, "endpoint")
    end = study.endpoint
    faults += _missing("endpoint.variable", [end.variable], longitudinal, "variable over time")
    faults += _missing("endpoint.baseline", [end.baseline], baseline, "baseline variable")
    faults += _missing("endpoint.factors", end.factors, baseline, "baseline variable")
    if end.discontinuation:
        faults += _missing("endpoint.discontinuation", [end.discontinuation], endpoints, "endpoint")
    visits = [v.name for v in schema.visits]
    faults += _missing("endpoint.visit", [end.visit], visits, "visit")
    for name, item in study.cohort.published.items():
        where = f"cohort.published.{name}"
        if item.kind == "time_to_event":
            faults += _missing(f"{where}.endpoint", [item.endpoint], endpoints, "endpoint")
        else:
            flags = [v.name for v in schema.static if v.role == "flag"]
            faults += _missing(f"{where}.population_flags", item.population_flags, flags, "flag")
            arms = item.dose_by_arm or {}
            faults += _missing(f"{where}.dose_by_arm", arms, schema.arms, "arm")
    if study.twins:
        faults += _missing("twins.from_visit", [study.twins.from_visit], visits, "visit")
    if study.effects:
        faults += _missing(
            "effects.features", study.effects.features, baseline, "baseline variable"
        )
    if study.trial:
        faults += _missing("trial.treated_arm", [study.trial.treated_arm], schema.arms, "arm")
        faults += _missing(
            "trial.covariates", study.trial.covariates, baseline, "baseline variable"
        )
    if schema.control_arm is None:
        faults.append(
            "cohort.source: the data name no control arm; set control_arm there or in the mapping"
        )
    if faults:
        raise InputError(faults)


def check_historical(study: HistoricalScoreStudy, schemas: dict[str, CohortSchema]) -> None:
    """Refuse a historical-score study that names what its two trials do not have.

    Parameters
    ----------
    schemas
        Schema of "historical" and of "target".

    Raises
    ------
    InputError
        With every such name.
    """
    faults: list[str] = []
    for side, schema in schemas.items():
        baseline = [v.name for v in schema.baseline]
        faults += _missing(f"score.features ({side})", study.score.features, baseline, "variable")
        faults += _missing(
            f"borrowing.variables ({side})", study.borrowing.variables, baseline, "variable"
        )
        wanted = [getattr(study, side).endpoint]
        wanted += list(study.target.further_endpoints) if side == "target" else []
        known = [e.name for e in schema.endpoints]
        faults += _missing(f"{side}.endpoint", wanted, known, "endpoint")
        if schema.control_arm is None:
            faults.append(f"{side}.source: the data name no control arm; set it in the mapping")
    if study.target.strata:
        known = [v.name for v in schemas["target"].baseline]
        faults += _missing("target.strata", [study.target.strata], known, "variable")
    if faults:
        raise InputError(faults)


def _missing(where: str, names: Iterable[str], known: Iterable[str], what: str) -> list[str]:
    held = list(known)
    kind = f"an {what}" if what[0] in "aeiou" else f"a {what}"
    return [
        f"{where}: {name} is not {kind} of the data; it has {_short(held)}{nearest(name, held)}"
        for name in names
        if name not in held
    ]


def _short(names: list[str]) -> str:
    shown = ", ".join(names[:8])
    return f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown or "none"
