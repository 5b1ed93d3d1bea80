"""Effects against controls that a model made: synthetic patients are not data.

They carry no information beyond the n_train patients behind them, so the control side's variance is
that of n_train patients, plus Monte Carlo noise, plus tau^2 between trials when the controls come
from another trial.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from extraction.records.errors import InputError
from simulation.analysis.arrays import FloatArray, numeric, stop
from simulation.analysis.continuous import EffectBatch, t_test_batch, two_sample_t, welch_df
from simulation.analysis.estimate import Estimand, Estimate, from_t
from simulation.analysis.prognostic import Learner

Weigher = Callable[[FloatArray, FloatArray], FloatArray]
NAIVE = ("invalid: synthetic rows are counted as patients; type I error at nominal .05 is .11 to "
         ".18 (benchmarks/type_one_error.py)")

FEW_CONTROLS = 40
"""Effective controls below which a wrong control model is no longer repaired by the weights."""
POOR_OVERLAP = (f"fewer than {FEW_CONTROLS} effective controls: if the control model is wrong, the "
                "type I error at .05 is .07 to .27 whatever the variance; compare other controls")


def control_mean_variance(variance: Any, n_train: int, n_synthetic: int, *, copies: int = 1,
                          tau2: float = 0.0, pooled: bool = False) -> Any:
    """Variance of a synthetic control mean: sigma^2 (1/n_train + 1/(m n_syn)) + tau^2.

    Parameters
    ----------
    variance
        Variance of the outcome between patients; a float or (R,).
    n_train
        Real controls behind the model.
    n_synthetic, copies
        Synthetic patients in each of m independent syntheses from the same fit.
    tau2
        Variance of the control mean between trials; 0 when the controls are the trial's own.
    pooled
        Whether the n_train real controls are averaged in as well; Monte Carlo noise then counts by
        the synthetic share, while the patients behind the mean stay the same n_train.
    """
    made = n_synthetic * copies
    share = made / (made + n_train) if pooled else 1.0
    return variance * (1 / n_train + share**2 / made) + tau2


def synthetic_control_test(treated: ArrayLike, synthetic: ArrayLike, n_train: int, *,
                           controls: ArrayLike | None = None, tau2: float = 0.0,
                           level: float = 0.95, estimand: Estimand | None = None) -> Estimate:
    """Treated mean less synthetic control mean with the corrected variance.

    Parameters
    ----------
    treated
        Outcomes of treated patients (n1,).
    synthetic
        Outcomes of synthetic controls (n_syn,) or of m syntheses (m, n_syn).
    n_train
        Real controls behind the model, at least 2.
    controls
        Real controls (n_train,) to pool in; None compares with the synthetic ones alone.
    tau2
        Variance between trials, for controls of another trial.

    Raises
    ------
    InputError
        For missing outcomes, fewer than two patients, or a wrong number of pooled controls.
    """
    faults: list[str] = []
    y = numeric("treated", treated, faults)
    rows = np.atleast_2d(numeric("synthetic", synthetic, faults))
    real = np.zeros(0) if controls is None else numeric("controls", controls, faults)
    if controls is not None and real.size != n_train:
        faults.append(f"controls: {real.size} patients; expected n_train = {n_train}; pool exactly "
                      "the controls that the model learnt from")
    if tau2 < 0:
        faults.append(f"tau2: {tau2:g}; a variance is at least 0")
    if min(y.size, rows.size, n_train) < 2:
        faults.append(f"treated, synthetic, n_train: {y.size}, {rows.size}, {n_train}; each must "
                      "be at least 2")
    stop(faults)
    pool = np.concatenate([rows.ravel(), real])
    spread = real.var(ddof=1) if real.size else rows.var(ddof=1)
    behind = control_mean_variance(spread, n_train, rows.shape[1], copies=rows.shape[0], tau2=tau2,
                                   pooled=bool(real.size))
    own = y.var(ddof=1) / y.size
    return from_t("synthetic control, corrected variance", float(y.mean() - pool.mean()),
                  float(np.sqrt(own + behind)), y.size + n_train,
                  float(welch_df(own, y.size, behind, n_train)), level=level, estimand=estimand,
                  extra={"n_train": n_train, "n_synthetic": rows.size, "tau2": tau2,
                         "valid": True, "control_variance": float(behind)})


def naive_synthetic_test(treated: ArrayLike, synthetic: ArrayLike, n_train: int) -> Estimate:
    """Welch's t that counts synthetic rows as patients; for display, always labelled invalid."""
    line = two_sample_t(treated, synthetic)
    return Estimate("naive t test on synthetic rows (INVALID)", None, line.estimate, line.se,
                    line.low, line.high, line.p_value, line.n, line.df,
                    {**line.extra, "valid": False, "why": NAIVE, "n_train": n_train})


def effect_batch(residual_treated: FloatArray, residual_controls: FloatArray,
                 weights: FloatArray | None = None, tau2: float = 0.0) -> EffectBatch:
    """Doubly robust effect on the treated in each of R replicates.

    Parameters
    ----------
    residual_treated
        Y - m0(X) of the treated (R, n1), m0 learnt on controls only.
    residual_controls
        Y - m0(X) of the real controls (R, n0), out of fold.
    weights
        Odds weights w(X) (R, n0) that make the controls like the treated; None for equal ones.
    tau2
        Variance between trials.

    Returns
    -------
    EffectBatch
        mean_treated(Y - m0) - weighted mean_controls(Y - m0). The second mean is what m0 gets
        wrong; it is added to the counterfactual mean, hence taken off the effect. The variance has
        one term for each group. That of the controls is the larger of two: the jackknife of their
        weighted mean (few heavy controls pull that mean to themselves, so that the plain influence
        function is too small) and the variance of equally noisy residuals (few heavy controls
        cannot tell their own spread). Student's law on the effective number of controls.

    Notes
    -----
    Type I error at .05 of 100 against 100 patients whose covariate is shifted by 1.5 and 2 SD
    (effective controls 21 and 11), m0 right: influence function .081 and .136, jackknife .059 and
    .090, this .027 and .039; with a shift of at most .5 SD all hold. Where m0 is wrong as well
    (a missing square), the weighted mean is itself biased and no variance mends it: .07 with 43
    effective controls, .16 with 20, .27 with 11.
    """
    n1, n0 = residual_treated.shape[1], residual_controls.shape[1]
    raw = np.ones_like(residual_controls) if weights is None else weights
    share = raw / raw.sum(axis=1, keepdims=True)
    correction = (share * residual_controls).sum(axis=1)
    own = residual_treated.var(axis=1, ddof=1) / n1
    centred = residual_controls - correction[:, None]
    left_out = share / np.maximum(1 - share, 1e-12) * centred
    jackknife = (left_out**2).sum(axis=1) * (n0 - 1) / n0
    alike = residual_controls.var(axis=1, ddof=1) * (share**2).sum(axis=1)
    behind = np.maximum(jackknife, alike) + tau2
    size = 1 / (share**2).sum(axis=1)
    df = welch_df(own, n1, behind, np.maximum(size, 2.0))
    return t_test_batch(residual_treated.mean(axis=1) - correction, own + behind, df)


def doubly_robust_effect(y_treated: ArrayLike, m0_treated: ArrayLike, y_controls: ArrayLike,
                         m0_controls: ArrayLike, weights: ArrayLike | None = None, *,
                         tau2: float = 0.0, level: float = 0.95,
                         estimand: Estimand | None = None) -> Estimate:
    """Effect on the treated against a control model, with the influence-function variance.

    Parameters
    ----------
    y_treated, m0_treated
        Outcomes and predicted outcomes under control of the treated, each (n1,).
    y_controls, m0_controls
        Outcomes and **out-of-fold** predictions of the real training controls, each (n0,).
    weights
        w(X) of those controls (n0,), at least 0; None in a randomised trial.
    tau2
        Variance between trials, for controls of another trial.

    Raises
    ------
    InputError
        For missing values, wrong shapes, weights that are negative or all zero, or an effective
        sample size of controls below 2.

    Notes
    -----
    Augmented weighting for the effect on the treated; cross-fitting as in Chernozhukov et al.
    (2018), doi 10.1111/ectj.12097. A propensity model between real treated and *synthetic*
    controls would measure the generator's error, so weights come from real controls only.
    """
    faults: list[str] = []
    y1 = numeric("y_treated", y_treated, faults)
    y0 = numeric("y_controls", y_controls, faults)
    m1 = numeric("m0_treated", m0_treated, faults, y1.shape)
    m0 = numeric("m0_controls", m0_controls, faults, y0.shape)
    w = np.ones(y0.shape) if weights is None else numeric("weights", weights, faults, y0.shape)
    if (w < 0).any() or w.sum() <= 0:
        faults.append("weights: negative or all zero; they must be at least 0 with a positive sum")
    elif w.size and w.sum() ** 2 < 2 * (w**2).sum():
        faults.append("weights: an effective sample size below 2; a variance needs more controls "
                      "that resemble the treated; compare other controls")
    if min(y1.size, y0.size) < 2:
        faults.append(f"y_treated, y_controls: {y1.size}, {y0.size} patients; at least 2 each")
    stop(faults)
    batch = effect_batch((y1 - m1)[None], (y0 - m0)[None], w[None], tau2)
    ess = float(w.sum() ** 2 / (w**2).sum())
    caution = {} if ess >= FEW_CONTROLS else {"caution": POOR_OVERLAP}
    return from_t("doubly robust against a control model", float(batch.effect[0]),
                  float(batch.se[0]), y1.size + y0.size, float(np.ravel(batch.df)[0]),
                  level=level, estimand=estimand,
                  extra={"n_train": y0.size, "n_treated": y1.size, "ess_controls": ess,
                         "tau2": tau2, "model_correction": float((w / w.sum() * (y0 - m0)).sum()),
                         **caution})


def cross_fitted_controls(x_controls: FloatArray, y_controls: FloatArray, x_treated: FloatArray,
                          learner: Learner, folds: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Out-of-fold m0 of controls (n0,), and m0 of treated (n1,) as the mean of the fold models.

    `folds` (n0,) gives each control's fold; resampled copies of a patient must share one.
    """
    numbers = np.asarray(folds)
    held_out_m0 = np.zeros(y_controls.size)
    treated_m0 = np.zeros(x_treated.shape[0])
    levels = np.unique(numbers)
    for fold in levels:
        out = numbers == fold
        predicted = learner(x_controls[~out], y_controls[~out],
                            np.vstack([x_controls[out], x_treated]))
        held_out_m0[out] = predicted[: int(out.sum())]
        treated_m0 += predicted[int(out.sum()):] / levels.size
    return held_out_m0, treated_m0


def bootstrap_se(x_treated: FloatArray, y_treated: FloatArray, x_controls: FloatArray,
                 y_controls: FloatArray, learner: Learner, *, rng: np.random.Generator,
                 weigher: Weigher | None = None, folds: int = 5, replicates: int = 200) -> float:
    """Check of the influence-function variance: bootstrap in which everything is refitted.

    Parameters
    ----------
    x_treated, y_treated, x_controls, y_controls
        Real patients of both groups: (n1, P), (n1,), (n0, P), (n0,).
    learner
        (x_train, y_train, x_test) -> predictions; the control model, refitted in each resample.
    weigher
        (x_treated, x_controls) -> weights, refitted too; None for equal weights.

    Returns
    -------
    float
        Standard error of the effect over resamples.

    Raises
    ------
    InputError
        With fewer than 20 replicates.
    """
    if replicates < 20:
        raise InputError(f"replicates: {replicates}; at least 20 refits are needed for a variance")
    n1, n0 = y_treated.size, y_controls.size
    home = rng.permutation(n0) % folds
    effects = np.empty(replicates)
    for b in range(replicates):
        i, j = rng.integers(0, n1, n1), rng.integers(0, n0, n0)
        m0, m1 = cross_fitted_controls(x_controls[j], y_controls[j], x_treated[i], learner, home[j])
        weights = None if weigher is None else weigher(x_treated[i], x_controls[j])[None]
        effects[b] = effect_batch((y_treated[i] - m1)[None], (y_controls[j] - m0)[None],
                                  weights).effect[0]
    return float(effects.std(ddof=1))
