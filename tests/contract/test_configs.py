"""Every file in configs/ is what it says."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from serving.pipeline.plan import stages_of
from serving.study import load_study

FILES = sorted((Path(__file__).resolve().parents[2] / "configs").glob("*.yaml"))


def is_study(path: Path) -> bool:
    return "kind" in yaml.safe_load(path.read_text("utf-8"))


def is_cluster(path: Path) -> bool:
    return "cluster_name" in yaml.safe_load(path.read_text("utf-8"))


def test_there_are_configurations() -> None:
    assert {"quickstart.yaml", "historical-score.yaml"} <= {p.name for p in FILES}


@pytest.mark.parametrize("path", [p for p in FILES if is_study(p)], ids=lambda p: p.name)
def test_a_study_loads_and_has_its_stages(path: Path) -> None:
    study = load_study(path)
    assert study.name == path.stem
    stages = [s.name for s in stages_of(study)]
    assert stages[-1] == "report"
    assert len(set(stages)) == len(stages)


@pytest.mark.parametrize(
    "path", [p for p in FILES if not (is_study(p) or is_cluster(p))], ids=lambda p: p.name
)
def test_a_service_loads(path: Path) -> None:
    from serving.api.config import ServiceConfig

    assert ServiceConfig.read(path)


@pytest.mark.parametrize("path", [p for p in FILES if is_study(p)], ids=lambda p: p.name)
def test_a_study_teaches(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    comments = [line for line in lines if line.strip().startswith("#") or "   # " in line]
    assert len(comments) >= 15
    assert any(f"trialtwin run configs/{path.name}" in line for line in lines)


def test_the_quickstart_goes_through_every_stage() -> None:
    path = next(p for p in FILES if p.name == "quickstart.yaml")
    assert [s.name for s in stages_of(load_study(path))] == [
        "cohort",
        "models",
        "notes",
        "evaluation",
        "twins",
        "effects",
        "trial",
        "report",
    ]


@pytest.mark.parametrize("path", [p for p in FILES if is_cluster(p)], ids=lambda p: p.name)
def test_a_cluster_is_one_that_ray_takes(path: Path) -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    prepared = prepare_config(yaml.safe_load(path.read_text("utf-8")))
    validate_config(prepared)
    assert prepared["provider"]["worker_ips"]
    starts = [*prepared["head_start_ray_commands"], *prepared["worker_start_ray_commands"]]
    assert all("RAY_AUTH_MODE=token" in line for line in starts if " start" in line)
