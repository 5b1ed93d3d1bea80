"""Conditions on time-to-event endpoints: met, not met, or hidden by censoring."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from extraction.records import Cohort, CohortSchema, Endpoint, InputError, Variable, conditions

SCHEMA = CohortSchema(
    study_id="ENDS",
    variables=(Variable(name="AGE", kind="continuous"),),
    endpoints=(Endpoint(name="death"), Endpoint(name="stop", causes=("relapse", "toxicity"))),
)
# Dead on day 100; censored on 50; censored on 180; no record; dead on 300.
COHORT = Cohort.build(
    SCHEMA,
    pd.DataFrame({"subject_id": list("ABCDE"), "AGE": 60.0}),
    events=pd.DataFrame(
        [
            ("A", "death", 100.0, True, "event"),
            ("B", "death", 50.0, False, None),
            ("C", "death", 180.0, False, None),
            ("E", "death", 300.0, True, "event"),
            ("A", "stop", 40.0, True, "relapse"),
            ("B", "stop", 50.0, True, "toxicity"),
            ("C", "stop", 180.0, False, None),
        ],
        columns=["subject_id", "endpoint", "day", "observed", "cause"],
    ),
)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"death_time": "<=180"}, [1, -1, 0, -1, 0]),
        ({"not": {"death_time": "<=180"}}, [0, -1, 1, -1, 1]),
        ({"death_time": ">180"}, [0, -1, 1, -1, 1]),
        ({"death_time": [60, 120]}, [1, -1, 0, -1, 0]),
        ({"death_time": [200, None]}, [0, -1, -1, -1, 1]),
        ({"death_time": 100}, [1, -1, 0, -1, 0]),
        ({"death_event": 1}, [1, 0, 0, -1, 1]),
        ({"death_event": True, "death_time": "<200"}, [1, 0, 0, -1, 0]),
        ({"death_event": False}, [0, 1, 1, -1, 0]),
        ({"stop_cause": "relapse"}, [1, 0, -1, -1, -1]),
        ({"test": {"name": "death_time", "<=": 180}}, [1, -1, 0, -1, 0]),
    ],
)
def test_censoring_leaves_unknown_what_it_hides(given: dict, expected: list[int]) -> None:
    assert COHORT.mask(given).tolist() == expected
    tree = conditions.parse(given, SCHEMA)
    assert conditions.parse(conditions.to_dict(tree), SCHEMA) == tree
    known = np.array(expected) == 1
    assert COHORT.where(given).subject_ids.tolist() == np.array(list("ABCDE"))[known].tolist()


def test_a_variable_goes_before_an_endpoint() -> None:
    named = (*SCHEMA.variables, Variable(name="death_time", kind="continuous"))
    subjects = COHORT.subjects.assign(death_time=[1.0, 2.0, 3.0, 4.0, 5.0])
    cohort = Cohort.build(SCHEMA.replace(variables=named), subjects, events=COHORT.events)
    assert cohort.mask({"death_time": ">=3"}).tolist() == [0, 0, 1, 1, 1]


def test_mistakes_are_told_at_once() -> None:
    with pytest.raises(InputError) as caught:
        conditions.parse(
            {"deth_time": "<=180", "death_cause": "event", "stop_cause": "boredom",
             "death_time@Week 8": 3, "death_event": "often"},
            SCHEMA,
        )
    assert len(caught.value.faults) == 5
    assert "did you mean death_time?" in str(caught.value)
    both = conditions.parse({"all": [{"death_time": "<5"}, {"death_time": ">9"}]}, SCHEMA)
    with pytest.raises(InputError, match="contradict"):
        conditions.divide(both, SCHEMA)


def test_a_conjunction_is_divided_into_bounds_and_the_rest() -> None:
    tree = conditions.parse({"AGE": ">=50", "death_time": "<=180", "any": [{"AGE": 3}]}, SCHEMA)
    bounds, rest = conditions.divide(tree, SCHEMA)
    assert bounds == {"AGE": conditions.Interval(low=50.0)}
    assert [conditions.describe(part) for part in rest] == ["death_time <= 180", "(AGE = 3)"]
