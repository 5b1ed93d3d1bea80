"""The verbs of a trial: randomise, dropout, analyse, looks; draws belong to patients."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from extraction.records import InputError
from generation.randomness import Stream
from simulation import TrialDesign
from simulation.trial import ParametricPopulation, TwinPopulation
from simulation.trial.analyse import analyse
from simulation.trial.looks import critical_t, stop
from simulation.trial.randomise import randomise
from simulation.trial.replicate import follow

STREAM = Stream(3, "verbs")
REPLICATES = np.arange(6)


def _design(**changes: Any) -> TrialDesign:
    plan = {
        "arms": [{"name": "P", "control": True}, {"name": "A"}],
        "endpoint": {"variable": "y", "visit": "w"},
        "n": 80,
        "effect": 0.5,
    }
    return TrialDesign.parse(plan | changes)


def _table(n: int = 200) -> pd.DataFrame:
    x, e = (Stream(1, "table").normal(patient=np.arange(n), index=i) for i in (0, 1))
    known = np.where(np.arange(n) % 7 == 0, np.nan, 50 + 4 * x + e)
    site = np.where(np.arange(n) % 3 == 0, "north", "south")
    return pd.DataFrame({"y": known, "score": 10 + 2 * x, "site": site})


def test_blocks_are_balanced_and_a_short_trial_is_the_head_of_a_long_one() -> None:
    long = randomise(STREAM, REPLICATES, 90, 2, 1, 3)
    short = randomise(STREAM, REPLICATES, 31, 2, 1, 3)
    assert np.array_equal(long[:, :31], short)
    assert np.all(long.reshape(6, 10, 9).sum(axis=2) == 6)
    assert len(np.unique(long, axis=0)) == 6


def test_designs_share_patients() -> None:
    """More patients, other looks, another level or another effect leave early fits as they are."""
    population = ParametricPopulation(correlations={"score": 0.5, "age": 0.2}, dropout=0.1)
    covariates = ("score",)
    base = follow(_design(covariates=covariates), population, STREAM, REPLICATES)
    longer = _design(covariates=covariates, n=160, looks=2, alpha=0.01, effect=-3.0)
    both = follow(longer, population, STREAM, REPLICATES)
    assert np.allclose(both.estimate[:, 0], base.estimate[:, 0], rtol=1e-12)
    assert np.array_equal(both.completers[:, 0], base.completers[:, 0])


def test_a_replicate_does_not_depend_on_its_batch() -> None:
    population = TwinPopulation.from_table(_table(), "y", ["score", "site"])
    design = _design(covariates=["score", "site"], looks=2)
    whole = follow(design, population, STREAM, REPLICATES)
    for row, number in enumerate(REPLICATES):
        alone = follow(design, population, STREAM, np.array([number]))
        assert np.array_equal(alone.estimate[0], whole.estimate[row])
        assert np.array_equal(alone.se[0], whole.se[row])


def test_a_larger_dropout_drops_the_same_patients_first() -> None:
    population = ParametricPopulation()
    fits = [follow(_design(dropout=d), population, STREAM, REPLICATES) for d in (0.0, 0.2, 0.4)]
    few, some, many = (f.completers[:, 0] for f in reversed(fits))
    assert np.all(few <= some)
    assert np.all(some <= many)
    assert np.all(many == 80)


def test_the_fit_is_that_of_statsmodels() -> None:
    shape = (4, 60)
    grid = np.arange(4)[:, None], np.arange(60)[None, :]
    x = np.stack([5 + STREAM.normal(*grid, 1), 100 * STREAM.normal(*grid, 2)])
    y = 3 + x[0] + STREAM.normal(*grid, 3)
    treated = STREAM.uniform(*grid, 4) < 0.5
    complete = STREAM.uniform(*grid, 5) < 0.8
    fits = analyse(np.where(complete, y, np.nan), treated, x, complete, (30, 60))
    for r in range(shape[0]):
        for k, size in enumerate((30, 60)):
            use = np.flatnonzero(complete[r, :size])
            columns = [np.ones(len(use)), treated[r, use], x[0, r, use], x[1, r, use]]
            peer = sm.OLS(y[r, use], np.column_stack(columns).astype(float)).fit()
            assert fits.estimate[r, k] == pytest.approx(peer.params[1], rel=1e-9)
            assert fits.se[r, k] == pytest.approx(peer.bse[1], rel=1e-9)
            assert fits.df[r, k] == peer.df_resid
            assert fits.completers[r, k] == len(use)


def test_a_level_nobody_has_and_an_empty_arm() -> None:
    y = STREAM.normal(patient=np.arange(12))[None, :]
    treated = np.tile([True, False], 6)[None, :]
    level = np.zeros((1, 1, 12))
    everyone = np.ones((1, 12), dtype=bool)
    plain = analyse(y, treated, np.empty((0, 1, 12)), everyone, (12,))
    empty_level = analyse(y, treated, level, everyone, (12,))
    assert empty_level.estimate == pytest.approx(plain.estimate)
    assert empty_level.df == plain.df
    alone = analyse(y, treated, np.empty((0, 1, 12)), ~treated, (12,))
    assert np.isnan(alone.estimate).all()
    assert np.isinf(alone.se).all()
    assert np.all(alone.information == 0)
    assert plain.information == pytest.approx(3.0)


def test_critical_t_keeps_the_level_of_z() -> None:
    bounds = critical_t([1.959964], np.array([[10.0], [1e9]]))
    assert bounds[:, 0] == pytest.approx([2.228139, 1.959964], abs=1e-5)


def test_a_trial_stops_at_its_first_crossing() -> None:
    crossed = np.array([[[False, True, True]], [[False, False, False]], [[True, False, False]]])
    stage, rejected = stop(crossed)
    assert stage[:, 0].tolist() == [1, 2, 0]
    assert rejected[:, 0].tolist() == [True, False, True]


def test_twins_without_outcome_drop_out_or_are_replaced() -> None:
    population = TwinPopulation.from_table(_table(), "y", ["score"])
    patients = np.arange(500)
    learnt = population.draw(STREAM, REPLICATES, patients, ("score",), known_only=False)
    known = population.draw(STREAM, REPLICATES, patients, ("score",), known_only=True)
    left = np.isnan(learnt.outcome)
    assert np.array_equal(left, learnt.leaves)
    assert 0.1 < left.mean() < 0.2
    assert np.isfinite(known.outcome).all()
    assert np.array_equal(known.outcome[~left], learnt.outcome[~left])


def test_a_population_names_what_it_lacks() -> None:
    with pytest.raises(InputError, match="'age' is not in the table"):
        TwinPopulation.from_table(_table(), "y", ["age"])
    constant = _table().assign(site="north")
    with pytest.raises(InputError) as caught:
        TwinPopulation.from_table(constant.head(10), "y", ["site"])
    assert len(caught.value.faults) == 2
    with pytest.raises(InputError, match="squares sum to more than 1"):
        ParametricPopulation(correlations={"a": 0.9, "b": 0.9})
