"""The files of a simulated trial: results, figures in one table, the page, the report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extraction.records.files import write_atomically

if TYPE_CHECKING:
    from serving.report.credibility_context import Context
    from serving.service.trials import TrialRequest
    from simulation.trial import OperatingCharacteristics, TrialDesign
    from simulation.trial.replay import Replay


def write_files(
    request: TrialRequest,
    done: Mapping[str, Any],
    found: OperatingCharacteristics,
    context: Context | None,
) -> dict[str, str]:
    """Write results.json, characteristics.csv, report.html and the credibility report.

    Returns
    -------
    dict
        What each file is, to its path.
    """
    from serving.report.simulation_page import simulation_page
    from simulation.operating_characteristics.tables import long_table

    assert request.out is not None
    files: dict[str, tuple[str, bytes]] = {
        "results": ("results.json", json.dumps(done, ensure_ascii=False, indent=1).encode()),
        "characteristics": (
            "characteristics.csv",
            long_table(found).to_csv(index=False, lineterminator="\n").encode(),
        ),
        "page": ("report.html", simulation_page(done).encode()),
    }
    if context is not None:
        from serving.report.credibility import credibility
        from serving.report.credibility_html import as_html
        from serving.report.credibility_pdf import as_pdf

        files["credibility"] = ("credibility.html", as_html(credibility(done, context)).encode())
        files["credibility, to print"] = (
            "credibility.pdf",
            as_pdf(credibility(done, context, form="png")),
        )
    return _written(request.out, files)


def write_design(out: Path, plan: TrialDesign) -> dict[str, str]:
    """Write the figure of a design as SVG."""
    from serving.report.simulation_figures import design_figure, drawn
    from serving.report.simulation_page import looks_in_words

    told = plan.model_dump(mode="json")
    figure = drawn(design_figure, told, looks_in_words(told, plan.sizes))
    return _written(out, {"design": ("design.svg", figure.encode())})


def write_replay(out: Path, found: Replay) -> dict[str, str]:
    """Write a replicate's patients and looks as CSV."""
    stem = f"replay-{found.replicate}"
    return _written(
        out,
        {
            "patients": (
                f"{stem}-patients.csv",
                found.patients.to_csv(index=False, lineterminator="\n").encode(),
            ),
            "looks": (
                f"{stem}-looks.csv",
                found.looks.to_csv(index=False, lineterminator="\n").encode(),
            ),
        },
    )


def _written(out: Path, files: Mapping[str, tuple[str, bytes]]) -> dict[str, str]:
    out.mkdir(parents=True, exist_ok=True)
    for name, content in files.values():
        write_atomically(out / name, content)
    return {what: str(out / name) for what, (name, _) in files.items()}
