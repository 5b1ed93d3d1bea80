"""`trialtwin serve`."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import click

from serving.cli.options import FILE, common
from serving.cli.outcome import show

EXAMPLES = """
\b
Examples:
  trialtwin serve
  trialtwin serve --port 9000 --config configs/serve.yaml
  trialtwin serve --engine ray
"""


@click.command(epilog=EXAMPLES)
@click.option("--host", default="127.0.0.1", show_default=True, help="Loopback addresses only.")
@click.option("--port", type=click.IntRange(1, 65_535), default=8000, show_default=True)
@click.option(
    "--engine",
    type=click.Choice(["uvicorn", "ray"]),
    default="uvicorn",
    show_default=True,
    help="uvicorn for one machine, ray to scale.",
)
@click.option("--config", type=FILE, default=None, help="YAML file of the service.")
@common
def serve(
    host: str, port: int, engine: str, config: Path | None, seed: int | None, as_json: bool
) -> None:
    """Start the HTTP interface and the page on this machine.

    There are no keys yet, so only this machine may reach it: any other address is refused.
    Requests carry their own seeds, so --seed changes nothing here.
    """
    from extraction.records.errors import InputError

    if not loopback(host):
        raise InputError(
            f"--host: {host} came; only this machine may reach the service until it has keys; "
            "use 127.0.0.1 and an SSH tunnel"
        )
    from serving.server import serve as start

    show({"url": f"http://{host}:{port}"}, as_json, [f"http://{host}:{port} (Ctrl-C stops it)"])
    start(host, port, engine, config)


def loopback(host: str) -> bool:
    """Whether an address reaches this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
