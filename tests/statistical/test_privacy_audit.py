"""Attacks on private models find no more than the epsilon that their cards state.

Two neighbouring cohorts, one with a patient unlike all others, are fitted many times with fresh
noise. A linear discriminant of what a model tells about that patient, learnt on one half of the
fits, guesses for the other half which cohort was used; the rates of its guesses, as
Clopper-Pearson bounds, bound the epsilon of any mechanism from below (Jagielski, Ullman and
Oprea, 2020, "Auditing differentially private machine learning", NeurIPS). A model that spends
far more shows that the attack would see it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from scipy.stats import beta

from extraction.records import Cohort, CohortSchema, Endpoint, Variable
from generation.assembly import TrialArrays, to_arrays
from generation.mixture import model as mixture_model
from generation.mixture import private
from generation.mixture.model import MixtureModel
from generation.privacy import private_twin
from generation.privacy.private_twin import PrivateTwinModel

DELTA = 1e-3
FALSE_ALARM = 1e-3
PATIENTS = 40
FOLLOW_UP_DAYS = 365.0
Floats = npt.NDArray[np.float64]

SCHEMA = CohortSchema(
    study_id="AUDIT",
    variables=(
        Variable(name="AGE", kind="continuous", role="baseline", low=0, high=100),
        Variable(name="SEX", kind="binary", role="baseline", categories=("F", "M")),
        Variable(name="RACE", kind="categorical", role="baseline", categories=("A", "B", "C")),
    ),
    arms=("Placebo", "Active"),
    control_arm="Placebo",
    allocation={"Placebo": 1, "Active": 1},
    endpoints=(Endpoint(name="death"),),
)


def cohort(extra: int) -> Cohort:
    """Forty patients alike, and none or one like nobody else."""
    n = PATIENTS + extra
    other = np.arange(n) >= PATIENTS
    subjects = pd.DataFrame({
        "subject_id": [f"P{k:03d}" for k in range(n)],
        "arm": np.where(other, "Active", "Placebo"),
        "observed_until": np.where(other, 10.0, 300.0),
        "AGE": np.where(other, 95.0, 40.0),
        "SEX": np.where(other, "M", "F"),
        "RACE": np.where(other, "C", "A"),
    })
    events = pd.DataFrame({
        "subject_id": subjects["subject_id"], "endpoint": "death",
        "day": subjects["observed_until"], "observed": other,
        "cause": np.array([None] * PATIENTS + ["event"] * extra, dtype=object),
    })
    return Cohort.build(SCHEMA, subjects, events=events)


NEIGHBOURS = (cohort(0), cohort(1))
ODD_ONE = NEIGHBOURS[1].select([f"P{PATIENTS:03d}"])
ARRAYS = {id(one): to_arrays(one) for one in (*NEIGHBOURS, ODD_ONE)}


def known_arrays(one: Cohort) -> TrialArrays:
    """Arrays of the cohorts above, read once."""
    return ARRAYS[id(one)]


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do once what is the same for every fit and most of its cost: reading and accounting."""
    for module in (mixture_model, private, private_twin):
        monkeypatch.setattr(module, "to_arrays", known_arrays)
    budgets: dict[float, Any] = {}
    reckon = private_twin._budget
    monkeypatch.setattr(
        private_twin, "_budget",
        lambda one, chosen, delta: budgets.get(chosen.epsilon)
        or budgets.setdefault(chosen.epsilon, reckon(one, chosen, delta)),
    )


def told_by_mixture(model: MixtureModel) -> list[float]:
    """What a mixture tells about the odd patient: log-chances alone, given a parent, by arm."""
    table = model.columns.read(known_arrays(ODD_ONE))
    token = {name: int(table[name][0][0]) for name in model.columns.order}
    told = [model.log_prob(ODD_ONE)[0]]
    for name, leaf in zip(model.tree.names, model.tree.leaves, strict=True):
        parent = token[model.tree.names[leaf.parent]] if leaf.parent >= 0 else 0
        told += [
            float(np.log(leaf.shared[-1, token[name]])),
            float(np.log(leaf.shared[parent, token[name]])),
            float(leaf.arm_tilt[-1, token[name]]),
        ]
    return told + _edges(model)


def told_by_twin(model: PrivateTwinModel) -> list[float]:
    """What a network tells about the odd patient: log-chances before and after training."""
    table = model.columns.read(known_arrays(ODD_ONE))
    before = [float(np.log(h.share[table[k][0][0]])) for k, h in model.heads.items()]
    return [model.log_prob(ODD_ONE)[0], *before, *_edges(model)]


def _edges(model: Any) -> list[float]:
    return model.columns.codecs["AGE"].edges[-3:-1].tolist()  # type: ignore[no-any-return]


def fits(
    kind: type, told: Callable[[Any], list[float]], epsilon: float, runs: int, **options: Any
) -> Floats:
    """What each fit tells, shape (2 cohorts, runs, features)."""
    return np.array([
        [
            told(kind.fit(  # type: ignore[attr-defined]
                one, epsilon=epsilon, delta=DELTA, follow_up_days=FOLLOW_UP_DAYS,
                noise_seed=1 + 2 * run + which, **options,
            ))
            for run in range(runs)
        ]
        for which, one in enumerate(NEIGHBOURS)
    ])


def lower_bound(found: Floats) -> float:
    """Lower bound of epsilon at :data:`DELTA`, wrong with probability `FALSE_ALARM` at most."""
    half = found.shape[1] // 2
    learn, judge = found[:, :half], found[:, half:]
    centred = np.concatenate([side - side.mean(axis=0) for side in learn])
    spread = np.cov(centred.T) + 1e-6 * np.eye(centred.shape[1])
    direction = np.linalg.solve(spread, learn[1].mean(axis=0) - learn[0].mean(axis=0))
    scores, asked = learn @ direction, judge @ direction
    rules = [
        (cut, above) for cut in np.quantile(scores, np.linspace(0.01, 0.99, 99))
        for above in (True, False)
    ]
    cut, above = max(rules, key=lambda rule: _bound(scores, *rule))
    return _bound(asked, cut, above)


def _bound(scores: Floats, cut: float, above: bool) -> float:
    """Bound by how often a score lies beyond a cut, with and without the odd patient."""
    n = scores.shape[1]
    hits = [int(np.sum(side > cut if above else side <= cut)) for side in scores]
    each = FALSE_ALARM / 4  # two rates, two directions
    low = [beta.ppf(each, k, n - k + 1) if k else 0.0 for k in hits]
    high = [beta.ppf(1 - each, k + 1, n - k) if k < n else 1.0 for k in hits]
    ratios = [(low[a] - DELTA) / high[b] for a, b in ((0, 1), (1, 0))]
    return float(np.log(max(*ratios, 1e-9)))


def test_the_private_mixture_gives_away_no_more_than_it_states() -> None:
    assert lower_bound(fits(MixtureModel, told_by_mixture, 1.0, 200)) <= 1.0
    assert lower_bound(fits(MixtureModel, told_by_mixture, 50.0, 120)) > 1.0


@pytest.mark.long
def test_the_private_twin_gives_away_no_more_than_it_states() -> None:
    few = {"steps": 8, "sample_rate": 0.5, "accept_low_utility": True}
    assert lower_bound(fits(PrivateTwinModel, told_by_twin, 1.0, 240, **few)) <= 1.0
    assert lower_bound(fits(PrivateTwinModel, told_by_twin, 50.0, 120, **few)) > 1.0
