"""Type I error when synthetic controls stand in for real ones, with a generator known exactly.

The linear oracle refits a linear-Gaussian model to n_train real controls and samples synthetic
patients from it, so nothing but the counting of patients can go wrong. Treated and controls come
from one law: every rejection is false.

    OPENBLAS_NUM_THREADS=1 python benchmarks/type_one_error.py [replicates]
"""

from __future__ import annotations

import sys

import numpy as np

from simulation.analysis.arrays import FloatArray
from simulation.analysis.continuous import ancova_batch, t_test_batch, welch_df
from simulation.analysis.external_control import control_mean_variance, effect_batch
from simulation.analysis.linear import predict_masked
from simulation.audit.oracle import LinearOracle, patients

ALPHA = 0.05
FOLDS = 5


def naive_ancova(
    treated: tuple[FloatArray, FloatArray], control: tuple[FloatArray, FloatArray]
) -> FloatArray:
    """P values (R,) of an ANCOVA that counts each control row as a patient."""
    x = np.concatenate([treated[0], control[0]], axis=1)
    y = np.concatenate([treated[1], control[1]], axis=1)
    arm = np.zeros(y.shape[1])
    arm[: treated[1].shape[1]] = 1.0
    return ancova_batch(y, arm, scores=x).p_value


def corrected_mean(
    treated: FloatArray, synthetic: FloatArray, real: FloatArray, pooled: bool
) -> FloatArray:
    """P values (R,) of treated mean less control mean with sigma^2 (1/n_train + 1/n_syn)."""
    n1, n0 = treated.shape[1], real.shape[1]
    pool = np.concatenate([synthetic, real], axis=1) if pooled else synthetic
    behind = control_mean_variance(real.var(axis=1, ddof=1), n0, synthetic.shape[1], pooled=pooled)
    own = treated.var(axis=1, ddof=1) / n1
    return t_test_batch(
        treated.mean(axis=1) - pool.mean(axis=1), own + behind, welch_df(own, n1, behind, n0)
    ).p_value


def corrected_doubly_robust(
    treated: tuple[FloatArray, FloatArray],
    real: tuple[FloatArray, FloatArray],
    n_synthetic: int,
    rng: np.random.Generator,
) -> FloatArray:
    """P values (R,): in each fold a generator is refitted, m0 is learnt on its synthetic patients
    alone, and the fold's real controls, which it never saw, correct it.
    """
    replicates, n0 = real[1].shape
    m0, m1 = np.zeros_like(real[1]), np.zeros_like(treated[1])
    both = np.concatenate([real[0], treated[0]], axis=1)
    for fold in range(FOLDS):
        held_out = np.arange(n0) % FOLDS == fold
        seen = np.broadcast_to((~held_out).astype(np.float64), (replicates, n0))
        x, y = LinearOracle.fit(*real, seen).sample(n_synthetic, rng)
        rows = np.concatenate([x, both], axis=1)
        train = np.zeros(rows.shape[:2])
        train[:, :n_synthetic] = 1.0
        outcome = np.concatenate([y, np.zeros(both.shape[:2])], axis=1)
        predicted = predict_masked(rows, outcome, train)[:, n_synthetic:]
        m0[:, held_out] = predicted[:, :n0][:, held_out]
        m1 += predicted[:, n0:] / FOLDS
    return effect_batch(treated[1] - m1, real[1] - m0).p_value


def chunk_p_values(
    replicates: int, n_train: int, n_synthetic: int, n_treated: int, rng: np.random.Generator
) -> dict[str, FloatArray]:
    """P values of every analysis over one chunk of null trials."""
    treated = patients(replicates, n_treated, rng)
    real = patients(replicates, n_train, rng)
    synthetic = LinearOracle.fit(*real).sample(n_synthetic, rng)
    pool = tuple(np.concatenate(pair, axis=1) for pair in zip(synthetic, real, strict=True))
    return {
        "naive, synthetic only": naive_ancova(treated, synthetic),
        "naive, pooled with real": naive_ancova(treated, (pool[0], pool[1])),
        "corrected mean": corrected_mean(treated[1], synthetic[1], real[1], pooled=False),
        "corrected mean, pooled": corrected_mean(treated[1], synthetic[1], real[1], pooled=True),
        "doubly robust": corrected_doubly_robust(treated, real, n_synthetic, rng),
    }


def rejection_rates(
    replicates: int, n_train: int, n_synthetic: int, n_treated: int, seed: int
) -> dict[str, tuple[float, float]]:
    """Rate of false rejections at .05 and its Monte Carlo standard error, per analysis."""
    rng = np.random.default_rng([seed, n_synthetic])
    size = max(1, 400_000 // n_synthetic)
    parts = [
        chunk_p_values(min(size, replicates - start), n_train, n_synthetic, n_treated, rng)
        for start in range(0, replicates, size)
    ]
    rates = {}
    for name in parts[0]:
        rate = float((np.concatenate([part[name] for part in parts]) <= ALPHA).mean())
        rates[name] = (rate, float(np.sqrt(rate * (1 - rate) / replicates)))
    return rates


def main(replicates: int = 10_000) -> None:
    """Print the table."""
    error = np.sqrt(ALPHA * (1 - ALPHA) / replicates)
    print(
        f"Type I error at nominal {ALPHA}: 86 treated, generator refitted to 86 controls; "
        f"{replicates:,} null trials, Monte Carlo SE at .05 {error:.4f}"
    )
    table = {n: rejection_rates(replicates, 86, n, 86, seed=20261122) for n in (86, 500, 2_000)}
    print(f"{'analysis':26}" + "".join(f"{f'n_syn {n:,}':>18}" for n in table))
    for name in next(iter(table.values())):
        cells = (f"{rates[name][0]:.4f} ({rates[name][1]:.4f})" for rates in table.values())
        print(f"{name:26}" + "".join(f"{cell:>18}" for cell in cells))
    distance = [
        (rate - ALPHA) / error
        for rates in table.values()
        for name, (rate, _) in rates.items()
        if not name.startswith("naive")
    ]
    print(
        f"corrected analyses: {min(distance):+.1f} to {max(distance):+.1f} Monte Carlo SE from "
        ".05; the doubly robust one is a little conservative,"
    )
    print("because out-of-fold residuals hold the control model's own error beside the outcome's")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
