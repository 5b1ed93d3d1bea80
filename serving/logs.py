"""The log: one JSON object a line, names and counts only, never a patient's value."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path
from typing import Any


def configure(path: Path, level: str = "info") -> None:
    """Send structlog's events to a file; the file is made with the first event.

    Parameters
    ----------
    path
        File to append to.
    level
        Least level that is written: debug, info, warning or error.
    """
    import structlog

    # A licence's clause is told once, not at every fit.
    logging.getLogger("generation.sdv_engines").addFilter(_Once())
    handler = _LazyFile(path)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(sort_keys=True),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=lambda *_: handler,
        cache_logger_on_first_use=False,
    )


def log() -> Any:
    """Return the logger: ``log().info("stage finished", stage="cohort")``."""
    import structlog

    return structlog.get_logger()


def fault(error: BaseException) -> dict[str, Any]:
    """What may be written of an unexpected error: its kind and places in the code.

    Its text and the values of variables may hold a patient's words and stay behind.
    """
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in frames]
    return {"kind": type(error).__name__, "places": places}


class _Once(logging.Filter):
    """Lets every message through once."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the message has not been told yet."""
        text = record.getMessage()
        new = text not in self._seen
        self._seen.add(text)
        return new


class _LazyFile:
    """A logger that appends lines to a file and makes the file when the first line comes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def msg(self, line: str) -> None:
        """Append one line."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    debug = info = warning = error = critical = msg
