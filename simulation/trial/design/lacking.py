"""What a design asks for and a population lacks; whom its criteria leave."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from extraction.records import conditions
from extraction.records.errors import Faults
from generation.randomness import Stream
from simulation.trial.design.checks import nothing_seen, strata_faults, term_faults
from simulation.trial.design.dropout import HazardDropout
from simulation.trial.design.external import population_faults as external_faults
from simulation.trial.design.partial import Check, checked
from simulation.trial.population.base import Place, Population

_DRAWN: Final = (1_000, 100_000)
"""Candidates among whom somebody must meet the criteria: few first, many where nobody does."""


def population_faults(design: Any, population: Population) -> list[str]:
    """Say what a design asks for that a population lacks."""
    return checked(CHECKS, (), design, population)[0]


def _endpoint_faults(design: Any, population: Population) -> list[str]:
    return [fault for e in design.endpoints for fault in population.endpoint_faults(e)]


def _covariate_faults(design: Any, population: Population) -> list[str]:
    asked, schema = [*design.strata], population.baseline_schema
    strata = [*design.strata]
    for analysis in (h.analysis for h in design.hypotheses if h.analysis is not None):
        asked += [*analysis.covariates, *analysis.strata]
        strata += analysis.strata
    for rule in design.leaving_laws.values():
        if isinstance(rule, HazardDropout):
            asked += [term.partition("=")[0] for term in rule.log_hazard_ratios]
    sites = any(enrolment.sites for enrolment in design.enrolments.values())
    named = tuple(dict.fromkeys(n for n in asked if not (n == "site" and sites)))
    return [
        *population.covariate_faults(named),
        *strata_faults(strata, schema),
        *term_faults(design.leaving_laws, schema),
    ]


def _sight_faults(design: Any, population: Population) -> list[str]:
    return nothing_seen(
        design.rule.looks,
        {where: enrolment.at_once for where, enrolment in design.enrolments.items()},
        [tested.endpoint for tested in design.tested],
        max(endpoint.delay for endpoint in design.endpoints),
    )


def _subgroups(design: Any) -> dict[str, Any]:
    return {
        f"hypotheses: subgroup {held.subgroup.name!r}": held.subgroup.where
        for held in design.hypotheses
        if held.subgroup is not None
    }


def _own(design: Any) -> dict[str, Any]:
    return {} if design.eligibility is None else {"eligibility": design.eligibility}


def _wheres(design: Any) -> dict[str, Any]:
    return {
        f"scenarios.{scenario.name}.effects[{k}].where": effect.where
        for scenario in design.scenarios
        for k, effect in enumerate(scenario.effects)
        if effect.where is not None
    }


def _condition_faults(given: Mapping[str, Any], population: Population) -> list[str]:
    """Say which conditions are not about the population's baseline."""
    faults: list[str] = []
    for where, condition in given.items():
        here = Faults(where)
        with here.catch():
            population.meets(
                conditions.parse(condition, population.baseline_schema),
                population.baseline(_place(1)),
            )
        faults += here
    return faults


def _recruiting_faults(design: Any, population: Population) -> list[str]:
    """Say whose criteria nobody meets: the trial's own, or beside them a subgroup's."""
    own = design.eligibility
    if own is not None and not _met(own, population):
        return [
            f"eligibility: none of {_DRAWN[-1]} candidates is eligible, so this trial cannot "
            "recruit; widen the criteria or change the population"
        ]
    return [
        f"{where}: none of {_DRAWN[-1]} candidates is a member"
        + ("" if own is None else " and eligible")
        + ", so this subgroup cannot be recruited; widen its condition or change the population"
        for where, inside in _subgroups(design).items()
        if not _met(inside if own is None else {"all": [own, inside]}, population)
    ]


def _met(condition: Any, population: Population) -> bool:
    """Whether anybody meets a condition."""
    told = conditions.parse(condition, population.baseline_schema)
    return any(population.meets(told, population.baseline(_place(count))).any() for count in _DRAWN)


def _place(count: int) -> Place:
    stream = Stream(0, "simulation.trial.lacking")
    return Place(stream, np.zeros((1, 1), dtype=np.int64), np.arange(count)[None, :])


CHECKS: Final = (
    Check(("endpoints", "population.outcomes"), _endpoint_faults),
    Check(
        (
            "strata",
            "hypotheses.analysis",
            "dropout",
            "discontinuation",
            "scenarios",
            "enrolment",
            "population.covariates",
        ),
        _covariate_faults,
    ),
    Check(
        (
            "rule.looks",
            "rule.kind",
            "enrolment",
            "scenarios",
            "hypotheses",
            "endpoints",
            "arms.name",
            "arms.control",
        ),
        _sight_faults,
    ),
    Check(
        ("eligibility", "population.covariates"),
        lambda d, p: _condition_faults(_own(d), p),
        ("eligibility",),
    ),
    Check(
        ("hypotheses.subgroup", "population.covariates"),
        lambda d, p: _condition_faults(_subgroups(d), p),
        ("hypotheses.subgroup",),
    ),
    Check(("scenarios", "population.covariates"), lambda d, p: _condition_faults(_wheres(d), p)),
    Check(
        ("eligibility", "hypotheses.subgroup", "population.covariates"),
        _recruiting_faults,
    ),
    Check(
        ("external_controls", "hypotheses", "endpoints", "eligibility", "population", "arms"),
        external_faults,
    ),
)
