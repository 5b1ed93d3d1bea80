"""Ray Serve: REST in as many replicas as wanted, the page and the job worker in exactly one.

A page keeps its visitors' sessions in memory, so a second replica would lose them. The job worker
lives beside the page, so that there is one of it too.
"""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING, Any

from ray import serve

from serving.api.config import ServiceConfig
from serving.threads import VARIABLES

if TYPE_CHECKING:
    from fastapi import FastAPI
    from ray.serve import Application

REST_REPLICAS = 2
_ENVIRONMENT = {"GRADIO_ANALYTICS_ENABLED": "False"} | dict.fromkeys(VARIABLES, "1")


def build(args: dict[str, Any]) -> Application:
    """Build the REST application (``import_path: serving.deployments:build``).

    Parameters
    ----------
    args
        Fields of `serving.api.config.ServiceConfig`.

    Raises
    ------
    InputError
        With every fault of the arguments.
    """
    config = placed(ServiceConfig.parse(args))

    def rest() -> FastAPI:
        from serving.api.app import build_app

        return build_app(config, ui=False, worker=False)

    return _deployment("Rest", rest, num_replicas=REST_REPLICAS)


def build_page(args: dict[str, Any]) -> Application:
    """Build the page with the job worker, one replica (``serving.deployments:build_page``)."""
    config = placed(ServiceConfig.parse(args))

    def page() -> FastAPI:
        from serving.api.app import build_app

        # Ray Serve puts the prefix /ui in front.
        return build_app(config, rest=False, ui_path="/")

    # A visitor holds a connection open while an answer is awaited.
    return _deployment("Page", page, num_replicas=1, max_ongoing_requests=200)


def placed(config: ServiceConfig) -> ServiceConfig:
    """Make paths absolute: replicas may run in another folder."""
    return config.model_copy(
        update={
            "runs": config.runs.resolve(),
            "var": config.var.resolve(),
            "models": {name: folder.resolve() for name, folder in config.models.items()},
        }
    )


def _deployment(name: str, builder: Any, **options: Any) -> Application:
    class Ingress:
        """Carries the application that `builder` makes in the replica."""

    actor = {"num_cpus": 0.5, "runtime_env": {"env_vars": _ENVIRONMENT}}
    deploy: Any = serve.deployment(name=name, ray_actor_options=actor, **options)
    application: Application = deploy(serve.ingress(builder)(Ingress)).bind()
    return application


def start(host: str, port: int, config: ServiceConfig) -> None:
    """Start both applications on the Ray that runs here, or on a new local one."""
    import ray

    if not ray.is_initialized():
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(include_dashboard=False, object_store_memory=200 * 2**20, log_to_driver=False)
    serve.start(http_options={"host": host, "port": port})
    args = config.model_dump(mode="json")
    serve.run(build(args), name="rest", route_prefix="/")
    serve.run(build_page(args), name="page", route_prefix="/ui")


def run(host: str, port: int, config: ServiceConfig) -> None:
    """Start, and serve until the process is told to stop."""
    start(host, port, config)
    stopped = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stopped.set())
    stopped.wait()
    serve.shutdown()  # type: ignore[no-untyped-call]
