"""A small invented trial on disk, and a study of it that runs in seconds."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

ROOT = Path(__file__).resolve().parents[2]

MAPPING = {
    "study_id": "TOY",
    "layout": "wide",
    "subject": "id",
    "arm": {
        "column": "arm",
        "labels": {"C": "Control", "A": "Active"},
        "control": "Control",
        "allocation": {"Control": 1, "Active": 1},
    },
    "variables": [
        {"name": "AGE", "kind": "continuous", "unit": "a", "low": 0, "high": 120},
        {"name": "SEX", "kind": "binary", "categories": ["F", "M"]},
        {"name": "SITE", "kind": "binary", "role": "stratum", "categories": ["North", "South"]},
        {"name": "SCOREBL", "kind": "continuous", "unit": "{score}", "column": "score0"},
        {
            "name": "SCORE",
            "kind": "continuous",
            "role": "longitudinal",
            "unit": "{score}",
            "columns": {"Baseline": "score0", "Week 8": "score8", "Week 24": "score24"},
        },
    ],
    "visits": [
        {"name": "Baseline", "day": 0},
        {"name": "Week 8", "day": 56, "low": 49, "high": 63},
        {"name": "Week 24", "day": 168, "low": 154, "high": 182},
    ],
    "endpoints": [{"name": "leaving", "time": "days", "event": "left"}],
}

STUDY: dict[str, Any] = {
    "kind": "trial",
    "name": "toy",
    "title": "An invented trial",
    "seed": 5,
    "cohort": {
        "source": {"kind": "table", "where": "trial.csv", "mapping": "mapping.yaml"},
        "published": {"leaving": {"kind": "time_to_event", "endpoint": "leaving"}},
    },
    "endpoint": {
        "variable": "SCORE",
        "visit": "Week 24",
        "baseline": "SCOREBL",
        "factors": ["SITE"],
        "better": "lower",
        "discontinuation": "leaving",
    },
    "models": {
        "engine": "cart",
        "baseline": ["AGE", "SEX", "SITE", "SCOREBL"],
        "longitudinal": ["SCORE"],
        "endpoints": ["leaving"],
        "synthetic_controls": 60,
    },
    "effects": {
        "features": ["AGE", "SEX", "SCOREBL"],
        "repeats": 3,
        "null_trials": 40,
        "bootstrap": 20,
    },
    "trial": {
        "treated_arm": "Active",
        "n": 120,
        "effect": -3.0,
        "covariates": ["SCOREBL"],
        "twins": 300,
        "replicates": 200,
        "chunk_size": 50,
        "designs": [{"name": "Fixed"}, {"name": "Pocock", "looks": 2, "boundary": "pocock"}],
    },
    "report": False,
}


def toy_table(patients: int = 160) -> pd.DataFrame:
    """Invented patients; the treated do three points better and a fifth leave early."""
    rng = np.random.default_rng(11)
    treated = np.arange(patients) % 2 == 1
    base = rng.normal(25, 6, patients)
    week8 = base + rng.normal(1, 3, patients)
    week24 = week8 + rng.normal(1, 3, patients) - 3 * treated
    days = np.where(rng.random(patients) < 0.2, rng.integers(60, 150, patients), 182)
    gone = days < 154
    return pd.DataFrame(
        {
            "id": [f"P{i:03d}" for i in range(patients)],
            "arm": np.where(treated, "A", "C"),
            "AGE": rng.normal(70, 8, patients).round(),
            "SEX": rng.choice(["F", "M"], patients),
            "SITE": rng.choice(["North", "South"], patients),
            "score0": base.round(1),
            "score8": week8.round(1),
            "score24": np.where(gone, np.nan, week24.round(1)),
            "days": days,
            "left": gone.astype(int),
        }
    )


def toy_study(folder: Path, **changes: Any) -> Path:
    """Write table, mapping and study; `changes` replace or extend sections by name.

    None takes a section out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    toy_table().to_csv(folder / "trial.csv", index=False)
    (folder / "mapping.yaml").write_text(yaml.safe_dump(MAPPING, sort_keys=False), "utf-8")
    study = copy.deepcopy(STUDY)
    for name, value in changes.items():
        if isinstance(value, dict) and isinstance(study.get(name), dict):
            study[name] |= value
        elif value is None:
            study.pop(name)
        else:
            study[name] = value
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(study, sort_keys=False), "utf-8")
    return path


def trialtwin(
    *arguments: object, folder: Path, check: int | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own, in a folder; `check` is the exit code."""
    command = [sys.executable, "-c", "from serving.cli import main; main()"]
    done = subprocess.run(
        [*command, *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if check is not None:
        assert done.returncode == check, done.stdout + done.stderr
    return done


def artefacts(run: Path) -> dict[str, str]:
    """Digest of every output file of a run, by its place."""
    stages = json.loads((run / "manifest.json").read_text("utf-8"))["stages"]
    return {name: sha for entry in stages.values() for name, sha in entry["files"].items()}
