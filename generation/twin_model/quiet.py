"""What surrounds a training with Lightning."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from extraction.quiet import quiet_lightning


@contextmanager
def quiet() -> Iterator[None]:
    """One thread, no advice from Lightning; all restored after, torch's random state too."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]), quiet_lightning():
            yield
    finally:
        torch.set_num_threads(threads)
