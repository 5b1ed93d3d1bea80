"""Colours and type of the page: the system's own fonts, the report's colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradio.themes import Base

_FONT = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial",
         "sans-serif")
_MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


def house_theme() -> Base:
    """Return the theme; it names no font that would have to be fetched."""
    import gradio as gr

    blue = gr.themes.Color(
        c50="#eef6fa", c100="#dcedf5", c200="#b8dbea", c300="#86c1da", c400="#479fc3",
        c500="#0b6e99", c600="#0a6189", c700="#095172", c800="#0a415b", c900="#0a2e44",
        c950="#071f2e",
    )
    theme = gr.themes.Base(
        primary_hue=blue, secondary_hue=blue, neutral_hue="slate", font=_FONT, font_mono=_MONO,
        radius_size="md",
    )
    return theme.set(
        body_background_fill="#f6f8fa",
        body_text_color="#1b2733",
        block_border_width="0px",
        block_padding="0.35rem 0",
        block_label_background_fill="transparent",
        block_title_text_color="#1b2733",
        block_title_text_weight="500",
        button_primary_background_fill="#0b6e99",
        button_primary_background_fill_hover="#095172",
        button_primary_text_color="#ffffff",
        slider_color="#0b6e99",
    )
