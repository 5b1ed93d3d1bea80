"""The command line. Commands are imported when they are called, so that help comes at once."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from serving.threads import one_thread_each

from .lazy import program

__all__ = ["main", "program"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code: 0 good, 2 bad input, 1 our fault."""
    from .outcome import run

    one_thread_each()  # before a command loads them
    sys.exit(run(program, sys.argv[1:] if arguments is None else list(arguments)))
