"""A real trial by a locked plan: lock it, analyse, and leave what re-derives every estimate."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extraction.records import Cohort
from extraction.records.errors import Faults, TrialtwinError
from extraction.records.exports import csv_text
from serving.logs import log
from serving.pipeline.cache import code_digest, sha256_of, versions

from .folders import check_out

if TYPE_CHECKING:
    from simulation.trial.planned import Analysed, Lock

_CODE = (
    "extraction/records",
    "generation/philox.py",
    "generation/randomness.py",
    "simulation/analysis",
    "simulation/kernels",
    "simulation/trial/analyses",
    "simulation/trial/design/competing.py",
    "simulation/trial/outcomes",
    "simulation/trial/plan.py",
    "simulation/trial/planned",
    "simulation/trial/population/tables.py",
)
"""All that a figure of an analysis comes from."""
_FIGURES = "%.17g"
_NUMERIC = ("python", "numba", "numpy", "pandas", "scipy", "trialtwin")


def lock_analysis(
    plan: Path, overwrite: bool = False, cohort: Path | None = None
) -> dict[str, Any]:
    """Lock a plan: its hash, the time and the programs' versions in PLAN.lock.json beside it.

    Parameters
    ----------
    plan
        YAML file of an `AnalysisPlan`.
    overwrite
        Whether a changed plan may be locked again; the earlier hash stays in the file.
    cohort
        Folder of the cohort that it will analyse, where there is one: what the plan asks for and
        the cohort lacks is told before anything is locked. No outcome is read.

    Returns
    -------
    dict
        ``lock``: the file; ``sha256, locked_at, amended``.

    Raises
    ------
    InputError
        With every fault of the plan, and of what the cohort lacks.
    RefusedError
        When another plan is locked there.
    """
    from simulation.trial.planned import lock_plan

    if cohort is not None:
        _check(plan, cohort)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    lock, place = lock_plan(plan, now, _versions(), code_digest(_CODE), overwrite)
    log().info("plan locked", plan=plan.name, sha256=lock.sha256, amended=len(lock.amended))
    return {
        "lock": str(place),
        "sha256": lock.sha256,
        "locked_at": lock.locked_at,
        "amended": [dict(a) for a in lock.amended],
    }


def _check(plan: Path, cohort: Path) -> None:
    """Refuse a plan that a cohort does not fit."""
    from simulation.trial.planned import AnalysisPlan

    faults = Faults()
    with faults.catch():
        planned = AnalysisPlan.read(plan)
        given = planned.external_controls
        external = None if given is None else given.read(plan)
    for fault in _no_cohort(cohort):
        faults.add(fault)
    faults.raise_if_any()
    planned.check(Cohort.read(cohort), external)


def _no_cohort(cohort: Path) -> list[str]:
    if (cohort / "cohort.json").is_file():
        return []
    return [f"{cohort.name}: this is no cohort's folder; make one with 'trialtwin ingest'"]


def analyse_trial(
    cohort: Path,
    plan: Path,
    out: Path,
    exploratory: bool = False,
    overwrite: bool = False,
    progress: Callable[[str, float], None] | None = None,
) -> dict[str, Any]:
    """Analyse a cohort by a plan.

    Parameters
    ----------
    cohort
        A cohort's folder.
    plan
        YAML file of an `AnalysisPlan`, locked by `lock_analysis`.
    out
        New folder of results.json, results.csv, report.html, plan.yaml, analysis.csv (one row a
        patient: patient data) and rederive.R.
    exploratory
        Analyse without a lock, or against it; every output then says "exploratory".
    overwrite
        Whether an earlier analysis at `out` may be replaced.
    progress
        Called as progress(what, fraction).

    Returns
    -------
    dict
        results.json with ``folder`` and ``files``.

    Raises
    ------
    InputError
        With every fault of the plan, of the folders, and of what the cohort lacks.
    RefusedError
        When the plan is not locked or differs from its lock; no patient has been read then.
    TrialtwinError
        When the report cannot be made; all figures are in their files then.
    """
    from simulation.trial.planned import AnalysisPlan, analyse, state_of
    from simulation.trial.planned.lock import external_deviation

    faults = Faults()
    with faults.catch():
        check_out(out, overwrite, "results.json")
    with faults.catch():
        planned = AnalysisPlan.read(plan)
        given = planned.external_controls
        if given is not None:
            given.place(plan)
    for fault in _no_cohort(cohort):
        faults.add(fault)
    faults.raise_if_any()
    state, lock = state_of(planned, plan, exploratory)
    patients = Cohort.read(cohort)
    external = None if given is None else given.read(plan)
    digest = None if external is None else external.digest()
    changed = external_deviation(lock, digest, plan, exploratory)
    done = analyse(
        patients, planned, state, lock, (*_deviations(lock), *changed), external, progress
    )
    results, failed = _write(patients, done, plan, out)
    log().info(
        "trial analysed",
        study=done.study,
        status=state,
        plan=results["plan_sha256"],
        deviations=len(done.deviations),
    )
    if failed is not None:
        raise TrialtwinError(
            f"report.html could not be made. The figures are safe: {out / 'results.json'}, "
            "results.csv and rederive.R beside it"
        ) from failed
    return {**results, "folder": str(out), "files": sorted(p.name for p in out.iterdir())}


def _versions() -> dict[str, str]:
    return {name: version for name, version in versions().items() if name in _NUMERIC}


def _deviations(lock: Lock | None) -> tuple[str, ...]:
    """What has changed in the programs since the lock."""
    if lock is None:
        return ()
    now = _versions()
    changed = [
        f"{name} was {lock.versions.get(name, 'absent')} at the lock and is {now[name]}"
        for name in now
        if lock.versions.get(name) != now[name]
    ]
    if lock.code != code_digest(_CODE):
        changed.append("the analyses' source has changed since the lock")
    return tuple(changed)


def _write(
    cohort: Cohort, done: Analysed, plan: Path, out: Path
) -> tuple[dict[str, Any], Exception | None]:
    """Write the folder, whole or not at all; a report that cannot be made costs no figure."""
    from extraction.records.storage import atomic_folder
    from serving.report.analysis_page import analysis_page
    from simulation.trial.planned.external_borrowing import borrowed_table
    from simulation.trial.planned.rederive import script
    from simulation.trial.planned.results import results_table
    from simulation.trial.planned.table import Columns, analysis_table
    from simulation.trial.planned.views import views

    with atomic_folder(out) as fresh:
        table = fresh / "analysis.csv"
        analysis_table(cohort, done).to_csv(table, index=False, float_format=_FIGURES)
        text = csv_text(results_table(done), float_format=_FIGURES)
        (fresh / "results.csv").write_text(text, "utf-8")
        lent = borrowed_table(done.answers)
        if lent is not None:
            lent.to_csv(fresh / "borrowed.csv", index=False, float_format=_FIGURES)
        (fresh / "rederive.R").write_text(script(done), "utf-8")
        (fresh / "plan.yaml").write_bytes(plan.read_bytes())
        results = {
            **done.to_dict(),
            "versions": _versions(),
            "analysis_csv": {
                "sha256": sha256_of(table),
                "columns": Columns.of(done).meaning(done),
            },
        }
        text = json.dumps(results, ensure_ascii=False, indent=1, allow_nan=False)
        (fresh / "results.json").write_text(text + "\n", "utf-8")
        try:
            page = analysis_page(results, views(done, cohort.schema))
        except Exception as error:  # noqa: BLE001 - told when the figures are in their place
            return results, error
        (fresh / "report.html").write_text(page, "utf-8")
    return results, None
