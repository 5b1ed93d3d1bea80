"""How far a long reading has come: a bar drawn in place on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO, final

_WIDTH = 24
_QUIET_SECONDS = 15.0


@final
class NotesBar:
    """Shows share, notes a second and the time that is left.

    Parameters
    ----------
    out
        Where it is shown; a bar is drawn on a terminal only.
    clock
        Gives seconds.
    """

    def __init__(
        self, out: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._out = out or sys.stderr
        self._clock = clock
        self._drawn = self._out.isatty()
        self._last = -_QUIET_SECONDS
        self._notes = -1
        self._begun = (0.0, 0.0)

    def __call__(self, what: str, share: float, notes: int) -> None:
        """Show that a share of the work, from 0 to 1, is done.

        Parameters
        ----------
        what
            Is being done.
        share
            From 0 to 1; what an earlier run has done took no time of this one.
        notes
            Number of notes in the whole of it, 0 where it is not known yet.
        """
        now = self._clock()
        if notes != self._notes:
            self._notes, self._begun = notes, (now, share)
        if not self._drawn and now - self._last < _QUIET_SECONDS and share < 1:
            return
        self._last = now
        told = f"{share:4.0%} {self._what(what, share)}{self._pace(now, share)}"
        if self._drawn:
            full = round(_WIDTH * share)
            self._out.write(f"\r[{'█' * full}{'·' * (_WIDTH - full)}] {told}\033[K")
        self._out.write("" if self._drawn and share < 1 else "\n" if self._drawn else f"{told}\n")
        self._out.flush()

    def _what(self, what: str, share: float) -> str:
        if self._notes == 0:
            return what
        return f"{round(share * self._notes):,} of {self._notes:,} notes"

    def _pace(self, now: float, share: float) -> str:
        seconds, done = now - self._begun[0], share - self._begun[1]
        if seconds <= 0 or done <= 0:
            return ""
        pace = self._notes * done / seconds
        rate = f", {pace:,.{0 if pace >= 10 else 1}f} notes/s" if self._notes else ""
        left = f", {_clock_words(seconds / done * (1 - share))} left" if share < 1 else ""
        return rate + left


def _clock_words(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
