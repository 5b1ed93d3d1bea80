"""A plan is locked for a cohort: what does not fit it is told before, not at the analysis."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from extraction.records import InputError
from serving.service import lock_analysis
from tests.support.planned_support import invented, plan


def test_a_single_arm_plan_for_a_trial_with_controls_is_not_locked(tmp_path: Path) -> None:
    trial, other, path = tmp_path / "trial", tmp_path / "older", tmp_path / "plan.yaml"
    invented().write(trial)
    invented(seed=8).write(other)
    given = plan(treated=["High"], control="Placebo", multiplicity={"procedure": "fixed_sequence"})
    given["external_controls"] = {
        "cohort": "older", "arm": "Placebo", "method": "iptw", "covariates": ["SEX"],
        "design": "single_arm",
    }  # fmt: skip
    path.write_text(yaml.safe_dump(given), "utf-8")
    with pytest.raises(InputError, match="the trial has the arm 'Placebo'; say hybrid"):
        lock_analysis(path, cohort=trial)
    assert not (tmp_path / "plan.lock.json").exists()


def test_a_plan_that_fits_is_locked_and_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    trial, path = tmp_path / "trial", tmp_path / "plan.yaml"
    invented().write(trial)
    path.write_text(yaml.safe_dump(plan()), "utf-8")
    with pytest.raises(InputError, match="no cohort's folder"):
        lock_analysis(path, cohort=tmp_path / "nothing")
    assert lock_analysis(path, cohort=trial) == lock_analysis(path)
