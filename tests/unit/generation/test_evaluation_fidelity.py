"""Column and pair distances equal SDMetrics; lag-1 correlations mean what they say."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from extraction.records import InputError
from generation.evaluation import fidelity
from generation.evaluation.longitudinal import lag_one_correlations, lag_one_distance
from generation.evaluation.missing import share_distance
from generation.evaluation.tables import Layout, Series, Table, align
from generation.evaluation.visits import flat_table
from tests.support.evaluation_support import cohort, frame, schema

RNG = np.random.default_rng


@pytest.fixture(scope="module")
def samples() -> tuple[Table, Table]:
    first, second = frame(150, RNG(1)), frame(130, RNG(2))
    second["BMI"] = second["BMI"] + 3
    second.loc[:9, "SEX"] = None
    return tuple(align(schema(), [first, second], real=[1]))


def as_frame(table: Table) -> pd.DataFrame:
    numbers = {n: table.numbers[:, j] for j, n in enumerate(table.layout.numeric)}
    words = {
        n: [None if c < 0 else levels[c] for c in table.codes[:, j]]
        for j, (n, levels) in enumerate(
            zip(table.layout.categorical, table.layout.levels, strict=True)
        )
    }
    return pd.DataFrame(numbers | words)


def metadata(table: Table) -> dict:
    kinds = dict.fromkeys(table.layout.numeric, "numerical")
    kinds |= dict.fromkeys(table.layout.categorical, "categorical")
    return {"columns": {n: {"sdtype": kind} for n, kind in kinds.items()}}


def library_score(samples: tuple[Table, Table], thresholds: bool | None) -> float:
    from sdmetrics.reports import utils
    from sdmetrics.reports.single_table._properties import column_pair_trends, column_shapes

    if thresholds is None:
        report = column_shapes.ColumnShapes()
    else:
        report = column_pair_trends.ColumnPairTrends()
        report.num_rows_subsample = None
        if thresholds:
            report.real_correlation_threshold = utils.DEFAULT_REAL_CORRELATION_THRESHOLD
            report.real_association_threshold = utils.DEFAULT_REAL_ASSOCIATION_THRESHOLD
    synthetic, real = map(as_frame, samples)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return report.get_score(real, synthetic, metadata(samples[0]))


def test_marginals_equal_column_shapes(samples):
    assert 1 - fidelity.marginals(*samples) == pytest.approx(library_score(samples, None), abs=1e-9)


def test_pairs_equal_column_pair_trends_with_its_thresholds(samples):
    ours = 1 - fidelity.pairs(*samples)
    assert ours == pytest.approx(library_score(samples, thresholds=True), abs=1e-9)


def test_all_pairs_equal_column_pair_trends_without_thresholds(samples):
    ours = 1 - np.nanmean(fidelity.pair_distances(*samples))
    assert ours == pytest.approx(library_score(samples, thresholds=False), abs=1e-9)


def test_numeric_marginal_is_the_kolmogorov_smirnov_distance(samples):
    synthetic, real = samples
    column = synthetic.layout.numeric.index("AGE")
    expected = ks_2samp(synthetic.numbers[:, column], real.numbers[:, column]).statistic
    assert fidelity.marginal_distances(synthetic, real)[column] == pytest.approx(expected)


def test_correlations_are_over_pairwise_complete_rows(samples):
    numbers = samples[0].numbers
    assert fidelity.correlations(numbers) == pytest.approx(pd.DataFrame(numbers).corr().to_numpy())


def test_a_constant_column_has_no_correlation():
    numbers = np.column_stack([np.ones(5), np.arange(5.0)])
    assert np.isnan(fidelity.correlations(numbers)[0, 1])


def test_missingness_is_the_mean_gap_of_missing_shares():
    layout = Layout(("a", "b"), (), ())
    codes = np.empty((2, 0), dtype=np.int64)
    half = Table(layout, np.array([[1.0, np.nan], [1.0, 2.0]]), codes)
    full = Table(layout, np.ones((2, 2)), codes)
    assert share_distance(half, full) == pytest.approx(0.25)


def series_table(values: np.ndarray) -> Table:
    columns = tuple(range(values.shape[1]))
    series = Series("x", True, columns, tuple(float(i) for i in columns))
    layout = Layout(tuple(f"x@{i}" for i in columns), (), (), (), (series,))
    return Table(layout, values, np.empty((len(values), 0), dtype=np.int64))


def test_lag_one_of_a_constant_patient_is_one():
    kept = series_table(np.repeat(np.arange(10.0)[:, None], 4, axis=1))
    assert lag_one_correlations(kept)["x"] == pytest.approx(1)


def test_lag_one_passes_over_missed_visits():
    values = np.repeat(np.arange(10.0)[:, None], 3, axis=1)
    values[:, 1] = np.nan
    assert lag_one_correlations(series_table(values))["x"] == pytest.approx(1)


def test_a_variable_that_lost_its_patient_counts_in_full():
    kept = series_table(np.repeat(np.arange(10.0)[:, None], 2, axis=1))
    lost = series_table(np.column_stack([np.arange(10.0), np.zeros(10)]))
    assert lag_one_distance(lost, kept) == pytest.approx(1)


def test_a_visit_without_synthetic_values_is_an_empty_column():
    real = frame(60, RNG(3))
    table, _ = align(schema(), [real.drop(columns="SCORE@Week 24"), real], real=[1])
    assert np.isnan(table.numbers[:, table.layout.numeric.index("SCORE@Week 24")]).all()


def test_visit_columns_are_those_of_the_flat_table():
    data = cohort(50, 5)
    expected = data.to_table()
    pd.testing.assert_frame_equal(flat_table(data)[expected.columns], expected)


def test_missing_columns_are_named_together():
    real = frame(20, RNG(3))
    with pytest.raises(InputError) as caught:
        align(schema(), [real.drop(columns=["AGE", "SEX"]), real], real=[1])
    assert len(caught.value.faults) == 2
    assert "AGE" in caught.value.faults[0]
