"""A design told in plain language, in the order in which a protocol states it."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from simulation.trial.design.competing import summary_of
from simulation.trial.design.discontinuation import Discontinuation
from simulation.trial.design.dropout import Dropout, HazardDropout, ShareDropout
from simulation.trial.design.enrolment import Enrolment
from simulation.trial.design.external import tell_external
from simulation.trial.design.scenarios import Scenario
from simulation.trial.design.trial import TrialDesign
from simulation.trial.outcomes import Effect
from simulation.trial.population import ParametricPopulation

_SIZES = {
    "shift": "shifts the mean by",
    "odds_ratio": "multiplies the odds by",
    "rate_ratio": "multiplies the rate by",
    "hazard_ratio": "multiplies the hazard by",
}
_KINDS = {
    "time_to_event": "time to an event",
    "continuous": "a measurement",
    "binary": "yes or no",
    "count": "a number of events",
}
_CLOSED = ("multi_arm", "enrichment")
_SPELT = {
    "obrien_fleming": "O'Brien-Fleming",
    "pocock": "Pocock",
    "lan_demets_obrien_fleming": "Lan-DeMets O'Brien-Fleming",
    "lan_demets_pocock": "Lan-DeMets Pocock",
    "hwang_shih_decani": "Hwang-Shih-DeCani",
    "kim_demets": "Kim-DeMets",
    "wang_tsiatis": "Wang-Tsiatis",
    "haybittle_peto": "Haybittle-Peto",
}


def tell(design: TrialDesign) -> dict[str, list[str]]:
    """Sentences about a design, by topic.

    Parameters
    ----------
    design
        A checked design.

    Returns
    -------
    dict
        Topic (Arms, Patients, External controls where there are any, Enrolment, Endpoints, Dropout,
        Intercurrent events, Looks, Decision, Hypotheses, Costs where they are stated, Scenarios)
        to its sentences.
    """
    unit = design.time_unit
    return {
        "Arms": _arms(design),
        "Patients": _patients(design),
        **({"External controls": tell_external(design)} if design.external_controls else {}),
        "Enrolment": [_enrolment(design.enrolment, unit)],
        "Endpoints": [_endpoint(e, unit) for e in design.endpoints],
        "Dropout": [_dropout(design.dropout, unit, design.population)],
        "Intercurrent events": _intercurrent(design) or ["None: nobody stops treatment."],
        "Looks": _looks(design),
        "Decision": _decision(design),
        "Hypotheses": _hypotheses(design),
        **({} if design.costs is None else {"Costs": [design.costs.words(unit)]}),
        "Scenarios": [_scenario(design, truth) for truth in design.truths],
    }


def _arms(design: TrialDesign) -> list[str]:
    if sum(arm.allocation > 0 for arm in design.arms) == 1:
        (only,) = (arm for arm in design.arms if arm.allocation)
        return [f"{design.n:,} patients all get {only.name}; nobody is randomised."]
    names = [f"{arm.name}{' (control)' if arm.control else ''}" for arm in design.arms]
    ratio = ":".join(f"{arm.allocation}" for arm in design.arms)
    block = design.block * sum(arm.allocation for arm in design.arms)
    within = f" within strata of {_listed(design.strata)}" if design.strata else ""
    return [
        f"{design.n:,} patients are randomised {ratio} to {_listed(names)}.",
        f"Randomisation is in permuted blocks of {block}{within}.",
    ]


def _patients(design: TrialDesign) -> list[str]:
    source: Any = design.population
    told = "Patients come from the population that is given when the design is simulated."
    if isinstance(source, ParametricPopulation):
        known = [c.name for c in source.covariates]
        told = "Patients are drawn by formula" + (f" with {_listed(known)}." if known else ".")
    elif source is not None and source.kind == "model":
        narrowed = f" given {_condition(source.given)}" if source.given else ""
        told = f"Patients are {source.twins:,} twins from the model {source.model}{narrowed}."
        if source.fresh:
            told = f"Every patient is drawn anew from the model {source.model}{narrowed}."
    elif source is not None:
        told = f"Patients are the controls of the cohort {source.where}, drawn with replacement."
    if design.eligibility is None:
        return [told, "Everybody is eligible."]
    return [told, f"Eligible are patients with {_condition(design.eligibility)}."]


def _enrolment(enrolment: Enrolment, unit: str) -> str:
    gaps = "at random (Poisson)" if enrolment.process == "poisson" else "evenly"
    closed = (
        f" Recruitment closes at {_time(enrolment.longest, unit)}, full or not."
        if enrolment.longest is not None
        else ""
    )
    if enrolment.ramp:
        steps = [
            f"{step.rate:g} a {unit}" + (f" from {unit} {step.start:g}" if step.start else "")
            for step in enrolment.ramp
        ]
        return f"Candidates are screened {gaps}: {_listed(steps, ', then ')}.{closed}"
    if enrolment.sites:
        rate = sum(site.rate for site in enrolment.sites)
        last = max(site.opens for site in enrolment.sites)
        return (
            f"{len(enrolment.sites)} sites screen candidates {gaps}, {rate:g} a {unit} once the "
            f"last has opened at {_time(last, unit)}.{closed}"
        )
    if enrolment.duration is not None:
        spread = "evenly" if enrolment.process == "even" else "at random"
        return f"All patients arrive {spread} within {_time(enrolment.duration, unit)}.{closed}"
    return "All patients are there at once; calendar time is not simulated."


def _endpoint(endpoint: Any, unit: str) -> str:
    kind = _KINDS[endpoint.kind]
    if endpoint.kind == "time_to_event":
        until = (
            f"up to {_time(endpoint.follow_up, unit)}" if endpoint.follow_up else "until the look"
        )
        wish = "wished for" if endpoint.good else "to be avoided"
        first = f" {endpoint.competing} precludes it." if endpoint.competing else ""
        return f"{endpoint.name}: {kind}, followed {until}; the event is {wish}.{first}"
    better = "higher" if endpoint.higher_is_better else "lower"
    when = {
        "continuous": lambda: "at " + _listed([_time(v, unit) for v in endpoint.visits]),
        "binary": lambda: f"at {_time(endpoint.visit, unit)}",
        "count": lambda: f"over {_time(endpoint.follow_up, unit)}",
    }[endpoint.kind]()
    failure = (
        " Who left counts as not better." if getattr(endpoint, "missing_is_failure", 0) else ""
    )
    return f"{endpoint.name}: {kind} {when}; {better} is better.{failure}"


def _intercurrent(design: TrialDesign) -> list[str]:
    """Strategies; that of a discontinuation only where somebody discontinues."""
    laws = (design.discontinuation, *(truth.discontinuation for truth in design.truths))
    nobody = all(law is None for law in laws)
    told = [
        f"{event.capitalize()}: {strategy} strategy."
        for event, strategy in design.intercurrent_events.items()
        if not (nobody and event == "discontinuation")
    ]
    told += [
        f"For {endpoint.name}, {event}: {strategy} strategy."
        for endpoint in design.endpoints
        for event, strategy in endpoint.intercurrent_events.items()
    ]
    if design.discontinuation is not None:
        told.append(f"{_stopping(design.discontinuation, design.time_unit)}.")
    return told


def _stopping(law: Discontinuation, unit: str) -> str:
    stop = _dropout(law.when, unit).rstrip(".").replace(" leave", " stop treatment")
    return f"{stop}, stay in the trial, and keep {law.effect_after:g} of the effect{_by_arm(law)}"


def _dropout(rule: Dropout, unit: str, source: Any = None) -> str:
    if rule.kind == "none":
        return "Nobody leaves."
    if isinstance(rule, ShareDropout):
        by = "the last visit" if rule.by is None else _time(rule.by, unit)
        return f"{rule.share:.3g} of patients leave by {by}, completely at random{_by_arm(rule)}."
    if not isinstance(rule, HazardDropout):
        return _leaving(source, unit)
    terms = [f"{name} (log hazard ratio {v:g})" for name, v in rule.log_hazard_ratios.items()]
    on_seen = f", depending on {_listed(terms)} (missing at random)" if terms else ""
    unseen = rule.log_hazard_ratio_of_outcome
    on_unseen = (
        f", depending on the unseen outcome (log hazard ratio {unseen:g} for each standard "
        "deviation; missing not at random)"
        if unseen
        else ""
    )
    return f"Patients leave at a rate of {rule.rate:g} a {unit}{_by_arm(rule)}{on_seen}{on_unseen}."


def _leaving(source: Any, unit: str) -> str:
    """Who leaves as the population has it; a formula says how fast, or that nobody does."""
    if not isinstance(source, ParametricPopulation):
        return "Patients leave as the population has it."
    if source.leaving_rate == 0:
        return "Nobody leaves: the population has no leaving_rate, and the design no dropout."
    rate = f"{source.leaving_rate:g} a {unit}"
    return f"Patients leave at a rate of {rate}, as the population has it."


def _by_arm(rule: Any) -> str:
    told = [f"{value:g} in {arm}" for arm, value in rule.arms.items()]
    return f" ({_listed(told)})" if told else ""


def _looks(design: TrialDesign) -> list[str]:
    looks = design.rule.looks
    if looks.by == "patients":
        at = [f"{size:,}" for size in design.sizes]
        what = "patients have their outcome due"
    elif looks.by == "events":
        at = [f"{value:g}" for value in looks.at or ()]
        what = f"events of {looks.endpoint or design.endpoints[0].name} have come"
    else:
        at, what = [f"{value:g}" for value in looks.at or ()], f"{design.time_unit}s have passed"
    number = "One look" if looks.count == 1 else f"{looks.count} looks, the last one final"
    latest = (
        f" No look is later than {_time(looks.latest, design.time_unit)}."
        if looks.latest is not None
        else ""
    )
    return [f"{number}: when {_listed(at)} {what}.{latest}"]


def _decision(design: TrialDesign) -> list[str]:
    rule: Any = design.rule
    critical = rule.critical(rule.alpha)
    if rule.kind == "response_adaptive":
        return [
            f"An arm stops the trial for efficacy when it is best with probability above "
            f"{rule.superiority:g}; arms below {rule.inferior:.3g} are dropped.",
            "Later patients go to arms by their probability of being best, each arm left at "
            f"least {rule.minimum:g}.",
            "Alpha does not control the level; simulation under no effect shows it.",
        ]
    bounds = ", ".join(f"{z:.3f}" if isfinite(z) else "none" for z in critical)
    boundary = getattr(rule, "boundary", None)
    family = f" ({_family(boundary)})" if boundary is not None else ""
    told = [
        f"One-sided alpha {rule.alpha:g}; critical z{family} {bounds}"
        + (" at full alpha." if len(design.tested) > 1 else ".")
    ]
    return told + _further(rule)


def _further(rule: Any) -> list[str]:
    """Say what a rule does beside its efficacy bounds."""
    if rule.kind == "fixed":
        return []
    if rule.kind == "group_sequential":
        return _futility(rule)
    doc = " ".join((type(rule).__doc__ or "").split("\n\n")[0].split())
    said = rule.model_dump(exclude={"kind", "alpha", "looks", "boundary"}, exclude_none=True)
    stated = [f"{name.replace('_', ' ')}: {_value(value)}" for name, value in said.items()]
    return [doc, *([_capital("; ".join(stated)) + "."] if stated else [])]


def _futility(rule: Any) -> list[str]:
    told = []
    lower = rule.lower(rule.alpha)
    if rule.futility is not None:
        at = ", ".join(f"{z:.3f}" if isfinite(z) else "none" for z in lower[:-1])
        binding = "binding" if rule.futility.binding else "not binding"
        family = rule.futility.family.replace("_", " ")
        told.append(f"Futility ({family}, {binding}): stop at z of {at} or below.")
    else:
        told.append("The trial does not stop for futility.")
    if rule.sided == 2:
        told.append("Two-sided: it also stops at the mirrored bounds; alpha is that of one side.")
    if rule.information == "observed":
        told.append("Bounds are found anew at the information that came.")
    return told


def _hypotheses(design: TrialDesign) -> list[str]:
    graph = getattr(design.rule, "graph", None)
    told = []
    for place, tested in enumerate(design.tested):
        weight = tested.share if graph is None else graph.weights[place]
        others = "all other arms" if design.rule.every_arm else design.control.name
        adjusted = [*tested.analysis.covariates, *tested.analysis.strata]
        group = f" in {tested.subgroup.name}" if tested.subgroup else ""
        by = f", adjusted for {_listed(adjusted)}" if adjusted else ""
        level = _level(design, weight)
        summary, kind = summary_of(tested.analysis, tested.endpoint), tested.analysis.kind
        told.append(
            f"{design.arms[tested.arm].name} against {others} on {tested.endpoint.name}{group}: "
            f"{summary} ({kind.replace('_', ' ')}{by}){level}."
        )
    if graph is not None:
        told.append("The weight of a rejected hypothesis goes to the others by the graph.")
    return told


def _scenario(design: TrialDesign, truth: Scenario) -> str:
    effects = [_effect(effect, design.time_unit) for effect in truth.effects]
    told = [_listed(effects)] if effects else ["no arm does anything"]
    if truth.dropout is not None:
        told.append(_dropout(truth.dropout, design.time_unit, design.population).rstrip("."))
    if truth.discontinuation is not None:
        told.append(_stopping(truth.discontinuation, design.time_unit))
    if truth.external_drift is not None:
        told.append(f"external controls drift by {truth.external_drift:g}")
    if truth.enrolment is not None:
        told.append(_enrolment(truth.enrolment, design.time_unit).rstrip("."))
    return f"{_capital(truth.name)}: {'; '.join(told)}."


def _effect(effect: Effect, unit: str) -> str:
    size: Any = getattr(effect, effect.field)
    if isinstance(size, tuple) and effect.field == "hazard_ratio":
        steps = [f"{s.ratio:g}" + (f" from {unit} {s.start:g}" if s.start else "") for s in size]
        told = _listed(steps, ", then ")
    else:
        told = _value(size)
    where = f" in patients with {_condition(effect.where)}" if effect.where else ""
    return f"{effect.arm} {_SIZES[effect.field]} {told} ({effect.endpoint}){where}"


def _family(boundary: Any) -> str:
    name = boundary.family
    given = boundary.model_dump(exclude={"family"}, exclude_none=True)
    more = [f"{key} {_value(value)}" for key, value in given.items()]
    return ", ".join([_SPELT.get(name, name.replace("_", " ")), *more])


def _condition(given: Any) -> str:
    """A condition in words; the tree form is shown as it is written."""
    if not isinstance(given, Mapping):
        return _value(given)
    return _listed([f"{name} {_allowed(value)}" for name, value in given.items()])


def _allowed(value: Any) -> str:
    if isinstance(value, list | tuple):
        numbers = len(value) == 2 and all(isinstance(v, int | float | None) for v in value)
        if numbers:
            low, high = value
            if low is not None and high is not None:
                return f"{low:g} to {high:g}"
            sides = (("at least", low), ("at most", high))
            return next((f"{word} {end:g}" for word, end in sides if end is not None), "any")
        return f"one of {', '.join(map(str, value))}"
    return _value(value)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_value(held)}" for key, held in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_value(held) for held in value)
    return f"{value:g}" if isinstance(value, float) else str(value).replace("_", " ")


def _level(design: TrialDesign, weight: float) -> str:
    """Level of a hypothesis; of rules that test all intersections, that of the closed test."""
    alpha = design.rule.alpha
    if design.rule.every_arm:
        return ""
    if design.rule.kind in _CLOSED and getattr(design.rule, "test", "closed") == "closed":
        return f", by closed tests at {alpha:.4g}"
    return f", at {'all' if weight == 1 else f'{weight:.4g}'} of alpha ({weight * alpha:.4g})"


def _time(value: float, unit: str) -> str:
    return f"{unit} {value:g}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _listed(parts: Sequence[str], by: str = ", ") -> str:
    """Join words, with "and" before the last of a plain list."""
    if by != ", " or len(parts) < 2:
        return by.join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"
