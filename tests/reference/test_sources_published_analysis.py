"""The published analyses of three real trials, reproduced from the cohorts that we read.

Values: analyses of the CDISC pilot's ADaM (week 24 by last observation carried forward, time to
first dermatologic event) and of ACTG 320 as scikit-survival ships it, each computed in R
(survival 3.5.3) from the same public data; Cox models with Efron's ties.
"""

import numpy as np
import pandas as pd
import pytest

from extraction.records import Cohort
from extraction.sources.public import public_trial
from simulation.analysis.continuous import Ancova, ancova, dose_response
from simulation.analysis.cox import cox
from simulation.analysis.logrank import logrank

LOW, HIGH = "Xanomeline Low Dose", "Xanomeline High Dose"
DOSE = {"Placebo": 0.0, LOW: 54.0, HIGH: 81.0}


@pytest.fixture(scope="module")
def pilot() -> Cohort:
    return public_trial("cdisc_pilot")


@pytest.fixture(scope="module")
def week24(pilot: Cohort) -> pd.DataFrame:
    """Change of ADAS-Cog at the analysis visit week 24: observed, else carried forward."""
    stacked = pd.concat([pilot.observations, pilot.derived])
    rows = stacked[(stacked["variable"] == "ADAS") & (stacked["visit"] == "Week 24")]
    assert not rows["subject_id"].duplicated().any()
    table = pilot.subjects.merge(rows[["subject_id", "value", "status"]], on="subject_id")
    table = table[(table["EFFFL"] == "Y") & (table["ITTFL"] == "Y")]
    return table.assign(change=table["value"] - table["ADASBL"])


@pytest.mark.parametrize(
    ("arm", "n", "mean", "deviation", "carried"),
    [("Placebo", 79, 2.545, 5.804, 14), (LOW, 81, 1.995, 5.553, 32), (HIGH, 74, 1.470, 4.262, 33)],
)
def test_change_at_week_24_exact(
    week24: pd.DataFrame, arm: str, n: int, mean: float, deviation: float, carried: int
) -> None:
    rows = week24[week24["arm"] == arm]
    assert len(rows) == n
    assert rows["change"].mean() == pytest.approx(mean, abs=5e-4)
    assert rows["change"].std() == pytest.approx(deviation, abs=5e-4)
    assert (rows["status"] == "derived").sum() == carried


@pytest.fixture(scope="module")
def fitted(week24: pd.DataFrame) -> Ancova:
    return ancova(
        week24["change"],
        week24["arm"],
        {"baseline": week24["ADASBL"]},
        {"site": week24["SITEGR1"]},
        control="Placebo",
    )


@pytest.mark.parametrize(
    ("arm", "effect", "se", "p"), [(LOW, -0.4668, 0.8180, 0.5688), (HIGH, -1.0060, 0.8405, 0.2326)]
)
def test_ancova_with_site_group_and_baseline_exact(
    fitted: Ancova, arm: str, effect: float, se: float, p: float
) -> None:
    estimate = fitted.effects[arm]
    assert estimate.estimate == pytest.approx(effect, abs=5e-5)
    assert estimate.se == pytest.approx(se, abs=5e-5)
    assert estimate.p_value == pytest.approx(p, abs=5e-5)


def test_dose_response_exact(week24: pd.DataFrame) -> None:
    trend = dose_response(
        week24["change"],
        week24["arm"].map(DOSE),
        {"baseline": week24["ADASBL"]},
        {"site": week24["SITEGR1"]},
    )
    assert trend.p_value == pytest.approx(0.2447, abs=5e-5)


def test_baseline_hardly_predicts_change_exact(week24: pd.DataFrame) -> None:
    correlation = np.corrcoef(week24["ADASBL"], week24["change"])[0, 1]
    assert correlation == pytest.approx(-0.036, abs=5e-4)


def test_time_to_first_dermatologic_event_exact(pilot: Cohort) -> None:
    rows, arm = pilot.endpoint("dermatologic"), pilot.subjects["arm"]
    events = rows["observed"].groupby(arm).sum()
    assert [events["Placebo"], events[LOW], events[HIGH]] == [29, 62, 61]
    assert arm.value_counts()[["Placebo", LOW, HIGH]].tolist() == [86, 84, 84]
    test = logrank(rows["day"], rows["observed"], arm)
    assert test.chi2 == pytest.approx(60.2696, abs=5e-5)
    pair = arm != LOW
    treated = (arm[pair] == HIGH).astype(float)
    ratio = cox(rows["day"][pair], rows["observed"][pair], {"high": treated}).hazard_ratio("high")
    assert ratio.estimate == pytest.approx(4.9202, abs=5e-5)
    assert (ratio.low, ratio.high) == pytest.approx((3.084, 7.850), abs=5e-4)


def test_discontinuation_exact(pilot: Cohort) -> None:
    rows, arm = pilot.endpoint("discontinuation"), pilot.subjects["arm"]
    left = rows["observed"].groupby(arm).sum()
    assert [left["Placebo"], left[LOW], left[HIGH]] == [28, 59, 57]
    adverse = (rows["cause"] == "ADVERSE EVENT").groupby(arm).sum()
    assert [adverse["Placebo"], adverse[LOW], adverse[HIGH]] == [8, 44, 40]


def test_scores_after_discontinuation_are_kept(pilot: Cohort) -> None:
    """Retrieval visits after treatment was stopped, which the analysis counts as week 24."""
    left = pilot.endpoint("discontinuation").set_index(pilot.subjects["subject_id"])
    stopped = left["day"].where(left["observed"])
    rows = pilot.observed("ADAS")
    late = rows[rows["day"] > rows["subject_id"].map(stopped)]
    assert len(late) == late["subject_id"].nunique() == 37
    assert set(late["visit"]) == {"Week 24"}


@pytest.mark.parametrize(
    ("endpoint", "control", "active", "stratified", "plain"),
    [
        ("aids", 63, 33, (0.49945, 0.32773, 0.76114), 0.504372),
        ("death", 18, 8, (0.43192, 0.18780, 0.99336), 0.434971),
    ],
)
def test_actg320_hazard_ratios_exact(
    endpoint: str,
    control: int,
    active: int,
    stratified: tuple[float, float, float],
    plain: float,
) -> None:
    trial = public_trial("actg320")
    rows = trial.endpoint(endpoint)
    treated = (trial.subjects["arm"] != trial.schema.control_arm).astype(float)
    counts = rows["observed"].groupby(treated).sum()
    assert counts.tolist() == [control, active]
    column = {"indinavir": treated}
    by_stratum = cox(rows["day"], rows["observed"], column, trial.subjects["strat2"])
    ratio = by_stratum.hazard_ratio("indinavir")
    assert (ratio.estimate, ratio.low, ratio.high) == pytest.approx(stratified, abs=1e-5)
    unadjusted = cox(rows["day"], rows["observed"], column).hazard_ratio("indinavir")
    assert unadjusted.estimate == pytest.approx(plain, abs=5e-6)


def test_actg175_counts_exact() -> None:
    trial = public_trial("actg175")
    assert len(trial) == 2139
    assert trial.endpoint("progression")["observed"].sum() == 521
    assert trial.schema.control_arm == "ZDV"


def test_the_two_hiv_trials_share_names_units_and_categories() -> None:
    first, second = public_trial("actg320").schema, public_trial("actg175").schema
    shared = {v.name for v in first.baseline} & {v.name for v in second.baseline}
    assert shared >= {"age", "cd4", "karnof", "sex", "race", "ivdrug", "hemophil"}
    for name in shared:
        mine, theirs = first.variable(name), second.variable(name)
        assert (mine.kind, mine.unit, mine.categories) == (
            theirs.kind,
            theirs.unit,
            theirs.categories,
        )
