"""From what a command did to an exit code and words that are safe to show."""

from __future__ import annotations

import errno
import json
import os
import sys
from typing import Any

import click

GOOD, OUR_FAULT, BAD_INPUT = 0, 1, 2

# What a place named by the user does to any command: no permission, no room, a file in the way.
_UNUSABLE = frozenset(
    {
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.ENOSPC,
        errno.EDQUOT,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.EEXIST,
        errno.ENAMETOOLONG,
    }
)


def run(program: click.Command, arguments: list[str]) -> int:
    """Run a command line; return 0 when it went well, 2 for bad input, 1 for our fault.

    Bad input is told in full on standard error, every fault on a line of its own. Of an
    unexpected error only its kind is shown; where it happened is in the log.
    """
    try:
        program.main(arguments, prog_name="trialtwin", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return BAD_INPUT
    except (click.Abort, KeyboardInterrupt):
        _say("Stopped. What was finished is kept; run the command again to go on.")
        return OUR_FAULT
    except ImportError as error:
        if os.name != "nt":
            return _failed(error, "--json" in arguments)
        _say(f"Not done: {error}.")  # `extraction` refuses Windows
        return BAD_INPUT
    except Exception as error:  # noqa: BLE001 - the last resort of the program
        return _failed(error, "--json" in arguments)
    return GOOD


def _failed(error: Exception, as_json: bool) -> int:
    # Imported here, since help and a wrong option need no pandas.
    from extraction.records.errors import InputError, TrialtwinError

    if isinstance(error, InputError):
        return _bad_input(error.faults, as_json)
    if isinstance(error, TrialtwinError):
        return _our_fault(error, str(error))
    if isinstance(error, OSError) and error.errno in _UNUSABLE:
        return _bad_input((_place_fault(error),), as_json)
    return _our_fault(error, f"An unexpected error: {type(error).__name__}.")


def _place_fault(error: OSError) -> str:
    where = error.filename if isinstance(error.filename, str) else "output"
    return f"{where}: {error.strerror}; give a place that can be read or written and has room"


def _bad_input(faults: tuple[str, ...], as_json: bool) -> int:
    if as_json:
        _say(json.dumps({"faults": list(faults)}, ensure_ascii=False, indent=1))
        return BAD_INPUT
    many = f"{len(faults)} faults; nothing was written:" if len(faults) > 1 else "Not done:"
    _say("\n".join([many, *(f"  {fault}" for fault in faults)]))
    return BAD_INPUT


def _our_fault(error: BaseException, text: str) -> int:
    from serving.logs import configure, fault, log
    from serving.settings import settings

    configure(settings().log_file, settings().log_level)
    log().error("command failed", **fault(error))
    _say(f"{text}\nThis is our fault, not yours. Where it happened: {settings().log_file}")
    return OUR_FAULT


def _say(text: str) -> None:
    click.echo(text, file=sys.stderr)


def counted(n: int, noun: str) -> str:
    """Return a number with its noun: `1 note`, `2 notes`."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def show(values: Any, as_json: bool, lines: list[str]) -> None:
    """Print a result: JSON for machines, lines for people."""
    if as_json:
        click.echo(json.dumps(values, ensure_ascii=False, indent=1, allow_nan=False))
    else:
        click.echo("\n".join(lines))
