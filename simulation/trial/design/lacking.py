"""What a design asks for and a population lacks; whom its criteria leave."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
from pydantic import ValidationError

from extraction.records import conditions
from extraction.records.errors import Faults
from generation.randomness import Stream
from simulation.trial.design.checks import nothing_seen, strata_faults, term_faults
from simulation.trial.design.dropout import HazardDropout
from simulation.trial.design.external import population_faults as external_faults
from simulation.trial.design.partial import Check, checked
from simulation.trial.population.base import Place, Population
from simulation.trial.population.parametric import ParametricPopulation

_DRAWN: Final = (1_000, 100_000)
"""Candidates among whom somebody must meet the criteria: few first, many where nobody does."""
_SITE: Final = "site"
_COVARIATES: Final = "population.covariates"


def population_faults(design: Any, population: Population) -> list[str]:
    """Say what a design asks for that a population lacks."""
    return list(dict.fromkeys(checked(CHECKS, (), design, population)[0]))


def covariates_alone(given: Any) -> Population | None:
    """A population as it was typed with its covariates alone, where they are without fault."""
    if not isinstance(given, Mapping) or given.get("kind") != "parametric":
        return None
    try:
        return ParametricPopulation.model_validate(
            {
                "covariates": given.get("covariates", ()),
                "outcomes": {"any": {"kind": "binary", "probability": 0.5}},
            }
        )
    except ValidationError:
        return None


def _endpoint_faults(design: Any, population: Population) -> list[str]:
    return [fault for e in design.endpoints for fault in population.endpoint_faults(e)]


def _strata(design: Any) -> list[str]:
    return [*design.strata, *(s for held in _analyses(design) for s in held.strata)]


def _analyses(design: Any) -> list[Any]:
    return [held.analysis for held in design.hypotheses if held.analysis is not None]


def _covariate_faults(names: Iterable[str], population: Population) -> list[str]:
    """Say which names the population lacks; sites are of the enrolment."""
    asked = tuple(dict.fromkeys(name for name in names if name != _SITE))
    return population.covariate_faults(asked)


def _strata_faults(names: Iterable[str], population: Population) -> list[str]:
    return [
        *_covariate_faults(names, population),
        *strata_faults(tuple(names), population.baseline_schema),
    ]


def _site_faults(design: Any, population: Population) -> list[str]:
    sites = any(enrolment.sites for enrolment in design.enrolments.values())
    return population.covariate_faults((_SITE,)) if _SITE in _strata(design) and not sites else []


def _leaving_faults(design: Any, population: Population) -> list[str]:
    laws = design.leaving_laws
    asked = [
        term.partition("=")[0]
        for law in laws.values()
        if isinstance(law, HazardDropout)
        for term in law.log_hazard_ratios
    ]
    return [
        *_covariate_faults(asked, population),
        *term_faults(laws, population.baseline_schema),
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
    Check(("strata", _COVARIATES), lambda d, p: _strata_faults(d.strata, p)),
    Check(
        ("hypotheses.analysis", _COVARIATES),
        lambda d, p: [
            *_covariate_faults((name for a in _analyses(d) for name in a.covariates), p),
            *_strata_faults([name for a in _analyses(d) for name in a.strata], p),
        ],
    ),
    Check(("strata", "hypotheses.analysis", "enrolment", "scenarios"), _site_faults),
    Check(("dropout", "discontinuation", "scenarios", _COVARIATES), _leaving_faults),
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
        ("eligibility", _COVARIATES),
        lambda d, p: _condition_faults(_own(d), p),
        ("eligibility",),
    ),
    Check(
        ("hypotheses.subgroup", _COVARIATES),
        lambda d, p: _condition_faults(_subgroups(d), p),
        ("hypotheses.subgroup",),
    ),
    Check(("scenarios", _COVARIATES), lambda d, p: _condition_faults(_wheres(d), p)),
    Check(
        ("eligibility", "hypotheses.subgroup", _COVARIATES),
        _recruiting_faults,
    ),
    Check(
        ("external_controls", "hypotheses", "endpoints", "eligibility", "population", "arms"),
        external_faults,
    ),
)
