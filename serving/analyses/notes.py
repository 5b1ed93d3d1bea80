"""What notes say against what the record says, and synthetic patients worth reading about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from extraction.records import Cohort, InputError
from generation.narratives.measurements import concept_of
from generation.randomness import generator
from serving.analyses.effects import observed, observed_ancova
from serving.study.parts import PrimaryEndpoint
from simulation.analysis.estimate import Estimate

KEYS = ["study_id", "subject_id"]
_COMMON = 5
_EPISODES = {"condition": 3, "medication": 2, "adverse_event": 2}


def agreement(record: Cohort, extracted: Cohort, endpoint: PrimaryEndpoint) -> list[dict[str, Any]]:
    """Estimates from the structured record and from extracted facts, side by side.

    Parameters
    ----------
    record
        Patients as their record has them.
    extracted
        The same patients as the notes have them (`extraction.notes.to_cohort`).
    endpoint
        What the treatment effect is about.

    Returns
    -------
    list of dict
        ``estimate, structured, structured_se, extracted, extracted_se, n``: the treatment effect,
        episodes in a patient, and means over patients of each measured quantity.
    """
    rows = _effects(record, extracted, endpoint)
    for kind in ("adverse_event", "medication", "condition"):
        words = kind.replace("_", " ")
        ours, theirs = (_episodes(c, kind, record) for c in (record, extracted))
        rows.append(_row(f"{words}s in a patient", ours, theirs))
        rows.append(_row(f"share of patients with any {words}", ours > 0, theirs > 0))
    for name, (ours, theirs) in _measured(record, extracted).items():
        if len(ours) >= _COMMON and len(theirs) >= _COMMON:
            rows.append(_row(f"mean {name.replace('_', ' ')}", ours, theirs))
    return rows


def _effects(record: Cohort, extracted: Cohort, endpoint: PrimaryEndpoint) -> list[dict[str, Any]]:
    """The treatment effect by one analysis of either cohort; none where too few were seen."""
    try:
        sides = [_effect(record, cohort, endpoint) for cohort in (record, extracted)]
    except InputError:
        return []
    return [
        {
            "estimate": f"{arm}: difference in {endpoint.variable} change at {endpoint.visit}",
            "structured": ours.estimate,
            "structured_se": ours.se,
            "extracted": theirs.estimate,
            "extracted_se": theirs.se,
            "n": theirs.n,
        }
        for (arm, ours), theirs in zip(sides[0].items(), sides[1].values(), strict=True)
    ]


def _effect(record: Cohort, values: Cohort, endpoint: PrimaryEndpoint) -> Mapping[str, Estimate]:
    """ANCOVA in the schema's window; values of one cohort, arms and sites of the record."""
    rows = values.observations
    rows = rows[rows["variable"] == endpoint.variable].assign(visit=None)
    before = rows[rows["day"] <= 0].drop_duplicates(KEYS, keep="last")
    base = np.full(len(record), np.nan)
    base[record.positions(before)] = before["value"].to_numpy(dtype=np.float64)
    known = Cohort.build(
        record.schema,
        record.subjects.assign(**{endpoint.baseline: base}),
        rows.assign(source_id=None),
        events=record.events,
    )
    return observed_ancova(observed(known, endpoint)).effects


def _row(estimate: str, ours: pd.Series, theirs: pd.Series) -> dict[str, Any]:
    def told(values: pd.Series) -> tuple[float, float]:
        held = values.to_numpy(dtype=np.float64)
        return float(held.mean()), float(held.std(ddof=1) / np.sqrt(len(held)))

    structured, extracted = told(ours), told(theirs)
    return {
        "estimate": estimate,
        "structured": structured[0],
        "structured_se": structured[1],
        "extracted": extracted[0],
        "extracted_se": extracted[1],
        "n": len(theirs),
    }


def _measured(record: Cohort, extracted: Cohort) -> dict[str, tuple[pd.Series, pd.Series]]:
    """Each patient's mean of every quantity that both cohorts hold in the same unit."""
    theirs = _by_concept(extracted)
    found = {}
    for name, (unit, values) in _by_concept(record).items():
        if name in theirs and theirs[name][0] == unit:
            found[name] = (values, theirs[name][1])
    return dict(sorted(found.items()))


def _by_concept(cohort: Cohort) -> dict[str, tuple[str | None, pd.Series]]:
    """By concept: unit, and each patient's mean."""
    rows = cohort.observations
    rows = rows[rows["status"].isin(["observed", "below_limit"]) & rows["value"].notna()]
    found: dict[str, tuple[str | None, pd.Series]] = {}
    for variable in cohort.schema.longitudinal:
        if not variable.numeric:
            continue
        concept = concept_of(variable.name)
        name = concept.name if concept is not None else variable.name
        mine = rows[rows["variable"] == variable.name]
        if len(mine) and name not in found:
            found[name] = (variable.unit, mine.groupby(KEYS)["value"].mean())
    return found


def _episodes(cohort: Cohort, kind: str, everyone: Cohort) -> pd.Series:
    """Number of different present or past terms of a kind in each patient."""
    rows = cohort.episodes
    rows = rows[(rows["kind"] == kind) & rows["assertion"].isin(["present", "historical"])]
    terms = rows.assign(term=rows["term"].astype(str).str.casefold())
    counts = terms.drop_duplicates([*KEYS, "term"]).groupby(KEYS).size()
    return counts.reindex(pd.MultiIndex.from_frame(everyone.subjects[KEYS]), fill_value=0)


def dressed(synthetic: Cohort, real: Cohort, seed: int) -> Cohort:
    """Give synthetic patients conditions, drugs and adverse events, so that notes can be shown.

    Terms are drawn one by one, independently of the patient and of each other, from those that at
    least five real patients have: they are no real patient's history and show no association.

    Parameters
    ----------
    synthetic
        A few synthetic patients.
    real
        Where the terms come from.
    """
    rng = generator(seed, "notes.examples")
    parts = []
    for kind, count in _EPISODES.items():
        rows = real.episodes[(real.episodes["kind"] == kind) & real.episodes["term"].notna()]
        patients = rows.groupby("term")["subject_id"].nunique()
        terms = np.array(sorted(patients.index[patients >= _COMMON]))
        if not len(terms):
            continue
        for study, subject in synthetic.subjects[KEYS].itertuples(index=False):
            drawn = rng.choice(terms, size=min(count, len(terms)), replace=False)
            parts.append(_drawn(rows, kind, drawn, study, subject, rng))
    if not parts:
        return synthetic
    return Cohort.build(
        synthetic.schema,
        synthetic.subjects,
        synthetic.observations,
        episodes=pd.concat(parts, ignore_index=True),
        events=synthetic.events,
        sources=synthetic.sources,
    )


def _usual(rows: pd.DataFrame, column: str) -> Any:
    """Return the value that most patients have; None unless at least five have it."""
    patients = rows[[*KEYS, column]].dropna().drop_duplicates().groupby(column).size()
    return patients.idxmax() if len(patients) and patients.max() >= _COMMON else None


def _drawn(
    rows: pd.DataFrame,
    kind: str,
    terms: np.ndarray[Any, Any],
    study: str,
    subject: str,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Episodes of one synthetic patient: a term's usual attributes, a drawn start."""
    start = (
        rng.integers(1, 120, len(terms))
        if kind == "adverse_event"
        else -rng.integers(30, 900, len(terms))
    )
    usual = ("dose", "dose_unit", "route", "frequency", "severity")
    found = pd.DataFrame({"kind": kind, "term": terms, "start": start.astype(float)})
    for column in usual:
        found[column] = [_usual(rows[rows["term"] == term], column) for term in terms]
    found["dose"] = pd.to_numeric(found["dose"])
    return found.assign(
        study_id=study, subject_id=subject, assertion="present", ongoing=kind != "adverse_event"
    )
