"""What the parts of a design must be to each other: each check names the parts that it needs."""

from typing import Any, Final

from extraction.records.errors import nearest
from simulation.trial.design.arms import arm_faults
from simulation.trial.design.checks import (
    capped_faults,
    event_look_faults,
    increment_faults,
    leaving_faults,
    shift_faults,
    unseen_faults,
)
from simulation.trial.design.competing import cause_fault, competing_faults
from simulation.trial.design.discontinuation import stopping_faults
from simulation.trial.design.external import (
    allocation_faults,
    analysis_faults,
    drift_faults,
    rule_faults,
)
from simulation.trial.design.partial import Check
from simulation.trial.outcomes.effects import FIELDS


def _endpoint_faults(design: Any) -> list[str]:
    return _twice("endpoints", design.endpoints) + competing_faults(design.endpoints)


def _twice(where: str, parts: Any) -> list[str]:
    names = [part.name for part in parts]
    return [
        f"{where}: the name {name!r} stands twice; names must differ"
        for name in sorted({n for n in names if names.count(n) > 1})
    ]


def _treated(design: Any) -> list[str]:
    """Names of the arms that may be treated: all, where it is not clear which is the control."""
    clear = sum(arm.control for arm in design.arms) == 1
    return [arm.name for arm in design.arms if not (arm.control and clear)]


def _tested_endpoint_faults(design: Any) -> list[str]:
    faults = []
    known = {endpoint.name: endpoint for endpoint in design.endpoints}
    for k, held in enumerate(design.hypotheses):
        where = f"hypotheses[{k}]"
        if held.endpoint not in known:
            faults.append(
                f"{where}.endpoint: {held.endpoint!r} is no endpoint; there are {', '.join(known)}"
                f"{nearest(held.endpoint, known)}"
            )
        elif held.analysis and known[held.endpoint].kind not in held.analysis.takes:
            faults.append(
                f"{where}.analysis: {held.analysis.kind} takes "
                f"{' or '.join(held.analysis.takes)}, and {held.endpoint!r} is "
                f"{known[held.endpoint].kind}"
            )
        elif held.analysis and (fault := cause_fault(held.analysis, known[held.endpoint])):
            faults.append(f"{where}.analysis: {fault}")
    return faults


def _tested_arm_faults(design: Any) -> list[str]:
    treated = _treated(design)
    return [
        f"hypotheses[{k}].arm: {held.arm!r} is no treated arm: {', '.join(treated)}"
        f"{nearest(held.arm, treated)}"
        for k, held in enumerate(design.hypotheses)
        if held.arm is not None and held.arm not in treated
    ]


def _share_faults(design: Any) -> list[str]:
    if sum(held.share for held in design.hypotheses if held.share < 1) > 1 + 1e-9:
        return ["hypotheses: shares of alpha sum to more than 1; lower them"]
    return []


def _effects(design: Any) -> list[tuple[str, Any]]:
    return [
        (f"scenarios.{scenario.name}.effects[{k}]", effect)
        for scenario in design.scenarios
        for k, effect in enumerate(scenario.effects)
    ]


def _effect_arm_faults(design: Any) -> list[str]:
    treated = _treated(design)
    return [
        f"{where}.arm: {effect.arm!r} is no treated arm{nearest(effect.arm, treated)}"
        for where, effect in _effects(design)
        if effect.arm not in treated
    ]


def _effect_endpoint_faults(design: Any) -> list[str]:
    faults = []
    known = {endpoint.name: endpoint for endpoint in design.endpoints}
    for where, effect in _effects(design):
        endpoint = known.get(effect.endpoint)
        if endpoint is None:
            faults.append(
                f"{where}.endpoint: {effect.endpoint!r} is no endpoint; there are "
                f"{', '.join(known)}{nearest(effect.endpoint, known)}"
            )
        elif effect.field != FIELDS[endpoint.kind]:
            faults.append(
                f"{where}: {effect.endpoint!r} is {endpoint.kind} and takes "
                f"{FIELDS[endpoint.kind]}, not {effect.field}"
            )
        else:
            faults += shift_faults(where, effect, endpoint)
    return faults


def _stopping_faults(design: Any) -> list[str]:
    given = {"discontinuation": design.discontinuation}
    given |= {f"scenarios.{s.name}.discontinuation": s.discontinuation for s in design.scenarios}
    analyses: dict[str, set[str]] = {}
    for held in design.hypotheses:
        if held.analysis is not None:
            analyses.setdefault(held.endpoint, set()).add(held.analysis.kind)
    return stopping_faults(
        {where: law for where, law in given.items() if law is not None},
        [arm.name for arm in design.arms],
        design.endpoints,
        {endpoint.name: design.strategies(endpoint) for endpoint in design.endpoints},
        analyses,
    )


def _leaving_faults(design: Any) -> list[str]:
    laws = {where: law for where, law in design.leaving_laws.items() if where.endswith("dropout")}
    return leaving_faults(laws, [arm.name for arm in design.arms], design.endpoints)


def _every_arm_faults(design: Any) -> list[str]:
    first = design.tested[0].endpoint
    rule = design.rule
    if not (rule.every_arm or rule.blinded) or first.kind in ("binary", "continuous"):
        return _unequal_faults(design, first.kind)
    what = "a blinded size" if rule.blinded else rule.kind
    return [f"rule: {what} takes binary or continuous outcomes, and {first.name!r} is {first.kind}"]


def _unequal_faults(design: Any, kind: str) -> list[str]:
    equal = len({arm.allocation for arm in design.arms}) == 1
    if equal or not design.rule.blinded or kind != "binary":
        return []
    return ["rule.size: a blinded size of rates is for arms of equal allocation; make them equal"]


def _event_look_faults(design: Any) -> list[str]:
    looks = design.rule.looks
    return event_look_faults(looks, design.endpoints, design.n) if looks.by == "events" else []


def _narrowing_faults(design: Any) -> list[str]:
    faults = []
    if not design.rule.narrows:
        return []
    if [tested.subgroup is None for tested in design.tested] != [True, False]:
        faults.append("hypotheses: the first is about all patients, the second has a subgroup")
    elif len({tested.endpoint.name for tested in design.tested}) > 1:
        faults.append("hypotheses: both are about one endpoint; name the same")
    faults += increment_faults(design.tested)
    if any(enrolment.duration for enrolment in design.enrolments.values()):
        faults.append("enrolment.duration: the subgroup's pace follows from a ramp or sites")
    return faults


def _timed_look_faults(design: Any) -> list[str]:
    if design.rule.looks.by == "time" and design.enrolment.at_once:
        return ["rule.looks: looks by time need an enrolment"]
    return []


def _last_look_faults(design: Any) -> list[str]:
    looks = design.rule.looks
    if looks.by == "patients" and (looks.at or (0,))[-1] > design.n:
        return [f"rule.looks: the last look is beyond the {design.n} patients of the trial"]
    return []


def _first_look_faults(design: Any) -> list[str]:
    least = 2 * len(design.arms)
    if design.rule.looks.by != "patients" or design.sizes[0] >= least:
        return []
    return [
        f"rule.looks: the first look has {design.sizes[0]} patients; at least {least} are needed; "
        "raise n or look later"
    ]


_TESTED = ("hypotheses", "endpoints.name", "endpoints.kind", "arms.name", "arms.control")
"""What it takes to know the hypotheses that are tested."""

CHECKS: Final = (
    Check(("arms.name", "arms.control"), lambda d: arm_faults(d.arms), ("arms.control",)),
    Check(
        ("endpoints.name", "endpoints.kind", "endpoints.competing"),
        _endpoint_faults,
        ("endpoints",),
    ),
    Check(
        (
            "hypotheses.endpoint",
            "hypotheses.analysis",
            "endpoints.name",
            "endpoints.kind",
            "endpoints.competing",
        ),
        _tested_endpoint_faults,
        ("hypotheses.endpoint", "hypotheses.analysis"),
    ),
    Check(("hypotheses.arm", "arms.name"), _tested_arm_faults, ("hypotheses.arm",)),
    Check(("hypotheses.share",), _share_faults, ("hypotheses.share",)),
    Check(("scenarios.name",), lambda d: _twice("scenarios", d.scenarios)),
    Check(("scenarios", "arms.name"), _effect_arm_faults),
    Check(
        ("scenarios", "endpoints.name", "endpoints.kind", "endpoints.visits"),
        _effect_endpoint_faults,
    ),
    Check(
        (
            "discontinuation",
            "scenarios",
            "hypotheses",
            "arms.name",
            "endpoints",
            "intercurrent_events",
        ),
        _stopping_faults,
    ),
    Check(("dropout", "scenarios", "arms.name", "endpoints"), _leaving_faults),
    Check(
        ("dropout", "discontinuation", "scenarios", "endpoints.name", "endpoints.kind"),
        lambda d: unseen_faults(d.leaving_laws, d.endpoints),
    ),
    Check(("enrolment", "scenarios", "n"), lambda d: capped_faults(d.enrolments, d.n)),
    Check(
        ("rule", "n", *_TESTED),
        lambda d: d.rule.faults(d.n, len(d.arms), len(d.tested)),
        despite=("rule.alpha",),
    ),
    Check(("rule.kind", *_TESTED), _every_arm_faults),
    Check(("rule.looks", "endpoints.name", "endpoints.kind", "n"), _event_look_faults),
    Check(("rule.kind", "enrolment", "scenarios", *_TESTED), _narrowing_faults),
    Check(("rule.looks", "enrolment"), _timed_look_faults),
    Check(("rule.looks", "n"), _last_look_faults, ("rule.looks",)),
    Check(("rule.looks", "n", "arms.name"), _first_look_faults),
    Check(("external_controls", "rule.kind", "rule.information"), rule_faults),
    Check(("external_controls", "scenarios"), drift_faults),
    Check(("external_controls", "arms"), allocation_faults, ("arms",)),
    Check(
        ("external_controls", "rule.kind", "hypotheses.analysis", "hypotheses.endpoint", *_TESTED),
        analysis_faults,
    ),
)
"""In an order in which later ones may rely on earlier ones."""
