"""Populations whose every patient is drawn anew from a model, and where the model stays."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from extraction.records.errors import InputError
from generation.engine import Model
from generation.randomness import Stream
from simulation import simulate
from simulation.operating_characteristics import surfaces
from simulation.trial import FreshTwins
from simulation.trial.external import STREAM
from simulation.trial.population import residents
from simulation.trial.population.base import Place
from simulation.trial.population.fresh import drawn
from simulation.trial.population.tables import table_of
from simulation.trial.replicate import STREAM as TRIAL
from tests.support.fresh_support import design, model

COLUMN = "outcome.SCORE@0"


def _plan(**changes: Any) -> str:
    return FreshTwins.from_model(model(), design(**changes), 200).plan


@pytest.mark.parametrize("run", [{"chunk_size": 7}, {"execution": "processes", "workers": 2}])
def test_neither_chunks_nor_processes_change_a_bit(run: dict[str, Any]) -> None:
    population = FreshTwins.from_model(model(), design(), 200, seed=2)
    plain = simulate(design(), population, 20, seed=1)
    assert simulate(design(), population, 20, seed=1, **run).digest() == plain.digest()
    assert plain.population["kind"] == "fresh_twins"
    assert plain.population["device"] == "cpu"
    assert "drawn anew" in plain.limits[1]


def test_a_candidate_is_the_same_whoever_else_is_drawn() -> None:
    replicates, patients = (a.ravel() for a in np.mgrid[250:260, 1000:1030])
    whole = drawn(model(), _plan(), replicates, patients)
    some = np.random.default_rng(0).permutation(len(replicates))[:40]
    some = np.concatenate([some, some[:3]])  # and whoever is asked for twice
    part = drawn(model(), _plan(), replicates[some], patients[some])
    for name, values in whole.items():
        np.testing.assert_array_equal(part[name], values[some])


def test_external_controls_and_other_seeds_have_patients_of_their_own(tmp_path: Path) -> None:
    population = FreshTwins.receive(*FreshTwins.from_model(model(), design(), 200).send(tmp_path))
    drawn_by = [(0, TRIAL), (2, TRIAL), (0, STREAM), (0, STREAM)]
    one, other, outside, again = (
        population.baseline(Place(Stream(*key), np.arange(3)[:, None], np.arange(30)[None, :]))
        for key in drawn_by
    )
    ages = one.values["AGE"]
    places = (a.ravel() for a in np.mgrid[:3, :30])
    np.testing.assert_array_equal(ages.ravel(), drawn(model(), _plan(), *places)["AGE"])
    for held in (other, outside):
        assert (held.values["AGE"] == ages).mean() < 0.5
    np.testing.assert_array_equal(outside.values["AGE"], again.values["AGE"])


def test_candidates_have_the_law_of_the_model() -> None:
    replicates, patients = (a.ravel() for a in np.mgrid[:40, :100])
    plan = _plan(dropout={"kind": "as_learnt"})
    found = drawn(model(), plan, replicates, patients)
    plain = table_of(model().sample(4000, arm="Placebo", seed=9), design().endpoints, "day")
    for name in ("AGE", COLUMN, "outcome.event.event"):
        one, other = (v[np.isfinite(v)] for v in (found[name], plain[name].to_numpy()))
        se = np.sqrt(one.var() / one.size + other.var() / other.size)
        assert abs(one.mean() - other.mean()) < 4 * se  # a false alarm in 5,000 of the three
    assert np.isnan(found[COLUMN]).any()


def test_where_the_design_says_who_leaves_everybody_has_an_outcome() -> None:
    replicates, patients = (a.ravel() for a in np.mgrid[:5, :40])
    rule = {"kind": "hazard", "rate": 0.001}
    complete = drawn(model(), _plan(dropout=rule), replicates, patients)
    learnt = drawn(model(), _plan(dropout={"kind": "as_learnt"}), replicates, patients)
    known = np.isfinite(learnt[COLUMN])
    assert 0 < known.sum() < known.size
    assert np.isfinite(complete[COLUMN]).all()
    np.testing.assert_array_equal(complete[COLUMN][known], learnt[COLUMN][known])


def test_what_cannot_be_drawn_anew_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(model()), "keyed", False)
    with pytest.raises(InputError, match="leave `fresh` out"):
        FreshTwins.from_model(model(), design())


def test_a_model_that_has_changed_is_refused(tmp_path: Path) -> None:
    facts, paths = FreshTwins.from_model(model(), design(), 200).send(tmp_path)
    with pytest.raises(InputError, match="its model is missing or has changed"):
        FreshTwins.receive(facts | {"model_sha256": "0"}, paths)


def test_a_gpu_that_was_set_aside_and_is_not_seen_is_told(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert residents.device_here("auto") == "cpu"
    assert not caplog.messages
    assert residents.device_here("auto", promised=True) == "cpu"
    assert "PyTorch sees none: patients are drawn on the CPU" in caplog.messages[0]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert residents.device_here("auto") == "gpu"
    assert residents.device_here("cpu") == "cpu"


def test_checks_of_many_designs_choose_the_device_too(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    asked: list[str] = []

    def on(held: Model, device: str) -> Model:
        asked.append(device)
        return held

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(type(model()), "on", on)
    people = FreshTwins.from_model(model(), design(), 200, device="auto")
    over = {"n": [40], "rule.alpha": [0.025, 0.05]}
    surfaces(design(), people, over=over, replicates=4)
    assert set(asked) == {"cpu"}


def test_actors_share_the_clusters_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = {"CPU": 8.0, "GPU": 2.0}
    assert residents._share(cluster, "auto", None) == (1.0, 2)
    assert residents._share(cluster, "cpu", 3) == (0.0, 3)
    assert residents._share({"CPU": 4.0}, "auto", None) == (0.0, 4)
    monkeypatch.setenv(residents.GPUS, "0.5")
    assert residents._share(cluster, "gpu", None) == (0.5, 4)
    assert residents._share(cluster, "gpu", 3) == (0.5, 3)
    monkeypatch.setenv(residents.GPUS, "4")
    with pytest.raises(InputError, match="the cluster has 2 GPUs and each model takes 4"):
        residents._share(cluster, "gpu", None)
    monkeypatch.setenv(residents.GPUS, "half")
    with pytest.raises(InputError, match="such as 1 or"):
        residents._share(cluster, "auto", None)


class _Actor:
    """Stands for an actor: its answers wait until they are fetched."""

    def __init__(self) -> None:
        self.waiting = 0
        self.most = 0
        self.draw = self

    def remote(self, _: str, replicates: Any, patients: Any) -> Any:
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        assert len(replicates) <= residents.BLOCK
        return lambda: {"x": replicates * 1000.0 + patients}


@pytest.fixture
def actor(monkeypatch: pytest.MonkeyPatch) -> _Actor:
    """Ray with one actor."""
    only = _Actor()

    def get(answer: Any) -> Any:
        only.waiting -= 1
        return answer()

    stub = ModuleType("ray")
    stub.get, stub.get_actor = get, lambda _: only  # type: ignore[attr-defined]
    stub.exceptions = type("exceptions", (), {"RayTaskError": OSError})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ray", stub)
    return only


def test_few_blocks_are_on_their_way_at_once(actor: _Actor) -> None:
    replicates, patients = (a.ravel() for a in np.mgrid[:200, :500])
    found = residents.Remote(["only"]).draw("{}", replicates, patients)
    np.testing.assert_array_equal(found["x"], replicates * 1000.0 + patients)
    assert (actor.most, actor.waiting) == (residents.IN_FLIGHT, 0)
