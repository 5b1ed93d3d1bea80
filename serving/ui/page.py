"""The page itself, and how it is mounted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from extraction.records.errors import InputError
from serving.ui import words
from serving.ui.model_form import ModelForm
from serving.ui.theme import house_theme

if TYPE_CHECKING:
    from fastapi import FastAPI
    from gradio import Blocks

    from serving.api.desk import Desk

KEEP_SECONDS = 3600
_LOG = structlog.get_logger("trialtwin.page")
# The figures are drawn for a light ground.
_LIGHT = "() => { document.body.classList.remove('dark'); }"


def mount(app: FastAPI, desk: Desk, path: str) -> FastAPI:
    """Add the page to an application; nothing on it comes from, or goes to, another machine."""
    import gradio as gr

    mounted: FastAPI = gr.mount_gradio_app(
        app,
        build(desk),
        path=path,
        ssr_mode=False,
        footer_links=[],
        enable_monitoring=False,
        show_error=False,
        max_file_size="1mb",
        theme=house_theme(),
        css=(Path(__file__).parent / "style.css").read_text("utf-8"),
        js=_LIGHT,
    )
    return mounted


def build(desk: Desk) -> Blocks:
    """Lay out the page for the models that are there."""
    import gradio as gr

    page = gr.Blocks(
        title="Trialtwin: synthetic control arm",
        analytics_enabled=False,
        delete_cache=(KEEP_SECONDS, KEEP_SECONDS),
    )
    with page:
        gr.HTML(words.HEAD)
        names = _usable(desk)
        if names:
            _lay_out(desk, names, page)
        else:
            gr.HTML(words.NO_MODEL)
    return page


def _lay_out(desk: Desk, names: list[str], page: Blocks) -> None:
    import gradio as gr

    with gr.Row():
        with gr.Column(scale=4, min_width=320):
            with gr.Column(visible=len(names) > 1, elem_classes="tt-form"):
                model = gr.Dropdown(names, value=names[0], label="Model", filterable=False)
            forms = [ModelForm(desk, name, shown=name == names[0]) for name in names]
        with gr.Column(scale=8, min_width=320, elem_id="tt-results"):
            outputs = _results()
    for part in forms:
        part.connect(outputs, page.GRADIO_CACHE)
    columns = [part.column for part in forms]
    model.change(
        lambda chosen: [
            *(gr.Column(visible=part.name == chosen) for part in forms),
            words.EMPTY, gr.DownloadButton(visible=False), gr.DownloadButton(visible=False), "",
        ],
        model, [*columns, *outputs], api_visibility="private",
    )


def _results() -> list[Any]:
    """Components of the answer: headline, two downloads, details."""
    import gradio as gr

    headline = gr.HTML(words.EMPTY)
    with gr.Row():
        csv = gr.DownloadButton("Download CSV", visible=False, elem_id="tt-csv")
        parquet = gr.DownloadButton("Download Parquet", visible=False, elem_id="tt-parquet")
    return [headline, csv, parquet, gr.HTML()]


def _usable(desk: Desk) -> list[str]:
    """Names of the models that can be loaded; the log says why another cannot."""
    usable = []
    for name in desk.registry.names():
        try:
            desk.registry.training(name)
        except InputError as error:
            _LOG.warning("model left out of the page", model=name, faults=list(error.faults))
        else:
            usable.append(name)
    return usable
