"""From a run folder's results to one HTML file that opens offline."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extraction.records import InputError
from extraction.records.files import write_atomically
from serving.report import figures, findings, rows

if TYPE_CHECKING:
    from jinja2 import Environment

MOST_BYTES = 8 * 2**20
_UNITS = {
    "a": "years",
    "mo": "months",
    "d": "days",
    "{score}": "",
    "[drp]": "drops",
    "[iU]": "IU",
    "Cel": "°C",
}
_BRACKETS = str.maketrans("", "", "{}[]")
_TEMPLATES = {"trial": "trial.html.j2", "historical_score": "historical.html.j2"}


def write_report(run_folder: Path | str) -> Path:
    """Write ``report.html`` of a run from its stages' results.

    Parameters
    ----------
    run_folder
        Folder of a finished run (``trialtwin run``): ``config.resolved.yaml``,
        ``manifest.json`` and ``stages/<stage>/result.json``.

    Returns
    -------
    Path
        The report: one file of less than 8 MB, no script, nothing loaded from elsewhere.

    Raises
    ------
    InputError
        When the folder is no run folder, or the study's kind has no report.
    """
    folder = Path(run_folder)
    text = render(_read(folder))
    if len(text.encode()) > MOST_BYTES:
        raise InputError(f"{folder.name}: the report is larger than 8 MB; show fewer examples")
    target = folder / "report.html"
    write_atomically(target, text.encode())
    return target


def render(run: Mapping[str, Any]) -> str:
    """Return the page of a run: its configuration, manifest and results by stage."""
    kind = run["config"].get("kind")
    if kind not in _TEMPLATES:
        raise InputError(
            f"report: studies of kind {kind} have no report; known are {', '.join(_TEMPLATES)}"
        )
    return (
        environment()
        .get_template(_TEMPLATES[kind])
        .render(**run, tiles=findings.tiles(run), limits=findings.limits(run))
    )


def _read(folder: Path) -> dict[str, Any]:
    import yaml

    try:
        config = yaml.safe_load((folder / "config.resolved.yaml").read_text("utf-8"))
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        raise InputError(
            f"{folder.name}: this is no run folder (config.resolved.yaml and "
            "manifest.json are needed); make one with 'trialtwin run'"
        ) from None
    stages = {
        path.parent.name: json.loads(path.read_text("utf-8"))
        for path in sorted((folder / "stages").glob("*/result.json"))
    }
    found = _audits(folder, stages.get("models", {}).get("controls", {}))
    return {"config": config, "manifest": manifest, **stages} | ({"audits": found} if found else {})


def _audits(folder: Path, card: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Inference audits of the run's model of controls, as `trialtwin evaluate inference` kept."""
    same = ("engine", "options", "data_digest")
    found = [json.loads(p.read_text("utf-8")) for p in sorted(folder.glob("audits/audit-*.json"))]
    return [a for a in found if all(a["about"].get(name) == card.get(name) for name in same)]


@cache
def environment() -> Environment:
    """Return the templates, with the filters and drawings that they use."""
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=PackageLoader("serving.report"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "num": number,
        "pct": percent,
        "p": p_value,
        "mc": with_error,
        "like": number_like,
        "words": words,
        "sentence": sentence,
        "capital": capital,
        "unit": unit_words,
        "level": level_words,
        "short": short_hash,
        "marked": rows.marked_note,
    }
    environment.globals |= {
        "fan_chart": figures.fan_chart,
        "line_chart": figures.line_chart,
        "step_curves": figures.step_curves,
        "histogram_pair": figures.histogram_pair,
        "forest_scale": rows.forest_scale,
        "strip": rows.strip,
        "verdict_class": rows.verdict_class,
        "power_series": rows.power_series,
        "forest_rows": rows.forest_rows,
        "at_effect": rows.at_effect,
        "first_key": rows.first_key,
        "widest": rows.widest,
        "metric_labels": rows.metric_labels,
        "by_group": rows.by_group,
    }
    return environment


def number(value: float | None, digits: int = 3) -> str:
    """Write a figure with a fixed number of decimals; a dash where there is none."""
    return "\u2013" if value is None else f"{value:.{digits}f}".replace("-", "\u2212")


def number_like(value: float, pattern: float) -> str:
    """Write a figure with as many decimals as another one was given with."""
    digits = len(f"{pattern!r}".partition(".")[2])
    return number(value, 0 if float(pattern).is_integer() else digits)


def percent(value: float | None, digits: int = 0) -> str:
    """Write a share as a percentage."""
    return "\u2013" if value is None else f"{100 * value:.{digits}f}\u2009%".replace("-", "\u2212")


def p_value(value: float | None) -> str:
    """Write a p value, "< 0.001" below that."""
    if value is None:
        return "\u2013"
    return "<\u20090.001" if value < 0.001 else f"{value:.3f}"


def with_error(measured: Mapping[str, Any] | None, digits: int = 3, share: bool = False) -> str:
    """Write a simulated figure with its Monte Carlo standard error in brackets."""
    if measured is None or measured.get("value") is None:
        return "\u2013"
    scale, unit = (100, "\u2009%") if share else (1, "")
    value, error = scale * measured["value"], scale * (measured.get("se") or 0.0)
    return f"{value:.{digits}f}{unit} ({error:.{digits}f})".replace("-", "\u2212")


def words(name: str) -> str:
    """Turn a technical name into words."""
    return name.replace("_", " ")


def capital(text: str) -> str:
    """Begin with a capital letter and leave the rest alone."""
    return text[:1].upper() + text[1:]


def sentence(text: str) -> str:
    """Begin with a capital letter and end with a full stop."""
    return capital(text).rstrip(".") + "."


def unit_words(unit: str | None) -> str:
    """Return a UCUM unit as people write it; scores have none."""
    unit = unit or ""
    return _UNITS.get(unit, unit.translate(_BRACKETS))


def level_words(level: str) -> str:
    """Return a category as people write it; controlled terms come in capitals."""
    return level.capitalize() if level.isupper() and len(level) > 2 else level


def short_hash(digest: str | None) -> str:
    """Return the first twelve places of a hash; the manifest has all of them."""
    return html.escape((digest or "")[:12])
