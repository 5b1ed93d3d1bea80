"""Competing causes: endpoints whose event precludes that of another."""

from collections.abc import Sequence
from typing import Any, Final

from extraction.records.errors import nearest

_CENSORS: Final = ("rmst", "landmark")
"""Analyses that would take a competing event for independent censoring."""


def competing_faults(endpoints: Sequence[Any]) -> list[str]:
    """Say which competing causes are no other time-to-event endpoint of the design."""
    kinds = {endpoint.name: endpoint.kind for endpoint in endpoints}
    faults = []
    for endpoint in endpoints:
        named = getattr(endpoint, "competing", None)
        others = [n for n, kind in kinds.items() if kind == "time_to_event" and n != endpoint.name]
        if named is not None and named not in others:
            faults.append(
                f"endpoints.{endpoint.name}.competing: {named!r} is no other time-to-event "
                f"endpoint of the design; there are {', '.join(others) or 'none'}"
                f"{nearest(named, others)}"
            )
    return faults


def cause_fault(analysis: Any, endpoint: Any) -> str | None:
    """Say why an analysis does not go with an endpoint's causes."""
    competing = getattr(endpoint, "competing", None)
    if analysis.competing and competing is None:
        return (
            f"{analysis.kind} asks for a competing cause, and {endpoint.name!r} has none; give "
            "its endpoint as `competing`, or choose log_rank or cox"
        )
    if analysis.kind in _CENSORS and competing is not None:
        return (
            f"{analysis.kind} would take {competing!r} for censoring and describe a world without "
            "it; choose cumulative_incidence or fine_gray"
        )
    return None


def summary_of(analysis: Any, endpoint: Any) -> str:
    """The population-level summary; a hazard ratio beside competing causes is cause-specific."""
    alone = getattr(endpoint, "competing", None) is None or analysis.competing
    summary = str(getattr(analysis, "summaries", {}).get(endpoint.kind, analysis.summary))
    return summary if alone else f"{summary} (cause-specific)"
