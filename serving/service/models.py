"""Models: train one, and sample from it. The control arm on request is in `control_requests`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pandas as pd

from extraction.records import Cohort, InputError
from extraction.records.errors import Faults, nearest
from extraction.records.exports import to_csv
from serving.settings import settings

from .control_table import ORIGIN
from .folders import check_out


class Only(NamedTuple):
    """What a model learns of a cohort.

    Attributes
    ----------
    variables, endpoints
        Names; all of a kind when empty.
    control_arm
        The control arm, where the cohort names none or another one.
    """

    variables: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    control_arm: str | None = None


def train(
    cohort: Path,
    out: Path,
    engine: str = "twin",
    fit: Literal["all_arms", "controls"] = "all_arms",
    only: Only | None = None,
    seed: int = 0,
    options: dict[str, Any] | None = None,
    *,
    overwrite: bool = False,
    also: Iterable[str] = (),
    progress: Callable[[str, float], None] | None = None,
) -> dict[str, Any]:
    """Fit a model to a cohort's folder and write it to a new folder.

    Parameters
    ----------
    fit
        "controls" for synthetic controls and scores, "all_arms" for forecasts under each arm.
    only
        What is learnt; everything when None.
    options
        The engine's own options.
    overwrite
        Whether a model that is already at `out` may be replaced.
    also
        Faults that the caller has found, to be told with the others.
    progress
        Called with what was done and the fraction done.

    Raises
    ------
    InputError
        With every fault of the cohort or the request.
    """
    from generation import fit as fit_model
    from generation.privacy.card import privacy_notes
    from generation.registry import engine_class

    faults = Faults()
    for fault in also:
        faults.add(fault)
    with faults.catch():
        check_out(out, overwrite, "model.json")
    with faults.catch():
        engine_class(engine)
    if not 0 <= seed < 2**31:
        faults.add(f"seed: {seed} came; it must be from 0 to {2**31 - 1}")
    with faults.catch():
        patients = _learnt_from(cohort, fit, only or Only())
    faults.raise_if_any()
    model = fit_model(patients, engine=engine, seed=seed, progress=progress, **(options or {}))
    model.save(out)
    card = model.card.model_dump(mode="json", exclude={"schema_"})
    return {"folder": str(out), **card, "notes": list(privacy_notes(model.card))}


def _learnt_from(folder: Path, fit: str, only: Only) -> Cohort:
    from serving.analyses.modelling import narrowed

    patients = Cohort.read(folder)
    faults = Faults()
    with faults.catch():
        patients = named_control(patients, only.control_arm)
        patients = patients.controls() if fit == "controls" else patients
    if only.variables or only.endpoints:
        with faults.catch():
            patients = narrowed(patients, only.variables, only.endpoints)
    faults.raise_if_any()
    return patients


def named_control(cohort: Cohort, arm: str | None) -> Cohort:
    """Return the cohort with its control arm set, where one is given.

    Raises
    ------
    InputError
        When the cohort has no such arm.
    """
    arms = cohort.schema.arms
    if arm is None:
        return cohort
    if arm not in arms:
        raise InputError(
            f"--control-arm: {arm} is no arm; the arms are {', '.join(arms) or 'none'}"
            f"{nearest(arm, arms)}"
        )
    return cohort.with_schema(cohort.schema.replace(control_arm=arm))


def generate(
    model: str,
    n: int,
    out: Path,
    given: dict[str, Any] | None = None,
    arm: str | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Sample synthetic patients and write them as a cohort folder with CSV beside it.

    Parameters
    ----------
    model
        A model's folder, a run's folder or a registered name.
    given
        Condition on baseline variables, the arm, values at visits or endpoints.

    Raises
    ------
    RefusedError
        When fewer than 20 training patients stand behind the condition.
    """
    from generation import load_model
    from generation.given import check_given
    from serving.analyses.modelling import notice

    loaded = load_model(find_model(model))
    check_given(given, loaded.schema)
    made, report = loaded.sample_with_report(n, given=given, arm=arm, seed=seed)
    behind = report.expected_training_patients
    check_out(out)
    made.write(out / "cohort")
    to_csv(made, out / "csv", notice(n, report.n_train))
    _mark_rows(out / "csv" / "table.csv", report.n_train)
    return {
        "folder": str(out),
        "n": n,
        "n_train": report.n_train,
        "expected_training_patients": behind,
        "effective_sample_size": report.effective_sample_size,
        "method": report.method,
        "draws_per_patient": report.draws_per_patient,
        "notes": list(report.notes),
        "digest": made.digest(),
        "notice": notice(n, report.n_train),
    }


def _mark_rows(table: Path, n_train: int) -> None:
    """Say on every row of the flat table what it is, as the answers over HTTP do."""
    flat = pd.read_csv(table, dtype=str, keep_default_na=False)
    flat.assign(**{ORIGIN: n_train}).to_csv(table, index=False)


def find_model(reference: str) -> Path:
    """Return the folder of a model given by its folder, its run's folder, or its run's name.

    A run stands for its model of controls; ``quickstart/all_arms`` for its model of all arms.

    Raises
    ------
    InputError
        When no model is there.
    """
    runs = settings().runs
    name, _, fit = reference.partition("/")
    inside = Path("stages") / "models"
    places = [
        Path(reference),
        Path(reference) / inside / "controls",
        runs / name / inside / (fit or "controls"),
    ]
    for place in places:
        if (place / "model.json").is_file():
            return place
    there = sorted(p.parents[2].name for p in runs.glob("*/stages/models/controls"))
    raise InputError(
        f"model: {reference} is neither a model's folder nor a run; runs are "
        f"{', '.join(there) or 'none: make one with trialtwin run configs/quickstart.yaml'}"
    )
