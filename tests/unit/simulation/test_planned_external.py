"""External controls in a plan: borrowed where every limit holds, refused and told elsewhere."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy.stats import norm

from extraction.records import Cohort, InputError, RefusedError
from simulation.trial.planned import AnalysisPlan, analyse
from simulation.trial.planned.analysing import Analysed
from simulation.trial.planned.external import Method
from simulation.trial.planned.external_borrowing import borrowed_table
from simulation.trial.planned.lock import external_deviation, lock_plan
from simulation.trial.planned.rederive import script
from simulation.trial.planned.results import results_table
from simulation.trial.planned.table import analysis_table
from tests.support.planned_support import invented, plan

LOOSE = {"min_ess": 10, "min_overlap": 0.5, "max_weighted_smd": 0.5, "min_conflict_p": 0,
         "max_type_one": 1, "same_endpoint": False}  # fmt: skip
METHODS = Method.__args__  # type: ignore[attr-defined]
ANALYSES = [
    {"name": "main", "endpoint": "score change", "role": "primary", "arm": "High",
     "analysis": {"kind": "ancova", "covariates": ["SCOREBL"]}},
    {"name": "days free", "endpoint": "relapse", "role": "exploratory", "arm": "High",
     "analysis": {"kind": "rmst", "horizon": 40}},
    {"name": "hazard", "endpoint": "relapse", "role": "exploratory", "arm": "High",
     "analysis": {"kind": "cox"}},
]  # fmt: skip


@pytest.fixture(scope="module")
def trial() -> Cohort:
    return invented()


@pytest.fixture(scope="module")
def older() -> Cohort:
    return _as_study(invented(300, seed=8), "OLDER")


def _as_study(cohort: Cohort, name: str, **changes: Any) -> Cohort:
    frames = {
        frame: getattr(cohort, frame).assign(study_id=name)
        for frame in ("subjects", "observations", "derived", "episodes", "events")
    }
    schema = cohort.schema.model_copy(update={"study_id": name})
    return replace(cohort, schema=schema, **{**frames, **changes})


def borrowing(method: str = "iptw", **changes: Any) -> dict[str, Any]:
    asked = ["main", "days free", *(["hazard"] if method in ("iptw", "overlap_weights") else [])]
    given = plan(analyses=ANALYSES, multiplicity=None, subgroups=[], missing_data=[])
    given["external_controls"] = {
        "cohort": "older", "arm": "Placebo", "method": method, "analyses": asked,
        "covariates": ["SCOREBL", "SEX"], "limits": LOOSE, "replicates": 100, **changes,
    }  # fmt: skip
    return given


def done_by(trial: Cohort, older: Cohort, method: str = "iptw", **changes: Any) -> Analysed:
    return analyse(trial, AnalysisPlan.parse(borrowing(method, **changes)), external=older)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_borrows_where_the_limits_hold(
    trial: Cohort, older: Cohort, method: str
) -> None:
    done = done_by(trial, older, method)
    alone = analyse(trial, AnalysisPlan.parse({**borrowing(), "external_controls": None}))
    told = {a["id"]: a for a in done.to_dict()["analyses"]}
    for name in ("main", "days_free"):
        given = told[name]["external_controls"]
        assert given["accepted"] and given["verdict"].startswith("Borrowing accepted")
        assert 0 < given["external_share"] <= 1 and given["balance"]["ess"] > 10
        assert told[name]["se"] > 0 and told[name]["low"] < told[name]["estimate"]
        assert "OLDER" in told[name]["estimand"]["treatment"]
    own = next(a for a in alone.answers if a.question.id == "days_free").estimate
    assert told["days_free"]["external_controls"]["own_controls_alone"]["se"] == own.se
    if method != "propensity_matching":  # which drops controls without a partner
        assert told["days_free"]["se"] < own.se
    decided = done.decisions["main"]
    assert decided["p"] == told["main"]["p_value"] and decided["favours"] == "the treated arm"
    assert done.external_digest == older.digest()


def test_a_power_prior_is_its_closed_form(trial: Cohort, older: Cohort) -> None:
    answer = done_by(trial, older, "power_prior", power=0.4).answers[0]
    assert answer.borrowed is not None
    held, extra = answer.borrowed.pool, answer.estimate.extra
    own, one = held.y[held.own], held.y[held.treated == 1]
    far = extra["external_mean"]
    precision = 1 / extra["control_sd"] ** 2 - own.size / own.var(ddof=1)  # of the prior
    control = (own.mean() * own.size / own.var(ddof=1) + far * precision) * extra["control_sd"] ** 2
    assert answer.estimate.estimate == pytest.approx(one.mean() - control, rel=1e-9)
    assert precision > 0 and extra["own_mean"] == own.mean()


def test_a_broken_limit_leaves_own_controls_alone(trial: Cohort, older: Cohort) -> None:
    alone = analyse(trial, AnalysisPlan.parse({**borrowing(), "external_controls": None}))
    done = done_by(trial, older, limits={**LOOSE, "min_ess": 5000, "min_negative_controls": 1})
    for answer, own in zip(done.answers, alone.answers, strict=True):
        assert answer.estimate.estimate == own.estimate.estimate
        assert answer.estimate.se == own.estimate.se and answer.borrowed is not None
        assert not answer.borrowed.accepted and answer.borrowed.estimate is None
        caution = answer.estimate.extra["caution"]
        assert caution.startswith("Borrowing refused") and "Own controls alone" in caution
        word = answer.borrowed.word
        assert "effective sample size" in word and "negative-control outcomes: 0" in word
    assert done.decisions["main"]["p"] == alone.decisions["main"]["p"]


def test_the_limits_as_shipped_ask_for_everything(trial: Cohort, older: Cohort) -> None:
    reasons = " ".join(done_by(trial, older, limits={}).answers[0].borrowed.reasons)  # type: ignore[union-attr]
    assert "endpoint: stated for neither trial" in reasons and "type I error" in reasons


def test_a_conflict_and_a_negative_control_stop(trial: Cohort, older: Cohort) -> None:
    """Planted: the older trial's patients score 8 points more at every visit."""
    rows = older.observations
    drifted = replace(older, observations=rows.assign(value=rows["value"] + 8.0))
    found = done_by(trial, drifted, limits={**LOOSE, "min_conflict_p": 0.1}).answers[0].borrowed
    assert found is not None and found.verdict is not None
    assert found.verdict.evidence.conflict_p is not None
    assert found.verdict.evidence.conflict_p < 1e-6 and "prior-data conflict" in found.word
    subjects = older.subjects
    heavier = replace(older, subjects=subjects.assign(SCOREBL=subjects["SCOREBL"] + 6.0))
    changes: dict[str, Any] = {"covariates": ["SEX"], "negative_controls": ["SCOREBL"]}
    assert done_by(trial, older, **changes).answers[0].borrowed.accepted  # type: ignore[union-attr]
    stopped = done_by(trial, heavier, **changes).answers[0].borrowed
    assert stopped is not None and "negative-control outcome SCOREBL" in stopped.word


def _single(trial: Cohort) -> Cohort:
    kept = trial.where({"arm": "High"})
    schema = kept.schema.model_copy(
        update={"arms": ("High",), "control_arm": None, "allocation": None}
    )
    return replace(kept, schema=schema)


def test_a_single_arm_trial_has_no_estimate_when_refused(trial: Cohort, older: Cohort) -> None:
    given = {**borrowing("overlap_weights", design="single_arm"), "treated": ["High"]}
    accepted = analyse(_single(trial), AnalysisPlan.parse(given), external=older)
    assert accepted.answers[0].estimate.se > 0
    assert accepted.to_dict()["randomised"] == {"High": len(_single(trial))}
    given["external_controls"]["limits"] = {**LOOSE, "min_conflict_p": 0.1}
    refused = analyse(_single(trial), AnalysisPlan.parse(given), external=older)
    for answer in refused.answers:
        assert np.isnan(answer.estimate.estimate) and np.isnan(answer.one_sided)
        assert (
            "Borrowing refused: prior-data conflict: not looked at"
            in (answer.estimate.extra["note"])
        )
    assert refused.decisions["main"]["favours"] is None
    assert not refused.decisions["main"]["rejected"]


def test_the_type_one_error_of_a_single_arm_trial_is_the_normal_laws(
    trial: Cohort, older: Cohort
) -> None:
    """z = 3.9 Monte Carlo standard errors (a false alarm in 10,000 a drift)."""
    given = {**borrowing("iptw", design="single_arm"), "treated": ["High"]}
    answer = analyse(_single(trial), AnalysisPlan.parse(given), external=older).answers[0]
    assert answer.borrowed is not None
    held = answer.borrowed.pool
    for line in answer.borrowed.drifts:
        far = held.y[held.external == 1]
        own = held.y[held.treated == 1].std(ddof=1) / np.sqrt(held.sizes[0])
        spread = np.hypot(own, far.std(ddof=1) / np.sqrt(far.size))
        shift = line["drift"] * far.std(ddof=1) / spread
        expected = norm.sf(1.96 - shift) + norm.cdf(-1.96 - shift)
        # Weights take away some external patients, and the sandwich is a little wider.
        assert line["type_one"] == pytest.approx(expected, abs=0.05 + 3.9 * line["se"])


def test_faults_come_at_once(trial: Cohort, older: Cohort) -> None:
    bad = borrowing(
        "map", design="single_arm", covariates=["SEX", "SEX"], negative_controls=["SEX"]
    )
    with pytest.raises(InputError) as caught:
        AnalysisPlan.parse(bad)
    told = "\n".join(caught.value.faults)
    assert "needs own controls" in told and "stands twice" in told and "is a covariate too" in told
    with pytest.raises(InputError) as caught:
        AnalysisPlan.parse(borrowing("aipw", analyses=["hazard", "mian"]))
    told = "\n".join(caught.value.faults)
    assert "did you mean main" in told and "aipw has no hazard ratio" in told
    given = borrowing(arm="Plcebo", covariates=["SCOREBL", "AGE"], endpoints={"relapse": "none"})
    with pytest.raises(InputError) as caught:
        analyse(trial, AnalysisPlan.parse({**given, "study": "OTHER"}), external=older)
    told = "\n".join(caught.value.faults)
    assert "study" in told and "did you mean Placebo" in told
    assert "'AGE' is no baseline variable of the trial" in told
    assert "'none' is no endpoint of the external cohort" in told
    with pytest.raises(InputError, match="patients are the trial's own"):
        analyse(trial, AnalysisPlan.parse(borrowing()), external=trial)
    with pytest.raises(InputError, match="it was not given"):
        analyse(trial, AnalysisPlan.parse(borrowing()))


def test_an_exchanged_cohort_is_found(tmp_path: Path, older: Cohort) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump(borrowing()), "utf-8")
    with pytest.raises(InputError, match="no cohort's folder"):
        lock_plan(path, "2026-11-23", {}, "code")
    older.write(tmp_path / "older")
    lock, _ = lock_plan(path, "2026-11-23", {}, "code")
    digest = Cohort.read(tmp_path / "older").digest()
    assert lock.external == digest and external_deviation(lock, digest, path) == ()
    with pytest.raises(RefusedError, match="at the lock"):
        external_deviation(lock, invented(30).digest(), path)
    assert external_deviation(lock, invented(30).digest(), path, exploratory=True)
    _rewritten(tmp_path / "older", older.where({"SEX": "F"}))
    with pytest.raises(RefusedError, match="other external controls"):
        lock_plan(path, "2026-11-23", {}, "code")


def _rewritten(folder: Path, cohort: Cohort) -> None:
    shutil.rmtree(folder)
    cohort.write(folder)


def test_patients_of_a_model_are_refused(tmp_path: Path, older: Cohort) -> None:
    made = older.sources.iloc[:0].copy()
    made.loc[0, ["source_id", "kind", "name"]] = ["synthetic:twin", "table", "synthetic:twin"]
    replace(older, sources=made).write(tmp_path / "older")
    given = AnalysisPlan.parse(borrowing()).external_controls
    assert given is not None
    with pytest.raises(RefusedError, match="They are not data"):
        given.read(tmp_path / "plan.yaml")


@pytest.mark.parametrize("method", METHODS)
def test_r_agrees(tmp_path: Path, trial: Cohort, older: Cohort, method: str) -> None:
    """R's glm, coxph, integrate, and formulas written out, from borrowed.csv."""
    if shutil.which("Rscript") is None:
        pytest.skip("R is not installed: apt-get install r-base-core r-recommended")
    done = done_by(trial, older, method)
    tables = {"analysis": analysis_table(trial, done), "results": results_table(done),
              "borrowed": borrowed_table(done.answers)}  # fmt: skip
    for name, table in tables.items():
        assert table is not None
        table.to_csv(tmp_path / f"{name}.csv", index=False, float_format="%.17g")
    (tmp_path / "rederive.R").write_text(script(done), "utf-8")
    command = ["Rscript", str(tmp_path / "rederive.R")]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    expected = 1 if method == "g_computation" else 3  # a bootstrap draws at random
    assert run.stdout.count(" same\n") == expected
    assert run.stdout.count("no R code for external controls by g_comp") == 3 - expected


@pytest.mark.parametrize("method", ["iptw", "robust_map"])
def test_the_strategy_holds_its_level_without_drift(
    trial: Cohort, older: Cohort, method: str
) -> None:
    """Without drift a tenth of conflicts is chance, and own controls alone then err as planned.

    4 Monte Carlo standard errors of 10,000 trials; robust borrowing is a little conservative, and
    stopping on what chance shows costs a little.
    """
    limits = {**LOOSE, "min_conflict_p": 0.1}
    found = done_by(trial, older, method, limits=limits).answers[0].borrowed
    assert found is not None
    first, *_, last = found.drifts
    assert first["drift"] == 0 and first["stopped"] == pytest.approx(0.1, abs=4 * 0.003)
    assert 0.03 < first["type_one"] < 0.08 and last["stopped"] > first["stopped"]
    assert max(row["type_one"] for row in found.drifts) > first["type_one"]
