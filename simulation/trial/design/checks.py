"""What would otherwise fail late or pass unseen: dropout, enrolment and looks against the rest."""

from collections.abc import Mapping, Sequence
from typing import Any

from extraction.records import CohortSchema
from extraction.records.errors import nearest
from simulation.trial.design.dropout import Dropout, HazardDropout, ShareDropout
from simulation.trial.design.enrolment import Enrolment


def leaving_faults(
    laws: Mapping[str, Dropout | None], arms: Sequence[str], endpoints: Sequence[Any]
) -> list[str]:
    """Say what is wrong with dropout, by place in the design."""
    faults = []
    endless = not any(getattr(e, "follow_up", None) or e.delay for e in endpoints)
    for where, law in laws.items():
        if isinstance(law, ShareDropout | HazardDropout):
            faults += [
                f"{where}.arms: {name!r} is no arm; there are {', '.join(arms)}"
                f"{nearest(name, arms)}"
                for name in law.arms
                if name not in arms
            ]
        if isinstance(law, ShareDropout) and law.by is None and endless:
            faults.append(f"{where}.by: the endpoints have no end; say by when they leave")
    return faults


def unseen_faults(laws: Mapping[str, Any], endpoints: Sequence[Any]) -> list[str]:
    """Say where leaving or stopping would hang on an outcome that is no value."""
    first = endpoints[0]
    return [
        f"{where}.log_hazard_ratio_of_outcome: it takes the first endpoint's value, and "
        f"{first.name!r} is time_to_event; put an endpoint with values first or leave it out"
        for where, law in laws.items()
        if isinstance(law, HazardDropout)
        and law.log_hazard_ratio_of_outcome != 0
        and first.kind == "time_to_event"
    ]


def term_faults(laws: Mapping[str, Any], schema: CohortSchema) -> list[str]:
    """Say which terms of hazards do not fit their variables; unknown variables are told elsewhere.

    A number stands alone (`age`), a category with its level (`sex=f`).
    """
    known = {variable.name: variable for variable in schema.baseline}
    faults = []
    for where, law in laws.items():
        for term in law.log_hazard_ratios if isinstance(law, HazardDropout) else ():
            name, _, level = term.partition("=")
            if name not in known:
                continue
            levels = list(known[name].categories or ())
            place = f"{where}.log_hazard_ratios: {term!r}"
            if known[name].numeric and level:
                faults.append(f"{place} has a level, and {name} is a number; give {name!r}")
            elif not known[name].numeric and level not in levels:
                faults.append(
                    f"{place} names no level of {name}; give {name}=level with one of "
                    f"{', '.join(levels)}{nearest(level, levels)}"
                )
    return faults


def strata_faults(names: Sequence[str], schema: CohortSchema) -> list[str]:
    """Say which strata are numbers; unknown ones are told elsewhere."""
    numbers = {variable.name for variable in schema.baseline if variable.numeric}
    return [
        f"strata: {name!r} is a number; strata need categories; cut it into some"
        for name in dict.fromkeys(names)
        if name in numbers
    ]


def capped_faults(enrolments: Mapping[str, Enrolment | None], n: int) -> list[str]:
    """Say which sites together may not screen as many as are wanted."""
    faults = []
    for where, enrolment in enrolments.items():
        caps = [site.cap for site in enrolment.sites] if enrolment else []
        most = sum(cap for cap in caps if cap is not None)
        if caps and None not in caps and most < n:
            faults.append(
                f"{where}.sites: caps sum to {most} and {n} patients are wanted, so this trial "
                "cannot recruit; raise the caps, add sites or lower n"
            )
    return faults


def shift_faults(where: str, effect: Any, endpoint: Any) -> list[str]:
    """Say where shifts are not one a visit."""
    if not isinstance(effect.shift, tuple) or len(effect.shift) == len(endpoint.visits):
        return []
    return [
        f"{where}.shift: {len(effect.shift)} values came for {len(endpoint.visits)} visits of "
        f"{endpoint.name!r}; give one number, or one a visit"
    ]


def event_look_faults(looks: Any, endpoints: Sequence[Any], most: int) -> list[str]:
    """Say what is wrong with looks by events."""
    names = [endpoint.name for endpoint in endpoints]
    if looks.endpoint is not None and looks.endpoint not in names:
        return [
            f"rule.looks.endpoint: {looks.endpoint!r} is no endpoint; there are {', '.join(names)}"
            f"{nearest(looks.endpoint, names)}"
        ]
    found = next((e for e in endpoints if e.name == looks.endpoint), endpoints[0])
    if found.kind != "time_to_event":
        return ["rule.looks: looks by events need a time-to-event endpoint"]
    beyond = [(number, at) for number, at in enumerate(looks.at, 1) if at > most]
    if beyond:
        number, at = beyond[0]
        return [
            f"rule.looks: look {number} waits for {at:g} events and the trial has {most} patients; "
            "each has one event at most; raise n or lower `at`"
        ]
    return []


def bound_faults(rule: Any) -> list[str]:
    """Say, of a rule as it was typed, whether futility has another number of bounds than looks.

    The looks may be at fault themselves: how many were meant shows all the same.
    """
    given: list[Any] = []
    for part, field in (("looks", "at"), ("futility", "bounds")):
        inside = rule.get(part) if isinstance(rule, Mapping) else None
        given.append(inside.get(field) if isinstance(inside, Mapping) else None)
    looks, bounds = given
    if not isinstance(looks, list | tuple) or not isinstance(bounds, list | tuple):
        return []
    if not looks or rule.get("kind") != "group_sequential" or len(bounds) == len(looks) - 1:
        return []
    return [
        f"rule: group-sequential design: futility.bounds: {len(bounds)} came for {len(looks)} "
        "looks; give one for each interim look"
    ]


def increment_faults(tested: Sequence[Any]) -> list[str]:
    """Say which analyses of times to events have no stages that increments would tell apart."""
    faults = []
    for number, held in enumerate(tested):
        kind = held.analysis.kind
        weighted = getattr(held.analysis, "weighting", None) is not None
        if weighted or kind in ("max_combo", "fine_gray"):
            faults.append(
                f"hypotheses[{number}].analysis: {'a weighted ' if weighted else ''}{kind} has no "
                "independent increments by which the stages are told apart; take log_rank without "
                "weights, cox, rmst or landmark"
            )
    return faults


def nothing_seen(
    looks: Any, at_once: Mapping[str, bool], tested: Sequence[Any], delay: float
) -> list[str]:
    """Say where times to events are looked at on the day when everybody starts.

    `delay` is the longest of all endpoints, for which looks by patients wait.
    """
    if looks.by != "patients" or delay > 0:
        return []
    if all(endpoint.kind != "time_to_event" for endpoint in tested):
        return []
    return [
        f"{where}: everybody starts at once and the look comes on that day, so that no event can "
        "be seen; look by events, or give an enrolment and look by time"
        for where, there in at_once.items()
        if there
    ]
