"""A quarter of every data set, locked away by the hash of the subject identifier.

Models, defaults and thresholds are developed on the other three quarters. The quarter is opened
once a release, by :func:`open_lockbox`, which writes the opening to ``docs/evidence/lockbox.md``.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from extraction.records import Cohort

LOG = Path(__file__).parents[1] / "docs" / "evidence" / "lockbox.md"
_PARTS = 4


def locked(cohort: Cohort) -> npt.NDArray[np.bool_]:
    """Whether each patient is in the locked quarter: BLAKE2b of study and subject, modulo four."""
    people = cohort.subjects
    names = people["study_id"].astype(str) + "|" + people["subject_id"].astype(str)
    digests = (hashlib.blake2b(name.encode(), digest_size=8).digest() for name in names)
    return np.array([int.from_bytes(d, "big") % _PARTS == 0 for d in digests], dtype=bool)


def development(cohort: Cohort) -> Cohort:
    """The three quarters that may be looked at."""
    return cohort.select(cohort.subjects["subject_id"][~locked(cohort)].tolist())


def open_lockbox(cohort: Cohort, commit: str, purpose: str) -> tuple[Cohort, Cohort]:
    """Development patients and locked ones; the opening is logged first.

    Parameters
    ----------
    commit
        The commit that is judged.
    purpose
        What is measured.
    """
    inside = locked(cohort)
    LOG.parent.mkdir(parents=True, exist_ok=True)
    if not LOG.exists():
        LOG.write_text(
            "# Openings of the locked quarters\n\n| when (UTC) | data | locked patients | commit | "
            "purpose |\n|---|---|---|---|---|\n",
            encoding="utf-8",
        )
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
    row = f"| {when} | {cohort.schema.study_id} | {int(inside.sum())} | {commit} | {purpose} |\n"
    with LOG.open("a", encoding="utf-8") as log:
        log.write(row)
    ids = cohort.subjects["subject_id"]
    return cohort.select(ids[~inside].tolist()), cohort.select(ids[inside].tolist())
