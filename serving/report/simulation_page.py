"""The page of a simulated trial: one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import floor, log10
from typing import Any

from serving.report import simulation_figures as drawings
from serving.report.external_controls import CAPTION, borrowing_rows, drift_figure, drift_groups
from serving.report.familywise import error_name
from serving.report.render import environment
from serving.report.sensitivity_figures import curve_figure, short_path, surface_figure

_BY = {"patients": "patients", "events": "events", "time": "time"}
_RATIOS = ("odds_ratio", "rate_ratio", "hazard_ratio")


def simulation_page(done: Mapping[str, Any]) -> str:
    """Return the page.

    Parameters
    ----------
    done
        What `serving.service.OpenTrial.run` gives.

    Returns
    -------
    str
        HTML without scripts; nothing is loaded from elsewhere.
    """
    scenarios = with_limits(done["scenarios"], done["replicates"])
    return (
        environment()
        .get_template("simulation.html.j2")
        .render(
            d=done,
            scenarios=scenarios,
            alpha=alpha_of(done),
            figures=figures(done, scenarios),
            error=error_name(done),
            worst=worst_error(scenarios),
            short=shortfalls(done),
            several=len(scenarios[0]["hypotheses"]) > 1,
            looks=len(scenarios[0]["efficacy"]),
            calendar=any(s["duration"]["value"] for s in scenarios),
            screened=any(s["screened"]["value"] != s["n"]["value"] for s in scenarios),
            futile=any(f["value"] for s in scenarios for f in s["futility"]),
            bounded=any(k["lower"] is not None for b in done["boundaries"] for k in b["looks"]),
            adjusted=any(h["adjusted"] or h["chosen"] for s in scenarios for h in s["hypotheses"]),
            single="curve" in done and done["curve"]["rows"][0]["size"] is not None,
            borrowing=borrowing_rows(scenarios),
            drift_caption=CAPTION,
            unit=done["design"]["time_unit"],
            at_looks=at_looks(done),
            curves=_curves(done["curve"]) if "curve" in done else [],
            surfaces=crossed(done["surface"]) if "surface" in done else [],
        )
    )


def with_limits(scenarios: Sequence[Mapping[str, Any]], replicates: int) -> list[dict[str, Any]]:
    """Scenarios with exact 95 % Monte Carlo limits of rejecting anything, and anything true."""
    from simulation.operating_characteristics.tables import monte_carlo_limits

    def limits(held: Mapping[str, Any] | None) -> tuple[float, float] | None:
        return None if held is None else monte_carlo_limits(held["value"], replicates)

    return [
        dict(s)
        | {
            "limits": limits(s["any_rejection"]),
            "error_limits": limits(s.get("familywise_error")),
        }
        for s in scenarios
    ]


def worst_error(scenarios: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Scenario of the largest familywise error; None unless more than one scenario has one."""
    held = [s for s in scenarios if s.get("familywise_error")]
    return max(held, key=lambda s: s["familywise_error"]["value"]) if len(held) > 1 else None


def shortfalls(done: Mapping[str, Any]) -> list[str]:
    """What the results say of each scenario whose looks came without what they wait for."""
    begin = tuple(f"{s['name']}: in " for s in done["scenarios"] if s["short"]["value"])
    return [line for line in done["limits"] if line.startswith(begin)] if begin else []


def alpha_of(done: Mapping[str, Any]) -> float | None:
    """One-sided level, where it is what the rule controls."""
    return float(done["design"]["rule"]["alpha"]) if done["boundaries"] else None


def figures(
    done: Mapping[str, Any], scenarios: Sequence[Mapping[str, Any]], form: drawings.Form = "svg"
) -> dict[str, Any]:
    """All figures that there are data for, by name."""
    unit, alpha = done["design"]["time_unit"], alpha_of(done)

    def draw(what: Any, *given: Any) -> Any:
        return drawings.drawn(what, *given, form=form)

    made = {
        "design": draw(drawings.design_figure, done["design"], at_looks(done)),
        "power": draw(drawings.power_figure, scenarios, alpha),
    }
    if len(scenarios[0]["efficacy"]) > 1:
        made["stopping"] = draw(drawings.stopping_figure, scenarios)
    if any(held["n"]["q05"] < held["n"]["q95"] for held in done["spread"].values()):
        made["n"] = draw(drawings.spread_figure, done["spread"], "n", "patients randomised")
    if any(held["duration"]["q05"] < held["duration"]["q95"] for held in done["spread"].values()):
        label = f"{unit}s until the stop"
        made["duration"] = draw(drawings.spread_figure, done["spread"], "duration", label)
    if done["boundaries"] and len(scenarios[0]["efficacy"]) > 1:
        by = _BY[done["design"]["rule"]["looks"]["by"]].replace("time", f"{unit}s")
        made["boundary"] = draw(drawings.boundary_figure, done["boundaries"][0], by)
    if groups := drift_groups(done):
        made["drift"] = draw(drift_figure, groups, alpha)
    if "curve" in done:
        rows, label = done["curve"]["rows"], size_label(done)
        made["curve"] = [
            draw(curve_figure, rows, shown, alpha, label) for shown in done["curve"]["figures"]
        ]
    if "surface" in done:
        found = done["surface"]
        made["surface"] = [
            draw(surface_figure, shown, found["over"], digits_of(_worst(shown)))
            for shown in found["figures"]
        ]
    return made


def size_label(done: Mapping[str, Any]) -> str:
    """What the axis of effect sizes shows."""
    name = done["curve"]["scenario"]
    effects = next(s["effects"] for s in done["design"]["scenarios"] if s["name"] == name)
    if done["curve"]["rows"][0]["size"] is None:
        return f"multiple of the effects of “{name}”"
    field = next(name for name in (*_RATIOS, "shift") if effects[0].get(name) is not None)
    return f"{field.replace('_', ' ')} of {effects[0]['endpoint']}"


def at_looks(done: Mapping[str, Any]) -> list[str]:
    """When each look comes, in words."""
    return looks_in_words(done["design"], done["looks"]["sizes"] or ())


def looks_in_words(design: Mapping[str, Any], sizes: Sequence[int]) -> list[str]:
    """When each look of a design comes; `sizes` are the patients of looks by patients."""
    looks, unit = design["rule"]["looks"], design["time_unit"]
    if looks["by"] == "patients":
        return [f"{size:,} patients due" for size in sizes]
    if looks["by"] == "events":
        name = looks["endpoint"] or design["endpoints"][0]["name"]
        return [f"{value:g} events of {name}" for value in looks["at"]]
    return [f"{unit} {value:g}" for value in looks["at"]]


def _curves(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the curve shows, with decimal places for each figure."""
    return [
        dict(shown)
        | {"digits": digits_of(max(row[f"{shown['name']}_se"] or 0.0 for row in found["rows"]))}
        for shown in found["figures"]
    ]


def crossed(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each figure's surface as a table: rows by the first assumption, columns by the second."""
    return [_crossed(found, shown) for shown in found["figures"]]


def _crossed(found: Mapping[str, Any], shown: Mapping[str, Any]) -> dict[str, Any]:
    (down, ys), (across, xs) = found["over"].items()
    held = {(row[down], row[across]): row for row in shown["rows"]}
    worst = _worst(shown)
    return {
        "label": shown["label"],
        "scenario": shown["scenario"],
        "digits": digits_of(worst),
        "down": down,
        "across": across,
        "down_short": short_path(down),
        "across_short": short_path(across),
        "columns": xs,
        "rows": [(y, [held[y, x] for x in xs]) for y in ys],
        "worst_se": worst,
        "replicates": found["replicates"],
    }


def _worst(shown: Mapping[str, Any]) -> float:
    return max(row["se"] or 0.0 for row in shown["rows"])


def digits_of(error: float) -> int:
    """Decimal places that show a standard error with two figures, from 1 to 6."""
    return min(6, max(1, 1 - floor(log10(error)))) if error > 0 else 1
