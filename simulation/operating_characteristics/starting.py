"""Where a search starts: the size that a formula gives, and designs of another size."""

from dataclasses import dataclass
from math import ceil
from typing import Any, Final, final

from extraction.records.errors import InputError
from simulation.analysis.sample_size import quantile_sum, sample_size_means, sample_size_rates
from simulation.analysis.sample_size_survival import sample_size_events
from simulation.operating_characteristics.figures import truth_named
from simulation.operating_characteristics.vary import varied
from simulation.trial.analyses.ancova import Ancova
from simulation.trial.design import TrialDesign
from simulation.trial.population import ParametricPopulation
from simulation.trial.rules.group_sequential import Fixed, GroupSequentialRule

SIZES: Final = ("n", "events")
"""Parameters that scale a design; all others are dotted paths."""


@final
@dataclass(frozen=True)
class Formula:
    """A size by formula, of all arms together and not rounded."""

    name: str
    value: float


def resized(
    design: TrialDesign, population: Any, over: str, value: float
) -> tuple[TrialDesign, Any]:
    """A design with another value of a parameter.

    Parameters
    ----------
    over
        "n": patients, and with them all looks by patients and limits of the size, in proportion;
        "events": the last look by events, and with it the others and the patients; else a dotted
        path as in `vary.varied`.

    Raises
    ------
    InputError
        If the design has no such parameter, or the value is refused.
    """
    if over not in SIZES:
        return varied(design, population, {over: value})
    looks = design.rule.looks
    if over == "events" and (looks.by != "events" or looks.at is None):
        raise InputError("over: the design has no looks by events; search over n")
    ratio = value / (design.n if over == "n" or looks.at is None else looks.at[-1])
    plan = design.model_dump(mode="json", exclude={"population"})
    plan["n"] = ceil(design.n * ratio - 1e-9)
    rule = plan["rule"]
    scaled = looks.by == "events" if over == "events" else looks.by == "patients"
    if looks.at is not None and scaled:
        rule["looks"]["at"] = [round(at * ratio, 9) for at in looks.at]
    for name in ("minimum", "maximum"):
        if rule.get(name) is not None and rule["kind"] == "reestimation":
            rule[name] = ceil(rule[name] * ratio - 1e-9)
    if rule.get("maximum_information") is not None:
        rule["maximum_information"] *= ratio
    return TrialDesign.parse(plan), design.population if population is None else population


def size_by_formula(
    design: TrialDesign, population: Any, over: str, scenario: str, power: float
) -> Formula | None:
    """The size that gives a power by formula, where there is one; else None.

    There is one for two arms and one hypothesis in a fixed or group-sequential design (times its
    inflation) on a population by formula: the t test without covariates, the difference of
    proportions, and the events of the log-rank test under proportional hazards (Schoenfeld).
    """
    people = population if population is not None else design.population
    effect = _effect(design, scenario)
    if effect is None or not isinstance(people, ParametricPopulation):
        return None
    tested = design.tested[0]
    law: Any = people.outcomes.get(tested.endpoint.name)
    if law is None or not 0.5 < power < 1:
        return None
    alpha = design.rule.alpha * tested.share
    share = design.arms[tested.arm].allocation / sum(arm.allocation for arm in design.arms)
    fixed = _fixed(tested, law, effect, over, (alpha, power, share))
    if fixed is None:
        return None
    return Formula(fixed.name, fixed.value * _inflation(design, alpha, power))


def _effect(design: TrialDesign, scenario: str) -> Any:
    """The one effect of a scenario on the one hypothesis, for all patients alike; else None."""
    if len(design.arms) != 2 or len(design.tested) != 1 or design.dropout.kind == "share":
        return None
    if design.external_controls is not None:
        return None
    if not isinstance(design.rule, (Fixed, GroupSequentialRule)):
        return None
    truth = truth_named(design, scenario)
    effects = [e for e in truth.effects if e.endpoint == design.tested[0].endpoint.name]
    if len(effects) != 1 or effects[0].where is not None or effects[0].none:
        return None
    size = getattr(effects[0], effects[0].field)
    return None if isinstance(size, tuple) else size


def _fixed(
    tested: Any, law: Any, size: float, over: str, levels: tuple[float, float, float]
) -> Formula | None:
    alpha, power, share = levels
    kind = tested.endpoint.kind
    if kind == "time_to_event" and over == "events":
        return Formula("events by Schoenfeld", sample_size_events(size, alpha, power, share))
    if over != "n" or law.coefficients:
        return None
    plain = isinstance(tested.analysis, Ancova) and not tested.analysis.covariates
    if kind == "continuous" and plain and not isinstance(law.sd, tuple):
        effect = abs(size) / law.sd
        return Formula("t test", sample_size_means(effect, alpha, power, share))
    if kind == "binary":
        odds = size * law.probability / (1 - law.probability)
        treated = odds / (1 + odds)
        n = sample_size_rates(treated, law.probability, alpha, power, share)
        return Formula("difference of proportions", n)
    return None


def _inflation(design: TrialDesign, alpha: float, power: float) -> float:
    rule = design.rule
    if isinstance(rule, Fixed):
        return 1.0
    assert isinstance(rule, GroupSequentialRule)
    solved = rule.design(alpha)
    return float((solved.drift_for(power) / quantile_sum(alpha, power)) ** 2)
