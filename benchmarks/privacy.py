"""Utility and membership against epsilon, for the private mixture and the private twin.

ACTG320 without its locked quarter, cut in halves: one is learnt, the other is held out and of
the same size. Figures are means over halvings with standard errors of the mean.

Run: ``nice python -m benchmarks.privacy --replicates 4`` (about 3 CPU-minutes).
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.datasets import DATASETS
from benchmarks.lockbox import development
from extraction.records import Cohort
from generation import fit
from generation.engine import Model

EPSILONS = (None, 8.0, 3.0, 1.0, 0.5)
FOLLOW_UP_DAYS = 400.0
ENDPOINT = "aids"
SYNTHETIC = 5
Floats = npt.NDArray[np.float64]


def features(cohort: Cohort) -> pd.DataFrame:
    """Baseline columns as numbers; a category is its place in the schema."""
    columns = {}
    for variable in cohort.schema.baseline:
        own = cohort.subjects[variable.name]
        if not variable.numeric:
            own = own.map({c: k for k, c in enumerate(variable.categories or ())})
        columns[variable.name] = own.astype(float)
    frame = pd.DataFrame(columns)
    return frame.fillna(frame.median()).fillna(0.0)


def outcome(cohort: Cohort) -> tuple[Floats, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Day, event and experimental arm of each patient."""
    rows = cohort.endpoint(ENDPOINT)
    treated = (cohort.subjects["arm"] != cohort.schema.control_arm).to_numpy()
    day = np.maximum(rows["day"].to_numpy(dtype=np.float64), 0.5)
    return day, rows["observed"].to_numpy(dtype=bool), treated


def correlations(cohort: Cohort) -> Floats:
    """Rank correlations of all pairs of baseline columns; 0 where a column is constant."""
    found = features(cohort).rank().corr().to_numpy()
    return np.nan_to_num(found[np.triu_indices(len(found), 1)])


def survival(cohort: Cohort, days: Floats) -> Floats:
    """Kaplan-Meier curve of all patients at given days."""
    from sksurv.nonparametric import kaplan_meier_estimator

    day, event, _ = outcome(cohort)
    if not event.any():
        return np.ones(len(days))
    times, curve = kaplan_meier_estimator(event, day)
    return np.concatenate([[1.0], curve])[np.searchsorted(times, days, side="right")]


def cox(cohort: Cohort, columns: pd.DataFrame) -> object:
    """Ridge Cox model; None where too few events to fit one."""
    from sksurv.linear_model import CoxPHSurvivalAnalysis
    from sksurv.util import Surv

    day, event, _ = outcome(cohort)
    if event.sum() < 5:
        return None
    return CoxPHSurvivalAnalysis(alpha=1.0).fit(
        columns.to_numpy(dtype=float), Surv.from_arrays(event, day)
    )


def log_hazard_ratio(cohort: Cohort) -> float:
    """Log hazard ratio of the experimental arm; NaN with too few events."""
    treated = outcome(cohort)[2]
    fitted = cox(cohort, pd.DataFrame({"arm": treated.astype(float)}))
    return float("nan") if fitted is None else float(fitted.coef_[0])  # type: ignore[attr-defined]


def concordance(synthetic: Cohort, holdout: Cohort) -> float:
    """C-index on held-out patients of a Cox model of the synthetic ones."""
    from sksurv.metrics import concordance_index_censored

    own, theirs = features(synthetic), features(holdout)
    centre, spread = theirs.mean(), theirs.std().replace(0.0, 1.0)
    fitted = cox(synthetic, ((own - centre) / spread).clip(-4, 4))
    day, event, _ = outcome(holdout)
    if fitted is None:
        return 0.5
    risk = fitted.predict(((theirs - centre) / spread).clip(-4, 4).to_numpy())  # type: ignore[attr-defined]
    return float(concordance_index_censored(event, day, risk)[0])


def membership(model: Model, train: Cohort, holdout: Cohort) -> float:
    """AUC of the model's likelihood for telling its patients from others; .5 tells nothing."""
    from scipy.stats import rankdata

    both = np.concatenate([model.log_prob(train), model.log_prob(holdout)])
    n = len(train)
    return float((rankdata(both)[:n].sum() - n * (n + 1) / 2) / (n * (len(both) - n)))


def judge(made: Cohort, train: Cohort, holdout: Cohort) -> dict[str, float]:
    """Distances of synthetic patients from the held-out ones (hazard ratio: from the trained)."""
    days = np.arange(30.0, 330.0, 30.0)
    return {
        "pairs": float(np.abs(correlations(made) - correlations(holdout)).mean()),
        "KM": float(np.abs(survival(made, days) - survival(holdout, days)).mean()),
        "C": concordance(made, holdout),
        "|d log HR|": abs(log_hazard_ratio(made) - log_hazard_ratio(train)),
        "log HR": log_hazard_ratio(made),
    }


def options(engine: str, epsilon: float | None) -> tuple[str, dict[str, object]]:
    """Engine and options for an epsilon."""
    if epsilon is None:
        return engine, {}
    private: dict[str, object] = {"epsilon": epsilon, "follow_up_days": FOLLOW_UP_DAYS}
    if engine == "mixture":
        return engine, private
    return "twin-private", {**private, "accept_low_utility": True}


def measure(
    engine: str, epsilon: float | None, halves: tuple[Cohort, Cohort], seed: int
) -> dict[str, float]:
    """One fit, judged."""
    train, holdout = halves
    name, chosen = options(engine, epsilon)
    start = time.process_time()
    model = fit(train, name, seed=seed, **chosen)  # type: ignore[arg-type]
    cost = time.process_time() - start
    made = model.sample(SYNTHETIC * len(train), seed=seed)
    auc = membership(model, train, holdout)
    return {**judge(made, train, holdout), "membership": auc, "fit CPU-s": cost}


def show(label: str, rows: list[dict[str, float]]) -> None:
    """One line of the table: means and standard errors."""
    cells = []
    for key in rows[0]:
        values = np.array([row[key] for row in rows])
        known = values[np.isfinite(values)]
        if not len(known):
            cells.append("none")
            continue
        se = known.std(ddof=1) / np.sqrt(len(known)) if len(known) > 1 else float("nan")
        cells.append(f"{known.mean():.3f} ({se:.3f})")
    print(f"| {label} | " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=4, help="halvings")
    parser.add_argument("--engines", nargs="*", default=["mixture", "twin"])
    asked = parser.parse_args()
    whole = development(DATASETS["actg320"]())
    halves = [whole.split(0.5, seed=s) for s in range(asked.replicates)]
    real = [
        {**judge(train, train, holdout), "membership": 0.5, "fit CPU-s": 0.0}
        for train, holdout in halves
    ]
    print(f"ACTG320, {len(halves[0][0])} patients learnt; mean (SE) over {len(halves)} halvings")
    print("| model | " + " | ".join(real[0]) + " |\n" + "|---" * (len(real[0]) + 1) + "|")
    show("the trained half itself", real)
    for engine in asked.engines:
        for epsilon in EPSILONS:
            rows = [measure(engine, epsilon, pair, s) for s, pair in enumerate(halves)]
            show(f"{engine}, epsilon {'none' if epsilon is None else f'{epsilon:g}'}", rows)


if __name__ == "__main__":
    main()
