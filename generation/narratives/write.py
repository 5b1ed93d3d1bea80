"""Notes of a cohort's subjects, rendered from the structured record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import final

import numpy as np

from extraction.notes.facts import Fact
from extraction.notes.note import Note
from extraction.records import Cohort
from generation.randomness import Stream, decision_id

from .measurements import Observed, concept_of, measurement_lines
from .phrases import Chooser, Pieces, assemble, fill, phrases
from .plan import KINDS, STREAM, Episode, NotePlan, day_index, patient_numbers, plan_notes
from .sections import (
    condition_lines,
    demographics,
    event_lines,
    medication_lines,
    resolved_lines,
    sex_name,
    study_day,
)

_SECTIONS = ("heading", "demographics", "conditions", "medications", "measurements")
_STEP = 256

Progress = Callable[[str, float], None]


@final
@dataclass(frozen=True)
class RenderedNote(Note):
    """A note with the facts that it states, each with its span.

    The facts are what the text truly says: the reference for reading it back.
    """

    facts: tuple[Fact, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class _Static:
    """What the subject-level record holds of each subject, in row order."""

    study: list[str]
    subject: list[str]
    age: list[float]
    sex: list[str | None]
    measured: list[list[Observed]]


def write_notes(
    cohort: Cohort, seed: int = 0, progress: Progress | None = None
) -> list[RenderedNote]:
    """Write the notes of every subject from the record: admission, visits, adverse events.

    A note states only what the record holds and what was known on its day. Days are told as
    CDISC study days, never as dates. Its first line says that it was rendered.

    Parameters
    ----------
    cohort
        Real or synthetic. Read are age and sex, observed values of the variables that
        ``data/measurements.yaml`` names, and episodes other than procedures.
    seed
        Chooses the wording. A wording belongs to the subject, day and value it words, so notes
        of a subject do not change with the rest of the cohort.
    progress
        Called with what is done and the fraction that is finished (0 to 1).

    Returns
    -------
    list of RenderedNote
        By subject in row order, then day; ids count a subject's notes from 1.
    """
    plans = plan_notes(cohort, seed)
    draws = _note_draws(plans, cohort, seed)
    static = _static(cohort, Stream(seed, STREAM))
    notes: list[RenderedNote] = []
    numbers: dict[int, int] = {}
    for place, plan in enumerate(plans):
        numbers[plan.position] = numbers.get(plan.position, 0) + 1
        choosers = dict(zip(_SECTIONS, map(Chooser, draws[place]), strict=True))
        notes.append(_note(plan, numbers[plan.position], static, choosers))
        if progress is not None and place % _STEP == 0:
            progress("write notes", place / len(plans))
    if progress is not None:
        progress("write notes", 1.0)
    return notes


def _note_draws(plans: list[NotePlan], cohort: Cohort, seed: int) -> list[list[float]]:
    if not plans:
        return []
    patients = patient_numbers(cohort)[[plan.position for plan in plans]]
    drawn = Stream(seed, STREAM).uniform(
        replicate=np.array([KINDS.index(plan.kind) for plan in plans])[:, None],
        patient=patients[:, None],
        decision=np.array([decision_id(f"note:{section}") for section in _SECTIONS])[None, :],
        index=day_index([plan.day for plan in plans])[:, None],
    )
    rows: list[list[float]] = drawn.tolist()
    return rows


def _static(cohort: Cohort, stream: Stream) -> _Static:
    subjects = cohort.subjects
    columns = {str(c).upper(): c for c in subjects.columns}
    n = len(cohort)
    age = subjects[columns["AGE"]].astype(float).tolist() if "AGE" in columns else [np.nan] * n
    sex_column = columns.get("SEX", columns.get("GENDER"))
    sex: list[str | None] = [None] * n
    if sex_column is not None:
        sex = [sex_name(value) for value in subjects[sex_column]]
    return _Static(
        subjects["study_id"].tolist(),
        subjects["subject_id"].tolist(),
        age,
        sex,
        _static_values(cohort, stream),
    )


def _static_values(cohort: Cohort, stream: Stream) -> list[list[Observed]]:
    """Baseline values of what is not measured again later, for the admission note."""
    longitudinal = (concept_of(v.name) for v in cohort.schema.longitudinal)
    repeated = {concept.name for concept in longitudinal if concept is not None}
    patients = patient_numbers(cohort)
    out: list[list[Observed]] = [[] for _ in range(len(cohort))]
    for variable in cohort.schema.baseline:
        concept = concept_of(variable.name)
        if concept is None or concept.name in repeated or not variable.numeric:
            continue
        draws = stream.uniform(patient=patients, decision=decision_id(f"static:{variable.name}"))
        values = cohort.subjects[variable.name].astype(float).tolist()
        for rows, value, draw in zip(out, values, draws.tolist(), strict=True):
            if not np.isnan(value):
                rows.append(Observed(variable.name, value, variable.unit, draw))
    return out


def _note(
    plan: NotePlan, count: int, static: _Static, choosers: dict[str, Chooser]
) -> RenderedNote:
    body = {"admission": _admission, "visit": _visit, "adverse_event": _adverse_event}[plan.kind]
    lines = [*_opening(plan, choosers["heading"]), *body(plan, static, choosers)]
    text, facts = assemble(piece for line in lines for piece in (*line, "\n"))
    study, subject = static.study[plan.position], static.subject[plan.position]
    return RenderedNote(
        note_id=f"{study}:{subject}:{count:03d}",
        study_id=study,
        subject_id=subject,
        day=plan.day,
        kind=plan.kind,
        text=text,
        rendered=True,
        facts=facts,
    )


def _opening(plan: NotePlan, chooser: Chooser) -> list[Pieces]:
    kind = "visit_unnamed" if plan.kind == "visit" and plan.visit is None else plan.kind
    heading = fill(chooser.pick(phrases()["headings"][kind]), visit=plan.visit or "")
    day = fill(chooser.pick(phrases()["study_day"]), day=study_day(plan.day))
    return [[phrases()["notice"]], heading, day]


def _admission(plan: NotePlan, static: _Static, choosers: dict[str, Chooser]) -> list[Pieces]:
    place = plan.position
    measured = [*plan.observations, *static.measured[place]]
    return [
        *demographics(static.age[place], static.sex[place], choosers["demographics"]),
        *_histories(plan, choosers, opening=True),
        *measurement_lines(measured, choosers["measurements"]),
    ]


def _visit(plan: NotePlan, static: _Static, choosers: dict[str, Chooser]) -> list[Pieces]:
    return [
        *measurement_lines(plan.observations, choosers["measurements"]),
        *_histories(plan, choosers, opening=False),
        *resolved_lines(_of(plan.ended, "adverse_event")),
    ]


def _adverse_event(plan: NotePlan, static: _Static, choosers: dict[str, Chooser]) -> list[Pieces]:
    return event_lines(plan.begun)


def _histories(plan: NotePlan, choosers: dict[str, Chooser], opening: bool) -> list[Pieces]:
    conditions = _of(plan.begun, "condition") + _of(plan.ended, "condition")
    return [
        *condition_lines(conditions, plan.day, choosers["conditions"]),
        *medication_lines(
            _of(plan.begun, "medication", "exposure"),
            _of(plan.ended, "medication", "exposure"),
            plan.day,
            opening,
            choosers["medications"],
        ),
    ]


def _of(episodes: list[Episode], *kinds: str) -> list[Episode]:
    return [episode for episode in episodes if episode.kind in kinds]
