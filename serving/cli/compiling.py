"""Say when kernels are compiled: once on a machine, for up to a minute without a figure."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])
_EVENT = "numba:compile"
_OURS = ("generation", "simulation")
TOLD = (
    "Compiling the numerical kernels, once on this machine: up to a minute before the first "
    "figures."
)


def tells_compiling(command: Command) -> Command:
    """Have a command say, on standard error, that its kernels are being compiled.

    numba tells when it compiles; a kernel that comes from the cache on disk is not compiled, so
    nothing is said from the second time on. Kernels that worker processes compile are not heard.
    """

    @functools.wraps(command)
    def told(*given: Any, **named: Any) -> Any:
        from numba.core import event

        with event.install_listener(_EVENT, _listener()):
            return command(*given, **named)

    return told  # type: ignore[return-value]


def _listener() -> Any:
    from numba.core.event import Event, Listener

    class Teller(Listener):
        """Says it at the first compilation."""

        def __init__(self) -> None:
            self.said = False

        def on_start(self, event: Event) -> None:
            """Say it, once; what numba compiles for itself takes no time."""
            ours = event.data["dispatcher"].py_func.__module__.partition(".")[0] in _OURS
            if ours and not self.said:
                self.said = True
                # A bar may stand there without an end of line.
                clear = "\r\033[K" if sys.stderr.isatty() else ""
                click.echo(f"{clear}{TOLD}", file=sys.stderr)

        def on_end(self, event: Event) -> None:
            """Nothing to say."""

    return Teller()
