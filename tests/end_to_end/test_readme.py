"""The README's own Python runs as it stands, and names only what is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path


def test_the_first_lines_of_python_run(root: Path, tmp_path: Path) -> None:
    code = re.findall(r"```python\n(.*?)```", (root / "README.md").read_text("utf-8"), re.S)[0]
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "synthetic" in done.stdout and "ADAS" in done.stdout


def test_every_named_file_is_there(root: Path) -> None:
    text = (root / "README.md").read_text("utf-8")
    named = re.findall(r"\]\((?!http)([^)#]+)\)", text)
    assert named
    assert [path for path in named if not (root / path).exists()] == []


def test_every_named_benchmark_is_there(root: Path) -> None:
    text = "".join((root / name).read_text("utf-8") for name in ("README.md", "docs/checks.md"))
    named = set(re.findall(r"python -m benchmarks\.(\w+)", text))
    assert named and [n for n in named if not (root / f"benchmarks/{n}.py").exists()] == []
