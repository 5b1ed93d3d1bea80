"""Eligibility criteria: power, recruitment, and who is left out."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from extraction.records import CohortSchema, InputError, Variable
from simulation.operating_characteristics import effect_of_criteria
from simulation.trial import ParametricPopulation, TrialDesign, TwinPopulation

PLAN: dict[str, Any] = {
    "arms": [{"name": "P", "control": True}, {"name": "A"}],
    "endpoints": [{"kind": "continuous", "name": "y"}],
    "n": 80,
    "enrolment": {"ramp": [{"rate": 1}]},
    "eligibility": {"age": [60, None], "marker": "yes"},
    "scenarios": [
        {"name": "in carriers", "effects": [
            {"arm": "A", "endpoint": "y", "shift": 0.8, "where": {"marker": "yes"}}]}
    ],
}
DESIGN = TrialDesign.parse(PLAN)
PEOPLE = ParametricPopulation(
    covariates=[
        {"kind": "normal", "name": "age", "mean": 65, "sd": 10},
        {"kind": "category", "name": "marker", "categories": ["no", "yes"], "shares": [0.5, 0.5]},
    ],
    outcomes={"y": {"kind": "continuous"}},
)
YOUNG = float(norm.cdf(-0.5))


def test_each_criterion_has_its_effect_on_power_and_time() -> None:
    """Simulated (400): dropping the marker costs power and halves recruitment; age only time."""
    found = effect_of_criteria(DESIGN, PEOPLE, 400)
    table = found.designs.set_index("design")
    assert list(table.index[[0, 3]]) == ["as it is", "without any"] and len(table) == 4
    age, marker = (table.loc[f"without {name}"] for name in found.criteria)
    assert "age" in found.criteria[0] and "marker" in found.criteria[1]
    assert marker["any_rejection difference"] < -3 * marker["any_rejection difference se"]
    assert abs(age["any_rejection difference"]) <= 4 * age["any_rejection difference se"]
    eligible = (1 - YOUNG) * 0.5
    for row, share in ((table.iloc[0], eligible), (marker, 1 - YOUNG), (table.iloc[3], 1.0)):
        assert abs(row["screened"] - 80 / share) <= max(4 * row["screened se"], 1e-9)
        assert abs(row["recruitment"] - 80 / share) <= 4 * row["recruitment se"]
    # Paired differences are more precise than those of separate patients.
    apart = np.hypot(table.iloc[0]["recruitment se"], marker["recruitment se"])
    assert marker["recruitment difference se"] < apart


def test_who_is_left_out_is_told_by_baseline() -> None:
    """Simulated (32,000 candidates): shares and means of a cut normal law within 4 errors."""
    found = effect_of_criteria(DESIGN, PEOPLE, 400)
    assert found.candidates == 32_000
    shares = found.shares.set_index("criterion")
    for name, fails, alone in zip(
        [*found.criteria, "any"],
        [YOUNG, 0.5, 1 - (1 - YOUNG) * 0.5],
        [YOUNG * 0.5, (1 - YOUNG) * 0.5, 1 - (1 - YOUNG) * 0.5],
        strict=True,
    ):
        row = shares.loc[name]
        assert abs(row["fails"] - fails) <= 4 * row["fails se"]
        assert abs(row["fails alone"] - alone) <= 4 * row["fails alone se"]
    rows = found.left_out.set_index(["criterion", "variable", "category"])
    by_age = rows.loc[(found.criteria[0], "age", "")]
    below = 65 - 10 * norm.pdf(-0.5) / norm.cdf(-0.5)
    assert abs(by_age["left_out"] - below) < 0.2 and by_age["standardised_difference"] < -2
    by_marker = rows.loc[(found.criteria[1], "marker", "yes")]
    assert by_marker["left_out"] == 0 and by_marker["eligible"] == 1


def test_means_of_few_patients_are_not_shown() -> None:
    ages = np.r_[np.full(3, 50.0), np.linspace(61, 80, 57)]
    table = pd.DataFrame({"age": ages, "outcome.y@0": np.zeros(60), "leaves": np.nan})
    schema = CohortSchema(
        study_id="s", variables=(Variable(name="age", kind="continuous", role="baseline"),)
    )
    people = TwinPopulation(table, schema, {})
    design = TrialDesign.parse(PLAN | {"eligibility": {"age": [60, None]}, "scenarios": []})
    found = effect_of_criteria(design, people, 20)
    assert found.left_out["left_out"].isna().all() and found.left_out["eligible"].notna().all()
    assert found.shares["fails"].iloc[0] == pytest.approx(0.05, abs=0.03)


def test_chunks_change_nothing_and_faults_are_told() -> None:
    one = effect_of_criteria(DESIGN, PEOPLE, 60, chunk_size=60)
    many = effect_of_criteria(DESIGN, PEOPLE, 60, chunk_size=7)
    pd.testing.assert_frame_equal(one.designs, many.designs, check_exact=True)
    pd.testing.assert_frame_equal(one.left_out, many.left_out, check_exact=True)
    bare = TrialDesign.parse(PLAN | {"eligibility": None})
    with pytest.raises(InputError) as caught:
        effect_of_criteria(bare, PEOPLE, 0)
    assert len(caught.value.faults) == 2


def test_without_arrival_times_there_is_no_recruitment_time() -> None:
    design = TrialDesign.parse(PLAN | {"enrolment": {}})
    found = effect_of_criteria(design, PEOPLE, 20, figure="n")
    assert found.designs["recruitment"].isna().all() and (found.designs["n"] == 80).all()
