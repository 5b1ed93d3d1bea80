"""The page in a browser, under uvicorn: ask, look, download, be refused; nothing from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.support.page_support import ask, download, open_page
from tests.support.server_support import make_run, server

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("page")
    with server(make_run(folder / "runs"), folder / "var", ui=True) as (_, found):
        yield found


def test_200_controls_over_70_are_seen_and_taken(
    browser: Browser, url: str, tmp_path: Path
) -> None:
    page, visit = open_page(browser, url)
    ask(page, 200, age_from=70)
    tiles = page.locator(".tt-tile b").all_inner_texts()
    assert (tiles[0], tiles[2]) == ("200", "150")
    assert 20 <= int(tiles[1]) < 150
    images = page.locator(".tt-figures img")
    drawn = images.evaluate_all("all => all.map(i => i.complete && i.naturalWidth > 0)")
    assert len(drawn) >= 4
    assert all(drawn)
    assert "n = 200" in page.locator("table").inner_text()

    table = pd.read_csv(download(page, "Download CSV", tmp_path))
    assert len(table) == 200
    assert (table["AGE"] >= 70).all()
    assert set(table["arm"]) == {"Placebo"}
    assert set(table["synthetic_from_n_train"]) == {150}
    file = download(page, "Download Parquet", tmp_path)
    assert len(pd.read_parquet(file)) == 200
    assert json.loads(pq.read_schema(file).metadata[b"trialtwin"])["n_train"] == 150

    assert visit.complaints == []
    assert visit.hosts == {url.removeprefix("http://")}
    page.close()


def test_the_count_of_real_patients_follows_the_conditions(browser: Browser, url: str) -> None:
    page, visit = open_page(browser, url)
    before = page.locator(".tt-behind b").inner_text()
    ages = page.locator("#tt-AGE-from input[type=number]")
    ages.fill("75")
    ages.press("Enter")
    page.wait_for_function(
        "before => document.querySelector('.tt-behind b').innerText !== before", arg=before
    )
    assert int(page.locator(".tt-behind b").inner_text()) < int(before) == 150
    assert visit.complaints == []
    page.close()


def test_too_few_real_patients_are_refused_in_words(browser: Browser, url: str) -> None:
    page, visit = open_page(browser, url)
    ask(page, 200, age_from=82)
    said = page.locator(".tt-callout[role=alert]").inner_text()
    assert "for a reason" in said
    assert "20 are needed" in said
    assert not page.get_by_text("Download CSV").is_visible()
    assert visit.complaints == []
    page.close()


def test_nothing_is_wider_than_a_phone(browser: Browser, url: str) -> None:
    page, visit = open_page(browser, url, 390, 844)
    ask(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    cut = page.evaluate(
        "() => [...document.querySelectorAll('img, td, button, input, h1, h2, p')].filter(e =>"
        " e.getBoundingClientRect().width && e.getBoundingClientRect().right > 391).length"
    )
    assert cut == 0
    assert visit.complaints == []
    page.close()
