"""Trials and their analyses beside their peers: one run, one thread each, CPU seconds, ratios.

Run: python -m benchmarks.trials [SECTION ...]
A section is one function here (and its part of trials.R). Peers that are not installed are left
out, and said to be.
"""

import os

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from generation.randomness import generator

SCRIPT = Path(__file__).with_name("trials.R")
SEED = 20261122


@dataclass(frozen=True)
class Timing:
    """One contestant: units done, CPU seconds, and a figure that all contestants must share."""

    name: str
    units: int
    seconds: float
    figure: float | None = None
    wanted: float | None = None

    @property
    def each(self) -> float:
        return self.seconds / self.units


def main() -> None:
    asked = sys.argv[1:] or list(SECTIONS)
    for name in asked:
        title, section = SECTIONS[name]
        print(f"\n{title}")
        told(section())


def told(timings: list[Timing]) -> None:
    """Print contestants with their speed against the first."""
    ours = timings[0]
    for timing in timings:
        ratio = timing.each / ours.each
        goal = f" (goal {timing.wanted:g})" if timing.wanted else ""
        figure = "" if timing.figure is None else f"  figure {timing.figure:.9g}"
        print(
            f"  {timing.name:<24}{timing.each * 1e6:12.1f} us each {1 / timing.each:12.0f} a CPU-s"
            f"  x{ratio:8.1f}{goal}{figure}"
        )


def timed(
    name: str, units: int, run: Callable[[], Any], figure: Callable[[Any], float] | None = None
) -> Timing:
    """CPU time of a run, after one that compiles; the best of three."""
    run()
    best = np.inf
    for _ in range(3):
        begin = time.process_time()
        value = run()
        best = min(best, time.process_time() - begin)
    return Timing(name, units, best, None if figure is None else figure(value))


def by_r(section: str, wanted: dict[str, float], data: pd.DataFrame | None = None) -> list[Timing]:
    """Run a section's part of trials.R."""
    if shutil.which("Rscript") is None:
        print("  R is not installed here: its peers are left out")
        return []
    with tempfile.TemporaryDirectory() as folder:
        given = ["Rscript", str(SCRIPT), section]
        if data is not None:
            path = Path(folder) / "data.csv"
            data.to_csv(path, index=False)
            given.append(str(path))
        done = subprocess.run(given, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"  the peers in R of {section} are not installed here: left out")
        return []
    rows = [line.split() for line in done.stdout.splitlines()]
    return [
        Timing(r[0], int(r[1]), float(r[2]), float(r[3]), wanted.get(r[0])) for r in rows
    ]


def survival() -> list[Timing]:
    """490 patients, median 12 months, HR .7, accrual 12 months, looks at 112, 223, 335 events.

    Ours simulates no effect beside it; each scenario counts as a trial.
    """
    from simulation import TrialDesign, simulate
    from simulation.trial import ParametricPopulation

    effect = {"arm": "A", "endpoint": "OS", "hazard_ratio": 0.7}
    design = TrialDesign.parse(
        {
            "time_unit": "month",
            "arms": [{"name": "C", "control": True}, {"name": "A"}],
            "n": 490,
            "enrolment": {"duration": 12},
            "endpoints": [{"kind": "time_to_event", "name": "OS"}],
            "rule": {
                "kind": "group_sequential",
                "looks": {"by": "events", "at": [112, 223, 335]},
            },
            "scenarios": [{"name": "planned", "effects": [effect]}],
        }
    )
    people = ParametricPopulation(outcomes={"OS": {"kind": "time_to_event", "median": 12}})
    replicates = 4000
    ours = timed(
        "trialtwin", replicates * len(design.truths), lambda: simulate(design, people, replicates),
        lambda result: float(result.scenario("planned").any_rejection.value),
    )
    return [ours, *by_r("survival", {"rpact": 7})]


def trials_of_400(trials: int) -> dict[str, Any]:
    """Random trials (R, 400) with exponential times, uniform censoring and three covariates."""
    rng = generator(SEED, "benchmarks.trials", trials)
    arm = (rng.random((trials, 400)) < 0.5).astype(float)
    x = rng.normal(size=(trials, 400, 3))
    hazard = np.exp(-0.3 * arm + 0.4 * x[..., 0] - 0.2 * x[..., 1])
    event = rng.exponential(size=arm.shape) / hazard
    censoring = rng.uniform(0.2, 3, size=arm.shape)
    return {"time": np.minimum(event, censoring), "event": (event <= censoring).astype(float),
            "arm": arm, "x": x}


def as_frame(drawn: dict[str, Any], trials: int) -> pd.DataFrame:
    """The first trials as one table."""
    columns = {name: drawn[name][:trials].ravel() for name in ("time", "event", "arm")}
    columns |= {f"x{j + 1}": drawn["x"][:trials, :, j].ravel() for j in range(3)}
    frame = pd.DataFrame(columns)
    frame.insert(0, "trial", np.repeat(np.arange(trials), 400))
    return frame


def log_rank() -> list[Timing]:
    """The test and its sorting, 400 patients."""
    from statsmodels.duration.survfunc import survdiff

    from simulation.analysis.logrank import logrank_batch

    drawn = trials_of_400(1000)
    few = 50
    ours = timed(
        "trialtwin", 1000, lambda: logrank_batch(drawn["time"], drawn["event"], drawn["arm"]),
        lambda found: float(found.chi2[:few].sum()),
    )

    def peer() -> float:
        rows = zip(drawn["time"][:few], drawn["event"][:few], drawn["arm"][:few], strict=True)
        return float(sum(survdiff(t, e, a)[0] for t, e, a in rows))

    theirs = timed("statsmodels survdiff", few, peer, float)
    theirs = Timing(theirs.name, few, theirs.seconds, theirs.figure, 15)
    wanted = {"survival::survdiff": 100.0}
    return [ours, theirs, *by_r("log_rank", wanted, as_frame(drawn, few))]


def cox() -> list[Timing]:
    """Cox's model with four covariates, Efron's ties, 400 patients."""
    from simulation.analysis.cox import cox_batch

    few = 100
    drawn = trials_of_400(few)
    columns = np.concatenate([drawn["arm"][..., None], drawn["x"]], axis=2)
    ours = timed(
        "trialtwin", few, lambda: cox_batch(drawn["time"], drawn["event"], columns),
        lambda found: float(found.coefficients[:, 0].sum()),
    )
    return [ours, *by_r("cox", {"survival::coxph": 20}, as_frame(drawn, few))]


def mmrm() -> list[Timing]:
    """MMRM with an unstructured covariance over 4 visits, 300 patients, a fifth leaving early."""
    from simulation.analysis.longitudinal.batch import mmrm_batch

    few = 20
    rng = generator(SEED, "benchmarks.trials", 300)
    arm = (rng.random((few, 300)) < 0.5).astype(float)
    base = rng.normal(size=arm.shape)
    own = rng.normal(size=(few, 300, 1))
    y = 0.3 * arm[..., None] + 0.5 * base[..., None] + own + rng.normal(size=(few, 300, 4))
    left = rng.integers(1, 21, size=arm.shape)
    y[np.arange(4) >= left[..., None]] = np.nan
    ours = timed(
        "trialtwin", few, lambda: mmrm_batch(y, arm, base[..., None]),
        lambda found: float(found.estimate[:, -1].sum()),
    )
    frame = pd.DataFrame(
        {
            "trial": np.repeat(np.arange(few), 1200),
            "id": np.repeat(np.arange(few * 300), 4),
            "visit": np.tile(np.arange(1, 5), few * 300),
            "arm": np.repeat(arm.ravel(), 4),
            "base": np.repeat(base.ravel(), 4),
            "y": y.ravel(),
        }
    )
    return [ours, *by_r("mmrm", {"nlme::gls": 50}, frame)]


def response_adaptive() -> list[Timing]:
    """The example of adaptr's README: 3 arms, looks after 300 to 2,000 outcomes, 2 truths.

    adaptr is not in Debian; its speed is the one measured for reference.md, on another machine.
    """
    from simulation import TrialDesign, simulate
    from simulation.trial import ParametricPopulation

    effects = [
        {"arm": "B", "endpoint": "death", "odds_ratio": 0.75},
        {"arm": "C", "endpoint": "death", "odds_ratio": 9 / 7},
    ]
    design = TrialDesign.parse(
        {
            "arms": [{"name": "A", "control": True}, {"name": "B"}, {"name": "C"}],
            "endpoints": [
                {"kind": "binary", "name": "death", "visit": 100.4, "higher_is_better": False}
            ],
            "n": 2000,
            "enrolment": {"ramp": [{"start": 0, "rate": 1}], "process": "even"},
            "rule": {
                "kind": "response_adaptive",
                "looks": {"at": list(range(300, 2001, 100))},
                "minimum": 0.2,
                "superiority": 0.9814318,
                "equivalence": 0.9,
                "difference": 0.05,
            },
            "scenarios": [{"name": "different", "effects": effects}],
        }
    )
    people = ParametricPopulation(outcomes={"death": {"kind": "binary", "probability": 0.25}})
    replicates = 500
    ours = timed(
        "trialtwin", replicates * len(design.truths), lambda: simulate(design, people, replicates),
        lambda result: float(result.scenario("different").any_rejection.value),
    )
    return [ours, Timing("adaptr, recorded (16 a s)", 16, 1.0, 0.731, 100)]


SECTIONS: dict[str, tuple[str, Callable[[], list[Timing]]]] = {
    "survival": (
        "Survival trials, 3 looks, N = 490; ours with and without effect (figure: power)",
        survival,
    ),
    "log_rank": ("Log-rank test, N = 400 (figure: sum of chi-square of 50)", log_rank),
    "mmrm": ("MMRM, 4 visits, N = 300 (figure: sum of effects at the last visit of 20)", mmrm),
    "response_adaptive": (
        "Response-adaptive randomisation, 3 arms, 18 looks (figure: P(superior))",
        response_adaptive,
    ),
    "cox": ("Cox's model, 4 covariates, N = 400 (figure: sum of log ratios of 100)", cox),
}

if __name__ == "__main__":
    main()
