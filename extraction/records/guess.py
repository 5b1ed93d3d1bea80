"""Propose a schema for a flat table that nobody described."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
import pandas as pd

from .constraints import Derived, Grade, Grouping, Sum, find_computed, find_determined
from .errors import InputError, nearest
from .flat import CENSORED_WORDS, as_category, refuse_repeats
from .schema import CohortSchema, Endpoint, Kind, Variable

_CONTROL_WORDS = ("placebo", "control", "observation", "standard", "obs", "0", "no", "none")
_MOST_LEVELS = 10  # whole numbers with at most so many levels are read as an ordered scale
_MOST_CATEGORIES = 50
_SAME_TIMES = 0.2  # share of rows in which another endpoint's time equals the first one's
_FEW_DAYS = 50
_SUBJECT_NAMES = (
    r"(u?subj(ect)?|p(a?t)?(?=[ _.]?id)|patient|participant|record)?[ _.]?"
    r"(id|no|nr|num|number)?$"
)
_REPEATED_NAMES = (
    r"((u?subj(ect)?|p(a?t)?|patient|participant)?[ _.]?id|subject|patient|participant)$"
)
_ROW_NAMES = r"row[ _.]?(names?|no|nr|num|number)$|unnamed: 0$|index$"
_DATE = r"\s*((19|20)\d\d-\d\d-\d\d([ T].*)?|\d{1,2}([/.])\d{1,2}\4(\d\d){1,2})\s*$"


class Proposal(NamedTuple):
    """A guessed schema and what its reader must know.

    Attributes
    ----------
    schema
        The guess.
    notes
        Columns that were left out and why, and what was taken for the control arm; names, never
        values.
    """

    schema: CohortSchema
    notes: tuple[str, ...]


def propose_schema(
    frame: pd.DataFrame,
    arm: Hashable | None = None,
    time: Hashable | None = None,
    event: Hashable | None = None,
    subject: Hashable | None = None,
) -> Proposal:
    """Propose kinds, categories, arms and an endpoint; see `CohortSchema.guess`.

    Two values make a binary variable, few whole numbers (also as text) an ordinal one, many a
    count, other numbers a continuous one, few words a categorical one. Dates and columns of many
    words are left out, which the notes say; where `subject` is not named, a column that tells all
    rows apart is taken for the subjects' identifier: one that is called so (id, patient, ...), or
    else row names, or else the first one of words. A column that is called id, subject or patient
    and repeats is taken too, so that a table with several rows a patient is refused when it is
    read. Codes of an event without one for censored are refused. A number that is exactly the sum,
    product or ratio of others in all of at least 50 complete rows becomes a constraint, and so
    does a column of categories that grades a number or groups another column's categories. The
    control arm is the one that is called so (placebo, control, none, 0, ...), or no arm.
    """
    refuse_repeats(frame, "guess")
    named = {"arm": arm, "time": time, "event": event, "subject": subject}
    columns = [str(c) for c in frame.columns]
    faults = [
        f"guess: {role} column {name} is not in the table{nearest(str(name), columns)}"
        for role, name in named.items()
        if name is not None and name not in frame.columns
    ]
    if (time is None) != (event is None):
        faults.append("guess: time and event go together; give both or neither")
    if not len(frame):
        faults.append("guess: the table has no rows")
    if faults:
        raise InputError(faults)
    special = {name for name in named.values() if name is not None}
    guessed = [(c, _variable(frame[c])) for c in frame.columns if c not in special]
    known = subject is not None
    if subject is None:
        subject = _subject(frame, guessed)
    variables = [v for c, v in guessed if v.role != "identifier" and c != subject]
    if subject is not None:
        variables.insert(0, Variable(name=str(subject), kind="categorical", role="identifier"))
    arms: tuple[str, ...] = ()
    if arm is not None:
        arms = _levels(frame[arm])
        variables.append(Variable(name=str(arm), kind="categorical", role="arm", categories=arms))
    endpoints = () if event is None else (propose_endpoint(frame[event], str(time)),)
    numbers = [v.name for v in variables if v.numeric]
    rules = (*find_computed(frame.rename(columns=str), numbers), *_determined(frame, variables))
    schema = CohortSchema(
        variables=tuple(variables),
        arms=arms,
        control_arm=_control(arms),
        endpoints=endpoints,
        constraints=tuple(r for r in rules if isinstance(r, Sum | Derived | Grade | Grouping)),
    )
    left = [c for c, v in guessed if v.role == "identifier" and c != subject]
    notes = [f"column {c} is left out: {_why_left_out(frame[c])}" for c in left]
    if subject is not None and not known:
        notes.insert(0, f"column {subject} is taken for the subjects' identifier")
    if subject is not None and (repeats := int(frame[subject].dropna().duplicated().sum())):
        notes.insert(0, f"column {subject} repeats in {repeats} row(s): not one row a subject")
    notes += _notes_of_doubles(frame, schema, arm, time, event)
    return Proposal(schema, (*notes, *_note_of_control(schema)))


def _subject(frame: pd.DataFrame, guessed: Sequence[tuple[Hashable, Variable]]) -> Hashable | None:
    """The column that is called so, or else row names, or else the first one of words."""
    apart = [(c, v.role) for c, v in guessed if _tells_apart(frame[c])]
    called = [c for c, _ in apart if _is_called(_SUBJECT_NAMES, c)]
    repeated = [
        c for c, _ in guessed if _is_called(_REPEATED_NAMES, c) and _names_several_rows(frame[c])
    ]
    rows = [c for c, _ in apart if _numbers_rows(frame[c])]
    words = [c for c, role in apart if role == "identifier"]
    return next(iter([*called, *repeated, *rows, *words]), None)


def _is_called(names: str, column: object) -> bool:
    return re.match(names, str(column), re.IGNORECASE) is not None


def _numbers_rows(values: pd.Series) -> bool:
    measured = pd.api.types.is_float_dtype(values)  # a prognostic index, say
    return _is_called(_ROW_NAMES, values.name) and _tells_apart(values) and not measured


def _names_several_rows(values: pd.Series) -> bool:
    """Whether a column called so names patients, most of whom have several rows."""
    rows = values.value_counts()
    return bool(values.notna().all() and len(rows) > _MOST_LEVELS and (rows > 1).mean() >= 0.25)


def _determined(frame: pd.DataFrame, variables: Sequence[Variable]) -> tuple[Grade | Grouping, ...]:
    table = frame.rename(columns=str)
    levels = {
        v.name: v.categories
        for v in variables
        if not v.numeric and v.role == "baseline" and v.categories
    }
    labelled = table.assign(**{name: table[name].map(as_category) for name in levels})
    return find_determined(labelled, [v.name for v in variables if v.numeric], levels)


def _why_left_out(values: pd.Series) -> str:
    distinct = values.nunique()
    if not distinct:
        return "it is empty"
    if _numbers_rows(values):
        return "it numbers the rows"
    if _is_date(values):
        return "dates; give days from the index date instead"
    return f"{distinct} different words (names, free text, or numbers that are written as text)"


def _notes_of_doubles(
    frame: pd.DataFrame,
    schema: CohortSchema,
    arm: Hashable | None,
    time: Hashable | None,
    event: Hashable | None,
) -> list[str]:
    """Columns that are no baseline: the arm again, or another endpoint; all events, and years."""
    left = [c for c in frame.columns if str(c) in {v.name for v in schema.baseline}]
    notes = []
    if arm is not None:
        for c in left:
            pairs = frame[[arm, c]].dropna().drop_duplicates()
            if len(pairs) == pairs[arm].nunique() == pairs[c].nunique() > 1:
                notes.append(f"column {c} tells the arm again; leave it out of the variables")
    if time is None or event is None:
        return notes
    follow_up = pd.to_numeric(frame[time], errors="coerce")
    for c in left:
        if pd.api.types.is_numeric_dtype(frame[c]) and frame[c].nunique() > _MOST_LEVELS:
            same = float((frame[c] == follow_up).mean())
            if same >= _SAME_TIMES:
                notes.append(
                    f"column {c} equals {time} in {same:.0%} of the rows: another endpoint's "
                    "time is no baseline variable; leave it out, or make it an endpoint"
                )
    if follow_up.max() < _FEW_DAYS and bool((follow_up % 1 > 0).any()):
        notes.append(f"column {time} is read as days and ends below {_FEW_DAYS}: are these years?")
    levels, causes = _levels(frame[event]), schema.endpoints[0].causes
    if len(levels) == len(causes) > 1:
        notes.append(f"no word in column {event} is known to mean censored; write 0 for it")
    return notes


def _note_of_control(schema: CohortSchema) -> list[str]:
    if len(schema.arms) < 2:
        return []
    named = ", ".join(schema.arms)
    if schema.control_arm is None:
        return [f"no control arm is known by its name; the arms are {named}"]
    return [f"{schema.control_arm} is taken for the control arm by its name; the arms are {named}"]


def _tells_apart(values: pd.Series) -> bool:
    return bool(values.notna().all() and values.is_unique and not _is_date(values))


def _levels(values: pd.Series) -> tuple[str, ...]:
    known = values.dropna()
    return tuple(sorted({str(as_category(v)) for v in known.unique()}, key=_rank))


def _rank(level: str) -> tuple[bool, float, str]:
    """Sort key: numbers by size, before words by alphabet."""
    try:
        return False, float(level), level
    except ValueError:
        return True, 0.0, level


def _control(arms: tuple[str, ...]) -> str | None:
    """The only arm, or the one that a word for a control fits, where it fits no other."""
    if len(arms) == 1:
        return arms[0]
    for word in _CONTROL_WORDS:
        called = [a for a in arms if word == a.casefold()]
        called = called or [a for a in arms if len(word) > 3 and word in a.casefold()]
        if called:
            return called[0] if len(called) == 1 else None
    return None


def propose_endpoint(values: pd.Series, time: str) -> Endpoint:
    """Name the causes; two bare codes 1 and 2 mean censored and event, as R's survival has it."""
    levels = _levels(values)
    coded = levels == ("1", "2")
    causes = ("2",) if coded else tuple(v for v in levels if v.casefold() not in CENSORED_WORDS)
    if len(causes) == len(levels) > 2 and all(v.isdigit() for v in levels):
        raise InputError(
            f"guess: column {values.name} holds codes and none of them is 0, so nobody would be "
            "censored; write 0 where the patient had no event"
        )
    plain = not causes or causes in (("1",), ("true",), ("yes",), ("event",))
    return Endpoint(
        name=str(values.name),
        causes=("event",) if plain else causes,
        time_column=time,
        event_column=str(values.name),
    )


def _variable(values: pd.Series) -> Variable:
    name, known = str(values.name), values.dropna()
    distinct = int(known.nunique())
    if _is_date(known) or _numbers_rows(values):
        return Variable(name=name, kind="categorical", role="identifier")
    if distinct == 2:
        return Variable(name=name, kind="binary", categories=_levels(values))
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return _number(name, known.to_numpy(dtype=np.float64), values)
    if distinct == 0 or distinct > min(_MOST_CATEGORIES, max(2, len(values) // 4)):
        return Variable(name=name, kind="categorical", role="identifier")
    if isinstance(values.dtype, pd.CategoricalDtype) and values.dtype.ordered:
        ordered = tuple(str(as_category(v)) for v in values.dtype.categories)
        return Variable(name=name, kind="ordinal", categories=ordered)
    levels = _levels(values)
    kind: Kind = "categorical" if any(_rank(level)[0] for level in levels) else "ordinal"
    return Variable(name=name, kind=kind, categories=levels)


def _is_date(values: pd.Series) -> bool:
    """Whether all values are dates, as such or as text like 2024-03-01 or 1/3/2024."""
    known = values.dropna()
    if pd.api.types.is_datetime64_any_dtype(values):
        return True
    if not len(known) or not all(isinstance(v, str | date) for v in known.unique()):
        return False
    return bool(known.astype(str).str.match(_DATE).all())


def _number(name: str, known: np.ndarray, values: pd.Series) -> Variable:
    if not np.isfinite(known).all():
        raise InputError(f"guess: column {name} holds infinite values; make them missing")
    whole = bool(len(known)) and bool((known == np.round(known)).all())
    levels = len(np.unique(known))
    if whole and 2 < levels <= _MOST_LEVELS:
        return Variable(name=name, kind="ordinal", categories=_levels(values))
    return Variable(name=name, kind="count" if whole and (known >= 0).all() else "continuous")
