"""Sweeps from a file: the service and the command line."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

from extraction.records import InputError
from serving import service
from serving.cli.lazy import program

DESIGN: dict[str, Any] = {
    "name": "means",
    "arms": [{"name": "P", "control": True}, {"name": "A"}],
    "endpoints": [{"kind": "continuous", "name": "y", "visits": [30]}],
    "n": 40,
    "scenarios": [{"name": "planned", "effects": [{"arm": "A", "endpoint": "y", "shift": 0.5}]}],
    "population": {"kind": "parametric", "outcomes": {"y": {"kind": "continuous"}}},
}
ROOT = Path(__file__).parents[3]


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(DESIGN))
    (tmp_path / "b.yaml").write_text(yaml.safe_dump(DESIGN | {"name": "more", "n": 60}))
    path = tmp_path / "sweep.yaml"
    values = {"designs": ["a.yaml", "b.yaml"], "replicates": 20, "seed": 4}
    path.write_text(yaml.safe_dump(values | {"over": {"population.outcomes.y.sd": [1, 2]}}))
    return path


def test_a_file_is_swept_from_its_own_place(plan: Path, tmp_path: Path) -> None:
    asked, found = service.simulate_sweep(plan, tmp_path / "out")
    assert asked.replicates == found.replicates == 20 and found.seed == 4
    assert list(found.frame["trial"].unique()) == [
        f"{name}, population.outcomes.y.sd={sd}" for name in ("means", "more") for sd in (1, 2)
    ]
    _, other = service.simulate_sweep(plan, seed=5)
    assert other.seed == 5 and other.digest() != found.digest()


def test_the_command_prints_and_keeps_the_same_figures(plan: Path, tmp_path: Path) -> None:
    words = ["sweep", str(plan), "--folder", str(tmp_path / "out")]
    shown = CliRunner().invoke(program, words)
    assert shown.exit_code == 0, shown.output
    assert "4 trials of 20 replicates, digest " in shown.output
    told = json.loads(CliRunner().invoke(program, [*words, "--json"]).stdout)
    kept = pd.read_csv(tmp_path / "out" / "summary.csv")
    assert [row["any_rejection"] for row in told["rows"]] == list(kept["any_rejection"])
    assert told["digest"][:12] in shown.output


def test_faults_of_the_file_and_of_all_designs_are_told(plan: Path, tmp_path: Path) -> None:
    values = yaml.safe_load(plan.read_text())
    plan.write_text(yaml.safe_dump(values | {"designs": ["none.yaml", "a.yaml", "a.yaml"]}))
    with pytest.raises(InputError) as caught:
        service.simulate_sweep(plan)
    told = [Path(fault.split(":")[0]).name for fault in caught.value.faults]
    assert told == ["none.yaml", "a.yaml"]
    with pytest.raises(InputError, match="no such file"):
        service.simulate_sweep(tmp_path / "none.yaml")


def test_the_example_is_a_sweep_of_the_example_design() -> None:
    from simulation.operating_characteristics import SweepPlan

    asked = SweepPlan.read(ROOT / "examples" / "sweep.yaml")
    assert asked.designs == ("design.yaml",) and len(asked.over) == 3
