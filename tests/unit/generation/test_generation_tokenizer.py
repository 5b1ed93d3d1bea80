import numpy as np
import pytest

from extraction.records.conditions import Interval
from generation.tokenizer import MINIMUM_CELL, codec_from_state
from generation.tokenizer_fitting import (
    category_cuts,
    fit_categorical,
    fit_numeric,
    learn_step,
    spread_ties,
    tail_edge,
)


def _labels(*pairs: tuple[str | None, int]) -> np.ndarray:
    return np.array([name for name, count in pairs for _ in range(count)], dtype=object)


def test_neither_extreme_of_a_number_is_stored() -> None:
    values = np.random.default_rng(1).normal(size=200)
    codec = fit_numeric("x", values, 16)
    stored = np.concatenate([codec.knots.ravel(), codec.edges, codec.mass])
    assert not np.isin(stored, values).any()
    assert np.bincount(codec.encode(values)).min() >= MINIMUM_CELL


def test_the_edge_of_a_long_tail_is_where_the_largest_value_is_expected() -> None:
    drawn = np.sort(np.random.default_rng(8).exponential(size=(400, 500)), axis=1)
    edges = np.array([tail_edge(row) for row in drawn])
    five = drawn[:, -5:].mean()
    # The expected largest of n exponentials is 1 + 1/2 + ... + 1/n.
    expected = np.sum(1 / np.arange(1, 501))
    error = edges.std() / np.sqrt(len(edges))
    # The edge moves in long tails only, so a part of the distance remains: less than a quarter.
    assert abs(edges.mean() - expected) < 0.25 * (expected - five) + 3.9 * error
    short = np.sort(np.random.default_rng(9).uniform(size=500))
    assert tail_edge(short) < 1.02


def test_no_value_below_a_hard_limit_is_decoded() -> None:
    age = np.clip(np.round(np.random.default_rng(3).exponential(12, size=3000)) + 50, 50, 100)
    codec = fit_numeric("age", age, 16)
    rng = np.random.default_rng(4)
    drawn = codec.decode(rng.integers(0, codec.bins, 5000), rng.random(5000))
    assert drawn.min() == 50


def test_a_rare_category_joins_the_one_it_is_most_like() -> None:
    values = np.repeat(np.array(["A", "B", "RARE"], dtype=object), [60, 40, 3])
    profile = np.where(values == "A", -1.0, 1.0)[:, None]
    assert fit_categorical("x", values, None).merged == {"RARE": "A"}
    assert fit_categorical("x", values, None, profile=profile).merged == {"RARE": "B"}
    named = np.where(values == "A", "Other", values).astype(object)
    assert fit_categorical("x", named, None, profile=profile).merged == {"RARE": "Other"}


def test_decoding_stays_in_the_bin_that_was_encoded() -> None:
    values = np.random.default_rng(2).gamma(2.0, size=300)
    codec = fit_numeric("x", values, 12)
    codes = codec.encode(values)
    for place in (0.001, 0.3, 0.999):
        decoded = codec.decode(codes, np.full(len(codes), place))
        inside = (decoded >= codec.edges[codes] - 1e-4) & (decoded <= codec.edges[codes + 1] + 1e-4)
        assert inside.all()


def test_quantiles_survive_encoding_and_decoding() -> None:
    rng = np.random.default_rng(3)
    values = np.round(rng.normal(70, 8, 500))
    codec = fit_numeric("age", values, 16)
    codes = rng.choice(codec.tokens, 40_000, p=codec.mass)
    drawn = codec.decode(codes, rng.random(40_000))
    assert codec.step == 1.0
    assert np.array_equal(drawn, np.round(drawn))
    for q in (0.05, 0.25, 0.5, 0.75, 0.95):
        # Three standard errors of a quantile of 500 normal values, and one grid step.
        density = np.exp(-0.5 * ((np.quantile(values, q) - 70) / 8) ** 2) / (8 * np.sqrt(2 * np.pi))
        tolerance = 3 * np.sqrt(q * (1 - q) / 500) / density + 1
        assert abs(np.quantile(drawn, q) - np.quantile(values, q)) < tolerance


def test_a_value_that_many_share_is_an_atom_and_comes_back_exactly() -> None:
    rng = np.random.default_rng(4)
    values = np.where(rng.random(400) < 0.3, 0.0, rng.gamma(2.0, size=400) + 0.1)
    codec = fit_numeric("dose", values, 10)
    atom = codec.encode(np.zeros(1))
    assert codec.atom[atom[0]]
    assert codec.decode(atom, np.array([0.7]))[0] == 0.0
    assert codec.mass[atom[0]] == pytest.approx(np.mean(values == 0), abs=1e-12)


def test_few_distinct_values_are_all_atoms() -> None:
    codec = fit_numeric("karnofsky", np.repeat([70.0, 80.0, 90.0, 100.0], 25), 10)
    assert codec.atom.all()
    assert codec.bins == 4


@pytest.mark.parametrize(("lost", "token"), [(0, False), (4, False), (5, True), (60, True)])
def test_missing_is_a_token_from_five_patients_on(lost: int, token: bool) -> None:
    values = np.append(np.random.default_rng(5).normal(size=100), np.full(lost, np.nan))
    codec = fit_numeric("x", values, 10)
    assert codec.missing is token
    assert codec.encode(np.array([np.nan]))[0] == (codec.bins if token else -1)


def test_a_column_without_values_is_missing_throughout() -> None:
    codec = fit_numeric("x", np.full(30, np.nan), 10)
    assert codec.bins == 0
    assert np.isnan(codec.decode(codec.encode(np.full(3, np.nan)), np.full(3, 0.5))).all()


def test_rare_categories_are_merged() -> None:
    nominal = fit_categorical("race", _labels(("A", 30), ("B", 9), ("C", 4), (None, 6)), None)
    assert nominal.categories == ("A", "B")
    assert nominal.merged == {"C": "A"}
    assert nominal.missing
    named = fit_categorical("site", _labels(("1", 30), ("Other", 9), ("3", 4)), None)
    assert named.merged == {"3": "Other"}
    grades = ["mild", "moderate", "severe", "fatal"]
    ordered = fit_categorical(
        "grade", _labels(("mild", 30), ("severe", 9), ("fatal", 2)), grades, ordinal=True
    )
    assert ordered.merged == {"fatal": "severe"}
    assert ordered.decode(ordered.encode(_labels(("fatal", 1))))[0] == "severe"


def test_an_unseen_category_is_unknown() -> None:
    codec = fit_categorical("sex", _labels(("F", 10), ("M", 10)), ("F", "M"))
    assert codec.encode(_labels(("X", 1), (None, 1))).tolist() == [-1, -1]


@pytest.mark.parametrize(
    ("interval", "inside"),
    [
        (Interval(65, 70), {65, 66, 67, 68, 69, 70}),
        (Interval(65, 70, low_closed=False, high_closed=False), {66, 67, 68, 69}),
        (Interval(64.5, 66.9), {65, 66}),
        (Interval(68, 68), {68}),
    ],
)
def test_a_region_decodes_to_the_whole_numbers_inside(interval: Interval, inside: set) -> None:
    rng = np.random.default_rng(6)
    codec = fit_numeric("age", np.round(rng.normal(67, 3, 400)), 8)
    region = codec.region(interval)
    mass = codec.mass * region.share
    codes = rng.choice(codec.tokens, 4000, p=mass / mass.sum())
    place = region.start[codes] + rng.random(4000) * (region.stop[codes] - region.start[codes])
    assert set(codec.decode(codes, place)) == inside


def test_the_shares_of_regions_that_cover_everything_sum_to_one() -> None:
    codec = fit_numeric("x", np.random.default_rng(7).normal(size=300), 12)
    below, above = Interval(high=0.3), Interval(low=0.3, low_closed=False)
    shares = codec.region(below).share + codec.region(above).share
    assert shares == pytest.approx(np.ones(codec.bins))


def test_a_cut_that_decides_a_category_becomes_an_edge() -> None:
    cd4 = np.random.default_rng(8).gamma(1.5, 60, 400)
    stratum = (cd4 > 50).astype(np.int64)
    cuts = category_cuts(cd4, [stratum])
    assert any(abs(cut - 50) < 2 for cut in cuts)
    codec = fit_numeric("cd4", cd4, 12, cuts)
    codes = codec.encode(cd4)
    assert all(len(set(stratum[codes == b])) == 1 for b in range(codec.bins))


def test_noise_gives_no_cut() -> None:
    rng = np.random.default_rng(9)
    assert category_cuts(rng.normal(size=400), [rng.integers(0, 2, 400)]) == []


@pytest.mark.parametrize(
    ("values", "step"),
    [([1.0, 2.0, 5.0], 1.0), ([0.5, 2.0], 0.5), ([10.0, 30.0], 10.0), ([0.12345678, 1.0], 0.0)],
)
def test_the_recorded_grid_is_learnt(values: list[float], step: float) -> None:
    assert learn_step(np.array(values)) == step


def test_ties_are_spread_over_their_cell() -> None:
    spread = spread_ties(np.array([1.0, 1.0, 2.0]), 1.0)
    assert spread.tolist() == [0.75, 1.25, 2.0]


def test_a_codec_is_rebuilt_from_its_state() -> None:
    for codec in (
        fit_numeric("x", np.random.default_rng(1).normal(size=99), 8),
        fit_categorical("s", _labels(("a", 9), ("b", 9), ("c", 1)), None),
    ):
        again = codec_from_state(codec.state())
        assert again.tokens == codec.tokens
        assert np.array_equal(again.mass, codec.mass)
