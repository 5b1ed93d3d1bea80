"""The evaluation of a run's models over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from serving.api.app import build_app
from serving.service.stored_evaluations import RESULT
from tests.support.server_support import NAME, config_of, make_run

TOLD = {
    "engine": "cart",
    "folds": 3,
    "uses": {"exploration": {"use": "exploration", "verdict": "suited", "reasons": ["All met."]}},
    "metrics": [{"name": "marginals", "verdict": "within real-against-real"}],
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("evaluations") / "runs")


@pytest.fixture
def client(runs: Path, tmp_path: Path) -> Iterator[TestClient]:
    app = build_app(config_of(runs, tmp_path / "var"), ui=False, worker=False)
    with TestClient(app, base_url="http://127.0.0.1") as found:
        yield found


def test_an_evaluation_is_listed_and_given_once_it_is_there(
    client: TestClient, runs: Path
) -> None:
    assert client.get("/v1/evaluations").json() == {"evaluations": []}
    answer = client.get(f"/v1/evaluations/{NAME}")
    assert answer.status_code == 422 and "has none" in answer.json()["faults"][0]
    place = next(runs.glob(f"**/{NAME}")) / RESULT
    place.parent.mkdir(parents=True)
    place.write_text(
        json.dumps({"engine": "cart", "n_controls": 40, "engines": {"cart": TOLD}}), "utf-8"
    )
    assert client.get("/v1/evaluations").json()["evaluations"] == [
        {"model": NAME, "engine": "cart", "folds": 3, "n_controls": 40,
         "uses": {"exploration": "suited"}}
    ]  # fmt: skip
    assert client.get(f"/v1/evaluations/{NAME}").json()["metrics"] == TOLD["metrics"]


def test_an_unknown_model_is_told(client: TestClient) -> None:
    answer = client.get("/v1/evaluations/nothing")
    assert answer.status_code == 422 and "is not known" in answer.json()["faults"][0]
