"""What a trial decides beside stopping, its cost, events and arms, replicate by replicate."""

from typing import Any, Final

from simulation.trial.design import TrialDesign

COST: Final = "cost"
EVENTS: Final = "events"
_ARM: Final = "patients on "


def events_of(design: TrialDesign) -> Any:
    """Endpoint whose events are counted at the stop, or None.

    That by whose events the looks come; else the first time to an event that is tested.
    """
    looks = design.rule.looks
    if looks.by == "events":
        name = looks.endpoint or design.endpoints[0].name
        return next(e for e in design.endpoints if e.name == name)
    timed = (t.endpoint for t in design.tested if t.endpoint.kind == "time_to_event")
    return next(timed, None)


def arm_words(design: TrialDesign) -> dict[str, str]:
    """Names of arms by figure, such as `patients on Low dose`, where the rule changes arms."""
    arms = design.arms if design.rule.adapts else ()
    return {f"{_ARM}{arm.name}": arm.name for arm in arms}


def decision_words(design: TrialDesign) -> dict[str, tuple[str, int | None]]:
    """What the rule decides beside stopping, in words, such as `drops Low dose`.

    Returns
    -------
    dict
        The array that holds it in a table of replicates, and the hypothesis where it is of an arm.
    """
    return {
        words.format(design.arms[tested.arm].name): (name, number if "{}" in words else None)
        for name, words in design.rule.decisions.items()
        for number, tested in enumerate(design.tested)
    }


def further(design: TrialDesign, table: dict[str, Any]) -> dict[str, Any]:
    """Decisions, events, patients of arms and cost (R,) by name, of one scenario's replicates."""
    held = {
        words: table[name] if number is None else table[name][:, number]
        for words, (name, number) in decision_words(design).items()
    }
    if events_of(design) is not None:
        held[EVENTS] = table[EVENTS]
    held |= {words: table["arm_n"][:, k] for k, words in enumerate(arm_words(design))}
    if design.costs is not None:
        held[COST] = design.costs.of(table["n"], table["screened"], table["duration"])
    return held
