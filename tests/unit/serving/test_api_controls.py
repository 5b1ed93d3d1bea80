"""POST /v1/controls and GET /v1/models: what is given, what is declined, and how that is said."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from extraction.records import Cohort, InputError
from generation import load_model
from serving.api.app import build_app
from serving.registry import Registry
from serving.service import control_requests as use_case
from serving.service.control_table import ORIGIN
from tests.support.server_support import NAME, config_of, make_run

OVER_70 = {"AGE": [70, None]}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("api")
    app = build_app(config_of(make_run(folder / "runs"), folder / "var"), ui=False, worker=False)
    # Errors of ours must be answered, never raised: a server would log their text.
    with TestClient(app, base_url="http://127.0.0.1") as found:
        yield found


def ask(client: TestClient, query: str = "", **body: object):
    return client.post(f"/v1/controls{query}", json={"model": NAME, **body})


def test_json_holds_the_patients_and_what_stands_behind_them(client: TestClient) -> None:
    found = ask(client, n=50, given=OVER_70).json()
    assert len(found["records"]) == found["n"] == 50
    assert all(record["AGE"] >= 70 for record in found["records"])
    assert all(record["arm"] == "Placebo" for record in found["records"])
    assert found["n_train"] == 150
    assert 20 <= found["n_region"] < 150
    assert 0 < found["ess"] <= 50
    assert "not data" in found["notice"]
    assert {record[ORIGIN] for record in found["records"]} == {150}


def test_a_condition_on_the_outcome_is_met_and_counted_among_real_patients(
    client: TestClient, tmp_path: Path
) -> None:
    given = {"death_time": ">20", "ALT@Week 4": ">=20"}
    found = ask(client, n=40, given=given).json()
    assert all(record["ALT@Week 4"] >= 20 for record in found["records"])
    assert all(record["death_time"] >= 20 for record in found["records"])
    real = Cohort.read(next(make_run(tmp_path).rglob("cohort/cohort")))
    assert found["n_region"] == len(real.where({**given, "arm": "Placebo"}))
    told = ask(client, given={"exists": {"kind": "adverse_event"}}).json()["faults"]
    assert "models draw no episodes" in told[0]


def test_every_format_holds_the_same_patients(client: TestClient) -> None:
    plain = pd.DataFrame(ask(client, n=30).json()["records"])
    csv = pd.read_csv(io.BytesIO(ask(client, "?format=csv", n=30).content))
    parquet = pd.read_parquet(io.BytesIO(ask(client, "?format=parquet", n=30).content))
    for other in (csv, parquet):
        assert list(other) == list(plain)
        assert other["subject_id"].tolist() == plain["subject_id"].tolist()
        assert other["AGE"].to_numpy() == pytest.approx(plain["AGE"].astype(float), nan_ok=True)


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("text/csv", "text/csv"),
        ("text/html, application/vnd.apache.parquet;q=0.8", "application/vnd.apache.parquet"),
        ("*/*", "application/json"),
    ],
)
def test_the_accept_header_chooses_the_format(client: TestClient, accept: str, media: str) -> None:
    answer = client.post("/v1/controls", json={"model": NAME, "n": 3}, headers={"Accept": accept})
    assert answer.headers["content-type"].startswith(media)
    assert answer.headers["x-trialtwin-n-train"] == "150"
    assert answer.headers["x-trialtwin-notice"].startswith("Synthetic patients are not data")


def test_a_parquet_file_says_what_it_is(client: TestClient) -> None:
    file = pq.ParquetFile(io.BytesIO(ask(client, "?format=parquet", n=5, seed=3).content))
    about = json.loads(file.schema_arrow.metadata[b"trialtwin"])
    assert (about["n_train"], about["seed"]) == (150, 3)
    assert "not data" in about["notice"]


def test_a_seed_names_the_patients(client: TestClient) -> None:
    first, again, other = (ask(client, n=20, seed=s).json() for s in (1, 1, 2))
    assert first["digest"] == again["digest"] != other["digest"]
    assert ask(client, n=8, seed=1).json()["records"] == first["records"][:8]


def test_small_counts_of_real_patients_are_not_told(client: TestClient) -> None:
    real = ask(client, n=1).json()["real"]
    counts = [n for v in real["variables"].values() for n in v.get("counts", {}).values()]
    assert counts
    assert all(n is None or n == 0 or n >= 5 for n in counts)


def test_mistakes_of_a_request_are_told_in_plain_words(client: TestClient) -> None:
    answer = ask(client, n="many", given=[1], sed=3)
    assert answer.status_code == 422
    assert sorted(answer.json()["faults"]) == [
        "given: must be a mapping of names to values",
        "n: must be a whole number",
        "sed: field sed is not known; did you mean seed?",
    ]


def test_too_few_real_patients_are_a_refusal_not_a_mistake(client: TestClient) -> None:
    answer = ask(client, given={"AGE": [95, 99]})
    assert answer.status_code == 409
    assert "at least 20 are needed" in answer.json()["faults"][0]


def test_a_count_of_one_to_four_is_not_told(client: TestClient) -> None:
    registry = client.app.state.desk.registry  # type: ignore[attr-defined]
    ages = registry.training(NAME).subjects["AGE"].dropna().sort_values()
    answer = ask(client, given={"AGE": [float(ages.iloc[-3]), None]})
    assert answer.status_code == 409
    assert "fewer than 5 of 150" in answer.json()["faults"][0]


def test_augmenting_a_trial_is_refused(client: TestClient) -> None:
    answer = ask(client, use="augment_control_arm")
    assert answer.status_code == 409
    assert "inference audit" in answer.json()["faults"][0]
    assert "trialtwin evaluate inference" in answer.json()["faults"][0]


def test_every_fault_of_a_condition_is_told_at_once(client: TestClient) -> None:
    answer = ask(client, given={"AGEE": [1, 2], "SEX": "X"})
    assert answer.status_code == 422
    assert len(answer.json()["faults"]) == 2
    assert "did you mean AGE" in answer.json()["faults"][0]


def test_faults_of_form_are_told_without_what_was_sent(client: TestClient) -> None:
    answer = ask(client, n=0, seed="Jane Roe", colour="Jane Roe")
    assert answer.status_code == 422
    assert len(answer.json()["faults"]) == 3
    assert "Jane" not in answer.text


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b""])
def test_a_body_that_is_no_request_is_told_so(client: TestClient, body: bytes) -> None:
    answer = client.post("/v1/controls", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.json()["faults"]


def test_an_unknown_arm_or_model_is_told_so(client: TestClient) -> None:
    assert "absent from the training cohort" in ask(client, arm="Active").json()["faults"][0]
    answer = client.post("/v1/controls", json={"model": "dem"})
    assert answer.status_code == 422
    assert "did you mean demo" in answer.json()["faults"][0]


def test_large_requests_are_sent_to_jobs(client: TestClient) -> None:
    answer = ask(client, n=5001)
    assert answer.status_code == 422
    assert "/v1/jobs" in answer.json()["faults"][0]


def test_an_error_of_ours_is_told_by_an_id_alone(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("patient Jane Roe")

    monkeypatch.setattr(use_case.Model, "sample_with_report", fail)
    monkeypatch.setattr("serving.api.controls.controls", fail)
    answer = ask(client)
    assert answer.status_code == 500
    assert set(answer.json()) == {"faults", "id"}
    said = capsys.readouterr()
    assert answer.json()["id"] in said.out
    assert "Jane" not in answer.text + said.out + said.err


def test_models_are_described_without_patients(client: TestClient) -> None:
    (model,) = client.get("/v1/models").json()["models"]
    assert (model["name"], model["engine"], model["n_train"]) == (NAME, "cart", 150)
    assert {v["name"] for v in model["variables"]} == {"AGE", "SEX", "GRADE"}


def test_patients_of_another_cohort_are_refused(tmp_path: Path) -> None:
    runs = make_run(tmp_path / "runs")
    make_run(tmp_path / "other", patients=310)
    place = runs / NAME / "stages" / "cohort" / "cohort"
    place.rename(tmp_path / "away")
    (tmp_path / "other" / NAME / "stages" / "cohort" / "cohort").rename(place)
    with TestClient(
        build_app(config_of(runs, tmp_path / "var"), ui=False, worker=False),
        base_url="http://127.0.0.1",
    ) as client:
        answer = ask(client)
    assert answer.status_code == 422
    assert "other patients" in answer.json()["faults"][0]


@pytest.mark.parametrize(
    ("counts", "shown"),
    [
        ({"a": 40, "b": 30}, {"a": 40, "b": 30}),
        ({"a": 40, "b": 30, "c": 0}, {"a": 40, "b": 30, "c": 0}),
        # One hidden level is the total less the others.
        ({"a": 40, "b": 30, "c": 3}, {"a": 40, "b": None, "c": None}),
        # Two hidden levels that hold two patients hold one each.
        ({"a": 40, "b": 30, "c": 1, "d": 1}, {"a": 40, "b": None, "c": None, "d": None}),
        ({"a": 40, "b": 4, "c": 3}, {"a": 40, "b": None, "c": None}),
        ({"a": 3}, {"a": None}),
    ],
)
def test_hidden_counts_cannot_be_worked_out(
    counts: dict[str, int], shown: dict[str, int | None]
) -> None:
    assert use_case.shown_counts(counts) == shown


@pytest.mark.parametrize(
    "body",
    [
        f'{{"AGE": [{10**30}, {10**31}]}}',
        f'{{"AGE": {10**400}}}',
        f'{{"AGE": ">={10**400}"}}',
        f'{{"test": {{"name": "AGE", ">=": {10**400}}}}}',
        '{"\\ud800": 1}',
        '{"SEX": "\\ud800"}',
        '{"AGE": [NaN, 80]}',
    ],
)
def test_a_strange_condition_is_a_fault_of_the_request(client: TestClient, body: str) -> None:
    text = f'{{"model": "{NAME}", "n": 2, "given": {body}}}'
    found = client.post(
        "/v1/controls", content=text, headers={"content-type": "application/json"}
    )
    assert found.status_code in (409, 422)
    assert found.json()["faults"]


def test_two_regions_do_not_give_one_patients_value_away() -> None:
    """The oldest patient's weight from the means with and without that patient."""
    weight = np.random.default_rng(3).normal(70.0, 10.0, 80)
    with_one, without = (use_case._moments(w)["mean"] for w in (weight, weight[1:]))
    step = use_case.round_step(weight.std(ddof=1) / 10)
    assert with_one / step == pytest.approx(round(with_one / step))
    # What is worked out from rounded means is one of a few values 80 steps apart, or the mean.
    assert abs((80 * with_one - 79 * without) - weight[0]) > 1.0
    assert use_case._moments(np.full(6, 3.0)) == {"mean": 3.0, "sd": 0.0}


def test_a_private_model_is_not_served_beside_its_patients(tmp_path: Path) -> None:
    registry = Registry({NAME: make_run(tmp_path, patients=60) / NAME})
    model = load_model(registry.find(NAME).model_folder)
    model.card = model.card.model_copy(update={"privacy": {"ledger": {}}})
    model.save(registry.find(NAME).model_folder)
    with pytest.raises(InputError, match=r"is private.*sample it with trialtwin generate"):
        registry.model(NAME)
