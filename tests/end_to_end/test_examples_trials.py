"""The trials in examples/: each runs from its file, and says what it is there to say."""

import re
import runpy
from math import sqrt
from pathlib import Path

import pytest

from simulation.trial import TrialDesign, simulate

EXAMPLES = Path(__file__).parents[2] / "examples"


def _told(name: str, capsys: pytest.CaptureFixture[str], *arguments: int) -> str:
    runpy.run_path(str(EXAMPLES / name))["main"](*arguments)
    return capsys.readouterr().out


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.*")), ids=lambda path: path.name)
def test_every_example_is_listed(path: Path) -> None:
    if path.name != "README.md":
        assert path.name in (EXAMPLES / "README.md").read_text(encoding="utf-8")


def test_the_delayed_effect_is_simulated_and_described(capsys: pytest.CaptureFixture[str]) -> None:
    """Simulated (400): co-primary endpoints on split alpha; the familywise level holds."""
    design = TrialDesign.read(EXAMPLES / "delayed-effect.yaml")
    found = simulate(design, replicates=400)
    assert found.familywise_error.value <= 0.025 + 3.7 * sqrt(0.025 * 0.975 / 400)
    late = found.scenario("late benefit")
    survival, progression = (h.rejection.value for h in late.hypotheses)
    assert survival > 0.8 and 0.6 < progression < 0.9
    stopped = [e.value + f.value for e, f in zip(late.efficacy, late.futility, strict=True)]
    assert stopped[0] < 0.05 and stopped[1] > 0.3 and 25 < late.duration.value < 40
    told = _told("delayed-effect.py", capsys, 60)
    assert "stops with success at looks 1 to 3" in told and "Power on OS by delay" in told
    rows = re.findall(r"^(?:0\.5|3\.0|6\.0) +([\d.]+) +([\d.]+) +([\d.]+)$", told, re.M)
    grid = [[float(value) for value in row] for row in rows]
    assert len(grid) == 3 and grid[0][0] >= grid[2][0] >= grid[2][2]


def test_enrichment_is_shown_beside_what_must_not_be_done(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = _told("enrichment.py", capsys, 100)
    assert told.index("closed test") < told.index("naive test (invalid)")
    tests = told[: told.index("estimates where")]
    power = re.findall(r"carriers only: any ([\d.]+)", tests)
    assert len(power) == 3 and float(power[0]) > float(power[2])
    survival = told[told.index("Enrichment by events") :]
    assert "Active: OS in carriers: chosen" in survival and "adjusted: bias" in survival


def test_a_hybrid_trial_shows_the_cost_beside_the_gain(capsys: pytest.CaptureFixture[str]) -> None:
    told = _told("hybrid.py", capsys, 300)
    assert told.startswith("own controls alone")
    gains = re.findall(r"^(\w[\w ]+): power [\d.]+ .*gained ([+\-.\d]+); largest", told, re.M)
    assert [name for name, _ in gains][-1] == "robust map" and float(gains[0][1]) > 0.1
    stops = [float(value) for value in re.findall(r"drift -4: stopped ([\d.]+)", told)]
    assert len(stops) == 4 and min(stops) > 0.9


def test_the_rare_disease_trial_refuses_what_it_must(capsys: pytest.CaptureFixture[str]) -> None:
    """Exact: no simulation; the gain at an equal level is none, as the theory says."""
    told = _told("rare-disease.py", capsys)
    assert "P(treatment > control) = 0.9925" in told
    assert "held to the same 0.05: power 0.687" in told
    refused = told[told.index("Refused:") :]
    assert "7 of 10 own controls" in refused and "30 training patients" in refused
