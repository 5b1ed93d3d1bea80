"""What an engine gives away about the patients it learns from, by refits to halves of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from extraction.records.errors import Faults

from .patients import Columns, read_patients

FEWEST_REFITS, MOST_REFITS = 4, 200


@dataclass(frozen=True)
class DisclosureRequest:
    """An engine to attack.

    Parameters
    ----------
    cohort
        Real patients: a cohort's folder or a flat table with one row a patient.
    engine, options
        What is fitted to halves of them.
    refits
        Models fitted, an even number from 4 to 200; time and power grow with it.
    columns
        What the columns of a flat table mean.
    """

    cohort: Path
    engine: str = "twin"
    options: dict[str, Any] = field(default_factory=dict)
    refits: int = 12
    seed: int = 0
    columns: Columns | None = None


def evaluate_disclosure(
    request: DisclosureRequest,
    progress: Callable[[str, float], None] | None = None,
    also: Iterable[str] = (),
) -> dict[str, Any]:
    """Attack an engine by membership inference, singling out, linkage and attribute inference.

    Parameters
    ----------
    progress
        Called with what was done and the fraction done.
    also
        Faults that the caller has found, to be told with the others.

    Returns
    -------
    dict
        `generation.evaluation.auditing.DisclosureAudit.to_dict`, with ``sentences`` and ``notes``
        (columns of a table that were left out).

    Raises
    ------
    InputError
        With every fault of the request and of the patients.
    """
    from generation.evaluation.auditing import disclosure_audit
    from generation.registry import engine_class

    faults = Faults()
    for fault in also:
        faults.add(fault)
    if request.refits % 2 or not FEWEST_REFITS <= request.refits <= MOST_REFITS:
        faults.add(
            f"--refits: {request.refits} came; give an even number from {FEWEST_REFITS} to "
            f"{MOST_REFITS}"
        )
    with faults.catch():
        engine_class(request.engine)
    notes: list[str] = []
    with faults.catch():
        patients = read_patients({"cohort": request.cohort}, ("cohort",), request.columns, notes)
    faults.raise_if_any()
    audit = disclosure_audit(
        patients["cohort"], request.engine, request.refits, request.seed, progress,
        **request.options,
    )
    return {**audit.to_dict(), "sentences": list(audit.sentences), "notes": notes}
