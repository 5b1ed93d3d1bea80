"""Power formulas of PROCOVA and of the single-arm trial with twins, against simulation.

Run: python -m benchmarks.power_formulas [--replicates 10000] [--nulls 10000]

Every trial is simulated patient by patient and analysed with variances estimated from it; nothing
in the analysis knows the formula. A cell is sound where simulated and computed power differ by no
more than 3 Monte Carlo standard errors. Type I errors are of two-sided tests at .05,
held where they are not above it by more than 3; heavy tails make t tests conservative.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import sqrt
from typing import Any, Final, final

import numpy as np
from scipy.stats import norm, t

from generation.randomness import generator
from simulation.analysis.continuous import welch_df
from simulation.analysis.planning import SingleArmPlan, power, procova_variance, sample_size
from simulation.trial.analyses.ancova import least_squares

Floats = np.ndarray[Any, np.dtype[np.float64]]
SEED: Final = 20261122
ALPHA: Final = 0.05
BLOCK: Final = 500


@final
@dataclass(frozen=True)
class Cell:
    """One line: what was assumed, what a formula says, and what simulation says."""

    what: str
    formula: float
    simulated: float
    replicates: int

    @property
    def se(self) -> float:
        """Monte Carlo standard error at the formula's figure."""
        return sqrt(self.formula * (1 - self.formula) / self.replicates)

    @property
    def errors(self) -> float:
        """Difference in standard errors."""
        return (self.simulated - self.formula) / self.se


def shares(
    what: str, formula: float, replicates: int, trial: Callable[[Any, int], Floats]
) -> Cell:
    """Share of two-sided p values at most .05 over blocks of trials, drawn by name."""
    hits = 0
    for block, start in enumerate(range(0, replicates, BLOCK)):
        size = min(BLOCK, replicates - start)
        hits += int((trial(generator(SEED, what, block), size) <= ALPHA).sum())
    return Cell(what, formula, hits / replicates, replicates)


def scored(rng: Any, r: int, n: int, rho: float) -> tuple[Floats, Floats]:
    """Scores (r, n) and outcomes of unit variance that correlate with them by rho."""
    score = rng.standard_normal((r, n))
    return score, rho * score + sqrt(1 - rho**2) * rng.standard_normal((r, n))


def allocate(r: int, n: int, share: float) -> Floats:
    """1.0 for the first round(n share) patients, who come in any order."""
    return np.broadcast_to((np.arange(n) < round(n * share)).astype(np.float64), (r, n))


def procova_p(score: Floats, y: Floats, treated: Floats) -> Floats:
    """Two-sided p values of ANCOVA on the arm and the score, in each trial."""
    found = least_squares(y, treated, score[None], np.ones(y.shape, dtype=bool))
    return np.asarray(2 * norm.sf(np.abs(found.z)))


def procova_cells(replicates: int) -> Iterator[Cell]:
    """Power of PROCOVA at planned sizes, over effects, correlations and allocations."""
    for difference in (0.3, 0.5):
        for rho in (0.0, 0.3, 0.5, 0.7):
            for share, wanted in ((0.5, 0.9), (2 / 3, 0.8)):
                n = round(sample_size(difference, 1.0, rho=rho, power_wanted=wanted,
                                      treated_share=share))
                true_share = round(n * share) / n

                def trial(rng: Any, r: int, n: int = n, d: float = difference, rho: float = rho,
                          share: float = share) -> Floats:
                    score, y = scored(rng, r, n, rho)
                    treated = allocate(r, n, share)
                    return procova_p(score, y + d * treated, treated)

                formula = power(difference, 1.0, n, rho=rho, treated_share=true_share,
                                covariates=1)
                name = f"PROCOVA d {difference:g} rho {rho:g} share {share:.2f} n {n}"
                yield shares(name, formula, replicates, trial)


def unlike_cells(replicates: int) -> Iterator[Cell]:
    """Power with a slope and a variance of its own in each arm (the formula is for large n)."""
    for sds, rhos, share, n in (
        ((1.5, 1.0), (0.6, 0.3), 0.5, 400), ((1.0, 1.0), (0.7, 0.2), 0.5, 500),
        ((1.5, 1.0), (0.3, 0.6), 1 / 3, 450), ((1.0, 1.3), (0.0, 0.6), 2 / 3, 480),
    ):
        total = procova_variance(*sds, *rhos, treated_share=share)
        shift = 3.0 * sqrt(total / n)

        def trial(rng: Any, r: int, n: int = n, sds: Any = sds, rhos: Any = rhos,
                  share: float = share, shift: float = shift) -> Floats:
            treated = allocate(r, n, share)
            rho = np.where(treated == 1, *rhos)
            score = rng.standard_normal((r, n))
            noise = np.sqrt(1 - rho**2) * rng.standard_normal((r, n))
            y = np.where(treated == 1, *sds) * (rho * score + noise) + shift * treated
            return own_slopes_p(score, y, treated)

        formula = float(norm.cdf(3.0 - norm.isf(ALPHA / 2)))
        name = f"PROCOVA sds {sds} rhos {rhos} share {share:.2f} n {n}"
        yield shares(name, formula, replicates, trial)


def own_slopes_p(score: Floats, y: Floats, treated: Floats) -> Floats:
    """Two-sided p values of the difference at the mean score, each arm with its own slope."""
    n = y.shape[1]
    centred = score - score.mean(axis=1, keepdims=True)
    means, slopes, variance = [], [], np.zeros(len(y))
    for side in (1.0, 0.0):
        inside = treated[0] == side
        x, outcome, m = centred[:, inside], y[:, inside], int(inside.sum())
        away = x - x.mean(axis=1, keepdims=True)
        slope = (away * outcome).sum(axis=1) / (away**2).sum(axis=1)
        left = outcome - outcome.mean(axis=1, keepdims=True) - slope[:, None] * away
        means.append(outcome.mean(axis=1) - slope * x.mean(axis=1))
        slopes.append(slope)
        variance += (left**2).sum(axis=1) / (m - 2) / m
    variance += (slopes[0] - slopes[1]) ** 2 * centred.var(axis=1, ddof=1) / n
    return np.asarray(2 * t.sf(np.abs(means[0] - means[1]) / np.sqrt(variance), n - 4))


def misaligned(name: str, score: Floats, rng: Any) -> Floats:
    """What a score may turn out to be in the new trial."""
    return {
        "useless": lambda: np.asarray(rng.standard_normal(score.shape)),
        "reversed": lambda: -score,
        "other unit": lambda: 1e6 + 1e3 * score,
        "bent": lambda: np.exp(2 * score),
        "heavy tails": lambda: np.asarray(rng.standard_t(2, score.shape)) + score,
        "cut in two": lambda: (score > 1).astype(np.float64),
        "constant": lambda: np.ones(score.shape),
    }[name]()


SCORES: Final = (
    "useless", "reversed", "other unit", "bent", "heavy tails", "cut in two", "constant"
)


def procova_nulls(replicates: int) -> Iterator[Cell]:
    """Type I error of PROCOVA where the score is not what it was, and spread may follow it."""
    for n in (40, 200):
        for name in SCORES:
            for spread in ("even", "uneven"):

                def trial(rng: Any, r: int, n: int = n, name: str = name,
                          spread: str = spread) -> Floats:
                    score, y = scored(rng, r, n, 0.6)
                    outcome = y if spread == "even" else y * np.exp(0.4 * score)
                    return procova_p(misaligned(name, score, rng), outcome, allocate(r, n, 0.5))

                label = f"PROCOVA null {name}, {spread} variance, n {n}"
                yield shares(label, ALPHA, replicates, trial)


@final
@dataclass(frozen=True)
class SingleArm:
    """A single-arm trial simulated from the patients behind the twins onwards.

    Twins' predictions are learnt on n_train controls; synthetic controls are drawn from what was
    learnt. `score` says what the predictions use: the covariate, or a misaligned one.
    """

    plan: SingleArmPlan
    n: int
    score: str = "aligned"
    fitted: bool = True

    def trial(self, rng: Any, r: int, difference: float | Floats) -> Floats:
        """Two-sided p values of r trials."""
        plan, train = self.plan, round(self.plan.n_train)
        drift = sqrt(plan.tau2) * rng.standard_normal((r, 1))
        behind, y0 = scored(rng, r, train, plan.rho)
        own, y1 = scored(rng, r, self.n, plan.rho)
        y0 = plan.sd_control * y0 + drift
        y1 = plan.sd_treated * y1 + difference
        learnt, seen = self._used(behind, rng), self._used(own, rng)
        residual0, residual1 = self._residuals(learnt, y0, seen, y1)
        rows = round(plan.copies * plan.n_synthetic)
        used = 2 if self.fitted else 1
        spread = np.sqrt((residual0**2).sum(axis=1) - train * residual0.mean(axis=1) ** 2)
        sd0 = spread / sqrt(train - used)
        # A mean of synthetic rows and their variance have the laws of a normal sample.
        made = residual0.mean(axis=1) + sd0 * rng.standard_normal(r) / sqrt(rows)
        sd_made = sd0 * np.sqrt(rng.chisquare(rows - 1, r) / (rows - 1))
        control = sd_made**2 * (1 / train + 1 / rows) + plan.tau2
        treated = residual1.var(axis=1, ddof=1) / self.n
        df = welch_df(treated, self.n, control, train)
        effect = residual1.mean(axis=1) - made
        return np.asarray(2 * t.sf(np.abs(effect) / np.sqrt(treated + control), df))

    def _used(self, covariate: Floats, rng: Any) -> Floats:
        if self.score == "aligned":
            return covariate
        return misaligned(self.score, covariate, rng)

    def _residuals(
        self, learnt: Floats, y0: Floats, seen: Floats, y1: Floats
    ) -> tuple[Floats, Floats]:
        """Outcomes less predictions: fitted on the training controls, or a fixed slope of .6."""
        if self.plan.rho == 0 and self.fitted:
            return y0, y1
        centre = learnt.mean(axis=1, keepdims=True)
        slope: Any = 0.6
        if self.fitted:
            away = learnt - centre
            slope = ((away * y0).sum(axis=1) / (away**2).sum(axis=1))[:, None]
        return y0 - slope * (learnt - centre), y1 - slope * (seen - centre)


def single_arm_cells(replicates: int) -> Iterator[Cell]:
    """Power of the single-arm trial over sizes, syntheses, drift and the twins' correlation."""
    for n, n_train, copies in ((60, 120, 1), (80, 400, 5), (150, 200, 1)):
        for tau in (0.0, 0.1):
            for rho in (0.0, 0.5):
                for sds in ((1.0, 1.0), (1.3, 1.0)):
                    plan = SingleArmPlan(*sds, n_train, 500, copies, tau**2, rho)
                    arm = SingleArm(plan, n)
                    gap = plan.detectable(n, power_wanted=0.85)

                    def trial(rng: Any, r: int, arm: SingleArm = arm, d: float = gap) -> Floats:
                        return arm.trial(rng, r, d)

                    name = (f"single arm n {n} train {n_train} copies {copies} tau {tau:g} "
                            f"rho {rho:g} sd {sds[0]:g}")
                    yield shares(name, plan.power(gap, n, small_sample=True), replicates, trial)


def single_arm_nulls(replicates: int) -> Iterator[Cell]:
    """Type I error where twins' predictions are useless or misaligned, with drift as planned."""
    for tau in (0.0, 0.15):
        for name in ("aligned", "useless", "reversed", "cut in two", "heavy tails"):
            plan = SingleArmPlan(1.2, 1.0, 100, 500, 1, tau**2, 0.6)
            arm = SingleArm(plan, 80, name, fitted=False)

            def trial(rng: Any, r: int, arm: SingleArm = arm) -> Floats:
                return arm.trial(rng, r, 0.0)

            yield shares(f"single arm null {name}, tau {tau:g}", ALPHA, replicates, trial)


PARTS: Final[dict[str, Callable[[int], Iterator[Cell]]]] = {
    "power of PROCOVA": procova_cells,
    "power of PROCOVA, unlike arms": unlike_cells,
    "power of the single-arm trial with twins": single_arm_cells,
    "type I error of PROCOVA, useless or misaligned scores": procova_nulls,
    "type I error of the single-arm trial, useless or misaligned twins": single_arm_nulls,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=10_000)
    parser.add_argument("--nulls", type=int, default=10_000)
    args = parser.parse_args()
    print(f"power_formulas: {args.replicates} trials a cell, {args.nulls} nulls, seed {SEED}")
    for part, cells in PARTS.items():
        print(f"\n{part}\n{'cell':<66} formula simulated    SE  difference/SE")
        found = list(cells(args.nulls if "type I" in part else args.replicates))
        for cell in found:
            print(f"{cell.what:<66} {cell.formula:7.4f} {cell.simulated:9.4f} {cell.se:5.4f} "
                  f"{cell.errors:+8.2f}")
        away = [cell.errors for cell in found]
        print(f"{len(found)} cells; above by more than 3 SE: {sum(e > 3 for e in away)}, below: "
              f"{sum(e < -3 for e in away)}; from {min(away):+.2f} to {max(away):+.2f} SE")


if __name__ == "__main__":
    main()
