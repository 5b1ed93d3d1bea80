"""What a design's figures do not say by themselves, by the analyses that it names."""

from collections.abc import Mapping
from typing import Any, Final

from simulation.trial.design import Tested, TrialDesign
from simulation.trial.outcomes.effects import Effect

_NEAR: Final = 2 / 3
"""Hazard ratio down to which, and its inverse up to which, one step is close at 1:1."""


def cautions(design: TrialDesign, population: Mapping[str, Any]) -> list[str]:
    """Say which tests know less than is assumed, and which estimates and truths to read with care.

    Parameters
    ----------
    design
        What is simulated.
    population
        As a population describes itself; "covariates" are those of a parametric one.
    """
    several = design.rule.looks.count > 1
    said = [
        f"{tested.name}: bounds take the information of a look as its share of the planned one; "
        "a test that weighs late events has less of it early, so that its type I error over "
        "several looks may lie above alpha (the simulated one is given)"
        for tested in design.tested
        if several and _weighs_late(tested.analysis)
    ]
    said += [
        f"{tested.name}: the log-rank test's estimate (O - E) / V is of one step, which errs away "
        "from no effect where arms are unequal or the hazard ratio lies outside 2/3 to 3/2 (bias "
        "and coverage are given); take Cox's model for the estimate: the test is the same to first "
        "order"
        for tested in design.tested
        if _one_step(design, tested)
    ]
    if population.get("covariates", True):
        said += [
            f"{tested.name}: bias and coverage count against the ratio that the scenario states, "
            "which is conditional on covariates; where these predict the outcome the marginal "
            "ratio that is estimated lies nearer to 1"
            for tested in design.tested
            if _marginal_ratio(design, tested)
        ]
    return list(dict.fromkeys(said))


def _weighs_late(analysis: Any) -> bool:
    if analysis.kind == "max_combo":
        return True
    weighting = getattr(analysis, "weighting", None)
    return weighting is not None and (weighting.gamma > 0 or weighting.kind == "modest")


def _marginal_ratio(design: TrialDesign, tested: Tested) -> bool:
    """Ratios of odds and hazards do not average over covariates; those of rates do."""
    stated = tested.analysis.stated and tested.endpoint.kind in ("binary", "time_to_event")
    return bool(stated and _effects(design, tested) and not tested.analysis.covariates)


def _one_step(design: TrialDesign, tested: Tested) -> bool:
    """Whether the plain log-rank test estimates a ratio too far from where one step is close."""
    if tested.analysis.kind != "log_rank" or tested.analysis.weighting is not None:
        return False
    arm = design.arms[tested.arm]
    ratios = [e.hazard_ratio for e in _effects(design, tested) if e.arm == arm.name]
    given = [ratio for ratio in ratios if isinstance(ratio, float)]
    unequal = arm.allocation != design.control.allocation
    return any(unequal or not _NEAR <= ratio <= 1 / _NEAR for ratio in given)


def _effects(design: TrialDesign, tested: Tested) -> list[Effect]:
    """What the scenarios change about an endpoint."""
    return [
        effect
        for scenario in design.scenarios
        for effect in scenario.effects
        if effect.endpoint == tested.endpoint.name and not effect.none
    ]
