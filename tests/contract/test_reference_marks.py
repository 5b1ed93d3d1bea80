"""Tests against reference figures say how exactly they are to hold."""

import ast
import re
from pathlib import Path

import pytest

from tests.support.reference_support import FIGURES

TESTS = Path(__file__).parents[1]
MARK = re.compile(r"exact|simulated(_\d+)?|fitted")
# No reference figures of trials: scores of forecasts, random bits, and what is in a data set.
OTHERS = {
    "test_evaluation_scores.py": None,
    "test_randomness_philox.py": None,
    "test_analysis_real_trials.py": {"test_a_score_locked_after_reading_is_refused"},
    "test_sources_published_analysis.py": {
        "test_scores_after_discontinuation_are_kept",
        "test_the_two_hiv_trials_share_names_units_and_categories",
    },
}


@pytest.mark.parametrize("path", sorted((TESTS / "reference").glob("test_*.py")), ids=str)
def test_every_reference_line_is_marked(path: Path) -> None:
    free = OTHERS.get(path.name, set())
    if free is None:
        return
    names = [
        node.name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    assert [name for name in names if not MARK.search(name) and name not in free] == []


def test_files_of_simulated_figures_use_the_common_level() -> None:
    for name in FIGURES:
        text = (TESTS / name).read_text(encoding="utf-8")
        assert "reference_support import" in text, name
