"""`trialtwin simulate`: options that would do nothing are refused, and figures outlive pages."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from extraction.records import InputError, TrialtwinError
from serving.cli import outcome, program
from serving.report import simulation_page
from serving.report.credibility import credibility
from serving.report.credibility_context import Context, contradictions
from serving.report.credibility_html import as_html
from serving.service import TrialRequest, open_trial
from simulation.trial import TrialDesign

ROOT = Path(__file__).parents[2]
DESIGN = ROOT / "examples" / "design.yaml"
CONTEXT = ROOT / "examples" / "context.yaml"


def _faults(**asked: Any) -> list[str]:
    with pytest.raises(InputError) as caught:
        open_trial(TrialRequest(DESIGN, **asked))
    return list(caught.value.faults)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--replicates", "50", "--precision", "0.01"), ("--replicates",)),
        (("--scenario", "late benefit"), ("--scenario",)),
        (("--figure", "bias"), ("--figure",)),
        (("--workers", "3"), ("--workers",)),
        (("--surface", "n"), ("--surface: fewer than two assumptions came; give two",)),
        (("--dry-run", "--curve", "--nulls", "n=300"), ("--curve", "--nulls")),
        (
            ("--surface", "dropout.rate=0.01,-0.02,x", "n=300,0"),
            ("--surface n=0: ", "--surface dropout.rate=-0.02: ", "--surface dropout.rate=x: "),
        ),
        (("--curve", "--scenario", "no effect"), ("--curve",)),
        (("--curve", "--figure", "type_one_error"), ("type_one_error",)),
        (("--curve", "--figure", "speed"), ("there are power, type_one_error",)),
        (
            (
                *("--replay", "3", "--replicates", "9", "--precision", "0.1", "--dry-run"),
                *("--curve", "--surface", "n", "dropout.rate", "--figure", "bias", "--nulls", "n"),
                *("--folder", "x", "--execution", "processes", "--workers", "2"),
            ),
            (
                *("--replicates", "--precision", "--dry-run", "--curve", "--surface", "--figure"),
                *("--nulls", "--folder", "--execution", "--workers"),
            ),
        ),
    ],
)
def test_options_that_would_do_nothing_are_refused_together(
    words: tuple[str, ...],
    told: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    assert outcome.run(program, ["simulate", str(DESIGN), *words, "--out", str(out)]) == 2
    said = capsys.readouterr().err
    for part in told:
        assert part in said
    assert ("faults; nothing was written" in said) == (len(told) > 1)
    assert not out.exists()


def _asked(out: Path, **more: Any) -> TrialRequest:
    return TrialRequest(DESIGN, replicates=20, out=out, **more)


def test_a_page_that_cannot_be_made_costs_no_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(done: object) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr(simulation_page, "simulation_page", broken)
    out = tmp_path / "out"
    with pytest.raises(TrialtwinError, match=r"report.html: could not be made. The figures are s"):
        open_trial(_asked(out, curve=True, credibility=CONTEXT)).run()
    told = json.loads((out / "results.json").read_text("utf-8"))
    assert told["digest"] and told["curve"]["rows"] and told["verification"]
    assert {path.name for path in out.iterdir()} == {
        "results.json",
        "characteristics.csv",
        "credibility.html",
        "credibility.pdf",
    }


def test_results_and_page_are_there_before_the_checks_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from simulation.operating_characteristics import verification

    out, seen = tmp_path / "out", []

    def checks(*given: object, progress: Any = None) -> list[Any]:
        seen.extend(sorted(path.name for path in out.iterdir()))
        raise KeyboardInterrupt

    monkeypatch.setattr(verification, "verify", checks)
    with pytest.raises(KeyboardInterrupt):
        open_trial(_asked(out, credibility=CONTEXT)).run()
    assert seen == ["characteristics.csv", "report.html", "results.json"]


def test_the_checks_tell_how_far_they_are(tmp_path: Path) -> None:
    told: dict[str, list[str]] = {}

    def watch(part: str) -> Any:
        return lambda what, _share: told.setdefault(part, []).append(what)

    open_trial(_asked(tmp_path / "out", credibility=CONTEXT)).run(watch)
    assert told["verification"][:2] == ["reference values", "chunks and workers"]
    assert told["verification"][-1].endswith("checks")


def test_a_context_that_contradicts_the_design_is_refused_with_every_contradiction(
    tmp_path: Path,
) -> None:
    stated = {
        "arms": ["Placebo", "Active"],
        "control": "Placebo",
        "endpoints": ["PFS"],
        "alpha": 0.05,
        "n": 362,
        "looks": 3,
        "scenarios": ["as planned"],
        "estimands": {
            "Active: OS": {"intercurrent_events": {"discontinuation": "treatment policy"}},
            "Active: PFS": {},
        },
    }
    path = tmp_path / "context.yaml"
    path.write_text(yaml.safe_dump({"design": stated}), "utf-8")
    faults = _faults(credibility=path)
    parts = ("--credibility", "arms", "control", "endpoints", "alpha", "looks", "scenarios")
    for part in (*parts, "discontinuation", "Active: PFS"):
        assert any(part in fault for fault in faults), part
    assert len(faults) == 9
    agreed = Context.read(CONTEXT)
    assert agreed.design.alpha == 0.025
    assert contradictions(agreed, TrialDesign.read(DESIGN)) == []


def test_the_replay_on_the_page_can_be_pasted_into_a_shell(tmp_path: Path) -> None:
    plan = yaml.safe_load(DESIGN.read_text("utf-8"))
    name = 'it\'s "late" $(touch x)'
    plan["scenarios"] = [plan["scenarios"][0] | {"name": name}]
    path = tmp_path / "my design.yaml"
    path.write_text(yaml.safe_dump(plan), "utf-8")
    done = open_trial(TrialRequest(path, replicates=10)).run()
    words = shlex.split(done["replay"])
    assert words[2] == "my design.yaml" and words[words.index("--scenario") + 1] == name
    page = simulation_page.simulation_page(done)
    assert "$(touch x)" in page and "&#34;late&#34;" in page
    report = as_html(credibility(done | {"verification": []}, Context()))
    assert "shows one replicate alone" in report


def test_a_design_with_costs_tells_what_each_scenario_costs(tmp_path: Path) -> None:
    plan = yaml.safe_load(DESIGN.read_text("utf-8")) | {
        "costs": {"fixed": 1000, "per_patient": 10, "currency": "EUR"}
    }
    path = tmp_path / "design.yaml"
    path.write_text(yaml.safe_dump(plan), "utf-8")
    shown = CliRunner().invoke(program, ["simulate", str(path), "--replicates", "20"])
    assert "as planned: expected cost 4,620 EUR (MC SE 0)" in shown.output
    assert "In EUR: 1,000 in any case, 10 for each patient." in shown.output
