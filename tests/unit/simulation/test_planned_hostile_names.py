"""Names from a plan become no R code: only letters, digits and _ outside of one-line comments."""

import re

import pytest

from simulation.trial.planned import AnalysisPlan
from simulation.trial.planned.rederive import _comment
from simulation.trial.planned.table import _plain

HOSTILE = ['a"; system("x")', "a\nsystem('x')", "`x`)\r\nquit()", "é\u2028\x0bstop()", "\x85q()"]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_of_a_plan_become_no_code(name: str) -> None:
    endpoint = {"kind": "time_to_event", "name": name,
                "intercurrent_events": {"stopping": "treatment policy"}}  # fmt: skip
    plan = AnalysisPlan.parse(
        {
            "study": name,
            "treated": [name + "1", name + "2"],
            "control": name,
            "endpoints": [endpoint],
            "analyses": [{"name": name, "endpoint": name, "role": "primary"}],
            "multiplicity": {"procedure": "fixed_sequence"},
        }
    )
    assert all(re.fullmatch(r"[a-z0-9_]+", question.id) for question in plan.questions)
    assert re.fullmatch(r"[A-Za-z0-9_]+", _plain(name))
    assert len(f"# {_comment(name)}".splitlines()) == 1
