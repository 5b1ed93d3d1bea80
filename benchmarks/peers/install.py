"""Make the peers' environments under ``var/peers``: ``python -m benchmarks.peers.install``."""

from __future__ import annotations

import argparse
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).parent
HOME = HERE.parents[1] / "var" / "peers"
ENVIRONMENTS = ("arf", "medspacy", "tabular-argn")
_FIRST = {"tabular-argn": ("torch==2.13.0",)}
# They come with mostlyai-engine and break the CPU build of torch.
_REMOVED = {"tabular-argn": ("torchvision", "torchaudio", "triton")}


def interpreter(environment: str) -> Path:
    """Python of a peer's environment; SDV runs in the project's own."""
    return HOME / environment / "bin" / "python" if environment else Path(sys.executable)


def install(environment: str) -> None:
    """Make one environment from its requirements; an existing one is brought up to them."""
    python = interpreter(environment)
    if not python.exists():
        venv.create(HOME / environment, with_pip=True)
    pip = [str(python), "-m", "pip"]
    for package in _FIRST.get(environment, ()):
        subprocess.run([*pip, "install", "-q", package], check=True)
    listed = str(HERE / f"{environment}.txt")
    subprocess.run([*pip, "install", "-q", "-r", listed], check=True)
    for package in _REMOVED.get(environment, ()):
        subprocess.run([*pip, "uninstall", "-q", "-y", package], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("environments", nargs="*", default=list(ENVIRONMENTS))
    for environment in parser.parse_args().environments:
        print(f"{environment}: installing")
        install(environment)
        print(f"{environment}: ready")


if __name__ == "__main__":
    main()
