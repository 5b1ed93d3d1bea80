"""A cohort for other tools: CSV tables with a data dictionary and a note on what they are."""

from __future__ import annotations

import json
from pathlib import Path

from .cohort import TABLES, Cohort
from .storage import atomic_folder


def to_csv(cohort: Cohort, folder: str | Path, note: str = "") -> Path:
    """Write every table as CSV, the flat table, the data dictionary and a README.

    Parameters
    ----------
    note
        What a reader must know, e.g. that rows are synthetic and behind how many patients.
    """
    folder = Path(folder)
    with atomic_folder(folder) as fresh:
        for name in TABLES:
            getattr(cohort, name).to_csv(fresh / f"{name}.csv", index=False)
        cohort.to_table().to_csv(fresh / "table.csv", index=False)
        cohort.dictionary().to_csv(fresh / "dictionary.csv", index=False)
        (fresh / "schema.json").write_text(
            json.dumps(cohort.schema.model_dump(mode="json"), indent=2), "utf-8"
        )
        (fresh / "README.txt").write_text(
            f"{note}\n\nStudy {cohort.schema.study_id}, {len(cohort)} subjects. Days count from "
            f"index (day 0). Digest {cohort.digest()}.\n".lstrip(),
            "utf-8",
        )
    return folder
