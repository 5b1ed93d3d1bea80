"""Health, counters, limits and the address: what operators and strangers meet."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from fastapi.testclient import TestClient

from extraction.records import InputError
from serving.api.app import build_app
from serving.api.config import ServiceConfig
from serving.server import check, serve
from tests.support.server_support import NAME, config_of, free_port, make_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("operations") / "runs")


@pytest.fixture
def client(runs: Path, tmp_path: Path) -> Iterator[TestClient]:
    app = build_app(config_of(runs, tmp_path / "var"), ui=False, worker=False)
    with TestClient(app, base_url="http://127.0.0.1") as found:
        yield found


def test_a_server_with_a_model_is_ready(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "alive"}
    assert client.get("/readyz").json() == {"faults": [], "status": "ready"}


def test_a_server_without_a_model_says_what_is_missing(tmp_path: Path) -> None:
    app = build_app(config_of(tmp_path / "none", tmp_path / "var"), ui=False, worker=False)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert "configs/quickstart.yaml" in answer.json()["faults"][0]
        assert client.get("/v1/models").json() == {"models": []}


def test_requests_are_counted_by_route_never_by_content(client: TestClient) -> None:
    client.post("/v1/controls", json={"model": NAME, "n": 7, "given": {"AGE": [71.5, None]}})
    client.get("/v1/jobs/jane-roe")
    client.get("/jane-roe")
    text = client.get("/metrics").text
    counted = 'trialtwin_requests_total{method="POST",route="/v1/controls",status="200"} 1.0'
    assert counted in text
    assert "trialtwin_synthetic_patients_total 7.0" in text
    assert 'route="/v1/jobs/{job_id}",status="404"' in text
    assert "jane" not in text
    assert "71.5" not in text


def test_the_log_holds_no_content(client: TestClient, capsys: pytest.CaptureFixture[str]) -> None:
    client.post("/v1/controls", json={"model": NAME, "n": 3, "given": {"AGE": [71.5, None]}})
    client.get("/jane-roe?name=jane")
    said = capsys.readouterr().out
    assert "/v1/controls" in said
    assert "jane" not in said
    assert "71.5" not in said


def test_unknown_paths_answer_in_the_same_form(client: TestClient) -> None:
    assert client.get("/v2").json() == {"faults": ["Not Found"]}
    assert client.put("/v1/controls").status_code in (405, 413)


def test_large_bodies_are_not_read(client: TestClient) -> None:
    answer = client.post("/v1/controls", content=b"x" * 70_000)
    assert answer.status_code == 413
    assert "65536" in answer.json()["faults"][0]


def test_a_body_of_unknown_length_is_not_read(client: TestClient) -> None:
    assert client.post("/v1/controls", content=iter([b"{}"])).status_code == 413


def test_another_host_name_is_refused(client: TestClient) -> None:
    # A page of somebody else could give our address a name of its own (DNS rebinding).
    answer = client.get("/healthz", headers={"Host": "evil.example"})
    assert answer.status_code == 400
    assert answer.json()["faults"][0].startswith("Host: ")
    assert "evil" not in answer.text


def test_answers_forbid_foreign_content_and_caching(client: TestClient) -> None:
    headers = client.get("/v1/models").headers
    assert headers["content-security-policy"].startswith("default-src 'self'")
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"


def test_openapi_names_every_route_and_no_page_loads_scripts_from_elsewhere(
    client: TestClient,
) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/v1/controls", "/v1/models", "/v1/jobs", "/v1/jobs/{job_id}"} <= set(paths)
    assert client.get("/docs").status_code == 404


def test_a_busy_server_says_when_to_come_again(runs: Path, tmp_path: Path) -> None:
    config = config_of(runs, tmp_path / "var").model_copy(
        update={"samplers": 1, "wait_seconds": 0.01}
    )
    app = build_app(config, ui=False, worker=False)
    with TestClient(app, base_url="http://127.0.0.1") as client, app.state.desk.sampler():
        answer = client.post("/v1/controls", json={"model": NAME})
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "30"


def test_models_may_be_named(runs: Path, tmp_path: Path) -> None:
    config = ServiceConfig(models={"mine": runs / NAME}, var=tmp_path)
    app = build_app(config, ui=False, worker=False)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        assert [m["name"] for m in client.get("/v1/models").json()["models"]] == ["mine"]


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "example.org", "::", ""])
def test_addresses_that_others_reach_are_refused(host: str) -> None:
    with pytest.raises(InputError, match="there are no keys yet"):
        serve(host)


def test_all_faults_of_an_address_are_told_at_once() -> None:
    with pytest.raises(InputError) as caught:
        check("0.0.0.0", 0, "gunicorn")
    assert len(caught.value.faults) == 3


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.9.10"])
def test_loopback_addresses_are_taken(host: str) -> None:
    check(host, free_port(), "uvicorn")


def test_a_port_in_use_is_told() -> None:
    other = socket.create_server(("127.0.0.1", 0))
    with other, pytest.raises(InputError, match="in use by another process"):
        check("127.0.0.1", other.getsockname()[1], "uvicorn")


def test_the_shipped_configuration_is_read(root: Path) -> None:
    file = root / "configs" / "serve.yaml"
    assert ServiceConfig.read(file).samplers == 2
    values = yaml.safe_load(file.read_text("utf-8"))
    page = next(a for a in values["applications"] if a["name"] == "page")
    assert page["deployments"][0]["num_replicas"] == 1
    assert values["http_options"]["host"] == "127.0.0.1"


def test_mistakes_of_a_configuration_are_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "serve.yaml"
    file.write_text("samplers: 0\nlease_seconds: soon\ncolour: blue\n")
    with pytest.raises(InputError) as caught:
        ServiceConfig.read(file)
    assert len(caught.value.faults) == 3
    file.write_text("- a\n")
    with pytest.raises(InputError, match="a mapping of settings is needed"):
        ServiceConfig.read(file)
