"""`trialtwin evaluate disclosure`: an engine attacked from a folder and from a table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from serving.cli.lazy import program
from serving.cli.outcome import run
from tests.support.generation_support import simulated_trial

ATTACKS = {"audit_membership_sample", "audit_singling_out", "audit_linkability"}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same invented trial as a folder and as a table."""
    place = tmp_path_factory.mktemp("disclosure")
    trial = simulated_trial(80, seed=41, visits=False)
    trial.write(place / "trial")
    trial.to_table().to_csv(place / "trial.csv", index=False)
    simulated_trial(30, seed=42, visits=False).write(place / "few")
    return place


def asked(desk: Path, name: str, *words: object) -> list[str]:
    place = str(desk / name)
    return ["evaluate", "disclosure", place, "--engine", "cart", "--refits", "4", *map(str, words)]


def test_an_engine_is_attacked_and_the_seed_names_the_result(desk: Path, capsys) -> None:
    words = asked(desk, "trial", "--option", "leaf_patients=30", "--seed", 7, "--json")
    assert run(program, words) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert (found["engine"], found["patients"], found["refits"]) == ("cart", 80, 4)
    assert found["options"] == {"leaf_patients": 30} and found["seed"] == 7
    assert found["verdict"] == "insufficient to show"  # 80 patients show no safety
    assert {metric["name"] for metric in found["metrics"]} >= ATTACKS
    assert len(found["sentences"]) == len(found["metrics"])
    assert said.err == ""
    assert run(program, words) == 0
    assert json.loads(capsys.readouterr().out) == found


def test_a_table_is_attacked_and_told_in_sentences(desk: Path, capsys) -> None:
    columns = ["--arm", "arm", "--time", "event_time", "--event", "event_event"]
    assert run(program, asked(desk, "trial.csv", *columns)) == 0
    said = capsys.readouterr()
    assert "Engine 'cart', 80 patients, 4 refits: insufficient to show" in said.out
    assert "Membership inference from released patients" in said.out
    assert "refit 4 of 4" in said.err


def test_every_fault_of_a_request_is_told(desk: Path, capsys) -> None:
    words = ["evaluate", "disclosure", str(desk / "nowhere"), "--engine", "oracle"]
    assert run(program, [*words, "--refits", "5", "--option", "leaf"]) == 2
    said = capsys.readouterr().err
    assert "4 faults" in said
    for part in ("--refits: 5 came", "nowhere is not there", "oracle", "write NAME=VALUE"):
        assert part in said


@pytest.mark.parametrize(
    ("name", "words", "told"),
    [
        ("few", (), "30 patients; the audit needs at least 40"),
        ("trial", ("--refits", 300), "an even number from 4 to 200"),
        ("trial", ("--option", "depth=3"), "option depth"),
        ("trial", ("--time", "days"), "they describe tables, and none came"),
        ("trial.csv", ("--time", "dayz"), "the time column dayz is not in the table"),
    ],
)
def test_a_bad_request_is_one_clear_message(
    desk: Path, capsys, name: str, words: tuple[object, ...], told: str
) -> None:
    assert run(program, asked(desk, name, *words)) == 2
    said = capsys.readouterr().err
    assert told in said and "Traceback" not in said
