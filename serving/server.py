"""`trialtwin serve`: one process under uvicorn, or Ray Serve to scale."""

from __future__ import annotations

import os
import socket
from contextlib import closing
from ipaddress import ip_address
from pathlib import Path

from extraction.records.errors import InputError
from serving.api.config import ServiceConfig
from serving.threads import one_thread_each

ENGINES = ("uvicorn", "ray")
DEFAULT_PORT = 8000


def serve(
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    engine: str = "uvicorn",
    config: ServiceConfig | Path | None = None,
) -> None:
    """Serve REST under ``/v1`` and the page under ``/ui`` until the process is stopped.

    Parameters
    ----------
    host
        A loopback address: there are no keys yet, so nobody else may reach the server.
    port
        TCP port, 1 to 65535.
    engine
        "uvicorn" for one machine, "ray" for Ray Serve.
    config
        The server's configuration, or its file; from the environment when None.

    Raises
    ------
    InputError
        For an address that others could reach, a port or an engine that there is not, or a file
        with faults.
    """
    check(host, port, engine)
    one_thread_each()
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    if not isinstance(config, ServiceConfig):
        config = ServiceConfig.of() if config is None else ServiceConfig.read(config)
    if engine == "ray":
        from serving.deployments import run

        run(host, port, config)
        return
    import uvicorn

    from serving.api.app import build_app

    # A page that is open somewhere keeps a connection; it must not keep the server from ending.
    uvicorn.run(
        build_app(config), host=host, port=port, access_log=False, log_level="warning",
        timeout_graceful_shutdown=5,
    )


def check(host: str, port: int, engine: str) -> None:
    """Refuse, all faults at once, what may not or cannot be served."""
    faults = []
    if not is_loopback(host):
        faults.append(
            f"host: {host} can be reached from other machines, and there are no keys yet; use "
            "127.0.0.1 (from elsewhere: an SSH tunnel, or a proxy that asks who it is)"
        )
    if not 1 <= port <= 65535:
        faults.append(f"port: {port} came; it must be from 1 to 65535")
    if engine not in ENGINES:
        faults.append(f"engine: {engine!r} came; allowed are {', '.join(ENGINES)}")
    if not faults and taken(host, port):
        faults.append(f"port: {port} is in use by another process; choose another with --port")
    if faults:
        raise InputError(faults)


def taken(host: str, port: int) -> bool:
    """Whether something answers at an address already."""
    with closing(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)) as probe:
        return probe.connect_ex((host, port)) == 0


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
