"""Options that all commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])
FILE = click.Path(path_type=Path)
"""A path; whether it is there and readable is told by the use case, with what to do."""


def common(command: Command) -> Command:
    """Add --json and --seed."""
    return seed_of(click.IntRange(0, 2**31 - 1))(as_json(command))


def as_json(command: Command) -> Command:
    """Add --json."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print the result as JSON for machines."
    )(command)


def json_or_file(command: Command) -> Command:
    """Add --json, which may name a file; `asked_json` reads it."""
    return click.option(
        "--json",
        "as_json",
        is_flag=False,
        flag_value="-",
        default=None,
        metavar="[FILE.json]",
        help="Print the result as JSON for machines; with FILE.json write it there.",
    )(command)


def asked_json(value: str | None, argument: Path | None) -> tuple[bool, Path | None, Path | None]:
    """Return whether to print JSON, the file to write it to, and the command's own argument.

    An option whose value may be left out takes the word that follows it: that word is the
    argument, if there is none yet and it does not end in .json.
    """
    if value is None or value == "-":
        return value == "-", None, argument
    if argument is None and not value.endswith(".json"):
        return True, None, Path(value)
    return False, Path(value), argument


def seed_of(kind: click.ParamType[Any]) -> Callable[[Command], Command]:
    """Add --seed; a plain INT where the use case checks the range beside its other faults."""
    return click.option(
        "--seed",
        type=kind,
        default=None,
        help="Seed of every random draw; the same seed gives the same bytes.",
    )


def overwrite(command: Command) -> Command:
    """Add --overwrite."""
    return click.option(
        "--overwrite", is_flag=True, help="Replace an earlier result of this command in --out."
    )(command)


def columns(command: Command) -> Command:
    """Add --arm, --time, --event and --subject: what the columns of a flat table mean."""
    for name, what in (
        ("subject", "Subject"),
        ("event", "Event"),
        ("time", "Follow-up time (days)"),
        ("arm", "Arm"),
    ):
        text = f"{what} column of a flat table."
        command = click.option(f"--{name}", default=None, help=text)(command)
    return command


def execution(command: Command) -> Command:
    """Add --execution and --workers."""
    command = click.option(
        "--execution",
        type=click.Choice(["serial", "processes", "ray"]),
        default="serial",
        show_default=True,
        help="Where chunks of work run; never changes a result.",
    )(command)
    return click.option(
        "--workers", type=click.IntRange(min=1), default=None, help="Processes or Ray workers."
    )(command)


def pairs(texts: tuple[str, ...], option: str) -> dict[str, Any]:
    """NAME=VALUE words as a dictionary; VALUE is YAML, so that 3, true and [65, 80] work.

    A comparison such as ">=30" is taken as it stands.

    Raises
    ------
    InputError
        With every word that has no such form.
    """
    import yaml

    from extraction.records.errors import InputError

    found: dict[str, Any] = {}
    faults = []
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name:
            faults.append(f"{option}: {text!r} came; write NAME=VALUE")
            continue
        if value.lstrip().startswith((">", "<", "!=")):  # ">" opens a block of text in YAML
            found[name.strip()] = value.strip()
            continue
        try:
            found[name.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            faults.append(f"{option}: the value of {name} cannot be read; put it in quotes")
    if faults:
        raise InputError(faults)
    return found


def progress_lines(quiet: bool) -> Callable[[str, float], None] | None:
    """Plain lines on standard error, at most one for every twentieth of the work."""
    if quiet:
        return None
    told = -1

    def tell(what: str, fraction: float) -> None:
        nonlocal told
        if int(20 * fraction) > told:
            told = int(20 * fraction)
            click.echo(f"{fraction:4.0%} {what}", err=True)

    return tell


def reporter() -> Any:
    """Return the display of progress for this terminal, and set up the log."""
    from serving.logs import configure
    from serving.pipeline.progress import reporter_for
    from serving.settings import settings

    configure(settings().log_file, settings().log_level)
    return reporter_for()
