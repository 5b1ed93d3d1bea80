"""The application: REST, and where wanted the page and the job worker in the same process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import PackageNotFoundError, version

from fastapi import FastAPI

from serving.api import controls, errors, evaluations, jobs, operations, pages
from serving.api.config import ServiceConfig
from serving.api.desk import Desk
from serving.api.hosts import KnownHosts
from serving.api.observe import Observe
from serving.api.pages import UI_PATH
from serving.jobs.controls import carry_out
from serving.jobs.worker import Worker


def build_app(
    config: ServiceConfig | None = None,
    *,
    rest: bool = True,
    ui: bool = True,
    worker: bool = True,
    ui_path: str = UI_PATH,
) -> FastAPI:
    """Build the application for any ASGI server.

    Parameters
    ----------
    config
        The server's configuration; from the environment when None.
    rest
        Whether to offer ``/v1``.
    ui
        Whether to offer the page; it keeps sessions, so only one process may.
    worker
        Whether to carry out jobs here.
    ui_path
        Where the page is.
    """
    desk = Desk.open(config or ServiceConfig.of())
    app = FastAPI(
        title="Trialtwin",
        version=_version(),
        description="Synthetic control arms on request. Synthetic patients are not data.",
        lifespan=_lifespan(desk, worker),
        # The interactive pages load their scripts from elsewhere; /openapi.json stays.
        docs_url=None,
        redoc_url=None,
    )
    app.state.desk = desk
    errors.install(app)
    app.include_router(operations.router)
    if ui_path != "/":
        app.include_router(pages.router)
    if rest:
        app.include_router(controls.router)
        app.include_router(evaluations.router)
        app.include_router(jobs.router)
    if ui:
        app = _with_page(app, desk, ui_path)
    app.add_middleware(KnownHosts)
    app.add_middleware(Observe, metrics=desk.metrics)
    return app


def _with_page(app: FastAPI, desk: Desk, path: str) -> FastAPI:
    from serving.ui.page import mount

    return mount(app, desk, path)


def _lifespan(
    desk: Desk, worker: bool
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        if not worker:
            yield
            return
        works = Worker(desk.store, desk.config.job_folder, carry_out(desk.registry))
        works.start()
        try:
            yield
        finally:
            works.stop()

    return lifespan


def _version() -> str:
    try:
        return version("trialtwin")
    except PackageNotFoundError:
        return "0"
