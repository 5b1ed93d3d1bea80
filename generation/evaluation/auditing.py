"""The disclosure audit of an engine: what its synthetic patients give away, by refits.

The engine is fitted again and again to random halves of the patients, each patient being in
exactly half of them. What an attack finds of patients who were in, beyond what it finds of those
who were out, is a leak. Models of half the patients remember each of them at least as well as a
model of all, so the audit errs on the side of caution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist
from scipy.stats import t as student_t

from extraction.records import Cohort, InputError
from generation.evaluation.attacks import ATTACKS, Targets
from generation.evaluation.controls import copy, independent
from generation.evaluation.disclosure import ENOUGH, PASS_BELOW
from generation.evaluation.membership import (
    MembershipAttack,
    attack_areas,
    halves,
    likelihood_ratios,
)
from generation.evaluation.metric import (
    INSUFFICIENT,
    NOT_SHOWN,
    WITHIN,
    WORSE,
    Control,
    Metric,
    Verdict,
    plain,
)
from generation.evaluation.running import one_thread
from generation.evaluation.tables import Floats, Table, tables
from generation.randomness import generator, integer_seed

if TYPE_CHECKING:
    from generation.engine import Progress

EXCESS_BELOW = 0.05
"""Largest upper bound of an attack's excess success that passes."""
_FEWEST = 40
_FITTING = 0.8
_CONTROLS = {"copy": copy, "independent": independent}

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class DisclosureAudit:
    """What an engine gives away about the patients it learnt from.

    Parameters
    ----------
    engine, options, seed
        What was audited.
    patients, refits
        Real patients, and models fitted to halves of them.
    metrics
        One an attack, with controls "copy" (everybody's record is released) and "independent"
        (columns drawn on their own).
    """

    engine: str
    options: dict[str, Any]
    seed: int
    patients: int
    refits: int
    metrics: tuple[Metric, ...] = field(repr=False)

    @property
    def verdict(self) -> Verdict:
        """The worst of the metrics' verdicts."""
        found = {metric.verdict for metric in self.metrics}
        return next(v for v in (WORSE, INSUFFICIENT, NOT_SHOWN, WITHIN) if v in found)

    @property
    def sentences(self) -> tuple[str, ...]:
        """One plain sentence an attack."""
        return tuple(metric.sentence for metric in self.metrics)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form without NaN."""
        return {
            "engine": self.engine,
            "options": plain(self.options),
            "seed": self.seed,
            "patients": self.patients,
            "refits": self.refits,
            "verdict": self.verdict,
            "metrics": [metric.to_dict() for metric in self.metrics],
        }


@one_thread()
def disclosure_audit(
    cohort: Cohort,
    engine: str = "twin",
    refits: int = 12,
    seed: int = 0,
    progress: Progress | None = None,
    **options: Any,
) -> DisclosureAudit:
    """Attack an engine with refits to random halves of a cohort.

    Parameters
    ----------
    cohort
        Real patients, at least 40; with fewer than 400 nothing can be shown to be safe.
    refits
        Models fitted, an even number of at least 4; time grows with it, and with it the power of
        the likelihood-ratio attack.
    seed
        Seed of halves, fits, samples and attacks.
    options
        Options of the engine.

    Raises
    ------
    InputError
        For too few patients or an odd or too small number of refits.
    """
    _check(cohort, refits)
    inside = halves(len(cohort), refits, seed)
    samples, scores = _fits(cohort, engine, inside, seed, options, progress)
    pool, *ours = tables([cohort, *samples], real=[0])
    targets = Targets(pool)
    metrics = [
        *_memberships(targets, ours, inside, scores, seed),
        *(_attack(name, targets, ours, inside, seed) for name in ATTACKS),
    ]
    return DisclosureAudit(engine, options, seed, len(cohort), refits, tuple(metrics))


def _check(cohort: Cohort, refits: int) -> None:
    faults = []
    if len(cohort) < _FEWEST:
        faults.append(f"cohort: {len(cohort)} patients; the audit needs at least {_FEWEST}")
    if refits < 4 or refits % 2:
        faults.append(f"refits: {refits}; give an even number of at least 4")
    if faults:
        raise InputError(faults)


def _fits(
    cohort: Cohort,
    engine: str,
    inside: Flags,
    seed: int,
    options: dict[str, Any],
    progress: Progress | None,
) -> tuple[list[Cohort], Floats | None]:
    """A sample of every refit, and every patient's log-likelihood where the engine has one."""
    from generation.registry import fit

    samples, scores = [], []
    for r, members in enumerate(inside):
        if progress is not None:
            progress(f"refit {r + 1} of {len(inside)}", _FITTING * r / len(inside))
        model = fit(cohort.take(members), engine, integer_seed(seed, "audit fit", r), **options)
        drawn = integer_seed(seed, "audit sample", r)
        samples.append(model.sample(int(members.sum()), seed=drawn))
        if "log_prob" in model.supports:
            scores.append(np.asarray(model.log_prob(cohort), dtype=np.float64))
    return samples, np.array(scores) if scores else None


def _memberships(
    targets: Targets, ours: Sequence[Table], inside: Flags, scores: Floats | None, seed: int
) -> list[Metric]:
    """Likelihood-ratio attacks on the released patients and, where possible, on the model."""
    rarity = _rarity(targets)

    def judged(values: Floats) -> MembershipAttack:
        return attack_areas(likelihood_ratios(values, inside), inside, rarity, seed)

    known = {}
    for kind in _CONTROLS:
        found = judged(_closeness(targets, _controls(kind, targets.pool, inside, seed)))
        known[kind] = Control.around(found.area, found.se)
    metrics = [
        _membership("audit_membership_sample", "membership inference from released patients",
                    judged(_closeness(targets, ours)), known, len(rarity))
    ]
    if scores is not None:
        metrics.append(
            _membership("audit_membership_model", "membership inference from the model itself",
                        judged(scores), {}, len(rarity))
        )
    return metrics


def _closeness(targets: Targets, ours: Sequence[Table]) -> Floats:
    """Minus the log distance to the nearest synthetic patient, shape (refits, patients)."""
    nearest = [
        cdist(targets.coordinates, targets.place(table), "cityblock").min(axis=1) for table in ours
    ]
    return -np.log(np.array(nearest) + 1e-3)


def _rarity(targets: Targets) -> Floats:
    """Distance of each patient from the nearest other one."""
    distance = cdist(targets.coordinates, targets.coordinates, "cityblock")
    np.fill_diagonal(distance, np.inf)
    return np.asarray(distance.min(axis=1))


def _controls(kind: str, pool: Table, inside: Flags, seed: int) -> list[Table]:
    return [
        _CONTROLS[kind](
            pool.take(np.flatnonzero(members)), int(members.sum()),
            generator(seed, f"audit {kind}", r),
        )
        for r, members in enumerate(inside)
    ]


def _membership(
    name: str, label: str, found: MembershipAttack, known: dict[str, Control], patients: int
) -> Metric:
    low, high = found.area - 1.96 * found.se, found.area + 1.96 * found.se
    verdict: Verdict = WITHIN if high <= PASS_BELOW else NOT_SHOWN
    if low > 0.5 and high > PASS_BELOW:
        verdict = WORSE
    elif patients // 2 < ENOUGH:
        verdict = INSUFFICIENT
    rare, rare_se = found.rare
    return Metric(
        name, "privacy", label, found.area, found.se, "chance",
        {"real": Control(0.5), **known}, verdict,
        f"{label[0].upper()}{label[1:]}, with models that do and do not contain each patient, has "
        f"AUC {found.area:.3f} [{low:.3f}, {high:.3f}] (0.5 gives nobody away; passes up to "
        f"{PASS_BELOW}), {rare:.3f} among the tenth of the patients least like any other, and "
        f"finds {found.caught:.1%} of the members at 5% false alarms: {verdict}.",
        {
            "caught_at_five_percent": found.caught,
            "rare_patients": {
                "area": rare, "low": rare - 1.96 * rare_se, "high": rare + 1.96 * rare_se
            },
            "pass_below": PASS_BELOW,
        },
    )


def _attack(
    name: str, targets: Targets, ours: Sequence[Table], inside: Flags, seed: int
) -> Metric:
    """One of the three attacks: success on members beyond success on others."""
    excess, se, success, base = _excess(name, targets, ours, inside, seed)
    known = {}
    for kind in _CONTROLS:
        value, error, *_ = _excess(
            name, targets, _controls(kind, targets.pool, inside, seed), inside, seed
        )
        known[kind] = Control.around(value, error)
    low, high = excess - 1.96 * se, excess + 1.96 * se
    caught = (known["copy"].low or 0.0) > 0
    verdict: Verdict = WITHIN if high <= EXCESS_BELOW and caught else NOT_SHOWN
    if low > 0 and high > EXCESS_BELOW:
        verdict = WORSE
    elif len(targets.pool) // 2 < ENOUGH:
        verdict = INSUFFICIENT
    label = ATTACKS[name][0]
    ends = {NOT_SHOWN: ", as the attack would not have seen a copy of the data either"}
    end = ends.get(verdict, "") if not caught else ""
    return Metric(
        f"audit_{name}", "privacy", label, excess, se, "lower",
        {"real": Control(0.0), **known}, verdict,
        f"{label[0].upper()}{label[1:]} succeeds for {success:.1%} of the patients trained on and "
        f"{base:.1%} of others: an excess of {excess:.1%} [{low:.1%}, {high:.1%}] of those who "
        f"would otherwise be safe (0% is best; "
        f"passes up to {EXCESS_BELOW:.0%}; a copy of the data "
        f"{known['copy'].value:.1%}): {verdict}{end}.",
        {"success_on_members": success, "success_on_others": base, "pass_below": EXCESS_BELOW},
    )


def _excess(
    name: str, targets: Targets, ours: Sequence[Table], inside: Flags, seed: int
) -> tuple[float, float, float, float]:
    """Excess risk (r_in - r_out) / (1 - r_out), its standard error over refits, and both rates."""
    attack = ATTACKS[name][1]
    rates = [
        attack(targets, table, members, generator(seed, f"audit {name}", r))
        for r, (table, members) in enumerate(zip(ours, inside, strict=True))
    ]
    mine = np.array([rate[members].mean() for rate, members in zip(rates, inside, strict=True)])
    others = np.array([rate[~members].mean() for rate, members in zip(rates, inside, strict=True)])
    base = float(others.mean())
    scale = max(1 - base, 1e-9)
    difference = mine - others
    # Few refits: the normal 1.96 of an interval is widened to Student's t.
    wide = float(student_t.ppf(0.975, len(rates) - 1)) / 1.96
    se = wide * float(difference.std(ddof=1)) / np.sqrt(len(rates)) / scale
    return float(difference.mean()) / scale, se, float(mine.mean()), base
