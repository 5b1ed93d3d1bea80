"""Weights for censoring and dropout: R's survival, planted dependence, faults."""

from __future__ import annotations

import shutil
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from extraction.records import Cohort, InputError
from simulation.analysis.censoring_weights import (
    censoring_model,
    dropout_weights,
    weighted_cox,
    weighted_curve,
    weighted_least_squares,
)
from simulation.analysis.cox import cox
from simulation.analysis.survival import kaplan_meier
from simulation.trial.planned import AnalysisPlan, analyse
from simulation.trial.planned.analysing import Analysed
from simulation.trial.planned.rederive import script
from simulation.trial.planned.results import results_table
from simulation.trial.planned.table import analysis_table
from tests.support.planned_support import invented, plan

ANALYSES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("score change", {"kind": "ancova", "covariates": ["SCOREBL", "SEX"]}, {}),
    ("score change", {"kind": "ancova"}, {"largest": 1.1}),
    ("relapse", {"kind": "cox"}, {}),
    ("relapse", {"kind": "cox", "covariates": ["SEX"]}, {"largest": 1.1}),
    ("relapse", {"kind": "log_rank"}, {}),
    ("relapse", {"kind": "rmst", "horizon": 40}, {}),
    ("relapse", {"kind": "landmark", "at": 30}, {}),
]


def given(weights: bool = True) -> dict[str, Any]:
    held = plan(covariates=[], subgroups=[], missing_data=[], multiplicity=None)
    held["endpoints"][1]["intercurrent_events"] = {"stopping": "hypothetical"}
    of = ["SCOREBL", "SEX", "SITE"]
    held["analyses"] = [
        {"name": f"q{k}", "endpoint": endpoint, "analysis": dict(analysis), "arm": "High",
         "role": "exploratory" if k else "primary",
         **({"censoring_weights": {"covariates": of, **more}} if weights else {})}
        for k, (endpoint, analysis, more) in enumerate(ANALYSES)
    ]  # fmt: skip
    return held


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return invented(240)


@pytest.fixture(scope="module")
def done(cohort: Cohort) -> Analysed:
    return analyse(cohort, AnalysisPlan.parse(given()))


def test_every_kind_is_weighted_and_says_so(cohort: Cohort, done: Analysed) -> None:
    plain = analyse(cohort, AnalysisPlan.parse(given(weights=False)))
    for answer, other in zip(done.answers, plain.answers, strict=True):
        told = answer.estimate
        assert told.method.endswith(", weighted for censoring")
        assert told.extra["standard_error"] == "robust, weights as known"
        assert told.extra["weights"]["covariates"] == ["SCOREBL", "SEX", "SITE"]
        assert told.estimate != other.estimate.estimate
        assert abs(answer.fit.estimate[0] - other.fit.estimate[0]) < 0.5 * other.fit.se[0]
    assert done.answers[1].estimate.extra["weights"]["largest_weight"] == pytest.approx(1.1)


def test_r_agrees(tmp_path: Path, cohort: Cohort, done: Analysed) -> None:
    """R: coxph for censoring, survSplit, coxph with robust variance; glm and lm for visits."""
    if shutil.which("Rscript") is None:
        pytest.skip("R is not installed: apt-get install r-base-core r-recommended")
    for name, table in (
        ("analysis", analysis_table(cohort, done)),
        ("results", results_table(done)),
    ):
        table.to_csv(tmp_path / f"{name}.csv", index=False, float_format="%.17g")
    (tmp_path / "rederive.R").write_text(script(done), "utf-8")
    command = ["Rscript", str(tmp_path / "rederive.R")]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count(" same\n") == len(ANALYSES) and "Warning" not in run.stderr


_SURVFIT = """
library(survival)
source("{functions}")
d <- read.csv("{folder}/d.csv")
long <- censoring_rows(d, "x", Inf)
for (arm in 0:1) {{
  fit <- survfit(Surv(began, time, event) ~ 1, long[long$treated == arm, ], weights = w, id = row,
                 cluster = row, robust = TRUE)
  s <- summary(fit, times = 12)
  cat(sprintf("%.15g %.15g\\n", s$surv, s$std.err))
}}
"""


def drawn(n: int, seed: int) -> dict[str, np.ndarray]:
    """Frail patients (x = 1) relapse sooner; treated ones of them are also censored sooner."""
    rng = np.random.default_rng(seed)
    x, treated = rng.integers(0, 2, n).astype(float), rng.integers(0, 2, n).astype(float)
    event = np.ceil(rng.exponential(20 / np.exp(1.0 * x)))
    gone = np.ceil(rng.exponential(30 / np.exp(1.5 * x * treated))) + 0.5
    time = np.minimum(np.minimum(event, gone), 40.0)
    return {"time": time, "event": (event <= time).astype(float), "treated": treated, "x": x}


def test_weighted_curves_are_those_of_survfit(tmp_path: Path) -> None:
    if shutil.which("Rscript") is None:
        pytest.skip("R is not installed: apt-get install r-base-core r-recommended")
    d = drawn(300, 5)
    pd.DataFrame({"id": range(300), **d}).to_csv(
        tmp_path / "d.csv", index=False, float_format="%.17g"
    )
    functions = files("simulation.trial.planned").joinpath("rederive_weights.R")
    (tmp_path / "s.R").write_text(_SURVFIT.format(functions=functions, folder=tmp_path), "utf-8")
    run = subprocess.run(["Rscript", str(tmp_path / "s.R")], capture_output=True, text=True,
                         check=False)  # fmt: skip
    assert run.returncode == 0, run.stderr
    (s0, e0), (s1, e1) = (map(float, line.split()) for line in run.stdout.splitlines())
    model = censoring_model(d["time"], d["event"], d["treated"], d["x"][:, None])
    line = weighted_curve(d["time"], d["event"], d["treated"], model, 12.0, mean=False)
    assert line.estimate == pytest.approx(s1 - s0, rel=1e-9)
    assert line.se == pytest.approx(np.hypot(e0, e1), rel=1e-9)


def test_without_censoring_nothing_changes() -> None:
    d = drawn(200, 6)
    everybody = np.ones(200)
    model = censoring_model(d["time"], everybody, d["treated"], d["x"][:, None])
    line = weighted_cox(d["time"], everybody, d["treated"][:, None], model)
    other = cox(d["time"], everybody, {"t": d["treated"]}, ties="breslow", robust=True)
    assert line.estimate == pytest.approx(other.coefficients[0], rel=1e-9)
    assert line.se == pytest.approx(np.sqrt(other.covariance[0, 0]), rel=1e-9)
    at = weighted_curve(d["time"], everybody, d["treated"], model, 12.0, mean=False)
    curves = [
        kaplan_meier(d["time"][d["treated"] == k], everybody[d["treated"] == k]) for k in (0, 1)
    ]
    assert at.estimate == pytest.approx(float(curves[1].at(12.0) - curves[0].at(12.0)))
    assert at.largest == at.mean == 1.0


def test_censoring_by_prognosis_is_mended() -> None:
    """Planted: no effect, frail treated patients leave early. 3.9 SE: one false alarm in 10,000."""
    d = drawn(8000, 7)
    of = np.column_stack([d["x"], d["x"] * d["treated"]])
    arm = d["treated"]
    plain = censoring_model(d["time"], d["event"], arm, np.empty((8000, 0)))
    model = censoring_model(d["time"], d["event"], arm, of)
    naive = weighted_curve(d["time"], d["event"], arm, plain, 12.0, mean=False)
    mended = weighted_curve(d["time"], d["event"], arm, model, 12.0, mean=False)
    assert naive.estimate > 3.9 * naive.se  # looks like a benefit
    assert abs(mended.estimate) < 3.9 * mended.se
    columns = arm[:, None]
    wrong = weighted_cox(d["time"], d["event"], columns, plain)
    right = weighted_cox(d["time"], d["event"], columns, model)
    assert wrong.estimate < -3.9 * wrong.se and abs(right.estimate) < 3.9 * right.se
    tested = weighted_cox(d["time"], d["event"], columns, model, one_step=True)
    assert abs(tested.estimate) < 3.9 * tested.se


def test_dropout_by_earlier_values_is_mended() -> None:
    """Planted: no effect; treated patients who fare badly at the first visit leave."""
    rng = np.random.default_rng(8)
    n = 8000
    arm = rng.integers(0, 2, n).astype(float)
    first = rng.normal(size=n)
    last = 0.8 * first + rng.normal(size=n)
    stays = rng.random(n) < 1 / (1 + np.exp(-1.0 - 1.5 * first * arm))
    seen = np.stack([np.ones(n, dtype=bool), stays])
    none = np.empty((n, 0))
    weights = dropout_weights(seen, [none, np.column_stack([first, first * arm])], arm)
    y = np.where(stays, last, 0.0)
    naive = weighted_least_squares(y, arm[:, None], stays.astype(float))
    mended = weighted_least_squares(y, arm[:, None], weights)
    assert naive.estimate > 3.9 * naive.se and abs(mended.estimate) < 3.9 * mended.se
    assert weights[stays].mean() == pytest.approx(1.0, abs=0.05) and (weights[~stays] == 0).all()


def test_what_cannot_be_weighted_is_refused(cohort: Cohort) -> None:
    held = given()
    held["analyses"][0]["analysis"] = {"kind": "mmrm"}
    held["analyses"][2]["analysis"] = {"kind": "cox", "strata": ["SITE"]}
    held["analyses"][4]["analysis"]["weighting"] = {"kind": "gehan"}
    with pytest.raises(InputError) as caught:
        AnalysisPlan.parse(held)
    told = "\n".join(caught.value.faults)
    assert "mmrm takes no weights" in told and "has no strata" in told
    assert "either its own weighting" in told
    held = given()
    held["analyses"][2]["censoring_weights"]["covariates"] = ["SCOREBLL"]
    with pytest.raises(InputError, match="did you mean SCOREBL"):
        AnalysisPlan.parse(held).check(cohort)


def test_weights_without_a_model_give_no_estimate() -> None:
    time = np.arange(1.0, 21.0)
    event, x = (time < 11).astype(float), (time > 10).astype(float)[:, None]
    arm = np.tile([0.0, 1.0], 10)
    with pytest.raises(InputError, match="no finite maximum"):
        censoring_model(time, event, arm, np.column_stack([x, x]))
    with pytest.raises(InputError, match="part those seen"):
        dropout_weights(x.T.astype(bool), [x], arm)
