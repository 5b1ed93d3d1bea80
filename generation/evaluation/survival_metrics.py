"""Metrics of time to event: curves, censoring, restricted means, causes, hazard ratios."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from generation.evaluation.attenuation import attenuation
from generation.evaluation.distances import Spec, measured
from generation.evaluation.hazard_ratios import (
    HazardModel,
    half_the_outcomes,
    hazard_model,
    hazard_ratio_details,
    hazard_ratio_distance,
)
from generation.evaluation.metric import Metric
from generation.evaluation.reference import Reference
from generation.evaluation.survival import curve_gap, kaplan_meier_distance, times_events
from generation.evaluation.survival_distances import (
    censoring_distance,
    common_horizon,
    incidence_distance,
    more_events,
    other_causes,
    restricted_mean_details,
    restricted_mean_distance,
    sooner_censored,
)
from generation.evaluation.tables import EndpointColumns, Table

_FEWEST_CENSORED = 20


def survival(reference: Reference, synthetic: Sequence[Table]) -> list[Metric]:
    """All metrics of time to event, endpoint by endpoint."""
    found = []
    for endpoint in reference.pool.layout.endpoints:
        if not times_events(reference.pool, endpoint)[2].any():
            continue
        model = reference.cached(
            f"hazard_model:{endpoint.name}", partial(_hazard_model, reference, endpoint)
        )
        found += measured(_specs(reference, endpoint, model), reference, synthetic)
        if model is not None:
            found.append(attenuation(reference, synthetic, model))
    return found


def _hazard_model(reference: Reference, endpoint: EndpointColumns) -> HazardModel | None:
    events = [
        int((times_events(held, endpoint)[1] & times_events(held, endpoint)[2]).sum())
        for held in reference.held
    ]
    return hazard_model(reference.pool, endpoint, min(events))


def _specs(
    reference: Reference, endpoint: EndpointColumns, model: HazardModel | None
) -> list[Spec]:
    name, pool = endpoint.name, reference.pool
    horizon = common_horizon(pool, endpoint)
    oftener = "event patients half as frequent again"
    specs = [
        Spec(f"kaplan_meier:{name}", "survival", f"Kaplan-Meier curves of {name}",
             f"Kaplan-Meier curves of {name} differ from real ones by",
             partial(kaplan_meier_distance, endpoint=endpoint),
             partial(more_events, endpoint=endpoint), oftener,
             details=partial(_curve_details, endpoint=endpoint)),
        Spec(f"rmst:{name}", "survival", f"restricted mean time to {name}, by arm",
             f"Restricted mean times to {name} (up to day {horizon:.0f}) differ from real ones by",
             partial(restricted_mean_distance, endpoint=endpoint, horizon=horizon),
             partial(more_events, endpoint=endpoint), oftener, unit=" days",
             details=partial(restricted_mean_details, endpoint=endpoint, horizon=horizon)),
    ]  # fmt: skip
    _, event, known = times_events(pool, endpoint)
    if int((known & ~event).sum()) >= _FEWEST_CENSORED:
        specs.append(
            Spec(f"censoring:{name}", "survival", f"times of censoring for {name}",
                 f"Distributions of the time to censoring for {name} differ from real ones by",
                 partial(censoring_distance, endpoint=endpoint, horizon=horizon),
                 partial(sooner_censored, endpoint=endpoint),
                 "a quarter of the patients censored sooner")
        )  # fmt: skip
    if endpoint.cause is not None:
        specs.append(
            Spec(f"incidence:{name}", "survival", f"cumulative incidence of {name} by cause",
                 f"Cumulative incidences of the causes of {name} differ from real ones by",
                 partial(incidence_distance, endpoint=endpoint, horizon=horizon),
                 partial(other_causes, endpoint=endpoint),
                 "a quarter of the events given another cause")
        )  # fmt: skip
    if model is not None:
        specs.append(
            Spec(f"hazard_ratios:{name}", "survival",
                 f"log hazard ratios for {name}, in standard errors",
                 f"Log hazard ratios for {name} (arm and leading covariates) differ from real "
                 "ones by", partial(hazard_ratio_distance, model=model),
                 partial(half_the_outcomes, endpoint=endpoint),
                 "half of the patients given the outcome of somebody else", unit=" standard errors",
                 details=partial(hazard_ratio_details, model=model))
        )  # fmt: skip
    return specs


def _curve_details(sample: Table, real: Table, endpoint: EndpointColumns) -> dict[str, Any]:
    gap = curve_gap(sample, real, endpoint)
    return {"largest_difference": gap.largest, "horizon_days": gap.horizon}
