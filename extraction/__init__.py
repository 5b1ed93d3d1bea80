"""From notes and trial data to one cohort: records, sources, notes and criteria."""

import os

if os.name == "nt":
    raise ImportError(
        "Trialtwin runs on Linux and macOS: it locks and flushes files as POSIX systems do. "
        "On Windows, install it inside WSL 2"
    )
