"""A report of blocks as PDF: the same bytes for the same report, fonts embedded."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

from serving.report.blocks import NOT_STATED, Block, Facts, Grid, Picture, Report, Words

_INK, _SOFT, _LINE, _ACCENT = "#1b2733", "#5a6b7b", "#dde4ea", "#0b6e99"
_WIDTH: Final = 481.9
"""Points between the margins of A4."""
_LETTER: Final = 5.2
"""Points that a letter takes in a table, on the safe side."""
_LONGEST: Final = 24
"""Letters of the longest word that is kept whole in a table."""
_FONTS: Final = {"Report": "DejaVuSans.ttf", "Report-Bold": "DejaVuSans-Bold.ttf"}


def as_pdf(report: Report) -> bytes:
    """Return the document; its pictures must be PNG."""
    from reportlab.lib.pagesizes import A4
    from reportlab.platypus import BaseDocTemplate, Frame, PageTemplate

    _register()
    out = io.BytesIO()
    document = BaseDocTemplate(
        out,
        pagesize=A4,
        title=f"{report.kind}: {report.title}",
        author="Trialtwin",
        invariant=1,
        lang="en",
    )
    margin = (A4[0] - _WIDTH) / 2
    frame = Frame(margin, margin, _WIDTH, A4[1] - 2 * margin, 0, 0, 0, 0)

    def foot(canvas: Any, page: Any) -> None:
        canvas.setFont("Report", 7.5)
        canvas.setFillColor(_SOFT)
        canvas.drawString(margin, margin / 2, f"{report.kind}: {report.title}"[:90])
        canvas.drawRightString(A4[0] - margin, margin / 2, f"{page.page}")

    document.addPageTemplates(PageTemplate("page", [frame], onPage=foot))
    document.build(_story(report))
    return out.getvalue()


def _register() -> None:
    """Register the fonts that come with matplotlib; they have every sign that we use."""
    import matplotlib as mpl
    from reportlab.pdfbase.pdfmetrics import getRegisteredFontNames, registerFont
    from reportlab.pdfbase.ttfonts import TTFont

    known = getRegisteredFontNames()
    for name, file in _FONTS.items():
        if name not in known:
            registerFont(TTFont(name, str(Path(mpl.get_data_path()) / "fonts" / "ttf" / file)))


def _styles() -> dict[str, Any]:
    from reportlab.lib.styles import ParagraphStyle

    def style(name: str, **given: Any) -> Any:
        usual = {"fontName": "Report", "fontSize": 8.6, "leading": 12, "textColor": _INK}
        return ParagraphStyle(name, **(usual | given))

    bold = {"fontName": "Report-Bold"}
    return {
        "kind": style("kind", fontSize=8, textColor=_ACCENT, spaceAfter=4),
        "title": style("title", fontSize=18, leading=22, spaceAfter=6, **bold),
        "h2": style("h2", fontSize=12, leading=15, spaceBefore=14, keepWithNext=1, **bold),
        "about": style("about", textColor=_SOFT, fontSize=8, spaceAfter=3, keepWithNext=1),
        "words": style("words", spaceBefore=3, spaceAfter=3),
        "soft": style("soft", textColor=_SOFT, spaceBefore=2, spaceAfter=2),
        "cell": style("cell", fontSize=7.6, leading=10),
        "figure": style("figure", fontSize=7.6, leading=10, alignment=2),
        "head": style("head", fontSize=7.4, leading=9.5, textColor=_SOFT, **bold),
        "head figure": style("head figure", fontSize=7.4, leading=9.5, alignment=2, **bold),
        "caption": style("caption", fontSize=7.6, textColor=_SOFT, spaceAfter=6),
    }


def _story(report: Report) -> list[Any]:
    from reportlab.platypus import Paragraph

    styles = _styles()

    def words(text: str, style: str) -> Any:
        return Paragraph(escape(text), styles[style])

    story = [words(f"TRIALTWIN {report.kind.upper()}", "kind"), words(report.title, "title")]
    story += [words(line, "soft") for line in report.lead]
    for place, section in enumerate(report.sections, start=1):
        story += [words(f"{place}. {section.title}", "h2"), words(section.about, "about")]
        for block in section.blocks:
            story += _flow(block, styles)
    return [*story, words(report.foot, "soft")]


def _flow(block: Block, styles: dict[str, Any]) -> list[Any]:
    from reportlab.platypus import Paragraph

    if isinstance(block, Words):
        return [Paragraph(escape(block.text), styles["soft" if block.soft else "words"])]
    if isinstance(block, Picture):
        return _picture(block, styles)
    if isinstance(block, Facts):
        rows = [(name, value or NOT_STATED) for name, value in block.rows]
        return [_table([], rows, [0.27, 0.73], 0, styles)]
    return [_table(block.head, block.rows, _shares(block), block.figures, styles)]


def _picture(block: Picture, styles: dict[str, Any]) -> list[Any]:
    from reportlab.lib.utils import ImageReader
    from reportlab.platypus import Image, KeepTogether, Paragraph

    width, height = ImageReader(io.BytesIO(block.image)).getSize()
    shown = min(0.54 * _WIDTH, 250 * width / height)
    picture = Image(io.BytesIO(block.image), shown, shown * height / width, hAlign="LEFT")
    return [KeepTogether([picture, Paragraph(escape(block.caption), styles["caption"])])]


def _shares(block: Grid) -> list[float]:
    """Widths: no usual word is broken, and what is left goes where the longest cells are."""
    columns = list(zip(block.head, *block.rows, strict=True))
    least = [
        _LETTER * min(max(len(w) for cell in column for w in str(cell).split() or [""]), _LONGEST)
        + 8
        for column in columns
    ]
    wanted = [min(max(1, *(len(str(cell)) for cell in column)), 40) for column in columns]
    spare = max(0.0, _WIDTH - sum(least))
    widths = [low + spare * more / sum(wanted) for low, more in zip(least, wanted, strict=True)]
    return [width / sum(widths) for width in widths]


def _table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    shares: Sequence[float],
    figures: int,
    styles: dict[str, Any],
) -> Any:
    from reportlab.platypus import Paragraph, Table, TableStyle

    first = len(shares) - figures

    def cells(row: Sequence[str], left: str, right: str) -> list[Any]:
        return [
            Paragraph(escape(str(cell)), styles[left if k < first else right])
            for k, cell in enumerate(row)
        ]

    body = [cells(row, "cell", "figure") for row in rows]
    above = [cells(head, "head", "head figure")] if head else []
    table = Table(
        [*above, *body],
        colWidths=[_WIDTH * share for share in shares],
        repeatRows=len(above),
        splitInRow=1,  # a cell longer than a page goes on on the next
        hAlign="LEFT",
        spaceBefore=3,
        spaceAfter=5,
    )
    table.setStyle(
        TableStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LINEBELOW", (0, 0), (-1, -1), 0.4, _LINE),
                ("LEFTPADDING", (0, 0), (-1, -1), 2),
                ("RIGHTPADDING", (0, 0), (-1, -1), 4),
                ("TOPPADDING", (0, 0), (-1, -1), 2),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
            ]
        )
    )
    return table
