"""The page as a visitor uses it, in a browser."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PATIENCE = 60_000


@dataclass
class Visit:
    """What one visit met."""

    complaints: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)


def open_page(
    browser: Browser, url: str, width: int = 1440, height: int = 900
) -> tuple[Page, Visit]:
    """Open the page and note console errors, failed answers and every host that is asked."""
    page, visit = browser.new_page(viewport={"width": width, "height": height}), Visit()
    page.set_default_timeout(PATIENCE)
    page.on("console", lambda m: visit.complaints.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    page.on(
        "response",
        lambda r: visit.complaints.append(f"{r.status} {r.url}") if r.status >= 400 else None,
    )
    page.on(
        "request",
        lambda r: visit.hosts.add(r.url.split("/")[2]) if r.url.startswith("http") else None,
    )
    page.goto(f"{url}/ui/")
    page.get_by_role("button", name="Sample control arm").wait_for()
    return page, visit


def ask(page: Page, n: int = 200, age_from: int | None = None) -> None:
    """Fill in the form, sample, and wait for the answer."""
    if age_from is not None:
        ages = page.locator("#tt-AGE-from input[type=number]")
        ages.fill(str(age_from))
        ages.press("Enter")
    page.get_by_label("Synthetic patients").fill(str(n))
    page.get_by_role("button", name="Sample control arm").click()
    page.locator(".tt-tiles, .tt-callout[role=alert]").first.wait_for()


def download(page: Page, name: str, folder: Path) -> Path:
    """Press a download button; returns the saved file."""
    with page.expect_download() as caught:
        page.get_by_text(name).click()
    path = folder / caught.value.suggested_filename
    caught.value.save_as(path)
    return path
