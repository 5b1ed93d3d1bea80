"""One thread for each numerical library, whatever the machine has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from serving.pipeline import runner
from serving.pipeline.stage import Stage
from serving.study import load_study
from serving.threads import VARIABLES
from tests.support.serving_support import toy_study

THREADS: list[int] = []


def count_threads(_job: Any) -> dict[str, Any]:
    """A stage's function that notes how many threads it was given."""
    THREADS.extend(library["num_threads"] for library in threadpool_info())
    return {}


def test_a_stage_runs_on_one_thread(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "a_stage", sys.modules[__name__])
    stages = (Stage("s", "S", "a_stage:count_threads"),)
    monkeypatch.setattr(runner, "stages_of", lambda _study: stages)
    study = load_study(toy_study(tmp_path / "study"))
    np.linalg.inv(np.eye(2))
    with threadpool_limits(limits=2):
        runner.run(study, tmp_path, tmp_path / "run")
    assert THREADS and set(THREADS) == {1}


def test_a_command_loads_its_libraries_with_one_thread(root: Path) -> None:
    code = (
        "import os\n"
        "from serving.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        f"print(*(os.environ.get(name) for name in {VARIABLES!r}))\n"
    )
    bare = {k: v for k, v in os.environ.items() if k not in VARIABLES}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, env=bare, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1].split() == ["1", "1", "1"]
