"""Settings and fixtures that every room's tests share."""

import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.support.canary import pytest_runtest_makereport  # noqa: F401

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Before numpy, torch, Ray or Gradio are first imported, and inherited by every child process.
os.environ.update(
    OMP_NUM_THREADS="1",
    OPENBLAS_NUM_THREADS="1",
    MKL_NUM_THREADS="1",
    OMP_WAIT_POLICY="passive",
    RAY_USAGE_STATS_ENABLED="0",
    GRADIO_ANALYTICS_ENABLED="False",
    MPLBACKEND="Agg",
)

# The same examples in every run: a failure stays until it is mended, and none comes by chance.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = Path("/usr/bin/chromium")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--shuffle",
        type=int,
        metavar="SEED",
        help="run the files, and the tests in each file, in a random order given by SEED",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    seed = config.getoption("--shuffle")
    if seed is None:
        return

    def rank(text: str) -> bytes:
        return hashlib.blake2b(f"{seed} {text}".encode(), digest_size=8).digest()

    # Files stay whole, so that module fixtures are made once.
    items.sort(key=lambda item: (rank(item.nodeid.split("::")[0]), rank(item.nodeid)))


@pytest.fixture(autouse=True)
def default_log() -> Iterator[None]:
    """Commands run in process send the log to a file; the next test gets the default back."""
    yield
    structlog = sys.modules.get("structlog")
    if structlog is not None:
        structlog.reset_defaults()


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of the evaluation corpora, which are not part of the repository."""
    named = os.environ.get("TRIALTWIN_EVALUATION_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("evaluation corpora not found: set TRIALTWIN_EVALUATION_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def ray_session() -> Iterator[ModuleType]:
    """One local Ray for the whole run; starting one takes ten seconds and more."""
    import ray

    # Ray's socket paths must stay below 108 characters, so not under pytest's long folders.
    with tempfile.TemporaryDirectory(prefix="tt", dir="/tmp", ignore_cleanup_errors=True) as folder:
        ray.init(
            num_cpus=2,
            num_gpus=1,  # a logical one: what asks for it is placed, and finds none
            include_dashboard=False,
            object_store_memory=100 * 2**20,
            _temp_dir=folder,
            log_to_driver=False,
        )
        yield ray
        ray.shutdown()


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    """Debian's Chromium without a window, for tests of pages as a reader sees them."""
    if not CHROMIUM.exists():
        pytest.skip(f"no browser at {CHROMIUM}: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Root in a container has no sandbox of its own to offer.
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()
