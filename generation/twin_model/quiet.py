"""What surrounds a training with Lightning."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def quiet() -> Iterator[None]:
    """One thread, no advice from Lightning; all restored after, torch's random state too."""
    logger: Any = logging.getLogger("pytorch_lightning")
    level, threads = logger.level, torch.get_num_threads()
    logger.setLevel(logging.ERROR)
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="pytorch_lightning")
            warnings.filterwarnings("ignore", category=UserWarning, message=".*IterableDataset.*")
            yield
    finally:
        torch.set_num_threads(threads)
        logger.setLevel(level)
