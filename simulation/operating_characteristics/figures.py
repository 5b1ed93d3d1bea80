"""Figures by name: of each replicate, and over all with a Monte Carlo standard error."""

from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np

from extraction.records.errors import InputError, nearest
from simulation.trial.adjusted import adjusts, estimates_of
from simulation.trial.characteristics import Arrays, Measured, mean, share, true_effect
from simulation.trial.design import NO_EFFECT, Scenario, TrialDesign
from simulation.trial.further import (
    COST,
    EVENTS,
    arm_words,
    decision_words,
    events_of,
    further,
)
from simulation.trial.moments import HALF_WIDTH
from simulation.trial.nulls import true_nulls
from simulation.trial.rules.base import EFFICACY, FUTILITY

Values = np.ndarray[Any, Any]
MEANS = ("n", "analysed", "screened", "duration")
SHARES = ("any_rejection", "all_rejections", "familywise_error", "efficacy", "futility")
STOPS: Final = ("stop", "efficacy", "futility")
ABOUT_TRUTH: Final = ("bias", "mse", "coverage")
"""What compares estimates with the truth of a scenario."""
_ADJUSTED: Final = "adjusted "
_STOPPED: Final = "stopped"


@final
@dataclass(frozen=True)
class Asked:
    """A figure that is to be shown.

    Attributes
    ----------
    name
        As it was asked for.
    figure, scenario
        Of `figure_names`, under which truth.
    label
        In words, for an axis or a heading.
    share
        Whether it is a probability.
    """

    name: str
    figure: str
    scenario: str
    label: str
    share: bool


def figure_names(design: TrialDesign) -> tuple[str, ...]:
    """Names of a design's figures: the trial's, its looks', then those of each hypothesis.

    Where the design states costs, also `cost`; where it tests a time to event, `events` at the
    stop; where its rule changes later patients' arms, `patients on Low dose`; where it decides
    more than stopping, that in words, such as `drops Low dose` or `raises the size`.

    With several looks: `stop at look 1` (ends there, for any reason), `efficacy at look 1`,
    `futility at look 1`. Of a hypothesis: rejection, estimate, and bias, mse (mean squared error)
    and coverage of the 95 % interval against the scenario's truth; `adjusted` ones where estimates
    are adjusted for stopping early; `stopped`, where limits may refuse its external controls.
    """
    looks = design.rule.looks.count
    stops = [f"{what} at look {k}" for k in range(1, looks + 1) for what in STOPS if looks > 1]
    of = ["rejection", "estimate", *ABOUT_TRUTH]
    if adjusts(design):
        of += [f"{_ADJUSTED}{what}" for what in ABOUT_TRUTH]
    own = (*_sums(design), *decision_words(design))
    by_hypothesis = [f"{what} {tested.name}" for tested in design.tested for what in of]
    limits = [f"{_STOPPED} {tested.name}" for tested in design.tested if tested.analysis.external]
    return (*SHARES, *MEANS, *own, *stops, *by_hypothesis, *limits)


def _sums(design: TrialDesign) -> tuple[str, ...]:
    """Means that only some designs have."""
    cost = () if design.costs is None else (COST,)
    return (*cost, *(() if events_of(design) is None else (EVENTS,)), *arm_words(design))


def asked_figure(design: TrialDesign, name: str, scenario: str | None = None) -> Asked:
    """Find a figure by its name or a field's word for it.

    Parameters
    ----------
    design
        Whose figure.
    name
        Of `figure_names`; or `power`, `type_one_error` (under no effect), `expected_n`; or a figure
        of the only hypothesis without its name, as `bias`.
    scenario
        Under which truth; None: the first given.

    Raises
    ------
    InputError
        If the design has no such figure or scenario, or the scenario no single truth for it.
    """
    truth = scenario_name(design, scenario)
    words = {"power": "any_rejection", "type_one_error": "any_rejection", "expected_n": "n"}
    figure, known = words.get(name, name), figure_names(design)
    if name == "type_one_error":
        truth = NO_EFFECT
    if figure not in known and len(design.tested) == 1:
        figure = f"{figure} {design.tested[0].name}"
    if figure not in known:
        allowed = (*words, *known)
        raise InputError(
            f"figure: {name!r} is none; there are {', '.join(allowed)}{nearest(name, allowed)}"
        )
    check_figure(design, figure, truth)
    what, number = _parts(design, figure)
    shares = what in (*SHARES, "rejection", _STOPPED, *ABOUT_TRUTH[2:], f"{_ADJUSTED}coverage")
    shares = shares or " at look " in figure or figure in decision_words(design)
    return Asked(name, figure, truth, _label(design, what, number, truth), shares)


def _label(design: TrialDesign, what: str, number: int | None, truth: str) -> str:
    words = {
        "any_rejection": _rejecting(design, truth),
        "familywise_error": "type I error" if len(design.tested) == 1 else "familywise error",
        "all_rejections": "probability of rejecting all",
        "efficacy": "probability of stopping for efficacy",
        "futility": "probability of stopping for futility",
        "n": "patients expected",
        "analysed": "patients analysed",
        "screened": "candidates screened",
        "duration": f"duration in {design.time_unit}s",
        "rejection": "probability of rejecting",
        "estimate": "mean estimate",
        _STOPPED: "probability that limits refuse external controls",
        "coverage": "coverage of 95 % intervals",
        f"{_ADJUSTED}coverage": "coverage of adjusted 95 % intervals",
        "mse": "mean squared error",
        f"{_ADJUSTED}mse": "mean squared error, adjusted",
        f"{_ADJUSTED}bias": "bias of the adjusted estimate",
        "bias": "bias of the estimate",
    }
    if what in decision_words(design):
        return f"probability that it {what}"
    if what in arm_words(design):
        return f"patients expected on {arm_words(design)[what]}"
    if what == EVENTS:
        return f"events expected, {events_of(design).name}"
    if what == COST and design.costs is not None:
        return f"expected cost in {design.costs.currency}"
    stop, _, look = what.partition(" at look ")
    if look:
        why = "" if stop == "stop" else f" for {stop}"
        return f"probability of stopping{why} at look {look}"
    several = number is not None and len(design.tested) > 1
    return words[what] + (f", {design.tested[number or 0].name}" if several else "")


def _rejecting(design: TrialDesign, truth: str) -> str:
    """What it is to reject anything: an error of one hypothesis, of a family, or power."""
    several = len(design.tested) > 1
    if truth == NO_EFFECT:
        return "familywise error" if several else "type I error"
    return "probability of rejecting at least one" if several else "power"


def scenario_name(design: TrialDesign, name: str | None) -> str:
    """Name of a scenario; the first one given, or else no effect, where none is named.

    Raises
    ------
    InputError
        If the design has no such scenario.
    """
    names = [truth.name for truth in design.truths]
    if name is None:
        return names[min(1, len(names) - 1)]
    if name not in names:
        raise InputError(
            f"scenario: {name!r} is none of the design's; there are {', '.join(names)}"
            f"{nearest(name, names)}"
        )
    return name


def truth_named(design: TrialDesign, name: str) -> Scenario:
    """Return the truth of a name, which `scenario_name` has checked."""
    return next(truth for truth in design.truths if truth.name == name)


def check_figure(design: TrialDesign, figure: str, scenario: str | None = None) -> None:
    """Refuse a figure that the design does not have, or that a scenario has no truth for."""
    known = figure_names(design)
    if figure not in known:
        raise InputError(
            f"figure: {figure!r} is none; there are {', '.join(known)}{nearest(figure, known)}"
        )
    what, number = _parts(design, figure)
    if scenario is not None and what == "familywise_error" and not _false(design, scenario):
        raise InputError(
            f"figure: {figure!r} needs a hypothesis that is true, and in scenario {scenario!r} "
            "none is for certain; name another scenario or figure"
        )
    if scenario is None or number is None or what.removeprefix(_ADJUSTED) not in ABOUT_TRUTH:
        return
    if _truth(design, scenario, number) is None:
        raise InputError(
            f"figure: {figure!r} needs one true effect, and scenario {scenario!r} states none "
            "(effects of subgroups, on another scale, or that change with time); name another "
            "scenario or figure"
        )


def _parts(design: TrialDesign, figure: str) -> tuple[str, int | None]:
    """What a figure is, and the number of its hypothesis, if it is of one."""
    of_trial = (*SHARES, *MEANS, *_sums(design), *decision_words(design))
    if figure in of_trial or figure.startswith(tuple(f"{w} at look " for w in STOPS)):
        return figure, None
    prefix = _ADJUSTED if figure.startswith(_ADJUSTED) else ""
    what, _, name = figure.removeprefix(prefix).partition(" ")
    return prefix + what, [tested.name for tested in design.tested].index(name)


def _truth(design: TrialDesign, scenario: str, number: int) -> float | None:
    return true_effect(design, truth_named(design, scenario), number)


def _false(design: TrialDesign, scenario: str) -> list[int]:
    """Numbers of the hypotheses whose rejection is false."""
    return [k for k, null in enumerate(true_nulls(design, truth_named(design, scenario))) if null]


def replicate_values(design: TrialDesign, table: Arrays, figure: str, scenario: str) -> Values:
    """A figure in each replicate, (R,): truth values for shares, numbers for means.

    Where a replicate has no estimate, its figures are missing; coverage is then 1, 0 or missing.
    """
    place = [truth.name for truth in design.truths].index(scenario)
    here = {name: values[:, place] for name, values in table.items()}
    what, number = _parts(design, figure)
    if what == "familywise_error":
        return np.asarray(here["rejected"][:, _false(design, scenario)].any(axis=1))
    if number is None:
        own = further(design, here)
        return np.asarray(own[what]) if what in own else _of_trial(here, what)
    if what == _STOPPED:
        return np.asarray(here["refused"][:, number] > 0)
    if what in ("rejection", "estimate"):
        return np.asarray(here["rejected" if what == "rejection" else "estimate"][:, number])
    return _about_truth(design, here, what, number, _truth(design, scenario, number))


def _of_trial(here: Arrays, what: str) -> Values:
    if what in MEANS:
        return np.asarray(here[what])
    if what in ("any_rejection", "all_rejections"):
        rejected = here["rejected"]
        return np.asarray(rejected.any(axis=1) if what == "any_rejection" else rejected.all(axis=1))
    stop, _, look = what.partition(" at look ")
    reasons = {"efficacy": (EFFICACY,), "futility": (FUTILITY,)}
    stopped = np.isin(here["reason"], reasons[stop]) if stop in reasons else True
    return np.asarray(stopped & (here["stage"] == int(look) - 1) if look else stopped)


def _about_truth(
    design: TrialDesign, here: Arrays, what: str, number: int, truth: float | None
) -> Values:
    if truth is None:
        raise InputError(f"figure: {what!r} needs one true effect; the scenario states none")
    estimate, se = here["estimate"][:, number], here["se"][:, number]
    low, high = estimate - HALF_WIDTH * se, estimate + HALF_WIDTH * se
    if what.startswith(_ADJUSTED):
        found = estimates_of(design, here)
        estimate, low, high = found.estimate, found.low, found.high
    kind = what.removeprefix(_ADJUSTED)
    if kind == "coverage":
        covered = ((low <= truth) & (truth <= high)).astype(np.float64)
        return np.where(np.isfinite(estimate), covered, np.nan)
    error = np.asarray(estimate - truth)
    return error if kind == "bias" else error**2


def measure(values: Values) -> Measured:
    """Share of truth values, or mean of numbers, with its Monte Carlo standard error."""
    return share(values) if values.dtype == bool else mean(values)


def measured(design: TrialDesign, table: Arrays, figure: str, scenario: str) -> Measured:
    """A figure over all replicates, as `measure`; coverage as the share that it is."""
    values = replicate_values(design, table, figure, scenario)
    if _parts(design, figure)[0].endswith("coverage"):
        values = values[np.isfinite(values)].astype(bool)
    return measure(values)


def paired_difference(values: Values, against: Values) -> Measured:
    """Mean of the differences within replicates, and its standard error."""
    return mean(values.astype(np.float64) - against.astype(np.float64))
