"""Progress by stage: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Protocol, TextIO, final

if TYPE_CHECKING:
    from rich.progress import TaskID

_QUIET_SECONDS = 15.0


class Reporter(Protocol):
    """Told of what a run does; never of a patient's value."""

    def begin(self, stages: list[str]) -> None:
        """A run starts."""
        ...

    def started(self, stage: str, title: str) -> None:
        """A stage starts."""
        ...

    def progress(self, stage: str, what: str, fraction: float) -> None:
        """A stage has come so far (0 to 1)."""
        ...

    def finished(self, stage: str, seconds: float) -> None:
        """A stage ended well."""
        ...

    def skipped(self, stage: str) -> None:
        """A stage's cached output stands."""
        ...

    def end(self) -> None:
        """The run is over, well or not."""
        ...


@final
class Silent:
    """Says nothing."""

    def begin(self, stages: list[str]) -> None:
        """See `Reporter`."""

    def started(self, stage: str, title: str) -> None:
        """See `Reporter`."""

    def progress(self, stage: str, what: str, fraction: float) -> None:
        """See `Reporter`."""

    def finished(self, stage: str, seconds: float) -> None:
        """See `Reporter`."""

    def skipped(self, stage: str) -> None:
        """See `Reporter`."""

    def end(self) -> None:
        """See `Reporter`."""


@final
class Plain:
    """One line when a stage starts and ends, and one now and then in between."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._stages: list[str] = []
        self._last = 0.0

    def begin(self, stages: list[str]) -> None:
        """See `Reporter`."""
        self._stages = stages

    def started(self, stage: str, title: str) -> None:
        """See `Reporter`."""
        self._last = time.monotonic()
        self._say(stage, title)

    def progress(self, stage: str, what: str, fraction: float) -> None:
        """See `Reporter`."""
        if time.monotonic() - self._last >= _QUIET_SECONDS:
            self._last = time.monotonic()
            self._say(stage, f"{what} ({fraction:.0%})")

    def finished(self, stage: str, seconds: float) -> None:
        """See `Reporter`."""
        self._say(stage, f"done in {seconds:.1f} s")

    def skipped(self, stage: str) -> None:
        """See `Reporter`."""
        self._say(stage, "cached")

    def end(self) -> None:
        """See `Reporter`."""

    def _say(self, stage: str, text: str) -> None:
        number = self._stages.index(stage) + 1
        self._out.write(f"[{number}/{len(self._stages)}] {stage}: {text}\n")
        self._out.flush()


@final
class Live:
    """A bar for each stage, redrawn in place."""

    def __init__(self, out: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._progress = Progress(
            TextColumn("{task.fields[mark]}"),
            TextColumn("{task.description:<10}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TextColumn("{task.fields[what]}"),
            console=Console(file=out),
        )
        self._tasks: dict[str, TaskID] = {}

    def begin(self, stages: list[str]) -> None:
        """See `Reporter`."""
        for name in stages:
            self._tasks[name] = self._progress.add_task(
                name, start=False, total=1.0, mark="[dim]·", what=""
            )
        self._progress.start()

    def started(self, stage: str, title: str) -> None:
        """See `Reporter`."""
        self._progress.start_task(self._tasks[stage])
        self._set(stage, mark="[yellow]▸", what=title)

    def progress(self, stage: str, what: str, fraction: float) -> None:
        """See `Reporter`."""
        self._set(stage, completed=min(max(fraction, 0.0), 1.0), what=what)

    def finished(self, stage: str, seconds: float) -> None:
        """See `Reporter`."""
        self._set(stage, completed=1.0, mark="[green]✔", what="")
        self._progress.stop_task(self._tasks[stage])

    def skipped(self, stage: str) -> None:
        """See `Reporter`."""
        self._set(stage, completed=1.0, mark="[green]✔", what="[dim]cached")

    def end(self) -> None:
        """See `Reporter`."""
        self._progress.stop()

    def _set(self, stage: str, **fields: Any) -> None:
        self._progress.update(self._tasks[stage], **fields)


def reporter_for(out: TextIO | None = None) -> Reporter:
    """Return the live display on a terminal and plain lines elsewhere."""
    out = out or sys.stderr
    return Live(out) if out.isatty() else Plain(out)
