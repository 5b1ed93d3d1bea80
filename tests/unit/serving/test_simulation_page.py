"""The page of a simulated trial and its credibility report hold what was simulated, no more."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from extraction.records import InputError
from serving.report.credibility import credibility
from serving.report.credibility_context import Context
from serving.report.credibility_html import as_html
from serving.report.credibility_pdf import as_pdf
from serving.report.simulation_page import digits_of, simulation_page
from serving.service import OpenTrial, TrialRequest, dry_run, open_trial, replay_trial

ROOT = Path(__file__).parents[3]
PLAN: dict[str, Any] = {
    "name": "two <arms> & one look",
    "time_unit": "month",
    "arms": [{"name": "P", "control": True}, {"name": "A"}],
    "n": 60,
    "enrolment": {"ramp": [{"start": 0, "rate": 10}]},
    "endpoints": [{"kind": "time_to_event", "name": "OS"}],
    "rule": {
        "kind": "group_sequential",
        "futility": {"family": "z", "bounds": [0.0]},
        "looks": {"by": "events", "at": [15, 30]},
    },
    "population": {
        "kind": "parametric",
        "outcomes": {"OS": {"kind": "time_to_event", "median": 10}},
    },
    "scenarios": [
        {"name": "works", "effects": [{"arm": "A", "endpoint": "OS", "hazard_ratio": 0.4}]}
    ],
}
ADAPTIVE: dict[str, Any] = {
    "arms": [{"name": "P", "control": True}, {"name": "A"}, {"name": "B"}, {"name": "C"}],
    "n": 90,
    "endpoints": [{"kind": "binary", "name": "response", "visit": 1}],
    "rule": {"kind": "response_adaptive", "looks": {"by": "patients", "at": [45, 90]}},
    "population": {
        "kind": "parametric",
        "outcomes": {"response": {"kind": "binary", "probability": 0.3}},
    },
}


def _opened(folder: Path, plan: dict[str, Any], **asked: Any) -> OpenTrial:
    path = folder / "design.yaml"
    path.write_text(yaml.safe_dump(plan), "utf-8")
    number = {} if "precision" in asked else {"replicates": 60}
    return open_trial(TrialRequest(design=path, **(number | asked)))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    asked: dict[str, Any] = {
        "curve": True,
        "figures": ("power", "expected_n", "bias", "stop at look 1"),
        "surface": ("n=50,60", "population.outcomes.OS.median=8,12"),
        "nulls": ("population.outcomes.OS.median=8,12",),
    }
    return _opened(tmp_path_factory.mktemp("page"), PLAN, **asked).run()


def test_the_page_holds_every_figure_with_its_error(done: dict[str, Any]) -> None:
    page = simulation_page(done)
    for scenario in done["scenarios"]:
        for held in (scenario["any_rejection"], *scenario["efficacy"], scenario["futility"][0]):
            assert f'{held["value"]:.4f} <span class="small">({held["se"]:.4f})' in page
        assert f'{scenario["n"]["value"]:.1f} <span class="small">' in page
        for tested in scenario["hypotheses"]:
            for held in (tested["bias"], tested["adjusted"]["coverage"]):
                told = f"{held['value']:.4f} ({held['se']:.4f})".replace("-", "\u2212")
                assert told in page
    for row in done["nulls"]["rows"]:
        assert f"{row['value']:.4f}" in page
    for shown in done["surface"]["figures"]:
        assert f"{shown['label'][1:]}, scenario" in page
        worst = max(row["se"] for row in shown["rows"])
        for row in shown["rows"]:
            digits = digits_of(worst)
            told = f'{row["value"]:.{digits}f} <span class="small">({row["se"]:.{digits}f})'
            assert told.replace("-", "\u2212") in page
    for shown in done["curve"]["figures"]:
        name = shown["name"]
        digits = digits_of(max(row[f"{name}_se"] for row in done["curve"]["rows"]))
        for row in done["curve"]["rows"]:
            assert f"{row[name]:.{digits}f}".replace("-", "\u2212") in page
    assert done["digest"] in page and "--replay 17" in page
    assert "2.7965" in page and "rejects" not in page.split("</header>")[0]


def test_the_page_is_one_file_without_scripts(done: dict[str, Any]) -> None:
    page = simulation_page(done)
    assert "<script" not in page and "@media print" in page
    assert not re.search(r'(src|href)="(?!#)', page)
    assert "two &lt;arms&gt; &amp; one look" in page
    assert simulation_page(done) == page


def test_results_are_json_without_gaps_in_their_errors(done: dict[str, Any]) -> None:
    told = json.loads(json.dumps(done, allow_nan=False))
    assert told["spread"]["works"]["duration"]["q05"] <= told["spread"]["works"]["duration"]["q95"]
    assert told["boundaries"][0]["looks"][0]["lower"] == 0.0
    assert told["boundaries"][0]["looks"][1]["lower"] is None
    assert [len(shown["rows"]) for shown in told["surface"]["figures"]] == [4] * 4
    assert len(told["nulls"]["rows"]) == 2


def test_designs_without_critical_values_have_a_page_too(tmp_path: Path) -> None:
    done = _opened(tmp_path, ADAPTIVE).run()
    page = simulation_page(done)
    assert done["boundaries"] == [] and "No level is set" in page
    assert 'id="boundaries"' not in page and ">C<" in page


def test_precision_in_place_of_replicates(tmp_path: Path) -> None:
    done = _opened(tmp_path, PLAN, precision=0.02).run()
    assert done["precision"]["reached"]
    assert done["scenarios"][1]["any_rejection"]["se"] <= 0.02
    assert "and reached" in simulation_page(done)


def test_a_dry_run_tells_and_draws_and_simulates_nothing(tmp_path: Path) -> None:
    done = dry_run(_opened(tmp_path, PLAN, out=tmp_path / "out"))
    assert done["cost"]["expected_bytes"] > 0 and "scenarios" not in done
    assert "60 patients" in done["description"]["Arms"][0]
    drawn = (tmp_path / "out" / "design.svg").read_text("utf-8")
    assert drawn.startswith("<svg") and "Final analysis: 30 events of OS" in drawn


def test_a_replay_is_told_and_written(tmp_path: Path) -> None:
    told = replay_trial(_opened(tmp_path, PLAN, out=tmp_path / "out"), 3)
    assert told["told"].startswith("replicate 3 under works")
    assert "more patients" in told["patients_table"] and not told["withheld"]
    rows = (tmp_path / "out" / "replay-3-patients.csv").read_text("utf-8").splitlines()
    assert len(rows) == told["row"]["n"] + 1


CONTEXT = Context(
    question="Is one look enough?",
    model_risk={"influence": "high", "consequence": "medium"},
    deviations=(),
    updates=({"date": "2026-01-31", "what": "First."},),
)
CHECKS = [
    {
        "what": "a figure",
        "kind": "exact",
        "reference": [1.0],
        "obtained": [1.5],
        "tolerance": 0.1,
        "source": "a table",
        "agrees": False,
    }
]


def test_what_is_not_stated_is_told_as_such(done: dict[str, Any]) -> None:
    page = as_html(credibility(done | {"verification": CHECKS}, CONTEXT))
    assert "Is one look enough?" in page and "None, as the team states" in page
    assert page.count("not stated") >= 5
    assert "0 of 1 checks agree" in page and "DIFFERS" in page
    risk = page[page.index("Model risk") :]
    assert "high" in risk[: risk.index("Step 4")]
    for part in ("Data lineage", "Model card", "Validation", "Applicability", "External controls"):
        assert part in page
    empty = as_html(credibility(done | {"verification": CHECKS}, Context()))
    assert "Is one look enough?" not in empty and "None, as the team states" not in empty


def test_the_printed_report_has_the_same_bytes_each_time(done: dict[str, Any]) -> None:
    report = credibility(done | {"verification": CHECKS}, CONTEXT, form="png")
    printed = as_pdf(report)
    assert printed.startswith(b"%PDF") and printed == as_pdf(report)


def test_a_context_is_refused_with_all_its_faults(tmp_path: Path) -> None:
    path = tmp_path / "context.yaml"
    path.write_text(
        "question: ''\nmodel_risk: {influence: huge}\nupdates: [{date: soon, what: x}]\nwhy: x\n",
        "utf-8",
    )
    with pytest.raises(InputError) as caught:
        Context.read(path)
    assert len(caught.value.faults) == 4
    assert all(fault.startswith("context.yaml: context") for fault in caught.value.faults)


def test_the_example_of_a_context_is_whole() -> None:
    context = Context.read(ROOT / "examples" / "context.yaml")
    assert context.model_risk.rank == "medium" and context.deviations == ()
    assert context.updates[0].date == "2026-11-22"


@pytest.mark.parametrize(
    ("influence", "consequence", "rank"),
    [("low", "low", "low"), ("medium", "medium", "medium"), ("high", "medium", "high")],
)
def test_risk_is_the_product_of_ranks(influence: str, consequence: str, rank: str) -> None:
    risk = Context(model_risk={"influence": influence, "consequence": consequence}).model_risk
    assert risk.rank == rank
    assert Context(model_risk={"influence": influence}).model_risk.rank is None


def test_options_are_refused_with_all_their_faults(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        _opened(
            tmp_path,
            PLAN,
            precision=2.0,
            surface=("medain", "name"),
            nulls=("n=1,1",),
            credibility=tmp_path / "none.yaml",
        )
    told = "\n".join(caught.value.faults)
    assert len(caught.value.faults) == 6, told
    for part in ("--precision", "--out FOLDER", "none.yaml", "medain", "no number", "different"):
        assert part in told
