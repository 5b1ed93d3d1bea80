"""Sweeps: what alone gives, given together; resumed, extended, refused."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from extraction.records import InputError
from simulation import TrialDesign, simulate
from simulation.operating_characteristics import SweepPlan, sweep
from simulation.trial import ParametricPopulation, simulate_many

PLAN: dict[str, Any] = {
    "name": "plain",
    "arms": [{"name": "P", "control": True}, {"name": "A"}],
    "endpoints": [{"kind": "continuous", "name": "y", "visits": [30]}],
    "n": 40,
    "scenarios": [{"name": "planned", "effects": [{"arm": "A", "endpoint": "y", "shift": 0.5}]}],
    "dropout": {"kind": "share", "share": 0.1},
}
PLAIN = TrialDesign.parse(PLAN)
LOOKS = TrialDesign.parse(
    PLAN | {"name": "looks", "rule": {"kind": "group_sequential", "looks": {"number": 2}}}
)
PEOPLE = ParametricPopulation(outcomes={"y": {"kind": "continuous"}}, leaving_rate=0.003)
OVER = {"n": [40, 60], "dropout.share": [0.0, 0.2]}


def test_each_trial_is_what_it_is_alone() -> None:
    designs = {"plain": PLAIN, "looks": LOOKS}
    found = sweep(designs, PEOPLE, over=OVER, replicates=30, seed=3, chunk_size=7)
    assert list(found.frame["trial"].unique())[:2] == [
        "plain, n=40, dropout.share=0.0",
        "plain, n=40, dropout.share=0.2",
    ]
    assert len(found.frame) == 2 * 4 * 2
    changed = TrialDesign.parse(
        LOOKS.model_dump(mode="json") | {"n": 60, "dropout": {"kind": "share", "share": 0.2}}
    )
    alone = simulate(changed, PEOPLE, 30, seed=3)
    rows = found.frame[found.frame["trial"] == "looks, n=60, dropout.share=0.2"]
    assert set(rows["digest"]) == {alone.digest()}
    planned = rows[rows["scenario"] == "planned"].iloc[0]
    assert planned["any_rejection"] == alone.power.value
    assert planned["mean_n"] == alone.scenario("planned").n.value and planned["n"] == 60


def test_one_digest_for_every_backend_and_a_resumed_folder(
    tmp_path: Path, ray_session: object
) -> None:
    designs = {"plain": PLAIN, "looks": LOOKS}
    plain = sweep(designs, PEOPLE, replicates=30, chunk_size=10)
    for options in (
        {"execution": "processes", "workers": 2, "folder": tmp_path / "a"},
        {"execution": "ray", "workers": 2, "chunk_size": 4},
        {"folder": tmp_path / "a", "chunk_size": 10},
    ):
        asked: dict[str, Any] = {"chunk_size": 10} | options
        assert sweep(designs, PEOPLE, replicates=30, **asked).digest() == plain.digest()


def test_a_sweep_that_grows_does_only_what_is_new(tmp_path: Path) -> None:
    def run(sizes: list[int]) -> list[str]:
        told: list[str] = []
        sweep(
            {"plain": PLAIN},
            PEOPLE,
            over={"n": sizes},
            replicates=20,
            chunk_size=5,
            folder=tmp_path,
            progress=lambda what, _: told.append(what),
        )
        return told

    assert run([40, 50])[-1] == "8 of 8 chunks"
    assert run([40, 50]) == ["finished before"]
    assert run([40, 50, 60])[-1] == "4 of 4 chunks"
    frame = pd.read_csv(tmp_path / "summary.csv")
    assert list(frame["n"]) == [40, 40, 50, 50, 60, 60]
    for home, digest in zip(frame["folder"], frame["digest"], strict=True):
        assert (tmp_path / home / "replicates.parquet").is_file() and len(digest) == 64
    again = sweep({"plain": PLAIN}, PEOPLE, over={"n": [60]}, replicates=20, chunk_size=5)
    assert set(again.frame["digest"]) == {frame["digest"].iloc[-1]}


def test_faults_of_all_trials_come_at_once() -> None:
    lacking = TrialDesign.parse(PLAN | {"name": "lacking", "strata": ["SEX"]})
    with pytest.raises(InputError) as caught:
        simulate_many({"a": (PLAIN, "nobody"), "b": (lacking, PEOPLE)}, replicates=0)
    places = [fault.split(":")[0] for fault in caught.value.faults]
    assert places == ["replicates", "a", "b"]
    with pytest.raises(InputError) as caught:
        sweep({"plain": PLAIN}, PEOPLE, over={"n": [0, 40], "alfa": [1]})
    assert len(caught.value.faults) == 2
    with pytest.raises(InputError, match="none came"):
        sweep({}, PEOPLE)


def test_the_same_trial_twice_would_share_a_folder(tmp_path: Path) -> None:
    twice = {"a": (PLAIN, PEOPLE), "b": (PLAIN, PEOPLE)}
    assert len(list(simulate_many(twice, replicates=5))) == 2
    with pytest.raises(InputError, match="b: it is the same trial as 'a'"):
        list(simulate_many(twice, replicates=5, folder=tmp_path))


def test_a_summary_of_somebody_else_is_not_replaced(tmp_path: Path) -> None:
    held = tmp_path / "summary.csv"
    held.write_text("patient,value\n", "utf-8")
    with pytest.raises(InputError, match="no sweep has written"):
        sweep({"plain": PLAIN}, PEOPLE, replicates=5, folder=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["summary.csv"]
    assert held.read_text("utf-8") == "patient,value\n"
    held.unlink()
    found = [sweep({"plain": PLAIN}, PEOPLE, replicates=5, folder=tmp_path) for _ in range(2)]
    assert found[0].digest() == found[1].digest()


def test_a_plan_is_read_and_refused_with_all_its_faults(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text("designs: [a.yaml]\nover: {n: [1, 2]}\n")
    assert SweepPlan.read(path).over == {"n": (1, 2)}
    path.write_text("designs: []\nreplicates: 0\n")
    with pytest.raises(InputError) as caught:
        SweepPlan.read(path)
    assert len(caught.value.faults) == 2
    assert all(fault.startswith("sweep.yaml: ") for fault in caught.value.faults)
    for text in ("- 1", "{", "seed: 2026-02-31", "[" * 3000, "designs: !!python/name:os.system"):
        path.write_text(text)
        with pytest.raises(InputError, match=r"sweep\.yaml: "):
            SweepPlan.read(path)
    with pytest.raises(InputError, match="no such file"):
        SweepPlan.read(tmp_path / "none.yaml")
