"""The inference audit on ACTG320, ACTG175 and a linear oracle: naive, corrected, by engine.

Controls of the development part of each trial are split at random, half to train an engine, half
to play the treated. Without a correction the type I error must rise as the formula beside it says;
with it, it must hold, or the gap is told. Cart is the engine that every other must not fall behind.

    python -m benchmarks.inference_audit                  # as in docs/evidence
    python -m benchmarks.inference_audit --engines cart --replicates 40

Half the controls train (about 200), and the synthetic arm is twice as large, so that the engine's
own error is not hidden in Monte Carlo noise. "formula": what counting rows as patients must give;
"explained": what the bias and the SE ratio found give.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

import argparse
import time
from pathlib import Path
from typing import Any

from benchmarks.lockbox import development
from extraction.sources.public import public_trial
from simulation.audit import InferenceAudit, PlannedAnalysis, inference_audits, oracle_audit
from simulation.audit.plan import Analysis
from simulation.audit.result import RULES

SEED = 20261122
SYNTHETIC = 400
ENGINES: dict[str, dict[str, Any]] = {
    "cart": {},
    "mixture": {},
    "twin": {"members": 1, "epochs": 20},
}
TRIALS: dict[str, tuple[PlannedAnalysis, ...]] = {
    "actg320": (
        PlannedAnalysis(analysis="log_hazard_ratio", target="aids"),
        PlannedAnalysis(analysis="rmst", target="aids", horizon_days=300),
    ),
    "actg175": (
        PlannedAnalysis(analysis="mean", target="cd4_count@Week 20"),
        PlannedAnalysis(analysis="ancova", target="cd4_count@Week 20", covariates=("cd4",)),
        PlannedAnalysis(analysis="log_hazard_ratio", target="progression"),
    ),
}


def report(audit: InferenceAudit, engine: str, seconds: float) -> None:
    """Print one audit: a line a method."""
    about = audit.about
    print(
        f"\n{engine} {about['options'] or ''}: {about['plan']['analysis']} of "
        f"{about['plan']['target']}; {about['n_train']} train, {about['n_synthetic']} synthetic, "
        f"{about['n_treated']} treated; {seconds:.0f} CPU-s"
    )
    print(
        f"  {'method':12}{'type I error':>16}{'formula':>9}{'explained':>11}"
        f"{'coverage':>16}{'SE ratio':>15}{'bias / SD':>11}{'power':>8}"
    )
    for name, p in audit.performance.items():
        print(
            f"  {name:12}"
            f"{f'{p.type_one_error.value:.3f} ({p.type_one_error.se:.3f})':>16}"
            f"{p.expected_type_one_error:>9.3f}{p.explained_type_one_error:>11.3f}"
            f"{f'{p.coverage.value:.3f} ({p.coverage.se:.3f})':>16}"
            f"{f'{p.se_ratio.value:.2f} ({p.se_ratio.se:.2f})':>15}"
            f"{p.bias.value / p.sd:>11.2f}{p.power.value:>8.2f}",
            flush=True,
        )
    print(f"  {audit.sentences[-1]}", flush=True)


def oracle(replicates: int) -> None:
    """Audit in the linear-Gaussian oracle, where the model is right."""
    cases: tuple[tuple[Analysis, int, int], ...] = (
        ("mean", 86, 0),
        ("mean", 500, 0),
        ("ancova", 500, 20),
    )
    for analysis, size, refits in cases:
        begun = time.process_time()
        audit = oracle_audit(
            86, 86, size, analysis, replicates=replicates, seed=SEED, refits=refits
        )
        report(audit, "linear oracle", time.process_time() - begun)


def trial(
    name: str, engine: str, replicates: int, folder: Path | None, refits: int
) -> list[InferenceAudit]:
    """Audit every planned analysis of one trial with one engine."""
    begun = time.process_time()
    audits = inference_audits(
        development(public_trial(name)),
        engine,
        TRIALS[name],
        replicates=replicates,
        seed=SEED,
        n_synthetic=SYNTHETIC,
        options=ENGINES[engine],
        refits=refits,
        folder=folder / f"{name}-{engine}-{refits}" if folder else None,
    )
    for audit in audits:
        report(audit, f"{name} {engine}", time.process_time() - begun)
    return audits


def against_cart(audits: dict[tuple[str, str], list[InferenceAudit]]) -> None:
    """Say how far each engine's corrected type I error lies from cart's on the same splits."""
    print("\nCorrected type I error less cart's (SE of the difference, splits taken as unpaired)")
    for (name, engine), found in audits.items():
        for one, base in zip(found, audits.get((name, "cart"), []), strict=False):
            if engine == "cart":
                continue
            a, b = (x.performance[x.judged].type_one_error for x in (one, base))
            se = (a.se**2 + b.se**2) ** 0.5
            print(
                f"  {name} {engine:8} {one.about['plan']['analysis']:17}"
                f"{a.value - b.value:+.3f} ({se:.3f})"
            )


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicates", type=int, default=200)
    parser.add_argument("--oracle-replicates", type=int, default=1000)
    parser.add_argument("--engines", nargs="*", default=list(ENGINES), choices=list(ENGINES))
    parser.add_argument("--trials", nargs="*", default=list(TRIALS), choices=list(TRIALS))
    parser.add_argument("--refits", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=None, help="keeps finished chunks")
    asked = parser.parse_args()
    print(RULES)
    if asked.oracle_replicates:
        oracle(asked.oracle_replicates)
    found = {
        (name, engine): trial(name, engine, asked.replicates, asked.folder, asked.refits)
        for name in asked.trials
        for engine in asked.engines
    }
    against_cart(found)


if __name__ == "__main__":
    main()
