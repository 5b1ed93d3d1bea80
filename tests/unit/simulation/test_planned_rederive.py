"""The R script: its calls, its table and its figures; run where R is installed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from extraction.records import Cohort, InputError
from simulation.trial.planned import AnalysisPlan, analyse
from simulation.trial.planned.analysing import Analysed
from simulation.trial.planned.rederive import script
from simulation.trial.planned.results import results_table
from simulation.trial.planned.table import Columns, analysis_table
from tests.support.planned_support import invented, plan

MODEST = {"kind": "modest", "until": 20}
KINDS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("score change", {"kind": "ancova", "covariates": ["SCOREBL", "SITE"]},
     ["fit <- lm(y1_score_change_v2 ~ treated + x1_SCOREBL + x3_SITE, d)", 'c("x3_SITE")']),
    ("score change", {"kind": "mmrm", "covariates": ["SCOREBL"]},
     ['repeated(d, c("y1_score_change_v1", "y1_score_change_v2"), c("x1_SCOREBL"), "unstruct']),
    ("relapse", {"kind": "log_rank", "strata": ["SITE"]},
     ["survdiff(Surv(y2_relapse_time, y2_relapse_event) ~ treated + strata(interaction(d$x3_SITE"]),
    ("relapse", {"kind": "log_rank", "weighting": MODEST, "strata": ["SEX"]},
     ["modest(20, Inf)", "interaction(d$x2_SEX, drop = TRUE)"]),
    ("relapse", {"kind": "max_combo"}, ["max_combo(", "fleming_harrington(0, 1)"]),
    ("relapse", {"kind": "cox", "covariates": ["SEX"], "robust": True},
     ['ties = "efron", robust = TRUE, cluster = seq_len(nrow(d))', "treated + x2_SEX"]),
    ("relapse", {"kind": "rmst", "horizon": 45.5}, ['by_arm(', '45.5, "mean")']),
    ("relapse", {"kind": "landmark", "at": 30}, ['30, "survival")']),
    ("relapse by day 40", {"kind": "proportions", "measure": "ratio"},
     ['proportions(d$y3_relapse_by_day_40, d$treated, "ratio")']),
    ("relapse by day 40", {"kind": "standardised", "covariates": ["SEX"]},
     ['standardised(y ~ treated + x2_SEX, d, "difference")']),
    ("adverse events", {"kind": "rates"},
     ["rates(d$y4_adverse_events_count, d$y4_adverse_events_exposure, d$treated)"]),
    ("adverse events", {"kind": "count_regression", "law": "poisson"},
     ['count_regression(~ treated, d, "poisson")']),
    ("adverse events", {"kind": "count_regression", "covariates": ["SEX"]},
     ['count_regression(~ treated + x2_SEX, d, "negative_binomial")']),
]  # fmt: skip


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return invented()


@pytest.fixture(scope="module")
def done(cohort: Cohort) -> Analysed:
    given = plan(covariates=[], subgroups=[], missing_data=[], multiplicity={"procedure": "holm"})
    given["analyses"] = [
        {"name": f"q{k}", "endpoint": endpoint, "analysis": analysis,
         "role": "exploratory" if k else "primary"}
        for k, (endpoint, analysis, _) in enumerate(KINDS)
    ]  # fmt: skip
    return analyse(cohort, AnalysisPlan.parse(given))


def test_every_kind_of_analysis_has_its_call(done: Analysed) -> None:
    from simulation.trial.analyses import Choice

    assert {analysis["kind"] for _, analysis, _ in KINDS} == {
        kind.model_fields["kind"].default
        for kind in Choice.__origin__.__args__
        # Competing causes have no R code, and the script says so; plans have external_controls.
        if not kind.competing and not kind.external
    }
    text = script(done)
    blocks = dict(re.findall(r'^check\("(\w+)", \S+ \{\n(.*?)\n\}\)$', text, re.M | re.S))
    for k, (_, _, calls) in enumerate(KINDS):
        for arm in ("low", "high"):
            block = " ".join(blocks[f"q{k}_{arm}"].split())
            assert f'those("in_q{k}_{arm}"' in block
            for call in calls:
                assert call in block, (k, call, block)


def test_only_packages_that_come_with_r(done: Analysed) -> None:
    assert set(re.findall(r"library\((\w+)\)", script(done))) == {"survival", "nlme"}
    assert "::" not in script(done)


def test_the_script_holds_no_patient(done: Analysed, cohort: Cohort) -> None:
    text = script(done)
    assert not [name for name in cohort.subject_ids if name in text]


def test_the_table_has_one_row_a_patient(done: Analysed, cohort: Cohort) -> None:
    table = analysis_table(cohort, done)
    assert table["subject_id"].is_unique and len(table) == len(cohort)
    assert list(table.columns) == list(Columns.of(done).meaning(done))
    for answer in done.answers:
        assert table[f"in_{answer.question.id}"].sum() == sum(answer.chosen.n)
    with pytest.raises(InputError, match="not the one that was analysed"):
        analysis_table(cohort.where({"SEX": "F"}), done)


def test_the_results_table_says_what_the_results_say(done: Analysed) -> None:
    table = results_table(done)
    told = json.loads(json.dumps(done.to_dict()))["analyses"]
    for row, held in zip(table.to_dict("records"), told, strict=True):
        assert row["id"] == held["id"] and row["estimate"] == held["estimate"]
        own = np.log(row["estimate"]) if "log" in held["extra"] else row["estimate"]
        assert row["scale_estimate"] == pytest.approx(own)
    assert (table["model_se"] < table["se"])[table["method"] == "mmrm"].any()


def _written(folder: Path, cohort: Cohort, done: Analysed) -> pd.DataFrame:
    table = results_table(done)
    analysis_table(cohort, done).to_csv(
        folder / "analysis.csv", index=False, float_format="%.17g"
    )
    table.to_csv(folder / "results.csv", index=False, float_format="%.17g")
    (folder / "rederive.R").write_text(script(done), "utf-8")
    return table


def test_r_agrees_and_finds_a_planted_error(
    tmp_path: Path, cohort: Cohort, done: Analysed
) -> None:
    if shutil.which("Rscript") is None:
        pytest.skip("R is not installed: apt-get install r-base-core r-recommended")
    table = _written(tmp_path, cohort, done)
    command = ["Rscript", str(tmp_path / "rederive.R")]
    good = subprocess.run(command, capture_output=True, text=True, check=False)
    assert good.returncode == 0, good.stdout + good.stderr
    assert good.stdout.count(" same\n") == 2 * len(KINDS)
    spoilt = table.assign(scale_estimate=table["scale_estimate"].mask(table["id"] == "q5_low", 0.0))
    spoilt.to_csv(tmp_path / "results.csv", index=False, float_format="%.17g")
    bad = subprocess.run(command, capture_output=True, text=True, check=False)
    assert bad.returncode == 1
    assert [line.split()[0] for line in bad.stdout.splitlines() if line.endswith("DIFFERENT")] == [
        "q5_low"
    ]
