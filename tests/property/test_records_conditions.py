"""Conditions: three-valued logic, parsing and bounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extraction.records import InputError, conditions
from tests.support.records_support import small_cohort, small_schema

COHORT = small_cohort()
SCHEMA = small_schema()

LEAVES = st.sampled_from(
    [
        {"AGE": [60, 75]},
        {"AGE": ">=70"},
        {"SEX": "F"},
        {"GRADE": ">low"},
        {"arm": "Placebo"},
        {"ALT@Week 4": "<30"},
        {"exists": {"kind": "adverse_event", "term": "pruritus"}},
        {"exists": {"kind": "medication"}},
        {"test": {"name": "ALT", "limit": "high", "window": [0, 90], ">": 1.5}},
    ]
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"all": parts}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"any": parts}),
        inner.map(lambda part: {"not": part}),
    ),
    max_leaves=6,
)


@given(TREES)
def test_written_and_parsed_again_is_equal(tree):
    parsed = conditions.parse(tree, SCHEMA)
    again = conditions.parse(conditions.to_dict(parsed), SCHEMA)
    assert (COHORT.mask(parsed) == COHORT.mask(again)).all()


@given(TREES, TREES)
def test_de_morgan_holds_with_unknowns(left, right):
    one = COHORT.mask({"not": {"all": [left, right]}})
    two = COHORT.mask({"any": [{"not": left}, {"not": right}]})
    assert (one == two).all()


@given(TREES)
def test_where_never_keeps_the_unknown(tree):
    mask = COHORT.mask(tree)
    if (mask == 1).any():
        kept = COHORT.where(tree)
        assert set(kept.subject_ids) == set(COHORT.subject_ids[mask == 1])


def test_missing_values_are_unknown_even_when_negated():
    missing = COHORT.subjects["AGE"].isna().to_numpy()
    assert missing.any()
    assert (COHORT.mask({"AGE": ">=0"})[missing] == -1).all()
    assert (COHORT.mask({"not": {"AGE": ">=0"}})[missing] == -1).all()


def test_sugar_is_closed_intervals_and_sets():
    ages = COHORT.subjects["AGE"].to_numpy()
    edge = float(np.nanmin(ages))
    assert COHORT.mask({"AGE": [edge, edge]})[np.nanargmin(ages)] == 1
    both = COHORT.mask({"SEX": ["F", "M"]})
    assert (both == 1).all()


def test_bounds_are_a_conjunction_over_baseline():
    parsed = conditions.parse(
        {"arm": "Placebo", "AGE": [60, 80], "all": [{"AGE": ">=65"}, {"GRADE": ["low", "mid"]}]},
        SCHEMA,
    )
    found = conditions.bounds(parsed, SCHEMA)
    assert found["AGE"] == conditions.Interval(65.0, 80.0)
    assert found["GRADE"] == frozenset({"low", "mid"})
    assert found["arm"] == frozenset({"Placebo"})


def test_bounds_refuse_what_is_none_and_point_to_where():
    parsed = conditions.parse({"any": [{"SEX": "F"}, {"AGE": 70}], "ALT@Week 4": 3}, SCHEMA)
    with pytest.raises(InputError) as caught:
        conditions.bounds(parsed, SCHEMA)
    assert len(caught.value.faults) == 2
    assert all("Cohort.where" in fault for fault in caught.value.faults)
    with pytest.raises(InputError, match="contradict"):
        conditions.bounds(conditions.parse({"all": [{"SEX": "F"}, {"SEX": "M"}]}, SCHEMA), SCHEMA)


def test_all_five_mistakes_are_told_at_once():
    with pytest.raises(InputError) as caught:
        conditions.parse(
            {"AEG": 3, "SEX": "X", "AGE": [80, 60], "ALT": 3, "exists": {"kind": "visit"}}, SCHEMA
        )
    assert len(caught.value.faults) == 5
    assert "did you mean AGE?" in str(caught.value)


def test_plain_words():
    parsed = conditions.parse({"AGE": [65, None], "SEX": "F"}, SCHEMA)
    assert conditions.describe(parsed) == "AGE >= 65 and SEX is F"


@pytest.mark.parametrize(
    ("condition", "fault"),
    [
        ({"AGE@Week 4": [60, 75]}, "does not change over time"),
        ({"test": {"name": "AGE", ">": 3, "window": [0, 9]}}, "does not change over time"),
        ({"test": {"name": "SEX", ">": 3}}, "holds categories"),
        ({"test": {"name": "AGE", "in": ["70"]}}, "holds numbers"),
        ({"test": {"name": "ALT", ">": 3, "window": [30, 0]}}, "first not after the second"),
    ],
)
def test_what_no_patient_could_meet_is_refused(condition, fault):
    with pytest.raises(InputError, match=fault):
        COHORT.mask(condition)


def test_a_number_names_its_category_however_it_is_written():
    assert (COHORT.mask({"ECOG@Week 4": 1.0}) == COHORT.mask({"ECOG@Week 4": "1"})).all()
