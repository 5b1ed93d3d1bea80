"""`trialtwin update` by hand."""

import json
from pathlib import Path

import pytest

from extraction.records import Cohort
from generation import fit
from serving.cli.lazy import program
from serving.cli.outcome import run
from tests.support.generation_support import simulated_trial


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trial, a model of it, and patients who came later."""
    place = tmp_path_factory.mktemp("update")
    earlier = simulated_trial(120, seed=31, visits=False)
    earlier.write(place / "earlier")
    fit(earlier, "twin", members=1, epochs=8).save(place / "model")
    frame = simulated_trial(120, seed=32, visits=False).to_table()
    frame["AGE"] = frame["AGE"] + 6
    frame["subject_id"] = [f"Q{k:05d}" for k in range(120)]
    Cohort.from_table(frame, earlier.schema, study_id="SIM").write(place / "later")
    return place


def test_an_update_tells_what_moved_and_writes_the_new_version(desk: Path, capsys) -> None:
    words = ["update", str(desk / "model"), str(desk / "later"), "--earlier", str(desk / "earlier")]
    assert run(program, [*words, "--out", str(desk / "second"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["kept"]
    assert told["version"] == 2
    assert "AGE" in told["drift"]["moved"]
    assert (desk / "second" / "model.json").is_file()


def test_every_fault_of_a_request_is_told(desk: Path, capsys) -> None:
    words = ["update", str(desk / "nowhere"), str(desk / "neither"), "--out", str(desk / "model")]
    assert run(program, words) == 2
    told = capsys.readouterr().err
    assert "3 faults" in told
    assert not (desk / "nowhere").exists()
