"""The files of a simulated trial: results, figures in one table, the page, the report."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from extraction.records.errors import TrialtwinError
from extraction.records.exports import csv_text
from extraction.records.files import write_atomically

if TYPE_CHECKING:
    from serving.report.credibility_context import Context
    from simulation.trial import OperatingCharacteristics, TrialDesign
    from simulation.trial.replay import Replay


@final
class TrialFiles:
    """Files of a simulated trial, the figures before what is drawn of them.

    Parameters
    ----------
    out
        Where they go.
    found
        What was simulated.
    """

    def __init__(self, out: Path, found: OperatingCharacteristics) -> None:
        self._out = out
        self._found = found
        self._files: dict[str, str] = {}
        self._failed: dict[str, Exception] = {}

    def results(self, done: Mapping[str, Any]) -> None:
        """Write results.json, and with the first of them characteristics.csv."""
        from simulation.operating_characteristics.tables import long_table

        held = {
            "results": ("results.json", json.dumps(done, ensure_ascii=False, indent=1).encode())
        }
        if not self._files:
            table = csv_text(long_table(self._found)).encode()
            held["characteristics"] = ("characteristics.csv", table)
        self._files |= _written(self._out, held)

    def page(self, done: Mapping[str, Any]) -> None:
        """Write report.html."""
        from serving.report.simulation_page import simulation_page

        self._make("page", "report.html", lambda: simulation_page(done).encode())

    def credibility(self, done: Mapping[str, Any], context: Context) -> None:
        """Write the credibility report, to read and to print."""
        from serving.report.credibility import credibility
        from serving.report.credibility_html import as_html
        from serving.report.credibility_pdf import as_pdf

        self._make(
            "credibility",
            "credibility.html",
            lambda: as_html(credibility(done, context)).encode(),
        )
        self._make(
            "credibility, to print",
            "credibility.pdf",
            lambda: as_pdf(credibility(done, context, form="png")),
        )

    def finished(self) -> dict[str, str]:
        """Return what each file is, to its path.

        Raises
        ------
        TrialtwinError
            If a page could not be made; the others are there.
        """
        if self._failed:
            names = ", ".join(self._failed)
            raise TrialtwinError(
                f"{names}: could not be made. The figures are safe: "
                f"{', '.join(self._files.values())}"
            ) from next(iter(self._failed.values()))
        return self._files

    def _make(self, what: str, name: str, make: Callable[[], bytes]) -> None:
        try:
            content = make()
        except Exception as error:  # noqa: BLE001 - a page must not cost the figures
            self._failed[name] = error
            return
        self._files |= _written(self._out, {what: (name, content)})


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
                csv_text(found.patients).encode(),
            ),
            "looks": (
                f"{stem}-looks.csv",
                csv_text(found.looks).encode(),
            ),
        },
    )


def _written(out: Path, files: Mapping[str, tuple[str, bytes]]) -> dict[str, str]:
    out.mkdir(parents=True, exist_ok=True)
    for name, content in files.values():
        write_atomically(out / name, content)
    return {what: str(out / name) for what, (name, _) in files.items()}
