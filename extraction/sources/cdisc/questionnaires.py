"""Rating scales: observed scores out of ADaM (else SDTM QS), imputed rows kept apart."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from extraction.records.errors import Faults
from extraction.records.schema import Variable

from .findings import Observed, visit_names
from .library import Dataset, Library
from .records import Records
from .subjects import Subjects


def _scale(name: str, code: str, label: str, high: float, low: float = 0) -> tuple[str, Variable]:
    variable = Variable(
        name=name,
        label=label,
        kind="count",
        role="longitudinal",
        unit="{score}",
        low=low,
        high=high,
        code=f"CDISC|{code}",
    )
    return code, variable


# ADAS-Cog items and totals: Rosen et al. 1984, Mohs et al. 1997 (attention, mazes, recall added).
_ADAS: dict[str, Variable] = dict(
    [
        (
            "ACTOT",
            Variable(
                name="ADAS",
                label="ADAS-Cog (11) total",
                kind="continuous",
                role="longitudinal",
                unit="{score}",
                low=0,
                high=70,
                code="CDISC|ACTOT",
            ),
        ),
        _scale("ACITM01", "ACITM01", "ADAS-Cog word recall task", 10),
        _scale("ACITM02", "ACITM02", "ADAS-Cog naming objects and fingers", 5),
        _scale("ACITM03", "ACITM03", "ADAS-Cog delayed word recall", 10),
        _scale("ACITM04", "ACITM04", "ADAS-Cog commands", 5),
        _scale("ACITM05", "ACITM05", "ADAS-Cog constructional praxis", 5),
        _scale("ACITM06", "ACITM06", "ADAS-Cog ideational praxis", 5),
        _scale("ACITM07", "ACITM07", "ADAS-Cog orientation", 8),
        _scale("ACITM08", "ACITM08", "ADAS-Cog word recognition", 12),
        _scale("ACITM09", "ACITM09", "ADAS-Cog attention, visual search task", 40),
        (
            "ACITM10",
            Variable(
                name="ACITM10",
                label="ADAS-Cog maze solution",
                kind="continuous",
                role="longitudinal",
                unit="s",
                low=0,
                high=600,
                code="CDISC|ACITM10",
            ),
        ),
        _scale("ACITM11", "ACITM11", "ADAS-Cog spoken language ability", 5),
        _scale("ACITM12", "ACITM12", "ADAS-Cog comprehension of spoken language", 5),
        _scale("ACITM13", "ACITM13", "ADAS-Cog word finding difficulty", 5),
        _scale("ACITM14", "ACITM14", "ADAS-Cog recall of test instructions", 5),
    ]
)
_NPIX: dict[str, Variable] = dict([_scale("NPIX", "NPTOT", "NPI-X (9) total", 9 * 12)])
_CIBIC: dict[str, Variable] = {
    "CIBICVAL": Variable(
        name="CIBIC",
        label="CIBIC+ (1 marked improvement, 4 no change, 7 marked worsening)",
        kind="ordinal",
        role="longitudinal",
        categories=tuple("1234567"),
        code="CDISC|CIBICVAL",
    )
}
# ADaM dataset -> parameters that are read; SDTM QS holds the same codes.
INSTRUMENTS: dict[str, dict[str, Variable]] = {
    "adadas": _ADAS,
    "adnpix": _NPIX,
    "adcibc": _CIBIC,
}
_BASELINE: dict[str, str] = {"ADAS": "ADASBL", "NPIX": "NPIXBL"}


def read_questionnaires(
    library: Library, subjects: Subjects, faults: Faults
) -> tuple[list[Observed], list[Observed]]:
    """Read every rating scale; returns the observed parts and the derived parts."""
    observed: list[Observed] = []
    derived: list[Observed] = []
    for name, parameters in INSTRUMENTS.items():
        analysed = library.of(name)
        for dataset in analysed:
            both = _from_adam(dataset, parameters, subjects, faults)
            if both is not None:
                observed.append(both[0])
                derived.append(both[1])
        if not analysed:
            parts = (_from_sdtm(d, parameters, subjects, faults) for d in library.of("qs"))
            observed += [p for p in parts if p is not None]
    return observed, [d for d in derived if len(d.rows)]


def baseline_scores(parts: Iterable[Observed]) -> list[tuple[Variable, pd.Series[float]]]:
    """Last score on or before index (day 0) of each scale that has a baseline covariate."""
    out = []
    for part in parts:
        for variable in part.variables:
            if variable.name not in _BASELINE:
                continue
            rows = part.rows[part.rows["variable"] == variable.name]
            rows = rows[(rows["day"] <= 0) & (rows["status"] == "observed")]
            last = rows.sort_values("day", kind="stable").drop_duplicates("subject_id", keep="last")
            spec = variable.model_copy(
                update={
                    "name": _BASELINE[variable.name],
                    "label": f"Baseline {variable.label}",
                    "role": "baseline",
                }
            )
            out.append((spec, last.set_index("subject_id")["value"]))
    return out


def mmse_total(library: Library, subjects: Subjects, faults: Faults) -> pd.Series[float] | None:
    """Sum of the six MMSE items of QS, for studies whose ADSL has no total."""
    for dataset in library.of("qs"):
        records = subjects.rows_of(dataset, faults)
        if records is None or "QSTESTCD" not in records:
            continue
        items = records.where(records.text("QSTESTCD").str.startswith("MMITM", na=False))
        if len(items):
            scores = pd.Series(items.number("QSSTRESN"), index=items.text("USUBJID").to_numpy())
            grouped = scores.groupby(level=0)
            return grouped.sum().where(grouped.count() == 6)
    return None


def _from_adam(
    dataset: Dataset, parameters: dict[str, Variable], subjects: Subjects, faults: Faults
) -> tuple[Observed, Observed] | None:
    records = subjects.rows_of(dataset, faults)
    if records is None or not records.require(["PARAMCD", "AVAL", "AVISIT", "ADT"]):
        return None
    records = records.where(records.text("PARAMCD").isin(list(parameters)))
    flag = records.text("ANL01FL")
    chosen = flag.eq("Y") if "ANL01FL" in records else flag.isna()
    analysis = records.text("AVISIT")
    imputed = records.text("DTYPE").notna()
    # A row that the analysis passed over belongs to no analysis visit.
    visit = analysis.where(chosen, None)
    day, _, _ = records.interval("ADT", "ADY", subjects.dates_for(records))
    rows = _score_rows(records, "PARAMCD", "AVAL", parameters, day, visit)
    rows["status"] = np.where(imputed, "derived", rows["status"])
    if imputed.any():
        count = int(imputed.sum())
        subjects.note(records.source_id, f"{count} imputed rows (DTYPE) kept apart as derived")
    rows = _placed(rows, records, subjects)
    derived = rows["status"] == "derived"
    used = tuple(parameters.values())
    return Observed(rows[~derived], used), Observed(rows[derived], used)


def _from_sdtm(
    dataset: Dataset, parameters: dict[str, Variable], subjects: Subjects, faults: Faults
) -> Observed | None:
    records = subjects.rows_of(dataset, faults)
    if records is None or not records.require(["QSTESTCD", "QSSTRESN", "QSDTC"]):
        return None
    records = records.where(records.text("QSTESTCD").isin(list(parameters)))
    if not len(records):
        return None
    day, _, _ = records.interval("QSDTC", "QSDY", subjects.dates_for(records))
    visit = visit_names(records.text("VISIT"))
    rows = _score_rows(records, "QSTESTCD", "QSSTRESN", parameters, day, visit)
    return Observed(_placed(rows, records, subjects), tuple(parameters.values()))


def _score_rows(
    records: Records,
    code: str,
    number: str,
    parameters: dict[str, Variable],
    day: np.ndarray[Any, Any],
    visit: pd.Series[Any],
) -> pd.DataFrame:
    codes = records.text(code)
    value = records.number(number)
    numeric = codes.map({c: v.numeric for c, v in parameters.items()}).to_numpy(bool)
    words = pd.Series(value, index=codes.index).map("{:g}".format).astype(object)
    known = ~np.isnan(value)
    return pd.DataFrame(
        {
            "subject_id": records.text("USUBJID"),
            "day": day,
            "visit": visit,
            "variable": codes.map({c: v.name for c, v in parameters.items()}).astype(object),
            "value": np.where(numeric, value, np.nan),
            "text": words.where(known & ~numeric, None),
            "unit": codes.map({c: v.unit for c, v in parameters.items()}).astype(object),
            "status": np.where(known, "observed", "not_done").astype(object),
            "source_id": records.source_id,
        }
    )


def _placed(rows: pd.DataFrame, records: Records, subjects: Subjects) -> pd.DataFrame:
    undated = rows["day"].isna()
    if undated.any():
        subjects.note(records.source_id, f"{int(undated.sum())} rows without a whole date left out")
    return rows[~undated]
