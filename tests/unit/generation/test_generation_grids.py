"""Recorded grids and heaping of numeric columns: learnt, drawn, conditioned and kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from extraction.records.conditions import Interval
from generation.tokenizer import MINIMUM_CELL, NumericCodec, codec_from_state
from generation.tokenizer_fitting import fit_numeric, learn_step
from generation.tokenizer_grid_fitting import learn_grid, on_grid
from generation.tokenizer_grids import Grid, truncated, written
from generation.tokenizer_heaping import Heaping, _preferred

GRIDS = {
    "decimal": Grid.decimal(0.5),
    "half inches in cm": Grid("unit", 1.27, 0.0, 1),
    "Fahrenheit in Celsius": Grid("unit", 1 / 9, -160 / 9, 2),
    "three digits": Grid("digits", 0.001, digits=3, decimals=12),
    "three bytes": Grid("truncated", 0.1, bits=12, width=10),
    "three bytes of any number": Grid("truncated", 0.0, bits=12, width=9, least=2.0**-12),
    "listed": Grid("listed", values=(1.0, 2.5, 7.0, 8.0)),
}
ratios = st.floats(0.5, 500.0)


def drawn(codec: NumericCodec, n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return codec.decode(rng.choice(codec.tokens, n, p=codec.mass), rng.random(n))


def test_three_bytes_hold_what_the_sas_system_writes() -> None:
    # 22.1, 6.2, 7.36, 36.8 and .4 in numeric variables of LENGTH 3, as BEST8. to BEST10. show
    # them in the public SUPPORT data (hbiostat.org/data, support2.csv).
    cut = truncated(np.array([22.1, 6.2, 0.4]), 12)
    assert written(cut, 10).tolist() == [22.0976562, 6.19921875, 0.39996338]
    assert written(truncated(np.array([7.36, 36.8]), 12), 8).tolist() == [7.359375, 36.79688]


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_numbers_of_a_grid_lead_to_its_values_and_back(grid: Grid) -> None:
    values = np.unique(grid.snap(np.random.default_rng(1).gamma(2.0, 20.0, 500) + 1.0))
    assert np.array_equal(grid.value(grid.number(values)), values)
    assert (np.diff(grid.number(values)) > 0).all()
    assert grid.position(grid.number(values)) == pytest.approx(values)
    assert Grid.from_state(grid.state()) == grid


@pytest.mark.parametrize("grid", list(GRIDS.values())[:-1], ids=list(GRIDS)[:-1])
@settings(max_examples=30)
@given(low=ratios, high=ratios, closed=st.booleans())
def test_cells_inside_an_interval_hold_its_values_only(
    grid: Grid, low: float, high: float, closed: bool
) -> None:
    assume(low < high)
    interval = Interval(low, high, low_closed=closed, high_closed=closed)
    start, stop = grid.start(low, closed), grid.stop(high, closed)
    assume(start < stop)
    inner = grid.snap(np.linspace(start, stop, 52)[1:-1])
    assert interval.contains(inner).all()


@pytest.mark.parametrize(
    ("interval", "share"),
    [
        (Interval(7.1234567, np.inf, low_closed=False), 0.0),
        (Interval(-np.inf, 1.0, high_closed=False), 0.0),
        (Interval(8.0, np.inf), 0.0),
        (Interval(-np.inf, 0.5), 0.0),
        (Interval(7.1234567, np.inf), 0.2),
        (Interval(-np.inf, 1.0), 0.2),
        (Interval(1.0, 7.1234567, low_closed=False, high_closed=False), 0.6),
    ],
)
def test_nothing_lies_beyond_the_ends_of_a_list(interval: Interval, share: float) -> None:
    codec = fit_numeric("x", np.tile([1.0, np.sqrt(2), np.pi, np.e, 7.1234567], 80), 12)
    assert codec.recorded.kind == "listed"
    assert codec.mass @ codec.region(interval).share == pytest.approx(share)


def recorded(name: str, n: int = 400) -> np.ndarray:
    rng = np.random.default_rng(5)
    if name == "half inches in cm":
        return GRIDS[name].value(np.round(rng.normal(130, 6, n)))
    if name == "three digits":
        return GRIDS[name].snap(rng.lognormal(0.2, 0.8, n))
    if name == "three bytes":
        return GRIDS[name].value(np.round(rng.normal(368, 8, n)))
    if name == "listed":
        return rng.choice(np.array([1.0, np.sqrt(2), np.pi, np.e, 7.1234567]), n)
    return np.round(rng.normal(50, 10, n), 1)


@pytest.mark.parametrize("name", ["half inches in cm", "three digits", "three bytes", "listed"])
def test_a_grid_is_learnt_and_every_drawn_value_lies_on_it(name: str) -> None:
    values = recorded(name)
    grid = learn_grid(values)
    assert grid.kind == (GRIDS[name].kind)
    assert on_grid(values, grid) == 1.0
    codec = fit_numeric("x", values, 12)
    assert on_grid(drawn(codec, 2000, 6), grid) == 1.0
    again = codec_from_state(codec.state())
    assert isinstance(again, NumericCodec)
    assert np.array_equal(drawn(again, 500, 7), drawn(codec, 500, 7))


@pytest.mark.parametrize("power", [2.0**-9, 2.0**-6])
def test_the_levels_of_a_grid_do_not_tell_the_smallest_value(power: float) -> None:
    rng = np.random.default_rng(12)
    cut = truncated(rng.lognormal(3.0, 0.5, 400), 12)
    tiny = cut.min() * power
    figures = np.array([float(f"{v:.3g}") for v in rng.lognormal(-6.0, 1.5, 400)])
    for values, kind in ((cut, "truncated"), (figures, "digits")):
        alone, other = (
            learn_grid(np.append(values, values.min())),
            learn_grid(np.append(values, tiny if kind == "truncated" else values.min() * power)),
        )
        assert alone.kind == kind
        assert alone == other


def test_decimals_and_a_continuum_stay_what_they_are() -> None:
    assert learn_grid(recorded("tenths")) == Grid.decimal(0.1)
    assert learn_grid(np.random.default_rng(2).normal(size=300)).kind == "continuum"


def test_a_column_of_very_small_numbers_keeps_them() -> None:
    values = np.random.default_rng(14).lognormal(np.log(5e-9), 0.5, 300)
    codec = fit_numeric("concentration in mol/l", values, 12)
    assert codec.recorded.kind == "continuum"
    assert learn_step(values) == 0.0
    assert np.quantile(drawn(codec, 2000, 15), [0.25, 0.5, 0.75]) == pytest.approx(
        np.quantile(values, [0.25, 0.5, 0.75]), rel=0.1
    )


@pytest.mark.parametrize("n", [400, 20_000])
def test_the_share_on_a_grid_is_exact_where_a_grid_may_hold(n: int) -> None:
    values = np.round(np.random.default_rng(16).normal(50, 10, n))
    values[: n // 25] += 0.3
    assert on_grid(np.sort(values), Grid.decimal(1.0)) == pytest.approx(0.96)
    assert on_grid(np.sort(values), Grid.decimal(5.0)) < 0.8


def heaped(n: int = 3000) -> np.ndarray:
    rng = np.random.default_rng(8)
    values = np.round(rng.normal(100, 25, n))
    return np.where(rng.random(n) < 0.4, np.round(values / 10) * 10, values)


def test_heaps_come_back_as_often_as_they_were() -> None:
    values = heaped()
    codec = fit_numeric("pressure", values, 16)
    again = drawn(codec, 20_000, 9)
    share, back = (float(np.mean(np.mod(v, 10) == 0)) for v in (values, again))
    # 99.9 % of samples of 20,000 lie within 3.3 standard errors; the rest is rounding of bins.
    assert abs(back - share) < 3.3 * np.sqrt(share * (1 - share) / 20_000) + 0.005


def test_a_minority_measured_in_another_unit_stays_a_minority() -> None:
    rng = np.random.default_rng(10)
    inches = GRIDS["half inches in cm"].value(2 * np.round(rng.normal(65, 4, 600)))
    values = np.where(rng.random(600) < 0.15, np.round(rng.normal(165, 10, 600), 1), inches)
    codec = fit_numeric("height", values, 12)
    off = [1 - on_grid(v, GRIDS["half inches in cm"]) for v in (values, drawn(codec, 10_000, 11))]
    assert abs(off[0] - off[1]) < 0.03


@pytest.mark.parametrize("n", [400, 40_000])
def test_the_unit_that_explains_most_is_found_however_many_patients(n: int) -> None:
    rng = np.random.default_rng(13)
    values = np.arange(1300, 2001) / 10.0
    count = rng.poisson(n / len(values), len(values)).astype(np.float64)
    inch = Grid("unit", 2.54, 0.0, 1)
    count[np.abs(inch.snap(values) - values) < 1e-9] += n / 50
    grid = Grid.decimal(0.1)
    heaping = _preferred(Heaping(), grid, values, np.full(len(values), n / 700), count)
    assert heaping.unit is not None
    assert heaping.unit.step in (2.54, 1.27, 0.635)


def test_smooth_columns_have_no_heaps() -> None:
    false = 0
    for seed in range(60):
        values = np.round(np.random.default_rng(seed).normal(60, 12, 300))
        heaping = fit_numeric("age", values, 12).heaping
        false += bool(len(heaping.values) or len(heaping.weights))
    # Two tests at .001 and outliers at 1e-5 of at most 60 values: .003 a column.
    assert false <= binom.isf(1e-4, 60, 0.005)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(60, 400), st.sampled_from([1.0, 5.0, 10.0]))
def test_nothing_that_is_kept_belongs_to_fewer_than_five(
    seed: int, n: int, round_to: float
) -> None:
    rng = np.random.default_rng(seed)
    values = np.round(rng.gamma(3.0, 20.0, n))
    values = np.where(rng.random(n) < 0.5, np.round(values / round_to) * round_to, values)
    codec = fit_numeric("x", values, 8)
    for value in codec.heaping.values:
        assert np.sum(np.abs(values - value) < 1e-9) >= MINIMUM_CELL
    for b in np.flatnonzero(~codec.atom):
        own = (codec.heaping.values > codec.edges[b]) & (codec.heaping.values < codec.edges[b + 1])
        rest = n * (codec.mass[b] - codec.heaping.share[own].sum())
        assert rest < 1e-6 or rest > MINIMUM_CELL - 1e-6


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(40, 320), st.integers(4, 160), st.booleans())
def test_regions_of_heaped_columns_decode_inside(
    seed: int, low: int, width: int, closed: bool
) -> None:
    codec = CODEC
    interval = Interval(low / 2, (low + width) / 2, low_closed=closed, high_closed=closed)
    region = codec.region(interval)
    mass = codec.mass * region.share
    assume(mass.sum() > 1e-6)
    rng = np.random.default_rng(seed)
    codes = rng.choice(codec.tokens, 200, p=mass / mass.sum())
    place = region.start[codes] + rng.random(200) * (region.stop[codes] - region.start[codes])
    assert interval.contains(codec.decode(codes, place)).all()


def test_places_and_ranks_rise_with_the_value() -> None:
    values = np.unique(heaped())
    codes = CODEC.encode(values)
    assert (np.diff(CODEC.rank(values, codes)) >= 0).all()
    back = CODEC.decode(codes, CODEC.place(values, codes))
    inner = (values > CODEC.edges[0]) & (values < CODEC.edges[-1])
    assert np.array_equal(back[inner], values[inner])


CODEC = fit_numeric("pressure", heaped(), 16)
