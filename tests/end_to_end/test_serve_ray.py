"""Ray Serve: REST in replicas, the page and the jobs in one, in the test run's own Ray."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pandas as pd
import pytest

from tests.support.page_support import ask, download, open_page
from tests.support.server_support import NAME, config_of, free_port, make_run, wait_for

if TYPE_CHECKING:
    from types import ModuleType

    from playwright.sync_api import Browser

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def url(ray_session: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    from ray import serve

    from serving.deployments import start

    folder, port = tmp_path_factory.mktemp("ray-serve"), free_port()
    start("127.0.0.1", port, config_of(make_run(folder / "runs"), folder / "var"))
    found = f"http://127.0.0.1:{port}"
    assert wait_for(found)
    yield found
    serve.shutdown()


def test_replicas_give_the_same_patients(url: str) -> None:
    body = {"model": NAME, "n": 40, "seed": 2}
    answers = [httpx2.post(f"{url}/v1/controls", json=body, timeout=60) for _ in range(8)]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["digest"] for answer in answers}) == 1


def test_a_job_is_carried_out_whichever_replica_took_it(url: str) -> None:
    body = {"request": {"model": NAME, "n": 12_000}}
    job = httpx2.post(f"{url}/v1/jobs", json=body, timeout=60).json()["id"]
    state = "queued"
    for _ in range(600):
        state = httpx2.get(f"{url}/v1/jobs/{job}", timeout=60).json()["state"]
        if state not in ("queued", "running"):
            break
        time.sleep(0.1)
    assert state == "done"
    rows = httpx2.get(f"{url}/v1/jobs/{job}/result?format=csv", timeout=60).text.splitlines()
    assert len(rows) == 12_001


def test_200_controls_over_70_are_seen_and_taken(
    browser: Browser, url: str, tmp_path: Path
) -> None:
    page, visit = open_page(browser, url)
    ask(page, 200, age_from=70)
    assert page.locator(".tt-figures img").count() >= 4
    table = pd.read_csv(download(page, "Download CSV", tmp_path))
    assert len(table) == 200
    assert (table["AGE"] >= 70).all()
    assert visit.complaints == []
    assert visit.hosts == {url.removeprefix("http://")}
    page.close()
