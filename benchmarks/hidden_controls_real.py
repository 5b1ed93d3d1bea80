"""Hide real randomised controls, answer without them by every method, and compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks.datasets import narrowed
from benchmarks.hidden_controls_data import Trial, actg175, actg320, cohort, pilot, visible_half
from benchmarks.hidden_controls_methods import (
    OWN_ONLY,
    Answer,
    Trials,
    checks,
    external_only,
    hybrid,
    weighted_external,
)
from extraction.records import Cohort
from extraction.records.errors import InputError
from generation import fit
from generation.randomness import generator
from simulation.analysis.arrays import BoolArray, FloatArray
from simulation.analysis.borrowing import BorrowingRule
from simulation.analysis.estimate import Estimate
from simulation.analysis.external.doubly_robust import g_computation
from simulation.analysis.external.time_to_event import weighted_survival
from simulation.analysis.external.verdict import Evidence, StoppingRule, Verdict, judge
from simulation.analysis.synthetic_arm import corrected, mean_parts, restricted_mean_parts

TWIN = {"members": 1, "epochs": 20}
PILOT_BASELINE = ("AGE", "SEX", "ADASBL", "MMSETOT", "DURDIS", "ADAS")
Span = tuple[float, float, float]
"""Estimate, lower and upper limit."""


@dataclass(frozen=True)
class Hidden:
    """One group of sites whose controls were hidden.

    Attributes
    ----------
    trial, outcome, group
        What was hidden.
    sizes
        Treated, hidden controls, external controls.
    randomised
        The answer with the group's own controls.
    external, hybrid
        Answers by method without own controls, and with half of them.
    hazard_ratio
        Randomised and weighted; None for a measured outcome.
    alone, half
        The verdict without own controls, and with half of them.
    """

    trial: str
    outcome: str
    group: int
    sizes: tuple[int, int, int]
    randomised: Span
    external: Mapping[str, Span]
    hybrid: Mapping[str, Span]
    hazard_ratio: tuple[Span, Span] | None
    alone: Verdict
    half: Verdict


def _span(answer: Answer) -> Span:
    low, high = answer.interval()
    return float(answer.estimate[0]), float(low[0]), float(high[0])


def _of(line: Estimate) -> Span:
    return line.estimate, line.low, line.high


def _trials(trial: Trial, treated: BoolArray, own: BoolArray, external: BoolArray) -> Trials:
    def one(rows: BoolArray) -> tuple[FloatArray, FloatArray]:
        y = trial.values(rows) if rows.any() else np.zeros(0)
        return y[None], trial.x[rows][None]

    return Trials(*one(treated), *one(own), *one(external), trial.group[external])


def hide(trial: Trial, group: int, seed: int) -> Hidden:
    """Hide one group's controls; the other groups' controls stand in."""
    treated = trial.treated & (trial.group == group)
    own = ~trial.treated & (trial.group == group)
    external = ~trial.treated & (trial.group != group)
    nobody = np.zeros_like(own)
    seen = own & visible_half(trial.ids)
    rng = generator(seed, f"hidden-{trial.name}-{trial.outcome}", group)
    alone, half = (_trials(trial, treated, part, external) for part in (nobody, seen))
    found = {name: _span(answer) for name, answer in external_only(alone, rng).items()}
    found["g-computation"] = _g_computation(alone, rng)
    found["synthetic, twin"] = _twin(trial, treated, external, seed)
    look = checks(half, BorrowingRule())
    mixed = hybrid(half, weighted_external(half.y0, look.weights, half.source))
    complete = _trials(trial, treated, own, external)
    randomised = hybrid(complete, weighted_external(half.y0, look.weights, half.source))[OWN_ONLY]
    return Hidden(
        trial.name,
        trial.outcome,
        group,
        (int(treated.sum()), int(own.sum()), int(external.sum())),
        _span(randomised),
        found,
        {name: _span(answer) for name, answer in mixed.items()},
        _hazard_ratios(trial, treated, own, external),
        _verdict(trial, treated, external, StoppingRule(), Evidence()),
        # The cap on the type I error is judged over the drift grid.
        _verdict(trial, treated | seen, external, StoppingRule(max_type_one=1.0),
                 Evidence(conflict_p=float(look.conflict_p[0]))),
    )


def _g_computation(trials: Trials, rng: np.random.Generator) -> Span:
    y = np.concatenate([trials.y1[0], trials.y0[0]])
    x = np.concatenate([trials.x1[0], trials.x0[0]])
    arm = np.r_[np.ones(trials.y1.shape[1]), np.zeros(trials.y0.shape[1])]
    return _of(g_computation(y, arm, x, rng=rng))


def _verdict(trial: Trial, target: BoolArray, external: BoolArray, rule: StoppingRule,
             evidence: Evidence) -> Verdict:
    columns = [dict(zip(trial.columns, trial.x[rows].T, strict=True))
               for rows in (target, external)]
    same = {"event": trial.outcome, "time zero": "randomisation"}
    return judge(columns[0], columns[1], same, same, rule, evidence)


def _hazard_ratios(trial: Trial, treated: BoolArray, own: BoolArray, external: BoolArray
                   ) -> tuple[Span, Span] | None:
    """Randomised, and weighted to the treated with the other groups' controls."""
    if trial.time is None or trial.event is None:
        return None
    lines = []
    for controls, x in ((own, np.zeros((trial.ids.size, 1))), (external, trial.x)):
        rows = np.flatnonzero(treated | controls)
        try:
            line = weighted_survival(trial.time[rows], trial.event[rows],
                                     treated[rows].astype(float), x[rows])
            lines.append(_of(line))
        except InputError:
            lines.append((float("nan"),) * 3)
    return lines[0], lines[1]


def _controls_of(trial: Trial, external: BoolArray) -> Cohort:
    """The external controls with the columns that the twin learns."""
    if trial.name.startswith("ACTG320"):
        return cohort("actg320").select(trial.ids[external].tolist())
    whole = cohort("cdisc_pilot").select(trial.ids[external].tolist())
    return narrowed(whole, PILOT_BASELINE, ["dermatologic"])


def _twin(trial: Trial, treated: BoolArray, external: BoolArray, seed: int) -> Span:
    """Against as many twins as there are external controls, who alone trained their model."""
    real = _controls_of(trial, external)
    model = fit(real, engine="twin", seed=seed, **TWIN)
    made = model.sample(len(real), arm=real.schema.control_arm, seed=seed)
    if trial.time is None or trial.event is None:
        change = made.at_visit("ADAS", "Week 8").to_numpy() - made.subjects["ADASBL"].to_numpy()
        parts = mean_parts(trial.y[treated], change[np.isfinite(change)])
        return _of(corrected(parts, len(real)))
    name = "aids" if trial.name.startswith("ACTG320") else "dermatologic"
    events = made.endpoint(name)
    parts = restricted_mean_parts(
        np.r_[trial.time[treated], events["day"].to_numpy(dtype=float)],
        np.r_[trial.event[treated], events["observed"].to_numpy(dtype=float)],
        np.r_[np.ones(int(treated.sum())), np.zeros(len(events))],
        trial.horizon,
    )
    return _of(corrected(parts, len(real)))


def all_hidden(seed: int) -> list[Hidden]:
    """Every group of every trial."""
    trials = (actg320("random"), actg320("case mix"), pilot("ADAS"), pilot("dermatologic"))
    return [hide(trial, group, seed) for trial in trials for group in np.unique(trial.group)]


@dataclass(frozen=True)
class Historical:
    """ACTG320's treated against its own controls, and against ACTG175's.

    `answers` are what borrowing would have said; the verdict decides whether it may.
    """

    sizes: tuple[int, int, int]
    randomised: Span
    answers: Mapping[str, Span]
    verdict: Verdict


def historical(seed: int) -> Historical:
    """Replace all of ACTG320's controls by ACTG175's zidovudine arm."""
    new, old = actg320(), actg175()
    shared = [new.columns.index(name) for name in old.columns]
    y1, own, y0 = (new.values(new.treated), new.values(~new.treated), old.values(~old.treated))
    x1, x_own = new.x[new.treated][:, shared], new.x[~new.treated][:, shared]
    trials = Trials(y1[None], x1[None], own[None][:, :0], x_own[None][:, :0], y0[None],
                    old.x[None], old.group)
    complete = Trials(y1[None], x1[None], own[None], x_own[None], y0[None], old.x[None], old.group)
    look = checks(complete, BorrowingRule())
    names = old.columns
    verdict = judge(
        dict(zip(names, np.vstack([x1, x_own]).T, strict=True)),
        dict(zip(names, old.x.T, strict=True)),
        {"event": "AIDS or death", "control": "ZDV + 3TC"},
        {"event": "CD4 decline of half, AIDS or death", "control": "ZDV"},
        StoppingRule(),
        Evidence(conflict_p=float(look.conflict_p[0])),
    )
    flat = np.ones_like(trials.y0)
    alone = hybrid(complete, weighted_external(trials.y0, flat, trials.source))[OWN_ONLY]
    answers = external_only(trials, generator(seed, "hidden-historical"))
    return Historical((y1.size, own.size, y0.size), _span(alone),
                      {name: _span(answer) for name, answer in answers.items()}, verdict)
