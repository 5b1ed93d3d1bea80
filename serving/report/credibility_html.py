"""A report of blocks as one self-contained HTML file."""

from __future__ import annotations

from serving.report.blocks import Report
from serving.report.render import environment


def as_html(report: Report) -> str:
    """Return the page: no scripts, nothing loaded from elsewhere, prints well."""
    return environment().get_template("blocks.html.j2").render(report=report)
