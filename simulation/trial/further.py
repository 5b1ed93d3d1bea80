"""What a trial decides beside stopping, and what it costs, replicate by replicate."""

from typing import Any, Final

from simulation.trial.design import TrialDesign

COST: Final = "cost"


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
    """Decisions and cost (R,) by name, of one scenario's replicates."""
    held = {
        words: table[name] if number is None else table[name][:, number]
        for words, (name, number) in decision_words(design).items()
    }
    if design.costs is not None:
        held[COST] = design.costs.of(table["n"], table["screened"], table["duration"])
    return held
