"""Errors of several hypotheses: what they are called, and a table of them by scenario."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from serving.report.blocks import Block, Grid, Words
from serving.report.render import with_error


def error_name(done: Mapping[str, Any]) -> str:
    """What it is to reject anything under no effect: of one hypothesis, or of a family."""
    several = len(done["scenarios"][0]["hypotheses"]) > 1
    return "familywise error" if several else "type I error"


def families(scenarios: Sequence[Mapping[str, Any]]) -> list[Block]:
    """Of several hypotheses, by scenario: each one's rejection, and that of any that is true."""
    if len(scenarios[0]["hypotheses"]) < 2:
        return []
    rows = [
        [
            scenario["name"],
            with_error(scenario["familywise_error"], 4),
            *(
                with_error(held["rejection"], 4) + (" *" if held["null"] else "")
                for held in scenario["hypotheses"]
            ),
        ]
        for scenario in scenarios
    ]
    names = [held["name"] for held in scenarios[0]["hypotheses"]]
    told = "* true in the scenario: a type I error. The familywise error is that of any of these."
    return [Grid(("Scenario", "Familywise error (SE)", *names), rows, figures=5), Words(told)]
