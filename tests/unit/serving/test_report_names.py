"""Names and statements of any kind are shown as they are: never markup, formulas, or a failure."""

import re

import pytest

from serving.report.blocks import Block, Facts, Grid, Report, Section, Words
from serving.report.credibility_html import as_html
from serving.report.credibility_pdf import as_pdf
from serving.report.simulation_figures import drawn, power_figure, spread_figure

NAMES = [
    "</text><script>x",
    "costs $5 & not $6",
    r"$\notacommand$",
    '"); system("id") #',
]
LONG = "word " * 800


def report(*blocks: Block) -> Report:
    return Report("Kind", NAMES[0], (NAMES[1],), [Section(NAMES[2], NAMES[3], blocks)], "end")


@pytest.mark.parametrize("name", NAMES)
def test_a_name_in_a_figure_is_text(name: str) -> None:
    scenario = {"name": name, "limits": (0.1, 0.2), "any_rejection": {"value": 0.15}}
    spread = {name: {"n": {"q05": 1, "q25": 2, "q50": 3, "q75": 4, "q95": 5}}}
    words = re.findall(r"[a-z]{3,}", name)
    for figure in (drawn(power_figure, [scenario], None), drawn(spread_figure, spread, "n", name)):
        assert "<script" not in figure
        assert words and all(word in figure for word in words)
        assert figure.count("$") >= name.count("$")


def test_a_page_of_blocks_quotes_everything() -> None:
    hostile = NAMES[0]
    page = as_html(
        report(Words(hostile), Facts([(hostile, hostile)]), Grid((hostile,), [[hostile]]))
    )
    assert "<script" not in page and page.count("&lt;script&gt;") >= 6


@pytest.mark.parametrize(
    "block",
    [
        Words(NAMES[0] + " </i> \x00"),
        Facts([("Question", 3 * LONG)]),
        Grid(("What", "Finding", "Source"), [[LONG, LONG, LONG]]),
        Grid(("What", "Finding"), [["x" * 4000, "y"]]),
        Grid(("", ""), [["", ""]]),
    ],
    ids=["markup", "long fact", "long cells", "long word", "empty"],
)
def test_whatever_is_stated_can_be_printed(block: Block) -> None:
    printed = as_pdf(report(block))
    assert printed.startswith(b"%PDF") and printed.rstrip().endswith(b"%%EOF")


def test_a_cell_longer_than_a_page_goes_on_on_the_next() -> None:
    def pages(block: Block) -> int:
        return len(re.findall(rb"/Type /Page\b(?!s)", as_pdf(report(block))))

    assert pages(Facts([("Question", LONG[:100])])) == 1
    assert pages(Facts([("Question", 3 * LONG)])) >= 3
