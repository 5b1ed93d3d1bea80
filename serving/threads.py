"""One thread for each numerical library: several would change the order of sums, and so bytes."""

from __future__ import annotations

import os

VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def one_thread_each() -> None:
    """Ask libraries that are loaded from now on for one thread, unless the user has asked."""
    for name in VARIABLES:
        os.environ.setdefault(name, "1")
