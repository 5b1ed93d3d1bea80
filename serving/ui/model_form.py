"""One model's form on the page, and what happens when it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

from markupsafe import Markup

from serving.service.control_requests import MOST_PATIENTS
from serving.ui import form
from serving.ui.answer import answer, behind

if TYPE_CHECKING:
    from serving.api.desk import Desk

USES = [
    ("Explore: planning, discussion, teaching", "exploration"),
    ("Test software with realistic rows", "software_testing"),
    ("Augment the control arm of a trial", "augment_control_arm"),
]
_ABOUT = Markup(
    '<h2>Which patients?</h2><p class="tt-note">Control arm of {}, engine <b>{}</b>. A slider '
    "at its end sets no limit.</p>"
)
# On a phone the answer lies below the form.
_SHOW = (
    "() => { const e = document.getElementById('tt-results');"
    " if (e && window.innerWidth < 900) e.scrollIntoView({behavior: 'smooth'}); }"
)


@final
class ModelForm:
    """Conditions, size, seed, use and button of one model, in the layout that is open now.

    Parameters
    ----------
    desk
        Models and counters.
    name
        The model's name.
    shown
        Whether the form is visible at first.
    """

    def __init__(self, desk: Desk, name: str, shown: bool) -> None:
        import gradio as gr

        self._desk, self.name = desk, name
        training = desk.registry.training(name)
        with gr.Column(visible=shown, elem_classes="tt-form") as self.column:
            engine = desk.registry.model(name).card.engine
            gr.HTML(_ABOUT.format(training.schema.study_id, engine))
            self._fields = form.build(training)
            self._behind = gr.HTML(behind(desk, name, {}))
            with gr.Row(elem_classes="tt-span"):
                n = gr.Number(
                    200, label="Synthetic patients", precision=0, minimum=1, maximum=MOST_PATIENTS,
                    min_width=130,
                )
                seed = gr.Number(1, label="Seed", precision=0, minimum=0, min_width=130)
            use = gr.Dropdown(USES, value=USES[0][1], label="What for?", filterable=False)
            self._button = gr.Button("Sample control arm", variant="primary")
        self._asked = [n, seed, use]
        self._conditions = [c for field in self._fields for c in field.components]

    def connect(self, outputs: list[Any], cache: str) -> None:
        """Count real patients as conditions change, and sample on the button.

        Parameters
        ----------
        outputs
            Headline, CSV button, Parquet button, details.
        cache
            Folder of files for download, which Gradio empties in time.
        """
        import gradio as gr

        if self._conditions:
            gr.on(
                [c.change for c in self._conditions], self._preview, self._conditions,
                self._behind, show_progress="hidden", trigger_mode="always_last",
                api_visibility="private",
            )
        self._button.click(
            lambda *values: self._answer(cache, *values), [*self._asked, *self._conditions],
            outputs, api_visibility="private", show_progress_on=outputs[0],
            concurrency_limit=self._desk.config.samplers,
        ).then(None, js=_SHOW, api_visibility="private")

    def _preview(self, *values: Any) -> str:
        return behind(self._desk, self.name, form.read(self._fields, values))

    def _answer(self, cache: str, n: Any, seed: Any, use: str, *values: Any) -> list[Any]:
        import gradio as gr

        given = form.read(self._fields, values)
        asked = {"model": self.name, "n": n, "seed": seed, "use": use, "given": given or None}
        found = answer(self._desk, asked)
        files = (("csv", found.csv), ("parquet", found.parquet))
        buttons = [
            gr.DownloadButton(visible=False)
            if data is None
            else gr.DownloadButton(visible=True, value=_kept(data, f"{found.name}.{ending}", cache))
            for ending, data in files
        ]
        return [str(found.headline), *buttons, str(found.details)]


def _kept(data: bytes, name: str, cache: str) -> str:
    """Put a file into Gradio's cache, under a folder named by its hash."""
    from gradio.processing_utils import save_bytes_to_cache

    path: str = save_bytes_to_cache(data, name, cache_dir=cache)
    return path


