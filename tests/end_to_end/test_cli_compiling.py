"""Compiling is told once, when kernels are compiled, and not when they come from the cache."""

import subprocess
import sys
from pathlib import Path

import pytest

from serving.cli.compiling import TOLD

PROGRAM = """
from numba import njit
from serving.cli.compiling import tells_compiling


def doubled(x):
    return 2 * x


def tripled(x):
    return 3 * x


doubled.__module__ = tripled.__module__ = "simulation.kernels.invented"


@tells_compiling
def command(size):
    return njit(doubled)(size) + njit(tripled)(size)


assert command(2) == 10
"""
OTHERS = PROGRAM.replace("simulation.kernels.invented", "numpy.invented")


@pytest.mark.parametrize(("program", "times"), [(PROGRAM, 1), (OTHERS, 0)])
def test_compiling_our_kernels_is_told_once(program: str, times: int, tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text(program, "utf-8")
    done = subprocess.run(
        [sys.executable, str(path)],
        check=False,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": ""},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count(TOLD) == times
