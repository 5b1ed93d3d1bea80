"""`Cohort`: subjects with their observations, episodes, events and where each came from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from . import conditions, quality, tables
from .errors import InputError
from .schema import CohortSchema

if TYPE_CHECKING:
    from .timeline import Timeline


@dataclass(frozen=True, eq=False)
class Cohort:
    """One study's or several studies' subjects in the shared model; treat it as immutable.

    Make one with `build`, `from_table`, `read` or a source reader. Days count from the index
    date (day 0 = randomisation). Rows are kept in canonical order, subjects by their keys.

    Parameters
    ----------
    subjects
        One row a subject: keys, planned ``arm``, ``arm_actual``, ``observed_until`` (days),
        ``end_reason`` and one column per static variable of the schema.
    observations
        Long: day, visit, variable, number (``value``) or ``text``, unit, status, source_id.
    derived
        Like observations, for derived rows such as LOCF; never trained on.
    episodes
        Adverse events, medications, exposures, conditions, procedures.
    events
        Time-to-event endpoints: endpoint, day, observed, cause.
    sources
        Files and note spans that the values came from.
    """

    schema: CohortSchema
    subjects: pd.DataFrame
    observations: pd.DataFrame = field(repr=False)
    derived: pd.DataFrame = field(repr=False)
    episodes: pd.DataFrame = field(repr=False)
    events: pd.DataFrame = field(repr=False)
    sources: pd.DataFrame = field(repr=False)

    # -- making one ---------------------------------------------------------------------------

    @classmethod
    def build(
        cls,
        schema: CohortSchema,
        subjects: pd.DataFrame,
        observations: pd.DataFrame | None = None,
        derived: pd.DataFrame | None = None,
        episodes: pd.DataFrame | None = None,
        events: pd.DataFrame | None = None,
        sources: pd.DataFrame | None = None,
    ) -> Cohort:
        """Bring tables into canonical form and check them.

        Missing columns are filled with missing values, ``study_id`` with the schema's.

        Raises
        ------
        InputError
            With every fault of all tables.
        """
        given = {
            "observations": observations,
            "derived": derived,
            "episodes": episodes,
            "events": events,
            "sources": sources,
        }
        frames = quality.canonical(schema, subjects, given)
        cohort = cls(schema, **frames)
        faults = cohort.validate()
        if faults:
            raise InputError(faults)
        return cohort

    @classmethod
    def from_table(
        cls, frame: pd.DataFrame, schema: CohortSchema, study_id: str | None = None
    ) -> Cohort:
        """Read a flat table, one row a subject; see `extraction.records.flat`."""
        from .flat import from_table

        return from_table(frame, schema, study_id)

    @classmethod
    def read(cls, folder: str | Path) -> Cohort:
        """Read a folder written by `write`; hashes are checked, newer versions refused."""
        from .storage import read

        return read(Path(folder))

    @classmethod
    def concat(cls, cohorts: Sequence[Cohort]) -> Cohort:
        """Stack cohorts of different subjects; the first one's schema must fit all.

        Raises
        ------
        InputError
            When the cohorts measure a variable in different units or kinds, or give one
            source id to different sources.
        """
        from .flat import stack

        if not cohorts:
            raise InputError("concat: no cohort was given; at least one is needed")
        return cls.build(cohorts[0].schema, **stack(cohorts, TABLES, "concat"))

    # -- looking ------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.subjects)

    def __repr__(self) -> str:
        return (
            f"Cohort({self.schema.study_id}: {len(self)} subjects, "
            f"{len(self.observations)} observations, {len(self.episodes)} episodes, "
            f"{len(self.events)} events)"
        )

    @property
    def subject_ids(self) -> np.ndarray:
        """Subject identifiers in row order, shape (n,)."""
        return self.subjects["subject_id"].to_numpy()

    @cached_property
    def _keys(self) -> pd.MultiIndex:
        return pd.MultiIndex.from_frame(self.subjects[list(tables.KEYS)])

    @cached_property
    def _rows_of(self) -> dict[str, np.ndarray]:
        """Rows of `observations` by variable, found once: a flat table asks for hundreds."""
        rows = self.observations.groupby("variable").indices
        return {str(name): np.asarray(places) for name, places in rows.items()}

    def positions(self, rows: pd.DataFrame) -> np.ndarray:
        """Return the subject row that each row of another table belongs to; -1 for none."""
        keys = pd.MultiIndex.from_frame(rows[list(tables.KEYS)])
        return np.asarray(self._keys.get_indexer(keys))

    def observed(self, variable: str) -> pd.DataFrame:
        """Return the rows of `observations` that hold a value of this variable."""
        rows = self.observations.iloc[self._rows_of.get(variable, [])]
        return rows[rows["status"].isin(["observed", "below_limit"])]

    def at_visit(self, variable: str, visit: str) -> pd.Series:
        """Return each subject's value at a visit, in subject row order.

        The observation nearest to the target day inside the window counts (the earlier one of
        two that are equally near); NaN or None where there is none.

        Raises
        ------
        InputError
            When the variable or visit is not in the schema, or the variable is not longitudinal.
        """
        spec, window = self.schema.variable(variable), self.schema.visit(visit)
        if spec.role != "longitudinal":
            raise InputError(
                f"at_visit: {variable} is a {spec.role} variable, which has no visits; "
                "longitudinal ones have them; read it from cohort.subjects"
            )
        rows = self.observed(variable)
        rows = rows[rows["day"].between(window.low, window.high)]
        order = (rows["day"] - window.day).abs().sort_values(kind="stable").index
        rows = rows.loc[order].drop_duplicates(list(tables.KEYS))
        out: np.ndarray = np.full(
            len(self),
            np.nan if spec.numeric else None,
            dtype=np.float64 if spec.numeric else object,
        )
        out[self.positions(rows)] = rows["value" if spec.numeric else "text"].to_numpy()
        return pd.Series(out, name=f"{variable}@{visit}")

    def endpoint(self, name: str) -> pd.DataFrame:
        """Return day, observed (bool) and cause of an endpoint, one row a subject in row order."""
        self.schema.endpoint(name)
        rows = self.events[self.events["endpoint"] == name]
        frame = pd.DataFrame({"day": np.full(len(self), np.nan), "observed": False, "cause": None})
        place = self.positions(rows)
        frame.loc[place, "day"] = rows["day"].to_numpy()
        frame.loc[place, "observed"] = rows["observed"].to_numpy(dtype=bool)
        frame.loc[place, "cause"] = rows["cause"].to_numpy()
        return frame

    def timeline(self, subject_id: str, until_day: float | None = None) -> Timeline:
        """Return one subject's history up to and including a day (all of it by default)."""
        from .timeline import timeline

        return timeline(self, subject_id, until_day)

    def summary(self) -> dict[str, Any]:
        """Return counts and, by variable, location, spread and missing share; no raw values."""
        return quality.summary(self)

    def validate(self) -> list[str]:
        """Return every fault, each with its table, column and number of rows; empty when sound."""
        return quality.faults(self)

    def dictionary(self) -> pd.DataFrame:
        """Return the data dictionary, one row a variable."""
        return quality.dictionary(self.schema)

    def digest(self) -> str:
        """Return the SHA-256 of the canonical bytes of schema and tables, in hex."""
        from .storage import digest

        return digest(self)

    # -- choosing -----------------------------------------------------------------------------

    def mask(self, condition: object) -> np.ndarray:
        """Return 1 (met), 0 (not met) or -1 (unknown) per subject; int8, shape (n,)."""
        return conditions.evaluate(conditions.parse(condition, self.schema), self)

    def where(self, condition: object) -> Cohort:
        """Return the subjects that surely meet a condition (unknown is left out)."""
        return self._take(self.mask(condition) == 1)

    def select(self, subject_ids: Iterable[str]) -> Cohort:
        """Return the named subjects; names that are not here are an error (counted)."""
        wanted = set(subject_ids)
        missing = len(wanted - set(self.subject_ids))
        if missing:
            raise InputError(f"select: {missing} of {len(wanted)} ids are not in the cohort")
        return self._take(np.isin(self.subject_ids.astype(str), sorted(wanted)))

    def controls(self) -> Cohort:
        """Return the patients of the control arm; all of them where there is but one arm.

        Raises
        ------
        InputError
            Where none of several arms is named the control arm, or the named one has no patients.
        """
        arms = sorted(set(self.subjects["arm"].dropna()))
        named = self.schema.control_arm
        if named is None and len(arms) < 2:
            return self
        if named not in arms:
            what = "none is named" if named is None else f"{named} has no patients"
            raise InputError(
                f"{self.schema.study_id}: control arm: {what}; the arms are {', '.join(arms)}; "
                "set control_arm (arm.control in a mapping file)"
            )
        return self.take((self.subjects["arm"] == named).to_numpy())

    def take(self, rows: np.ndarray) -> Cohort:
        """Return the subjects at these rows (boolean mask of shape (n,))."""
        return self._take(np.asarray(rows, dtype=bool))

    def renamed(self, names: np.ndarray) -> Cohort:
        """Return the same subjects under other identifiers, shape (n,) in row order."""
        frames = {
            name: (frame := getattr(self, name)).assign(subject_id=names[self.positions(frame)])
            for name in ("subjects", "observations", "derived", "episodes", "events")
        }
        return replace(self, **frames)

    def _take(self, kept: np.ndarray) -> Cohort:
        chosen = self.subjects[kept].reset_index(drop=True)
        parts = {
            name: frame[kept[self.positions(frame)]].reset_index(drop=True)
            for name in ("observations", "derived", "episodes", "events")
            for frame in [getattr(self, name)]
        }
        return replace(self, subjects=chosen, **parts)

    def folds(self, k: int, seed: int = 0) -> np.ndarray:
        """Return a fold number 0..k-1 per subject, balanced within each arm; shape (n,).

        A subject's place depends on the seed and the subject's keys, not on row order.
        """
        if not 2 <= k <= max(2, len(self)):
            raise InputError(f"folds: k is {k}; it must be from 2 to the number of subjects")
        rank = np.argsort(np.argsort(self._lottery(seed)))
        arms = pd.Series(self.subjects["arm"].fillna(""))
        order = np.lexsort((rank, arms.to_numpy().astype(str)))
        out = np.empty(len(self), dtype=np.int64)
        out[order] = np.arange(len(self)) % k
        return out

    def split(self, fraction: float, seed: int = 0) -> tuple[Cohort, Cohort]:
        """Split subjects at random, balanced by arm: the first part holds about `fraction`."""
        if not 0 < fraction < 1:
            raise InputError(f"split: fraction is {fraction:g}; it must lie between 0 and 1")
        arms = self.subjects["arm"].fillna("").to_numpy().astype(str)
        lottery = pd.Series(self._lottery(seed))
        share = lottery.groupby(arms).rank(method="first", pct=True).to_numpy()
        first = share <= fraction
        return self._take(first), self._take(~first)

    def _lottery(self, seed: int) -> np.ndarray:
        from hashlib import blake2b

        keys = (self.subjects["study_id"] + "\x1f" + self.subjects["subject_id"]).tolist()
        salt = int(seed).to_bytes(8, "little", signed=True)
        drawn = [blake2b(k.encode(), digest_size=8, salt=salt).digest() for k in keys]
        return np.frombuffer(b"".join(drawn), dtype=np.uint64)

    # -- changing -----------------------------------------------------------------------------

    def with_schema(self, schema: CohortSchema) -> Cohort:
        """Return the same data under a schema with other or fewer variables."""
        static = [v.name for v in schema.static]
        keep = [*tables.SUBJECTS, *static]
        names = {v.name for v in schema.longitudinal}
        endpoints = {e.name for e in schema.endpoints}
        return Cohort.build(
            schema,
            self.subjects[[c for c in keep if c in self.subjects]],
            self.observations[self.observations["variable"].isin(names)],
            self.derived[self.derived["variable"].isin(names)],
            self.episodes,
            self.events[self.events["endpoint"].isin(endpoints)],
            self.sources,
        )

    def merge(self, other: Cohort) -> Cohort:
        """Add another cohort's facts about the same subjects (e.g. those read from notes).

        Static values that are missing here are filled; contradictions stay as they are here.

        Raises
        ------
        InputError
            When the other cohort has other subjects, measures a variable in another unit or
            kind, or gives a source id of this one to another source.
        """
        from .flat import merge

        return merge(self, other)

    # -- writing ------------------------------------------------------------------------------

    def to_table(self, visits: bool = True) -> pd.DataFrame:
        """Return one flat row a subject; see `extraction.records.flat`."""
        from .flat import to_table

        return to_table(self, visits)

    def write(self, folder: str | Path) -> Path:
        """Write as a folder of Parquet and JSON, whole or not at all."""
        from .storage import write

        return write(self, Path(folder))


TABLES = ("subjects", "observations", "derived", "episodes", "events", "sources")
