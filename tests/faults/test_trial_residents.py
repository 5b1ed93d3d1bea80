"""Resident models in Ray actors: the same bytes as without Ray, and with an actor killed outright.

The session has one logical GPU and no real one: an actor is placed on it and draws on the CPU.
"""

import os
import signal
from pathlib import Path
from types import ModuleType

import pytest

from extraction.records.errors import InputError
from simulation import simulate
from simulation.trial import FreshTwins
from simulation.trial.population import residents
from tests.support.fresh_support import design, model


def test_a_killed_actor_changes_no_bit(
    ray_session: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    population = FreshTwins.from_model(model(), design(), 200, seed=2, device="auto")
    ray, pids = ray_session, []

    def tell(step: str, _: float) -> None:
        if step.startswith(("2 of", "12 of")):
            (name,) = ray.util.list_named_actors()
            pids.append(ray.get(ray.get_actor(name).about.remote())["pid"])
            if step.startswith("2 of"):
                os.kill(pids[0], signal.SIGKILL)

    run = {"execution": "ray", "workers": 2, "chunk_size": 5, "progress": tell}
    found = simulate(design(), population, 60, seed=1, **run)  # type: ignore[arg-type]
    assert found.digest() == simulate(design(), population, 60, seed=1).digest()
    assert pids[1] != pids[0] != os.getpid()
    assert found.population["device"] == "cpu"
    assert residents.BLIND in caplog.messages
    assert not ray.util.list_named_actors()


def test_a_model_that_actors_cannot_read_is_told(ray_session: ModuleType, tmp_path: Path) -> None:
    facts = {"kind": "fresh", "model_sha256": "0", "device": "cpu"}
    with (
        pytest.raises(InputError, match="its model is missing"),
        residents.placing("ray", 1) as place,
    ):
        place(facts, {"model": str(tmp_path)})
    assert not ray_session.util.list_named_actors()
