"""A training with Lightning that keeps its advice to itself."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """No advice from Lightning, in its log or as warnings; all restored after."""
    logger = logging.getLogger("pytorch_lightning")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="pytorch_lightning")
            warnings.filterwarnings("ignore", category=UserWarning, message=".*IterableDataset.*")
            yield
    finally:
        logger.setLevel(level)
