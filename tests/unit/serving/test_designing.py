"""`trialtwin design-search` and `trialtwin criteria`: from a file to figures in words and JSON."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from extraction.records import InputError
from serving.cli.lazy import program
from serving.service import SearchRequest, judge_criteria, search_trial, simulate_sweep

DESIGN = """
name: Small
arms: [{name: P, control: true}, {name: A}]
n: 24
eligibility: {age: [60, null]}
enrolment: {ramp: [{rate: 1}]}
endpoints: [{kind: continuous, name: y}]
hypotheses: [{endpoint: y, analysis: {kind: ancova}}]
population:
  kind: parametric
  covariates: [{kind: normal, name: age, mean: 65, sd: 10}]
  outcomes: {y: {kind: continuous}}
scenarios:
  - {name: real, effects: [{arm: A, endpoint: y, shift: 1.2}]}
"""

EVENTS = """
name: Survival
arms: [{name: P, control: true}, {name: A}]
n: 60
endpoints: [{kind: time_to_event, name: OS}]
rule: {kind: fixed, looks: {by: events, at: [30]}}
population: {kind: parametric, outcomes: {OS: {kind: time_to_event, median: 10}}}
scenarios:
  - {name: real, effects: [{arm: A, endpoint: OS, hazard_ratio: 0.3}]}
"""


def _run(tmp_path: Path, *words: str) -> str:
    path = tmp_path / "design.yaml"
    path.write_text(DESIGN, encoding="utf-8")
    done = CliRunner().invoke(program, [words[0], str(path), *words[1:]])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_size_is_searched_from_the_command_line(tmp_path: Path) -> None:
    asked = ("design-search", "--power", "0.8", "--most", "500", "--between", "12", "60",
             "--type-one", "0.08", "--expected-n", "30")
    told = json.loads(_run(tmp_path, *asked, "--json"))
    assert told["formula"]["name"] == "t test" and 20 <= told["value"] <= 34
    assert len(told["limits"]) == 2 and told["path"][0]["verdict"] in ("met", "not met", "open")
    words = _run(tmp_path, *asked)
    assert "by formula (t test)" in words and "not decided within 500" in words


def test_a_search_over_events_tells_the_patients(tmp_path: Path) -> None:
    path = tmp_path / "events.yaml"
    path.write_text(EVENTS, encoding="utf-8")
    asked = ["design-search", str(path), "--power", "0.7", "--over", "events", "--most", "200"]
    told = json.loads(CliRunner().invoke(program, [*asked, "--json"]).stdout)
    assert all(row["patients"] == 2 * row["events"] for row in told["path"])
    assert told["patients"] == 2 * told["value"]
    words = CliRunner().invoke(program, asked).output
    assert f"events = {told['value']:g} with {told['patients']} patients" in words
    first = told["path"][0]
    assert f"events {first['events']:g} ({first['patients']} patients): " in words


def test_a_search_over_patients_stays_above_the_events(tmp_path: Path) -> None:
    path = tmp_path / "events.yaml"
    path.write_text(EVENTS, encoding="utf-8")
    asked = ["design-search", str(path), "--power", "0.2", "--most", "200", "--json"]
    told = json.loads(CliRunner().invoke(program, asked).stdout)
    assert told["value"] == min(row["n"] for row in told["path"]) == 30


def test_precision_is_told_of_the_scenario_that_needs_most(tmp_path: Path) -> None:
    words = _run(tmp_path, "simulate", "--precision", "0.05")
    assert "every scenario's standard error is at most 0.05" in words
    assert "(real): 0.05 was reached" in words
    dry = json.loads(_run(tmp_path, "simulate", "--precision", "0.05", "--dry-run", "--json"))
    assert dry["cost"]["replicates"] == 100


def test_criteria_are_told_in_words_and_json(tmp_path: Path) -> None:
    told = json.loads(_run(tmp_path, "criteria", "--replicates", "40", "--json"))
    # One criterion: leaving it out is leaving out all, told once.
    assert len(told["designs"]) == 2 and len(told["shares"]) == 1
    assert told["candidates"] == 40 * 24 and told["time_unit"] == "day"
    words = _run(tmp_path, "criteria", "--replicates", "40")
    assert "recruited in" in words and " days" in words and "fail it" in words
    assert "without any" not in words and "not distinguishable from 0" in words


def test_without_a_goal_it_says_what_to_give(tmp_path: Path) -> None:
    path = tmp_path / "design.yaml"
    path.write_text(DESIGN, encoding="utf-8")
    done = CliRunner().invoke(program, ["design-search", str(path)])
    assert done.exit_code != 0 and "give --power" in str(done.exception)


@pytest.mark.parametrize("option", ["--power", "--type-one"])
@pytest.mark.parametrize("value", ["0", "1.5", "nan"])
def test_a_goal_that_no_trial_can_meet_is_not_sought(
    tmp_path: Path, option: str, value: str
) -> None:
    path = tmp_path / "design.yaml"
    path.write_text(DESIGN, encoding="utf-8")
    done = CliRunner().invoke(program, ["design-search", str(path), option, value])
    assert f"{option}: {value} came" in str(done.exception)


def test_options_that_would_do_nothing_are_refused_together(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("name: x\n", encoding="utf-8")
    asked = SearchRequest(bad, type_one=0.03, scenario="real", workers=3)
    with pytest.raises(InputError) as caught:
        search_trial(asked)
    told = "\n".join(caught.value.faults)
    assert "--workers" in told and "--scenario" in told and "bad.yaml" in told
    with pytest.raises(InputError) as caught:
        judge_criteria(bad, workers=2)
    assert "--workers" in caught.value.faults[0] and len(caught.value.faults) > 1
    sweep = tmp_path / "sweep.yaml"
    sweep.write_text("designs: [bad.yaml]\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        simulate_sweep(sweep, workers=2)
    assert "--workers" in caught.value.faults[0] and len(caught.value.faults) > 1


def test_progress_is_told_on_the_error_stream(tmp_path: Path) -> None:
    path = tmp_path / "design.yaml"
    path.write_text(DESIGN, encoding="utf-8")
    words = ["design-search", str(path), "--power", "0.8", "--most", "200", "--between", "20", "30"]
    searched = CliRunner().invoke(program, words)
    assert "replicates, " in searched.stderr and "replicates, open" not in searched.stdout
    judged = CliRunner().invoke(program, ["criteria", str(path), "--replicates", "40"])
    assert "  0% as it is" in judged.stderr and "100% criteria" in judged.stderr
    quiet = CliRunner().invoke(program, [*words, "--json"])
    assert quiet.stderr == "" and json.loads(quiet.stdout)["over"] == "n"
