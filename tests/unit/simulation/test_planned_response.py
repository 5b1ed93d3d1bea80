"""Responders: a change beyond a threshold, in the unit or in percent, against plain arithmetic."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from extraction.records import Cohort
from simulation.analysis.binary import two_proportions
from simulation.trial.planned import AnalysisPlan, analyse
from simulation.trial.planned.endpoints import Binary
from tests.support.planned_support import invented, plan

WEEK_8 = {"variable": "SCORE", "visit": "Week 8", "change_from": "SCOREBL"}


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return invented()


def endpoint(strategy: str = "treatment policy", **response: Any) -> dict[str, Any]:
    more = {k: response.pop(k) for k in ("missing_is_failure", "higher_is_better")
            if k in response}  # fmt: skip
    return {"kind": "binary", "name": "response", "response": {**WEEK_8, **response},
            "intercurrent_events": {"stopping": strategy}, **more}  # fmt: skip


def outcome(cohort: Cohort, **given: Any) -> np.ndarray:
    values = Binary(**endpoint(**given)).read(cohort, 1.0).values
    assert values is not None
    return np.asarray(values[0, 0])


def arithmetic(cohort: Cohort) -> pd.DataFrame:
    rows = cohort.observations.query("variable == 'SCORE' and visit == 'Week 8'")
    table = cohort.subjects[["subject_id", "arm", "SCOREBL"]].merge(
        rows[["subject_id", "value"]], how="left", on="subject_id"
    )
    return table.assign(change=table["value"] - table["SCOREBL"])


def test_thresholds_are_plain_arithmetic(cohort: Cohort) -> None:
    table = arithmetic(cohort)
    known = table["change"].notna().to_numpy()
    for found, expected in (
        (outcome(cohort, at_least=1.5), table["change"].round(6) >= 1.5),
        (outcome(cohort, at_most=-0.2), table["change"].round(6) <= -0.2),
        (outcome(cohort, at_least=10, percent=True),
         (100 * table["change"] / table["SCOREBL"]).round(6) >= 10),
    ):  # fmt: skip
        assert np.array_equal(found[known], expected.to_numpy(dtype=float)[known])
        assert np.isnan(found[~known]).all() and (~known).any()
        assert 0 < found[known].mean() < 1
    assert (outcome(cohort, at_least=1.5, missing_is_failure=True)[~known] == 0).all()


def test_a_change_of_exactly_the_threshold_is_a_response(cohort: Cohort) -> None:
    first = cohort.subjects["SCOREBL"].to_numpy(dtype=float)
    rows = cohort.observations
    at = rows.assign(value=np.round(first[cohort.positions(rows)] + 2.1, 1))
    exact = replace(cohort, observations=at[np.isfinite(at["value"])].reset_index(drop=True))
    found = outcome(exact, at_least=2.1)
    assert (found[np.isfinite(first)] == 1).all()
    assert (outcome(exact, at_most=2.1)[np.isfinite(first)] == 1).all()


def test_a_percentage_of_nothing_is_unknown(cohort: Cohort) -> None:
    zero = replace(cohort, subjects=cohort.subjects.assign(SCOREBL=0.0))
    assert np.isnan(outcome(zero, at_least=10, percent=True)).all()


def test_strategies_are_followed(cohort: Cohort) -> None:
    stop = cohort.endpoint("stopping")
    early = (stop["observed"] & (stop["day"] <= 56)).to_numpy(dtype=bool)
    policy = outcome(cohort, at_least=1.5)
    failed = outcome(cohort, strategy="composite", at_least=1.5)
    assert (failed[early] == 0).all() and early.any()
    assert np.array_equal(failed[~early], policy[~early], equal_nan=True)
    seen = outcome(cohort, strategy="hypothetical", at_least=1.5)
    gone = (stop["observed"] & (stop["day"] < 49)).to_numpy(dtype=bool)
    assert np.isnan(seen[gone]).all()
    kept = outcome(cohort, strategy="hypothetical", at_least=1.5, missing_is_failure=True)
    assert (kept[gone] == 0).all()


def test_a_plan_with_responders_is_the_single_trials(cohort: Cohort) -> None:
    given = plan(covariates=[], subgroups=[], missing_data=[], multiplicity=None)
    given["endpoints"] = [endpoint(at_least=1.5)]
    given["analyses"] = [{"name": "r", "endpoint": "response", "role": "primary", "arm": "High",
                          "analysis": {"kind": "proportions"}}]  # fmt: skip
    done = analyse(cohort, AnalysisPlan.parse(given))
    table = arithmetic(cohort).dropna(subset=["change"])
    table = table[table["arm"].isin(["High", "Placebo"])]
    hit = (table["change"].round(6) >= 1.5).to_numpy()
    high = (table["arm"] == "High").to_numpy()
    other = two_proportions(int(hit[high].sum()), int(high.sum()), int(hit[~high].sum()),
                        int((~high).sum()))  # fmt: skip
    ours = done.answers[0].estimate
    assert (ours.estimate, ours.low) == pytest.approx((other.estimate, other.low))
    assert ours.estimand is not None
    assert ours.estimand.variable == (
        "whether SCORE at Week 8, change from SCOREBL, is at least 1.5"
    )


def test_faults_are_told(cohort: Cohort) -> None:
    for held, said in (
        ({**endpoint(), "response": WEEK_8}, "at_least or at_most"),
        ({**endpoint(at_least=1), "condition": {"SEX": "F"}}, "either condition or response"),
        ({k: v for k, v in endpoint(at_least=1).items() if k != "response"}, "either condition"),
    ):
        with pytest.raises(ValueError, match=said):
            Binary(**held)
    bad = Binary(**endpoint(at_least=1, variable="SCORES", visit="Week 9", change_from="SEX"))
    told = " ".join(bad.faults(cohort.schema))
    assert "did you mean SCORE" in told and "did you mean Week" in told
    assert "'SEX' is no visit or number" in told
    late = Binary(**endpoint(at_least=1, visit="Week 4", change_from="Week 8"))
    assert "must come before" in " ".join(late.faults(cohort.schema))
