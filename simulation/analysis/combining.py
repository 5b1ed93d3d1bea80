"""From several syntheses to one estimate: combining rules, each with its source and its conditions.

Each synthesis i of m gives an estimate q_i and the variance v_i that its k rows would have if they
were patients. With b the variance between the q_i, v the mean of the v_i, and n the real patients
behind the models, a rule gives the variance of the mean of the q_i about the truth. Which rule
holds depends on how the syntheses were drawn:

- *one fit*: all from one model fitted to the n patients; b is Monte Carlo noise only;
- *refits or posterior draws*: each from a model of its own, fitted to a bootstrap resample of the
  patients (`generation.synthesis`) or drawn from a posterior; b holds the fits' error as well.

`tests/statistical/test_combining_rules.py` simulates every rule under both, in a model whose exact
answer is known: those that should fail do so by the amount the formulas predict. All rules assume
that the model is right: no rule can repair a biased generator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
from numpy.typing import ArrayLike

from simulation.analysis.arrays import FloatArray, numeric, stop
from simulation.analysis.estimate import Estimand, Estimate, from_t

Drawn = Literal["one_fit", "refits"]
MINIMUM_REFITS = 20


@dataclass(frozen=True)
class Moments:
    """What a rule works from; arrays over replicates, or single figures.

    Attributes
    ----------
    between
        Variance b of the m estimates.
    within
        Mean v of their variances, synthetic rows counted as patients.
    m
        Syntheses.
    ratio
        k / n: synthetic patients of each synthesis over real patients behind the models.
    """

    between: FloatArray
    within: FloatArray
    m: int
    ratio: float


Formula = Callable[[Moments], tuple[FloatArray, FloatArray]]


@final
@dataclass(frozen=True)
class Rule:
    """A combining rule.

    Attributes
    ----------
    name
        Its name in `combine`.
    source
        Who proposed it.
    holds
        When it holds, in words.
    drawn
        The way of drawing under which it is valid for any k.
    formula
        From the moments to the variance and its degrees of freedom (infinite where the rule takes
        its variance as known).
    fewest
        Fewest syntheses.
    """

    name: str
    source: str
    holds: str
    drawn: tuple[Drawn, ...]
    formula: Formula
    fewest: int = 2


def _reiter_partially(s: Moments) -> tuple[FloatArray, FloatArray]:
    noise = s.between / s.m
    with np.errstate(divide="ignore"):
        df = (s.m - 1) * (1 + s.within / noise) ** 2
    return s.within + noise, df


def _raghunathan_fully(s: Moments) -> tuple[FloatArray, FloatArray]:
    drawn = (1 + 1 / s.m) * s.between
    total = drawn - s.within
    kept = np.where(total > 0, total, s.ratio * s.within)
    with np.errstate(divide="ignore"):
        df = np.where(total > 0, (s.m - 1) * (1 - s.within / drawn) ** 2, s.m - 1.0)
    return kept, df


def _raab(s: Moments) -> tuple[FloatArray, FloatArray]:
    total = s.within * (s.ratio + 1 / s.m)
    return total, np.full_like(total, np.inf)


def _raab_proper(s: Moments) -> tuple[FloatArray, FloatArray]:
    total = s.within * (s.ratio + (1 + s.ratio) / s.m)
    return total, np.full_like(total, np.inf)


def _bootstrap_refits(s: Moments) -> tuple[FloatArray, FloatArray]:
    floor = s.within * s.ratio
    seen = s.between - s.within
    total = np.maximum(seen, floor) + s.between / s.m
    with np.errstate(divide="ignore"):
        df = (s.m - 1) * (total / ((1 + 1 / s.m) * s.between)) ** 2
    return total, np.where(seen > floor, df, np.inf)


RULES: Mapping[str, Rule] = {
    rule.name: rule
    for rule in (
        Rule(
            "reiter_partially",
            "Reiter (2003), Survey Methodology 29(2), 181-188: T = v + b/m",
            "the n patients' own records with values replaced, so k = n; wholly synthetic rows "
            "only if k = n. With k rows for n patients it is too small by v (k/n - 1)",
            (),
            _reiter_partially,
        ),
        Rule(
            "raghunathan_fully",
            "Raghunathan, Reiter and Rubin (2003), J Off Stat 19(1), 1-16: T = (1 + 1/m) b - v; "
            "where that is negative, Reiter (2002), J Off Stat 18(4), 531-543: T = v k/n",
            "each synthesis from its own posterior draw or refit. From one fit b is no more than "
            "v, and T is v/m instead of v (k/n + 1/m)",
            ("refits",),
            _raghunathan_fully,
        ),
        Rule(
            "raab",
            "Raab, Nowok and Dibben (2016), J Privacy and Confidentiality 7(3): "
            "T = v (k/n + 1/m)",
            "one fit, also with m = 1, by a generator as efficient as the sample itself "
            "(parametric, correct); deep generators converge more slowly (Decruyenaere et al., "
            "UAI 2024)",
            ("one_fit",),
            _raab,
            1,
        ),
        Rule(
            "raab_proper",
            "Raab, Nowok and Dibben (2016), as above: T = v (k/n + (1 + k/n)/m)",
            "as `raab`, each synthesis from its own posterior draw or refit",
            ("refits",),
            _raab_proper,
            1,
        ),
        Rule(
            "bootstrap_refits",
            "Trialtwin: T = max(b - v, v k/n) + b/m, degrees of freedom by Satterthwaite",
            "refits, 20 or more, with k of 4 n or more: b - v is the fits' variance over "
            "resamples, whatever the generator's efficiency, and never taken below what n patients "
            "allow, so that standard errors are up to 8 % too large (12 % at k = n)",
            ("refits",),
            _bootstrap_refits,
            MINIMUM_REFITS,
        ),
    )
}


@dataclass(frozen=True)
class Combined:
    """One estimate, its variance and degrees of freedom in each replicate (arrays (R,))."""

    estimate: FloatArray
    variance: FloatArray
    df: FloatArray
    rule: Rule
    moments: Moments

    def with_fixed(self, variance: ArrayLike, df: ArrayLike) -> Combined:
        """Add the variance of a part that all syntheses share, such as the real treated patients.

        Degrees of freedom by Satterthwaite (1946).
        """
        own = np.asarray(variance, dtype=np.float64)
        total = self.variance + own
        with np.errstate(divide="ignore"):
            joint = total**2 / (self.variance**2 / self.df + own**2 / np.asarray(df))
        return Combined(self.estimate, total, joint, self.rule, self.moments)


def combine_batch(
    estimates: FloatArray, variances: FloatArray, rule: str, n_train: int, n_synthetic: int
) -> Combined:
    """Combine m syntheses in each of R replicates.

    Parameters
    ----------
    estimates, variances
        q and v, each (R, m).
    rule
        One of `RULES`.
    n_train, n_synthetic
        Real patients behind the models, and synthetic patients of each synthesis.
    """
    chosen = RULES[rule]
    m = estimates.shape[-1]
    between = estimates.var(axis=-1, ddof=1) if m > 1 else np.zeros(estimates.shape[:-1])
    moments = Moments(between, variances.mean(axis=-1), m, n_synthetic / n_train)
    variance, df = chosen.formula(moments)
    return Combined(estimates.mean(axis=-1), variance, df, chosen, moments)


def combine(
    estimates: ArrayLike,
    variances: ArrayLike,
    rule: str,
    *,
    n_train: int,
    n_synthetic: int,
    drawn: Drawn,
    fixed_variance: float = 0.0,
    fixed_df: float = np.inf,
    level: float = 0.95,
    estimand: Estimand | None = None,
) -> Estimate:
    """Combine m syntheses into one estimate by a named rule.

    Parameters
    ----------
    estimates, variances
        Estimate of each synthesis and the variance of its synthetic part, synthetic rows counted
        as patients; each (m,).
    rule
        One of `RULES`.
    n_train, n_synthetic
        Real patients behind the models, and synthetic patients of each synthesis.
    drawn
        How the syntheses were drawn: all from "one_fit", or each from one of its own ("refits").
    fixed_variance, fixed_df
        Variance, with its degrees of freedom, of what all syntheses share: the real treated
        patients in a comparison with synthetic controls.

    Raises
    ------
    InputError
        For an unknown rule, a rule that does not hold for this way of drawing, too few syntheses,
        or missing values.
    """
    faults: list[str] = []
    q = numeric("estimates", estimates, faults)
    v = numeric("variances", variances, faults, q.shape)
    faults += _misuse(rule, q.size, drawn, n_train, n_synthetic)
    if (v < 0).any() or fixed_variance < 0:
        faults.append("variances, fixed_variance: a variance is at least 0")
    stop(faults)
    whole = combine_batch(q[None], v[None], rule, n_train, n_synthetic)
    joint = whole.with_fixed(fixed_variance, fixed_df)
    df = float(joint.df[0])
    extra: dict[str, Any] = {
        "rule": rule, "source": whole.rule.source, "holds": whole.rule.holds, "drawn": drawn,
        "syntheses": q.size, "between": float(whole.moments.between[0]),
        "within": float(whole.moments.within[0]), "n_train": n_train, "n_synthetic": n_synthetic,
        "synthetic_variance": float(whole.variance[0]),
    }
    return from_t(
        f"combined by {rule}", float(joint.estimate[0]), float(np.sqrt(joint.variance[0])),
        n_train, df if np.isfinite(df) else None, level=level, estimand=estimand, extra=extra,
    )


def _misuse(rule: str, m: int, drawn: str, n_train: int, n_synthetic: int) -> list[str]:
    """What speaks against using a rule here."""
    if rule not in RULES:
        return [f"rule: {rule!r} is unknown; choose one of {', '.join(RULES)}"]
    faults = []
    if min(n_train, n_synthetic) < 2:
        faults.append(f"n_train, n_synthetic: {n_train}, {n_synthetic}; each must be at least 2")
    chosen = RULES[rule]
    if m < chosen.fewest:
        faults.append(f"estimates: {m} came; {rule} needs at least {chosen.fewest}")
    valid = drawn in chosen.drawn or (rule == "reiter_partially" and n_train == n_synthetic)
    if not valid:
        able = [name for name, other in RULES.items() if drawn in other.drawn]
        faults.append(
            f"rule: {rule} does not hold for syntheses drawn by {drawn!r} with {n_synthetic} rows "
            f"for {n_train} patients; use one of {', '.join(able) or 'none'}"
        )
    return faults
