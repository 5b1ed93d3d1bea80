"""A cohort by a plan: the same figures as single analyses, strategies applied, exclusions told."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from extraction.records import Cohort, InputError, RefusedError
from simulation.analysis.binary import two_proportions
from simulation.analysis.continuous import ancova
from simulation.analysis.cox import cox
from simulation.analysis.longitudinal.trial import mmrm
from simulation.analysis.missing import reference_based
from simulation.analysis.multiplicity import fixed_sequence
from simulation.analysis.procova import lock_linear_score
from simulation.analysis.standardised import standardised
from simulation.analysis.survival import restricted_mean_difference
from simulation.trial.planned import AnalysisPlan, analyse
from simulation.trial.planned.analysing import Analysed
from simulation.trial.planned.answering import Answer
from simulation.trial.planned.rederive import script
from tests.support.planned_support import invented, plan


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return invented()


def run(cohort: Cohort, *analyses: dict[str, Any], **changes: Any) -> Analysed:
    """The plan's endpoints with other analyses of them, the first one primary."""
    given = plan(covariates=[], subgroups=[], missing_data=[], multiplicity=None, **changes)
    given["analyses"] = [
        {"name": f"a{k}", "role": "exploratory" if k else "primary", "arm": "High", **held}
        for k, held in enumerate(analyses)
    ]
    return analyse(cohort, AnalysisPlan.parse(given))


def one(cohort: Cohort, endpoint: str, analysis: dict[str, Any], **changes: Any) -> Answer:
    return run(cohort, {"endpoint": endpoint, "analysis": analysis}, **changes).answers[0]


def policy(cohort: Cohort, endpoint: int) -> dict[str, Any]:
    """The plan with one endpoint under treatment policy."""
    endpoints = plan()["endpoints"]
    endpoints[endpoint]["intercurrent_events"] = {"stopping": "treatment policy"}
    return {"endpoints": endpoints}


def close(answer: Answer, other: Any) -> None:
    ours = answer.estimate
    for name in ("estimate", "se", "low", "high", "p_value"):
        assert getattr(ours, name) == pytest.approx(getattr(other, name), rel=1e-9), name
    assert ours.n == other.n


def values(cohort: Cohort) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Change at both visits (N, 2), baseline and arm of all patients."""
    first = cohort.subjects["SCOREBL"].to_numpy(dtype=float)
    seen = np.column_stack([cohort.at_visit("SCORE", v) for v in ("Week 4", "Week 8")])
    return seen - first[:, None], first, cohort.subjects["arm"].to_numpy(dtype=str)


def test_ancova_is_the_single_trials(cohort: Cohort) -> None:
    analysis = {"kind": "ancova", "covariates": ["SCOREBL", "SITE"]}
    found = one(cohort, "score change", analysis, **policy(cohort, 0))
    change, first, arm = values(cohort)
    rows = np.isin(arm, ["Placebo", "High"]) & np.isfinite(change[:, 1])
    site = cohort.subjects["SITE"].to_numpy(dtype=str)[rows]
    other = ancova(change[rows, 1], arm[rows], {"b": first[rows]}, {"site": site},
                   control="Placebo").effects["High"]  # fmt: skip
    close(found, other)
    assert found.estimate.df == other.df


def test_mmrm_is_the_single_trials(cohort: Cohort) -> None:
    analysis = {"kind": "mmrm", "covariates": ["SCOREBL"]}
    found = one(cohort, "score change", analysis, **policy(cohort, 0))
    change, first, arm = values(cohort)
    rows = np.isin(arm, ["Placebo", "High"]) & np.isfinite(change).any(axis=1)
    other = mmrm(change[rows], arm[rows] == "High", {"b": first[rows]}).effects["visit 2"]
    close(found, other)
    assert found.estimate.extra["covariance"] == "unstructured"
    missing = one(cohort, "score change", analysis).estimate
    assert missing.extra["standard_error"] == "Kenward-Roger"
    assert missing.extra["naive_se"] < missing.se  # where values are missing


def test_survival_is_the_single_trials(cohort: Cohort) -> None:
    rows = np.isin(cohort.subjects["arm"], ["Placebo", "High"])
    ends = cohort.endpoint("relapse")[rows]
    time, event = ends["day"].to_numpy(), ends["observed"].to_numpy(dtype=float)
    treated = (cohort.subjects["arm"][rows] == "High").to_numpy(dtype=float)
    sex = (cohort.subjects["SEX"][rows] == "M").to_numpy(dtype=float)
    found = one(cohort, "relapse", {"kind": "cox", "covariates": ["SEX"]})
    close(found, cox(time, event, {"treated": treated, "sex": sex}).hazard_ratio("treated"))
    mean = one(cohort, "relapse", {"kind": "rmst", "horizon": 50})
    close(mean, restricted_mean_difference(time, event, treated, 50))
    # Fewer relapses under treatment: a lower hazard and a longer time both count as benefit.
    assert (found.one_sided < 0.5) == (found.estimate.estimate < 1)
    assert (mean.one_sided < 0.5) == (mean.estimate.estimate > 0)


def test_proportions_are_the_single_trials(cohort: Cohort) -> None:
    changes = policy(cohort, 2)
    found = one(cohort, "relapse by day 40", {"kind": "proportions"}, **changes)
    adjusted = one(
        cohort, "relapse by day 40", {"kind": "standardised", "covariates": ["SEX"]}, **changes
    )
    rows = np.isin(cohort.subjects["arm"], ["Placebo", "High"])
    y = (cohort.mask({"relapse_event": 1, "relapse_time": "<=40"}) == 1)[rows].astype(float)
    treated = (cohort.subjects["arm"][rows] == "High").to_numpy(dtype=float)
    x1, x0 = int(y[treated == 1].sum()), int(y[treated == 0].sum())
    other = two_proportions(x1, int(treated.sum()), x0, int((1 - treated).sum()))
    for name in ("estimate", "se", "low", "high"):
        assert getattr(found.estimate, name) == pytest.approx(getattr(other, name), rel=1e-9)
    sex = (cohort.subjects["SEX"][rows] == "M").to_numpy(dtype=float)
    close(adjusted, standardised(y, treated, {"sex": sex}))


def test_strategies_change_the_data_as_they_say(cohort: Cohort) -> None:
    stop = cohort.endpoint("stopping")
    day = np.where(stop["observed"], stop["day"], np.inf)
    done = run(
        cohort,
        {"endpoint": "score change", "analysis": {"kind": "ancova"}},
        {"endpoint": "relapse by day 40"},
        {"endpoint": "adverse events"},
    )
    kept = np.isfinite(done.data.outcomes["score change"].values[:, 0])
    rows = cohort.observed("SCORE")
    late = rows["day"].to_numpy() > day[cohort.positions(rows)]
    gone = cohort.positions(rows[late & (rows["visit"] == "Week 8").to_numpy()])
    assert len(gone) > 5 and not kept[1][gone].any()
    failed = done.data.outcomes["relapse by day 40"].values[0, 0]
    assert (failed[np.isfinite(day)] == 1).all()  # higher is worse: stopping is a failure
    exposure = done.data.outcomes["adverse events"].exposure[0]
    assert np.array_equal(exposure, np.minimum(60.0, day))
    counts = done.data.outcomes["adverse events"].values[0, 0]
    first = cohort.episodes
    inside = (first["start"] >= 0) & (first["start"] <= exposure[cohort.positions(first)])
    assert counts.sum() == inside.sum() < len(first)
    told = done.strategies["score change"]
    assert told["stopping"] == "hypothetical, values after it are missing"
    assert "stated only" in told["rescue"]


def test_time_to_event_follows_its_strategies(cohort: Cohort) -> None:
    ends, stop = cohort.endpoint("relapse"), cohort.endpoint("stopping")
    day, relapsed = ends["day"].to_numpy(), ends["observed"].to_numpy(dtype=bool)
    stopped = np.where(stop["observed"], stop["day"], np.inf)

    def read(strategy: str, **more: Any) -> tuple[np.ndarray, np.ndarray]:
        endpoints = plan()["endpoints"]
        endpoints[1] |= {"intercurrent_events": {"stopping": strategy}, **more}
        seen = run(cohort, {"endpoint": "relapse"}, endpoints=endpoints).data.outcomes["relapse"]
        return seen.time[0], seen.event[0]

    time, event = read("composite")
    assert np.array_equal(time, np.minimum(day, stopped))
    assert np.array_equal(event == 1, relapsed | (stopped <= day))
    time, event = read("while on treatment")
    assert np.array_equal(time, np.minimum(day, stopped))
    assert np.array_equal(event == 1, relapsed & (day <= stopped))
    time, event = read("treatment policy", follow_up=30)
    assert time.max() == 30 and np.array_equal(event == 1, relapsed & (day <= 30))


def test_everybody_left_out_is_counted() -> None:
    done = run(
        invented(300),
        {"endpoint": "score change", "analysis": {"kind": "ancova", "covariates": ["SCOREBL"]}},
        patients={"words": "women", "condition": {"SEX": "F"}},
    )
    told = done.to_dict()["analyses"][0]
    for number, arm in ((0, "Placebo"), (1, "High")):
        gone = sum(counts[arm] for counts in told["left_out"].values())
        assert told["n_by_arm"][arm] + gone == done.to_dict()["randomised"][arm], number
    assert list(told["left_out"]) == [
        "not among the plan's patients", "covariates unknown", "no outcome"
    ]  # fmt: skip
    assert told["estimand"]["population"] == "women"


def test_decisions_follow_the_procedure(cohort: Cohort) -> None:
    done = analyse(cohort, AnalysisPlan.parse(plan()))
    p = [a.estimate.p_value for a in done.answers[:2]]
    adjusted = fixed_sequence(2).adjusted(np.array(p))[0]
    told = [done.decisions[name] for name in ("main", "relapse")]
    assert [d["adjusted_p"] for d in told] == pytest.approx(list(adjusted))
    assert [d["rejected"] for d in told] == [bool(a <= 0.05) for a in adjusted]
    assert set(done.decisions) == {"main", "relapse"}
    one_sided = analyse(cohort, AnalysisPlan.parse(plan(sides=1, alpha=0.025)))
    assert one_sided.decisions["main"]["p"] == one_sided.answers[0].one_sided
    assert one_sided.answers[0].estimate.extra["level"] == pytest.approx(0.95)


def test_subgroups_are_the_analysis_among_them(cohort: Cohort) -> None:
    given = plan(subgroups=[{"by": "SEX"}, {"name": "women", "condition": {"SEX": "F"}}])
    done = analyse(cohort, AnalysisPlan.parse(given))
    by_sex, women = done.subgroups
    alone = analyse(
        cohort.where({"SEX": "F"}), AnalysisPlan.parse(plan(subgroups=[]))
    ).answers[0].estimate  # fmt: skip
    assert by_sex["levels"][0]["estimate"] == pytest.approx(alone.estimate)
    assert women["levels"][0]["se"] == pytest.approx(alone.se)
    assert 0 <= by_sex["heterogeneity"]["p_value"] <= 1 and women["heterogeneity"] is None


def test_a_cox_model_without_a_maximum_gives_way_and_says_so(cohort: Cohort) -> None:
    none_under_placebo = {"any": [{"arm": "High"}, {"relapse_event": 0}]}
    done = run(
        cohort,
        {"endpoint": "relapse", "analysis": {"kind": "cox", "covariates": ["SEX"]}},
        {"endpoint": "relapse", "analysis": {"kind": "log_rank"}},
        patients={"condition": none_under_placebo},
    )
    told, other = (answer.estimate for answer in done.answers)
    assert told.extra["events"]["control"] == 0
    assert told.extra["fallback"] == "log_rank" and "no finite maximum" in told.extra["caution"]
    assert (told.estimate, told.se) == (other.estimate, other.se)
    assert "survdiff" in script(done) and "coxph(" not in script(done)
    assert "fallback" not in one(cohort, "relapse", {"kind": "cox"}).estimate.extra


def test_causes_that_do_not_count_compete(cohort: Cohort) -> None:
    endpoints = plan()["endpoints"]
    endpoints[1] |= {"causes": ["event"]}
    asked = {"kind": "cumulative_incidence", "horizon": 50}
    done = run(
        cohort,
        {"endpoint": "relapse", "analysis": asked},
        {"endpoint": "relapse", "analysis": {"kind": "cox"}},
        endpoints=endpoints,
    )
    seen = done.data.outcomes["relapse"]
    assert seen.other is not None and not (seen.other * seen.event).any()
    assert "cause-specific" in done.answers[1].estimate.estimand.summary
    assert "no R code for cumulative_incidence" in script(done)
    with pytest.raises(InputError, match="asks for a competing cause"):
        one(cohort, "relapse", asked)
    with pytest.raises(InputError, match="would take"):
        one(cohort, "relapse", {"kind": "rmst", "horizon": 50}, endpoints=endpoints)


def test_departures_are_reference_based_imputation(cohort: Cohort) -> None:
    done = analyse(cohort, AnalysisPlan.parse(plan()))
    (held,) = done.missing_data
    data = done.data
    rows = (data.arm != 1) & np.isfinite(data.baseline["SCOREBL"])
    values = data.outcomes["score change"].values[:, 0][:, rows].T
    zero, moved = reference_based(
        values, data.arm[rows] > 0, {"b": data.baseline["SCOREBL"][rows]}, deltas=(0, -30),
        imputations=5,
    )  # fmt: skip
    assert [e["estimate"] for e in held["estimates"]] == [zero.estimate, moved.estimate]
    assert held["estimates"][0]["n"] == rows.sum()
    assert held["question"] == "main" and held["assumption"] == "jump_to_reference"
    assert held["tips_at"] == next(
        (e.extra["delta"] for e in (zero, moved) if e.low <= 0 <= e.high), None
    )
    with pytest.raises(InputError, match="did you mean main"):
        AnalysisPlan.parse(plan(missing_data=[{"analysis": "mian"}]))


def test_a_locked_score_is_a_covariate(cohort: Cohort) -> None:
    locked = lock_linear_score(
        "OLD", ("SCOREBL", "SITE=South"), np.array([0.5, -1.0]), np.array([20.0, 0.3]),
        np.array([4.0, 0.5]), data_digest="old",
    )  # fmt: skip
    score = {"name": "risk", **vars(locked)}
    analysis = {"kind": "ancova", "covariates": ["risk"]}
    found = one(cohort, "score change", analysis, scores=[score], **policy(cohort, 0))
    change, first, arm = values(cohort)
    rows = np.isin(arm, ["Placebo", "High"]) & np.isfinite(change[:, 1])
    south = (cohort.subjects["SITE"] == "South").to_numpy(dtype=float)
    risk = locked.score({"SCOREBL": first[rows], "SITE=South": south[rows]})
    other = ancova(change[rows, 1], arm[rows], {"risk": risk}, control="Placebo").effects["High"]
    close(found, other)
    with pytest.raises(InputError, match="does not match its hash"):
        one(cohort, "score change", analysis, scores=[{**score, "study_id": "NEW"}])
    spoilt = lock_linear_score("OLD", ("AGE", "SITE=Up", "SITE"), *np.ones((3, 3)))
    with pytest.raises(InputError) as caught:
        one(cohort, "score change", analysis, scores=[{"name": "risk", **vars(spoilt)}])
    assert len(caught.value.faults) == 3
    own = lock_linear_score("INVENTED", ("SCOREBL",), *np.ones((3, 1)))
    with pytest.raises(RefusedError, match="PROCOVA needs historical data"):
        one(cohort, "score change", analysis, scores=[{"name": "risk", **vars(own)}])


def test_what_cannot_be_estimated_says_so() -> None:
    few = invented(6)
    nobody = plan(patients={"condition": {"SCOREBL": ">=1000"}})
    done = analyse(few, AnalysisPlan.parse(nobody))
    assert done.missing_data[0]["note"].startswith("no estimate: ")
    told = done.to_dict()
    json.dumps(told, allow_nan=False)
    for answer in told["analyses"]:
        assert answer["estimate"] is None and answer["p_value"] is None
        assert "too few patients" in answer["extra"]["note"]
    assert done.subgroups[0]["levels"][0]["n_by_arm"] == [None, None]
    assert not any(decision["rejected"] for decision in done.decisions.values())


def test_no_events_in_an_arm_have_a_bound_not_a_certainty(cohort: Cohort) -> None:
    endpoints = plan()["endpoints"]
    endpoints[2] |= {"condition": {"relapse_event": 1, "relapse_time": "<=0"}, "name": "never",
                     "intercurrent_events": {"stopping": "treatment policy"}}  # fmt: skip
    found = one(cohort, "never", {"kind": "proportions"}, endpoints=endpoints).estimate
    assert np.isnan(found.p_value) and found.low < 0 < found.high
