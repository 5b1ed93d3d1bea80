"""Functions that tests send to workers."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from extraction.records.errors import InputError
from generation.randomness import Stream

Payload = dict[str, Any]


def draws(payload: Payload, start: int, stop: int) -> pd.DataFrame:
    """One keyed draw per item, with text and a missing value, as a frame."""
    items = np.arange(start, stop)
    values = Stream(payload["seed"], "support").normal(patient=items)
    values[items % 5 == 0] = np.nan
    names = [None if i % 3 == 0 else f"item {i}" for i in items]
    return pd.DataFrame({"item": items, "value": values, "name": pd.Series(names, dtype=object)})


def arrays(payload: Payload, start: int, stop: int) -> dict[str, np.ndarray[Any, Any]]:
    """Keyed draws as arrays."""
    items = np.arange(start, stop)
    return {"item": items, "value": Stream(payload["seed"], "a").normal(items[:, None], [0, 1])}


def counted(payload: Payload, start: int, stop: int) -> pd.DataFrame:
    """As draws, leaving a mark for each call."""
    (Path(payload["marks"]) / f"{start}-{os.getpid()}-{time.monotonic_ns()}").touch()
    return draws(payload, start, stop)


def killed_once(payload: Payload, start: int, stop: int) -> pd.DataFrame:
    """As draws, but the worker is killed the first time that item 4 comes."""
    mark = Path(payload["marks"]) / "killed"
    if start <= 4 < stop and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return draws(payload, start, stop)


def always_killed(payload: Payload, start: int, stop: int) -> pd.DataFrame:
    """Item 4 kills every worker."""
    if start <= 4 < stop:
        os.kill(os.getpid(), signal.SIGKILL)
    return draws(payload, start, stop)


def waits_for_mark(payload: Payload, start: int, stop: int) -> pd.DataFrame:
    """As draws, but items from 6 on wait until the mark `go` is there."""
    while start >= 6 and not (Path(payload["marks"]) / "go").exists():
        time.sleep(0.01)
    return counted(payload, start, stop)


def bad_input(payload: Payload, start: int, stop: int) -> pd.DataFrame:
    """Refuse two things."""
    raise InputError(["first: wrong", "second: wrong"])


def leaky(payload: Payload, start: int, stop: int) -> pd.DataFrame:
    """Fail with a secret in the message."""
    raise ValueError("patient Jane Roe, born 1950")


def unstorable(payload: Payload, start: int, stop: int) -> pd.DataFrame:
    """Return a frame with a live object in it."""
    return pd.DataFrame({"item": [object()]})


def threads(payload: Payload, start: int, stop: int) -> dict[str, np.ndarray[Any, Any]]:
    """Largest number of threads of the loaded numerical libraries in this worker."""
    from threadpoolctl import threadpool_info

    np.linalg.norm(np.eye(2))
    most = max(pool["num_threads"] for pool in threadpool_info())
    return {"threads": np.full(stop - start, most)}
