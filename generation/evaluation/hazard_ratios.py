"""Whether synthetic patients keep what the arm and the covariates do to the hazard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from generation.evaluation.survival import (
    Flags,
    cox_errors,
    cox_ridge,
    martingale_residuals,
    times_events,
)
from generation.evaluation.tables import EndpointColumns, Floats, Rows, Table

_PENALTY = 0.1
_EVENTS_A_COVARIATE = 5
_MOST = 5
_HALF = 0.5


@dataclass(frozen=True)
class HazardModel:
    """The Cox model that both sides are fitted with.

    Parameters
    ----------
    endpoint
        Time and event.
    names
        Names of the covariates, the arm's contrasts first.
    columns
        Their places among the columns of `covariates`.
    centre, scale
        Of the real patients, shape (covariates,); a log hazard ratio is per SD (arm: per arm).
    real
        Log hazard ratios of all real patients, shape (covariates,).
    se
        Their standard errors.
    patients
        How many those are.
    """

    endpoint: EndpointColumns
    names: tuple[str, ...]
    columns: Rows
    centre: Floats
    scale: Floats
    real: Floats
    se: Floats
    patients: int

    def fit(self, table: Table) -> Floats:
        """Log hazard ratios of a sample, shape (covariates,); zeros without any event."""
        return cox_ridge(*self.inputs(table), _PENALTY)

    def inputs(self, table: Table) -> tuple[Floats, Floats, Flags]:
        """Standardised covariates, days and events of the patients who have an outcome."""
        time, event, known = times_events(table, self.endpoint)
        x = covariates(table)[1][:, self.columns]
        return ((x - self.centre) / self.scale)[known], time[known], event[known]

    def errors_at(self, n: int) -> Floats:
        """Standard errors that n patients would have, shape (covariates,)."""
        return np.asarray(self.se * np.sqrt(self.patients / max(n, 1)))


def hazard_model(pool: Table, endpoint: EndpointColumns, fewest_events: int) -> HazardModel | None:
    """Choose the arm and up to five covariates, at most one for five events.

    Covariates are those with the largest score statistic in all real patients.

    Parameters
    ----------
    fewest_events
        Events of the smallest sample that the model will be fitted to.

    Returns
    -------
    HazardModel or None
        None where the events do not carry a single covariate.
    """
    time, event, known = times_events(pool, endpoint)
    names, x, is_arm = covariates(pool)
    x, time, event = x[known], time[known], event[known]
    varies = x.std(axis=0) > 0 if len(x) else np.zeros(len(names), dtype=bool)
    room = min(_MOST + int(is_arm.sum()), fewest_events // _EVENTS_A_COVARIATE, int(varies.sum()))
    if room < 1:
        return None
    centre = x.mean(axis=0)
    scale = np.where(is_arm | ~varies, 1.0, x.std(axis=0))
    score = np.abs(((x - centre) / scale).T @ martingale_residuals(time, event))
    score = np.where(varies, np.where(is_arm, np.inf, score), -1.0)
    chosen = np.argsort(-score, kind="stable")[:room]
    x = (x[:, chosen] - centre[chosen]) / scale[chosen]
    beta = cox_ridge(x, time, event, _PENALTY)
    return HazardModel(
        endpoint,
        tuple(names[i] for i in chosen),
        chosen,
        centre[chosen],
        scale[chosen],
        beta,
        cox_errors(x, time, event, beta, _PENALTY),
        len(x),
    )


def covariates(table: Table) -> tuple[list[str], Floats, Flags]:
    """Arm contrasts and baseline columns as numbers: names, shape (n, columns), which are arms.

    Missing numbers become the median; categorical columns one indicator a level but the first,
    the ordinal ones among them too.
    """
    layout = table.layout
    names: list[str] = []
    parts: list[Floats] = []
    arms: list[bool] = []
    places = ([] if layout.arm is None else [layout.arm]) + [*layout.baseline_categorical]
    for j in places:
        for level in range(1, len(layout.levels[j])):
            names.append(f"{layout.categorical[j]} {layout.levels[j][level]}")
            parts.append((table.codes[:, j] == level).astype(np.float64))
            arms.append(j == layout.arm)
    for j in layout.baseline_numeric:
        values = table.numbers[:, j]
        known = values[~np.isnan(values)]
        names.append(layout.numeric[j])
        parts.append(np.where(np.isnan(values), np.median(known) if len(known) else 0.0, values))
        arms.append(False)
    x = np.column_stack(parts) if parts else np.empty((len(table), 0))
    return names, x, np.array(arms, dtype=bool)


def hazard_ratio_distance(synthetic: Table, real: Table, model: HazardModel) -> float:
    """Root mean square over covariates of the difference of log hazard ratios, in real SEs.

    The standard errors are those of all real patients, scaled to the number of real patients
    compared.
    """
    gap = (model.fit(synthetic) - model.fit(real)) / model.errors_at(len(real))
    return float(np.sqrt(np.mean(gap**2)))


def hazard_ratio_details(synthetic: Table, real: Table, model: HazardModel) -> dict[str, Any]:
    """Log hazard ratios by covariate."""
    ours, theirs = model.fit(synthetic), model.fit(real)
    return {
        "per": "SD of the covariate; arms and categories against the first one's",
        "log_hazard_ratios": {
            name: {
                "synthetic": ours[i],
                "real_held_out": theirs[i],
                "real_all": model.real[i],
                "se_all": model.se[i],
            }
            for i, name in enumerate(model.names)
        },
    }


def half_the_outcomes(table: Table, rng: np.random.Generator, endpoint: EndpointColumns) -> Table:
    """Planted error: half of the patients get the outcome of somebody else."""
    numbers, codes = table.numbers.copy(), table.codes.copy()
    hit = np.flatnonzero(rng.random(len(table)) < _HALF)
    other = rng.permutation(hit)
    numbers[hit, endpoint.time] = numbers[other, endpoint.time]
    for column in (endpoint.event, endpoint.cause):
        if column is not None:
            codes[hit, column] = codes[other, column]
    return Table(table.layout, numbers, codes)
