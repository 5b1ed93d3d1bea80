"""What a design's figures do not say by themselves, by the analyses that it names."""

from collections.abc import Mapping
from typing import Any

from simulation.trial.design import Tested, TrialDesign


def cautions(design: TrialDesign, population: Mapping[str, Any]) -> list[str]:
    """Say which tests know less at a look than is assumed, and which truths are conditional.

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
    effects = [
        effect
        for scenario in design.scenarios
        for effect in scenario.effects
        if effect.endpoint == tested.endpoint.name and not effect.none
    ]
    return bool(stated and effects and not tested.analysis.covariates)
