"""Impossible patients: what no real patient could have in the record."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from extraction.records import Cohort, CohortSchema, Variable
from extraction.records.constraints import all_met
from generation.evaluation.disclosure import wilson
from generation.evaluation.metric import WITHIN, WORSE, Control, Metric, Verdict

FAULTS = {
    "negative_time": "an event or its censoring before day 0",
    "after_follow_up": "an observation after the end of follow-up",
    "event_after_follow_up": "an event after the end of follow-up",
    "out_of_range": "a number outside the plausible range",
    "unknown_category": "a category, arm or cause that the schema does not know",
    "unknown_endpoint": "an event of an endpoint that the schema does not know",
    "constraint": "a declared constraint broken",
}
"""Kinds of fault and what each means."""

Bad = npt.NDArray[np.bool_]


def impossible_rows(
    schema: CohortSchema, subjects: pd.DataFrame, observations: pd.DataFrame, events: pd.DataFrame
) -> pd.DataFrame:
    """Find patients with impossible entries.

    Parameters
    ----------
    schema
        What is possible: plausible ranges, categories, arms, endpoints and causes.
    subjects, observations, events
        Tables of a cohort; they need not have passed `Cohort.build`.

    Returns
    -------
    pandas.DataFrame
        Columns subject_id and fault (a key of `FAULTS`), one row a patient and kind of fault.
    """
    until = subjects.set_index("subject_id")["observed_until"].astype(float)
    found = [
        *_subject_faults(schema, subjects),
        *_observation_faults(schema, observations, until),
        *_event_faults(schema, events, until),
    ]
    frame = pd.DataFrame(
        {
            "subject_id": np.concatenate([ids for _, ids in found]),
            "fault": np.repeat([fault for fault, _ in found], [len(ids) for _, ids in found]),
        }
    )
    return frame.drop_duplicates(ignore_index=True)


def _subject_faults(
    schema: CohortSchema, subjects: pd.DataFrame
) -> list[tuple[str, npt.NDArray[np.object_]]]:
    ids = subjects["subject_id"].to_numpy(dtype=object)
    arm = subjects["arm"]
    faults = [("unknown_category", ids[_unknown(arm, schema.arms)])]
    return faults + [
        _outside(v, subjects[v.name], ids) for v in schema.baseline if v.name in subjects
    ]


def _observation_faults(
    schema: CohortSchema, observations: pd.DataFrame, until: pd.Series
) -> list[tuple[str, npt.NDArray[np.object_]]]:
    ids = observations["subject_id"].to_numpy(dtype=object)
    end = observations["subject_id"].map(until).to_numpy(dtype=np.float64)
    day = observations["day"].to_numpy(dtype=np.float64)
    faults = [("after_follow_up", ids[day > end])]
    for variable in schema.longitudinal:
        rows = (observations["variable"] == variable.name).to_numpy()
        values = observations["value" if variable.numeric else "text"][rows]
        faults.append(_outside(variable, values, ids[rows]))
    return faults


def _event_faults(
    schema: CohortSchema, events: pd.DataFrame, until: pd.Series
) -> list[tuple[str, npt.NDArray[np.object_]]]:
    ids = events["subject_id"].to_numpy(dtype=object)
    day = events["day"].to_numpy(dtype=np.float64)
    end = events["subject_id"].map(until).to_numpy(dtype=np.float64)
    observed = events["observed"].eq(True).to_numpy(dtype=bool)
    causes = {e.name: set(e.causes) for e in schema.endpoints}
    known = events["endpoint"].isin(list(causes)).to_numpy()
    strange = np.zeros(len(events), dtype=bool)
    for endpoint in schema.endpoints:
        rows = (events["endpoint"] == endpoint.name).to_numpy()
        strange |= rows & observed & _unknown(events["cause"], endpoint.causes)
    return [
        ("negative_time", ids[day < 0]),
        ("event_after_follow_up", ids[observed & (day > end)]),
        ("unknown_endpoint", ids[~known]),
        ("unknown_category", ids[strange]),
    ]


def _outside(
    variable: Variable, values: pd.Series, ids: npt.NDArray[np.object_]
) -> tuple[str, npt.NDArray[np.object_]]:
    if not variable.numeric:
        return "unknown_category", ids[_unknown(values, variable.categories or ())]
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    low = -np.inf if variable.low is None else variable.low
    high = np.inf if variable.high is None else variable.high
    return "out_of_range", ids[(numbers < low) | (numbers > high)]


def _unknown(values: pd.Series, known: Sequence[str]) -> Bad:
    """Values that are given and not among the known ones; nothing known allows everything."""
    if not known:
        return np.zeros(len(values), dtype=bool)
    return (values.notna() & ~values.isin(list(known))).to_numpy()


def validity(synthetic: Sequence[Cohort], real: Cohort) -> Metric:
    """Share of synthetic patients with an impossible entry, beside the real patients' share."""
    schema = real.schema
    ours = [_found(schema, cohort) for cohort in synthetic]
    n = sum(len(cohort) for cohort in synthetic)
    hits = sum(frame["subject_id"].nunique() for frame in ours)
    theirs = _found(schema, real)["subject_id"].nunique()
    rate, (lower, upper) = hits / n, wilson(hits, n) if hits else (0.0, min(1.0, 3 / n))
    low, high = wilson(theirs, len(real))
    verdict: Verdict = WORSE if rate > theirs / len(real) else WITHIN
    kinds = pd.concat(ours)["fault"].value_counts()
    named = "; ".join(f"{kinds[k]} with {FAULTS[k]}" for k in FAULTS if k in kinds)
    return Metric(
        "impossible_rows",
        "validity",
        "synthetic patients with an impossible entry",
        rate,
        float(np.sqrt(rate * (1 - rate) / n)),
        "lower",
        {"real": Control(theirs / len(real), low, high)},
        verdict,
        f"{hits} of {n} synthetic patients have an impossible entry (none is best; at most "
        f"{upper:.1%}; real patients {theirs} of {len(real)}{'; ' + named if named else ''}): "
        f"{verdict}.",
        {"patients": hits, "of": n, "upper": upper, "kinds": {str(k): v for k, v in kinds.items()}},
        limits=(lower, upper),
    )


def _found(schema: CohortSchema, cohort: Cohort) -> pd.DataFrame:
    frame = impossible_rows(schema, cohort.subjects, cohort.observations, cohort.events)
    broken = cohort.subject_ids[~all_met(cohort, schema.constraints)]
    more = pd.DataFrame({"subject_id": broken, "fault": "constraint"})
    return pd.concat([frame, more], ignore_index=True) if len(more) else frame
