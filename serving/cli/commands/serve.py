"""`trialtwin serve`."""

from __future__ import annotations

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
@click.option("--config", type=FILE, default=None, help="YAML file, such as configs/serve.yaml.")
@common
def serve(
    host: str, port: int, engine: str, config: Path | None, seed: int | None, as_json: bool
) -> None:
    """Start the HTTP interface and the page on this machine.

    There are no keys yet, so only this machine may reach it: any other address is refused.
    Requests carry their own seeds, so --seed changes nothing here.
    """
    from serving import server
    from serving.api.config import ServiceConfig

    server.check(host, port, engine)
    chosen = None if config is None else ServiceConfig.read(config)
    show({"url": f"http://{host}:{port}"}, as_json, [f"http://{host}:{port} (Ctrl-C stops it)"])
    server.serve(host, port, "ray" if engine == "ray" else "uvicorn", chosen)
