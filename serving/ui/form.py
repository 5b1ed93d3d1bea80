"""The form: one pair of sliders a number and one list a category, made from a model's schema."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from extraction.records import Cohort, Variable
from generation.applicability import SMALLEST_CELL
from serving.service.control_requests import round_step
from serving.ui.units import beside

FIRST = ("AGE", "SEX")
"""Variables (CDISC names) that a clinician asks for first."""
SHOWN_FIRST = 4
MOST_CHOICES = 30


@dataclass(frozen=True)
class Span:
    """Ends and step of a variable's sliders."""

    low: float
    high: float
    step: float


@dataclass(frozen=True)
class Field:
    """A variable and its components on the page: two sliders, or one list."""

    variable: Variable
    components: tuple[Any, ...]
    span: Span | None = None

    def read(self, values: Sequence[Any]) -> Any:
        """Return the condition that the components' values mean, None for no condition.

        A slider at its end sets no limit, so the whole range also holds patients beyond it.
        """
        if self.span is None:
            return list(values[0]) if values[0] else None
        low = None if values[0] is None or values[0] <= self.span.low else float(values[0])
        high = None if values[1] is None or values[1] >= self.span.high else float(values[1])
        return None if low is None and high is None else [low, high]


def span_of(cohort: Cohort, variable: Variable) -> Span | None:
    """Return a slider's range: round numbers around the middle 90 % of the real patients.

    The extremes of the patients are not in it; None when it would be empty.
    """
    values = cohort.subjects[variable.name].to_numpy(dtype=np.float64)
    values = values[np.isfinite(values)]
    if len(values) < 4 * SMALLEST_CELL:
        return None
    low, high = np.quantile(values, [0.05, 0.95])
    if not high > low:
        return None
    step = round_step((high - low) / 40)
    if variable.kind == "count" or np.all(values == np.round(values)):
        step = max(1.0, step)
    return Span(
        float(np.round(np.floor(low / step) * step, 10)),
        float(np.round(np.ceil(high / step) * step, 10)),
        step,
    )


def build(cohort: Cohort) -> tuple[Field, ...]:
    """Make the components of a model's conditions, inside the layout that is open now."""
    import gradio as gr

    wanted = [v for v in cohort.schema.baseline if v.numeric or _listed(v)]
    wanted.sort(key=lambda v: FIRST.index(v.name) if v.name in FIRST else len(FIRST))
    spans = {v.name: span_of(cohort, v) for v in wanted if v.numeric}
    usable = [v for v in wanted if not v.numeric or spans[v.name] is not None]
    fields = [_field(v, spans.get(v.name)) for v in usable[:SHOWN_FIRST]]
    further = usable[SHOWN_FIRST:]
    if further:
        with gr.Accordion(f"More conditions ({len(further)})", open=False):
            fields += [_field(v, spans.get(v.name)) for v in further]
    return tuple(fields)


def read(fields: Sequence[Field], values: Sequence[Any]) -> dict[str, Any]:
    """Return the conditions that the form's values mean, in the order of the components."""
    given, place = {}, 0
    for field in fields:
        width = len(field.components)
        check = field.read(values[place : place + width])
        place += width
        if check is not None:
            given[field.variable.name] = check
    return given


_NAME = Markup('<p class="tt-name">{} <span>{}</span></p>')


def _listed(variable: Variable) -> bool:
    return 1 < len(variable.categories or ()) <= MOST_CHOICES


def _field(variable: Variable, span: Span | None) -> Field:
    import gradio as gr

    unit = beside(variable.title, variable.unit)
    with gr.Column(elem_classes="tt-field"):
        gr.HTML(_NAME.format(variable.title, unit if span else "any, or only these"))
        if span is None:
            listed = gr.Dropdown(
                list(variable.categories or ()), value=[], multiselect=True, filterable=False,
                label=variable.title, show_label=False, elem_id=f"tt-{variable.name}",
            )
            return Field(variable, (listed,))
        with gr.Row(elem_classes="tt-span"):
            ends = [
                gr.Slider(
                    span.low, span.high, value=value, step=span.step, label=word, min_width=130,
                    buttons=[], elem_id=f"tt-{variable.name}-{word}",
                )
                for value, word in ((span.low, "from"), (span.high, "to"))
            ]
    return Field(variable, tuple(ends), span)
