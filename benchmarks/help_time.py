"""CPU seconds of `trialtwin --help`; the house allows one.

python -m benchmarks.help_time [times]
"""

from __future__ import annotations

import resource
import subprocess
import sys

LIMIT_SECONDS = 1.0


def cpu_seconds() -> float:
    """CPU seconds of one call in a process of its own."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-c", "from serving.cli import main; main(['--help'])"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(times: int = 5) -> int:
    """Print the CPU seconds of each call; 1 when one of them is above the limit."""
    found = [cpu_seconds() for _ in range(times)]
    print(f"trialtwin --help: {', '.join(f'{s:.2f}' for s in found)} CPU seconds")
    print(f"worst {max(found):.2f}; allowed {LIMIT_SECONDS:.2f}")
    return int(max(found) > LIMIT_SECONDS)


if __name__ == "__main__":
    sys.exit(main(*(int(argument) for argument in sys.argv[1:])))
