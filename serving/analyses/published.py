"""Published analyses of a trial, done again to show that its data were read as published."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from extraction.records import Cohort, InputError
from serving.study.parts import PrimaryEndpoint
from serving.study.trial import Published, PublishedAncova, PublishedTimeToEvent
from simulation.analysis.continuous import ancova, dose_response
from simulation.analysis.cox import cox
from simulation.analysis.estimate import Estimand
from simulation.analysis.logrank import logrank

LOCF_LABEL = "for reproduction only: missing outcomes are carried forward"


def reproduce(
    cohort: Cohort, endpoint: PrimaryEndpoint, item: Published, decimals: int
) -> dict[str, Any]:
    """Do one published analysis again and compare it with what was published.

    Returns
    -------
    dict
        ``figures`` by name, ``estimates``, ``label``, and ``checks``: published and obtained
        figures with whether they agree to `decimals` digits.
    """
    if isinstance(item, PublishedAncova):
        found = ancova_locf(cohort, endpoint, item)
    else:
        found = time_to_event(cohort, item)
    return found | {"checks": checks(found["figures"], item.expected, decimals)}


def carried_forward(cohort: Cohort, variable: str, visit: str) -> pd.DataFrame:
    """Outcome of the analysis visit, the last one carried forward where none was observed.

    Returns
    -------
    DataFrame
        One row a subject in row order: ``value`` (NaN where there is none) and ``carried``.
    """
    rows = []
    for frame, carried in ((cohort.observations, False), (cohort.derived, True)):
        kept = (frame["variable"] == variable) & (frame["visit"] == visit) & frame["value"].notna()
        rows.append(frame[kept].assign(carried=carried))
    both = pd.concat(rows, ignore_index=True)
    # An observed outcome goes before a carried one of the same visit.
    both = both.drop_duplicates(["study_id", "subject_id"])
    out = pd.DataFrame({"value": np.full(len(cohort), np.nan), "carried": False})
    place = cohort.positions(both)
    out.loc[place, "value"] = both["value"].to_numpy()
    out.loc[place, "carried"] = both["carried"].to_numpy()
    return out


def ancova_locf(cohort: Cohort, endpoint: PrimaryEndpoint, item: PublishedAncova) -> dict[str, Any]:
    """ANCOVA of change from baseline with the last observation carried forward."""
    last = carried_forward(cohort, endpoint.variable, endpoint.visit)
    subjects = cohort.subjects
    used = last["value"].notna() & subjects[endpoint.baseline].notna()
    for flag in item.population_flags:
        used &= subjects[flag] == "Y"
    if used.sum() < 20:
        raise InputError(
            f"cohort.published: {int(used.sum())} patients have an outcome at {endpoint.visit}; "
            "at least 20 are needed; check endpoint.visit and population_flags"
        )
    rows = subjects[used]
    change = (last["value"] - subjects[endpoint.baseline])[used]
    columns = {endpoint.baseline: rows[endpoint.baseline]}
    factors = {name: rows[name] for name in endpoint.factors}
    control = str(cohort.schema.control_arm)
    who = analysed(endpoint, item.population_flags, int(used.sum()), len(cohort))
    question = locf_estimand(endpoint, who)
    fitted = ancova(change, rows["arm"], columns, factors, control=control, estimand=question)
    figures: dict[str, float] = {}
    for arm in [a for a in cohort.schema.arms if (rows["arm"] == a).any()]:
        mine = change[rows["arm"] == arm]
        figures |= {
            f"n {arm}": float(len(mine)),
            f"mean {arm}": float(mine.mean()),
            f"sd {arm}": float(mine.std()),
            f"carried forward {arm}": float(last["carried"][used][rows["arm"] == arm].sum()),
        }
    for arm, effect in fitted.effects.items():
        figures |= {
            f"difference {arm}": effect.estimate,
            f"se {arm}": effect.se,
            f"p {arm}": effect.p_value,
        }
    if item.dose_by_arm:
        trend = dose_response(change, rows["arm"].map(item.dose_by_arm), columns, factors)
        figures["p dose response"] = trend.p_value
    return {
        "title": f"{endpoint.variable}: change from baseline at {endpoint.visit}, ANCOVA with "
        "last observation carried forward",
        "label": LOCF_LABEL,
        "control": control,
        "figures": figures,
        "estimates": [e.to_dict() for e in fitted.effects.values()],
    }


def analysed(endpoint: PrimaryEndpoint, flags: Sequence[str], used: int, of: int) -> str:
    """Say who an analysis is really about: flags of populations, and how many patients."""
    chosen = f" with {', '.join(flags)} = Y" if flags else ""
    return f"{endpoint.population}{chosen} and an outcome or one to carry: {used} of {of} patients"


def locf_estimand(endpoint: PrimaryEndpoint, population: str) -> Estimand:
    """What an analysis with the last observation carried forward answers.

    Outcomes taken after stopping count, so the strategy is treatment policy; carrying values
    forward is how missing outcomes are filled in, not a strategy.
    """
    return Estimand(
        population=population,
        treatment="each active arm against control",
        variable=f"change of {endpoint.variable} from baseline to {endpoint.visit}, also where it "
        "was taken after stopping; a missing outcome is replaced by the last one observed",
        intercurrent_events={"discontinuation": "treatment policy"},
        summary="difference in adjusted means",
    )


def time_to_event(cohort: Cohort, item: PublishedTimeToEvent) -> dict[str, Any]:
    """Events by arm, log-rank test over all arms and hazard ratios against control."""
    rows = cohort.endpoint(item.endpoint)
    known = rows["day"].notna().to_numpy()
    arm = cohort.subjects["arm"][known]
    day, observed = rows["day"][known], rows["observed"][known].to_numpy(dtype=float)
    control = str(cohort.schema.control_arm)
    test = logrank(day, observed, arm)
    figures = {"log-rank chi2": test.chi2, "log-rank p": test.p_value}
    estimates = []
    for name in [a for a in cohort.schema.arms if (arm == a).any()]:
        mine = (arm == name).to_numpy()
        figures |= {f"n {name}": float(mine.sum()), f"events {name}": float(observed[mine].sum())}
        if name == control:
            continue
        pair = mine | (arm == control).to_numpy()
        fit = cox(day[pair], observed[pair], {"treated": mine[pair].astype(float)})
        ratio = fit.hazard_ratio("treated", estimand=_event_estimand(cohort, item, name))
        estimates.append(ratio.to_dict() | {"arm": name, "control": control})
        figures |= {
            f"hazard ratio {name}": ratio.estimate,
            f"hazard ratio low {name}": ratio.low,
            f"hazard ratio high {name}": ratio.high,
        }
    label = cohort.schema.endpoint(item.endpoint).title
    return {
        "title": label,
        "label": "as published",
        "control": control,
        "figures": figures,
        "estimates": estimates,
    }


def _event_estimand(cohort: Cohort, item: PublishedTimeToEvent, arm: str) -> Estimand:
    return Estimand(
        population="all randomised patients",
        treatment=f"{arm} against {cohort.schema.control_arm}",
        variable=cohort.schema.endpoint(item.endpoint).title,
        intercurrent_events={"discontinuation": "while on treatment"},
        summary="hazard ratio (marginal)",
    )


def checks(
    figures: dict[str, float], expected: dict[str, float], decimals: int
) -> list[dict[str, Any]]:
    """Published figures beside ours.

    Raises
    ------
    InputError
        When a published figure has a name that the analysis does not give.
    """
    unknown = [name for name in expected if name not in figures]
    if unknown:
        raise InputError(
            f"cohort.published: expected figure {name!r} is not given by the analysis; it gives "
            f"{', '.join(figures)}"
            for name in unknown
        )
    return [
        {
            "figure": name,
            "published": value,
            "obtained": figures[name],
            "agrees": abs(figures[name] - value) <= 0.5 * 10 ** -_digits(value, decimals) + 1e-12,
        }
        for name, value in expected.items()
    ]


def _digits(value: float, decimals: int) -> int:
    """Digits behind the point to compare: as many as were published, at most `decimals`."""
    text = repr(float(value))
    shown = len(text.partition(".")[2]) if "e" not in text else decimals
    return min(decimals, shown if text.partition(".")[2] != "0" else 0)
