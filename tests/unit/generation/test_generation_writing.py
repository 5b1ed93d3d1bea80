"""Drawn patients written straight into canonical frames are what `Cohort.build` makes of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from extraction.records import Cohort, CohortSchema, Endpoint, Variable, VisitWindow
from generation.assembly import TrialArrays, to_cohort
from generation.request import subject_names
from generation.writing import observation_frame

VISITS = (
    VisitWindow(name="Week 10", day=70, low=60, high=80),
    VisitWindow(name="Week 2", day=14, low=10, high=20),
    VisitWindow(name="Baseline", day=0, low=0, high=0),
)


def schema() -> CohortSchema:
    return CohortSchema(
        study_id="WRITE",
        variables=(
            Variable(name="AGE", kind="continuous"),
            Variable(name="SEX", kind="binary", categories=("F", "M")),
            Variable(name="ITT", kind="binary", role="flag", categories=("N", "Y")),
            Variable(name="Z", kind="continuous", role="longitudinal", unit="kg"),
            Variable(name="A", kind="ordinal", role="longitudinal", categories=("0", "1")),
            Variable(name="NEVER", kind="continuous", role="longitudinal"),
        ),
        endpoints=(Endpoint(name="relapse"), Endpoint(name="death", causes=("cancer", "other"))),
        visits=VISITS,
        arms=("P", "Q"),
    )


def drawn(n: int, names: tuple[str | None, ...], visits: bool = True) -> TrialArrays:
    rng = np.random.default_rng(1)
    labels = np.array(["P", "Q", None], dtype=object)
    width = len(names)
    day = np.where(rng.random((n, width)) < 0.2, np.nan, np.arange(width) * 7.0)
    score = np.where(rng.random((n, width)) < 0.2, np.nan, rng.normal(size=(n, width)))
    word = np.array(["0", "1", None], dtype=object)[rng.integers(0, 3, (n, width))]
    relapse = rng.integers(-1, 2, n)
    return TrialArrays(
        baseline={
            "AGE": np.where(rng.random(n) < 0.1, np.nan, rng.normal(60, 9, n)),
            "SEX": np.array(["F", "M", None], dtype=object)[rng.integers(0, 3, n)],
        },
        arm=labels[rng.integers(0, 3, n)],
        follow_up=rng.exponential(100, n),
        end_reason=np.full(n, None, dtype=object),
        events={
            "relapse": (np.where(relapse < 0, np.nan, rng.exponential(20, n)), relapse),
            "death": (rng.exponential(90, n), rng.integers(0, 3, n)),
        },
        visits=names if visits else (),
        visit_day=day if visits else np.zeros((n, 0)),
        values={"Z": score, "A": word} if visits else {},
    )


@pytest.mark.parametrize("names", [tuple(v.name for v in VISITS), (None, None, None)])
@pytest.mark.parametrize("visits", [True, False])
def test_the_short_way_gives_the_bytes_of_the_checked_way(
    names: tuple[str | None, ...], visits: bool
) -> None:
    arrays, numbers = drawn(60, names, visits), np.arange(5, 65)
    short = to_cohort(arrays, schema(), "any", "what was done", patients=numbers)
    checked = Cohort.build(
        schema(), short.subjects.sample(frac=1, random_state=1),
        observations=short.observations.sample(frac=1, random_state=2),
        events=short.events.sample(frac=1, random_state=3), sources=short.sources,
    )
    assert short.digest() == checked.digest()
    for table in ("subjects", "observations", "derived", "episodes", "events", "sources"):
        pd.testing.assert_frame_equal(getattr(short, table), getattr(checked, table))
    assert short.validate() == []
    long = to_cohort(arrays, schema(), "any", "what was done", patients=numbers[::-1])
    assert long.subjects["AGE"].tolist()[0] == pytest.approx(
        short.subjects["AGE"].tolist()[-1], nan_ok=True
    )


def test_two_unnamed_visits_on_one_day_are_left_to_the_checked_way() -> None:
    arrays = drawn(30, (None, None, None))
    arrays.visit_day = np.zeros((30, 3))
    ids = subject_names(np.arange(30))
    assert not observation_frame(arrays, schema(), ids, "synthetic:any")[1]
    assert to_cohort(arrays, schema(), "any", "done").validate() == []
