"""Plans: faults all at once, against the cohort too; hashes and locks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from extraction.records import InputError, RefusedError
from extraction.sources.public import public_trial
from simulation.trial.planned.lock import Lock, lock_path, lock_plan, plan_digest, state_of
from simulation.trial.planned.plan import AnalysisPlan
from tests.support.planned_support import invented, plan

VERSIONS = {"numpy": "1"}


def written(folder: Path, **changes: Any) -> Path:
    path = folder / "plan.yaml"
    path.write_text(yaml.safe_dump(plan(**changes)), "utf-8")
    return path


def locked(path: Path, overwrite: bool = False) -> Lock:
    return lock_plan(path, "2026-11-22T12:00:00+00:00", VERSIONS, "code", overwrite)[0]


def test_the_example_fits_the_pilot(root: Path) -> None:
    example = AnalysisPlan.read(root / "examples" / "analysis-plan.yaml")
    example.check(public_trial("cdisc_pilot"))
    assert [q.id for q in example.questions if q.tested] == [
        "cognition_xanomeline_low_dose",
        "cognition_xanomeline_high_dose",
    ]


def test_covariates_of_the_plan_serve_analyses_that_name_none() -> None:
    given = plan(strata=["SITE"])
    given["analyses"] += [
        {"name": "bare", "endpoint": "score change", "role": "sensitivity",
         "analysis": {"kind": "ancova", "covariates": []}},
    ]  # fmt: skip
    questions = {q.id: q.analysis for q in AnalysisPlan.parse(given).questions}
    assert questions["main"].covariates == ("SCOREBL",)
    assert questions["bare_high"].covariates == ()
    assert questions["relapse"].strata == ("SITE",)  # a log-rank test takes no covariates
    assert questions["relapse"].covariates == ()


def test_every_fault_of_the_plan_comes_at_once() -> None:
    given = plan(alpha=1.5, treated=["Low", "High", "High"])
    given["analyses"][0]["arm"] = "Hihg"
    given["endpoints"][0]["intercurrent_events"] = {"stopping": "ignored"}
    with pytest.raises(InputError) as caught:
        AnalysisPlan.parse(given)
    assert any("alpha" in fault for fault in caught.value.faults)
    assert any("intercurrent_events" in fault for fault in caught.value.faults)
    given = plan(treated=["Low", "High", "High"])
    given["analyses"][0]["arm"] = "Hihg"
    given["analyses"][1]["analysis"] = {"kind": "ancova"}
    given["analyses"][2]["endpoint"] = "relaps"
    with pytest.raises(InputError) as caught:
        AnalysisPlan.parse(given)
    told = "\n".join(caught.value.faults)
    assert "'High' stands twice" in told and "did you mean High?" in told
    assert "ancova takes continuous" in told and "did you mean relapse" in told


def test_faults_of_fields_hide_no_contradiction() -> None:
    given = plan(alpha=1.5, treated=["Low", "High", "High"], title=3)
    given["analyses"][0]["arm"] = "Hihg"
    given["analyses"][1]["analysis"] = {"kind": "ancova"}
    weights = {"covariates": ["SEX"], "largest": 0.5}
    given["analyses"][2] |= {"endpoint": "relaps", "censoring_weights": weights}
    given["missing_data"][0]["analysis"] = "mian"
    given["external_controls"] = {
        "cohort": "older", "arm": "Placebo", "method": "aipw", "covariates": ["SEX", "SEX"],
        "analyses": ["mian"], "limits": {"min_ess": -1},
    }  # fmt: skip
    with pytest.raises(InputError) as caught:
        AnalysisPlan.parse(given)
    told = caught.value.faults
    for said in (
        "alpha", "title", "analyses[2].censoring_weights.largest", "'High' stands twice",
        "ancova takes continuous",
        "did you mean relapse", "did you mean High", "missing_data[0].analysis: 'mian'",
        "external_controls.limits.min_ess",
    ):  # fmt: skip
        assert any(said in fault for fault in told), (said, told)
    assert len(told) == len(set(told))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"multiplicity": None}, "2 hypotheses are tested"),
        ({"multiplicity": {"procedure": "graph", "weights": [1.0]}}, "2 are tested, in this order"),
        ({"multiplicity": {"procedure": "graph", "weights": [1, 0.5]}}, "sum to more than 1"),
        ({"multiplicity": {"procedure": "holm", "weights": [1.0]}}, "procedure graph only"),
        ({"subgroups": [{"name": "x"}]}, "give either by"),
    ],
)
def test_how_alpha_is_shared_must_be_said(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        AnalysisPlan.parse(plan(**changes))


def test_one_analysis_must_be_primary() -> None:
    given = plan(multiplicity=None)
    for analysis in given["analyses"]:
        analysis["role"] = "exploratory"
    with pytest.raises(InputError, match="none is primary"):
        AnalysisPlan.parse(given)


def test_everything_that_the_cohort_lacks_comes_at_once() -> None:
    given = plan(study="OTHER", control="Plazebo", covariates=["SCOREBLL"], strata=["SCOREBL"])
    given["patients"] = {"condition": {"ITTFL": "Y"}}
    given["endpoints"][0] |= {"variable": "SCOR", "visits": ["Week 8", "Week 4"]}
    given["endpoints"][1] |= {"endpoint": "relapsed", "causes": ["x"]}
    given["endpoints"][3] |= {"intercurrent_events": {"stopping": "principal stratum"}}
    with pytest.raises(InputError) as caught:
        AnalysisPlan.parse(given).check(invented())
    told = "\n".join(caught.value.faults)
    for part in (
        "study: 'OTHER'",
        "did you mean Placebo?",
        "did you mean SCOREBL?",
        "strata: 'SCOREBL' is a number",
        "ITTFL",
        "'SCOR' is no number at visits",
        "order in time",
        "'relapsed' is no endpoint",
        "'principal stratum' of 'stopping' cannot be applied to a count",
    ):
        assert part in told, part


def test_a_hash_is_of_the_meaning() -> None:
    first = plan_digest(AnalysisPlan.parse(plan()))
    turned = dict(reversed(plan(time_unit="day").items()))
    assert plan_digest(AnalysisPlan.parse(turned)) == first
    assert plan_digest(AnalysisPlan.parse(plan(alpha=0.04))) != first
    bare = plan()
    bare["analyses"][0]["analysis"] = {"kind": "ancova", "covariates": []}
    named = plan()
    named["analyses"][0]["analysis"] = {"kind": "ancova"}
    digests = {plan_digest(AnalysisPlan.parse(given)) for given in (bare, named)}
    assert len(digests) == 2  # the plan's covariates are used in one of them only


def test_a_lock_binds_until_it_is_amended(tmp_path: Path) -> None:
    path = written(tmp_path)
    planned = AnalysisPlan.read(path)
    with pytest.raises(RefusedError, match="not locked"):
        state_of(planned, path)
    assert state_of(planned, path, exploratory=True) == ("exploratory", None)
    lock = locked(path)
    assert state_of(planned, path) == ("locked", lock)
    assert locked(path) == lock  # the same plan again
    changed = AnalysisPlan.read(written(tmp_path, alpha=0.04))
    with pytest.raises(RefusedError, match="differs from its lock"):
        state_of(changed, path)
    assert state_of(changed, path, exploratory=True) == ("exploratory", lock)
    with pytest.raises(RefusedError, match="another plan is locked"):
        locked(path)
    amended = locked(path, overwrite=True)
    assert [a["sha256"] for a in amended.amended] == [lock.sha256]
    assert state_of(changed, path)[0] == "locked"


WHOLE = {
    "lock_version": 1,
    "sha256": "0",
    "locked_at": "2026",
    "versions": {},
    "code": "c",
    "amended": [],
}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"lock_version": 99}',
        *(json.dumps(WHOLE | {name: 1}) for name in WHOLE if name != "lock_version"),
        json.dumps(WHOLE | {"amended": "text"}),
        json.dumps(WHOLE | {"versions": {"numpy": 2}}),
    ],
)
def test_a_spoilt_lock_is_no_lock(tmp_path: Path, text: str) -> None:
    path = written(tmp_path)
    lock_path(path).write_text(text, "utf-8")
    with pytest.raises(InputError, match="cannot be read as a lock"):
        state_of(AnalysisPlan.read(path), path, exploratory=True)


def test_a_lock_file_holds_hash_time_and_versions(tmp_path: Path) -> None:
    path = written(tmp_path)
    locked(path)
    held = json.loads((tmp_path / "plan.lock.json").read_text("utf-8"))
    assert held["sha256"] == plan_digest(AnalysisPlan.read(path))
    assert held["versions"] == VERSIONS and held["locked_at"].startswith("2026")


@pytest.mark.parametrize("text", ["a: [", "- 1", ""])
def test_a_file_that_is_no_plan_says_so(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(InputError, match="plan"):
        AnalysisPlan.read(path)
    with pytest.raises(InputError, match="no such file"):
        AnalysisPlan.read(tmp_path / "none.yaml")


def test_entries_at_fault_make_no_list_too_short_and_the_nearest_choice_is_told() -> None:
    given = plan(alpha=2)
    given["analyses"] = [{"name": "main", "endpoint": "score change", "role": "primry"}]
    given["external_controls"] = {
        "cohort": "older", "arm": "Placebo", "method": "robustmap", "covariates": ["SEX"],
    }  # fmt: skip
    with pytest.raises(InputError) as caught:
        AnalysisPlan.parse(given)
    told = "\n".join(caught.value.faults)
    assert "did you mean primary?" in told and "did you mean robust_map?" in told
    assert "entries" not in told
    with pytest.raises(InputError, match="analyses: must have 1 or more entries"):
        AnalysisPlan.parse(plan(analyses=[]))
