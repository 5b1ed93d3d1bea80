"""What kernels do row by row is what the plain steps give."""

import numpy as np
import pytest

from simulation.kernels.enrolment import permuted_blocks, used_rows
from simulation.kernels.survival import pack_rows, packed_rows
from simulation.trial.analyses.base import LookData
from simulation.trial.analyses.log_rank import LogRank
from simulation.trial.outcomes.base import Response
from simulation.trial.outcomes.time_to_event import TimeToEventEndpoint, followed, observe

SHAPE = (70, 300)  # more patients than are sorted at a time
RNG = np.random.default_rng(8)
ENTRY = np.sort(RNG.uniform(0, 20, SHAPE), axis=1)
ENTRY[:, -3:] = np.inf
TIME = RNG.exponential(12, SHAPE)
TIME[:, ::7] = np.round(TIME[:, ::7])  # ties, some with the time 0
TIME[:, ::11] = np.inf
LEAVES = RNG.exponential(30, SHAPE)
CUT = RNG.uniform(5, 30, (SHAPE[0], 1))
ARM = RNG.integers(0, 3, SHAPE)


@pytest.mark.parametrize("follow_up", [None, 9.0])
def test_a_look_that_is_cut_at_once_gives_the_same_bits(follow_up: float | None) -> None:
    endpoint = TimeToEventEndpoint(name="OS", follow_up=follow_up)
    among = RNG.random(SHAPE) < 0.8
    seen = (Response(time=TIME), ENTRY, LEAVES, CUT)
    observed = observe(endpoint, *seen, ENTRY < CUT)
    plain = LogRank().fit(LookData(observed, ARM, np.empty((0, *SHAPE))), 2, 0, among)
    fast = LogRank().fit_cut(followed(endpoint, *seen, (ENTRY < CUT) & among), ARM, 2, 0)
    assert fast is not None
    for name in ("estimate", "se", "z", "information", "n"):
        assert np.array_equal(getattr(plain, name), getattr(fast, name))


def test_stratified_and_weighted_tests_ask_for_more_than_a_cut() -> None:
    held = followed(TimeToEventEndpoint(name="OS"), Response(time=TIME), ENTRY, LEAVES, CUT, ARM)
    weighted = {"kind": "fleming_harrington", "gamma": 1}
    for analysis in (LogRank(strata=("sex",)), LogRank(weighting=weighted)):
        assert analysis.fit_cut(held, ARM, 1, 0) is None


def test_keys_sort_as_floats_whatever_the_times() -> None:
    time = np.array([[0.0, -0.0, 5e-324, 1.0, np.inf, np.finfo(float).max, 3.0]])
    event, treated = np.ones(time.shape), np.array([[1, 0, 1, 0, 1, 1, 0]], dtype=bool)
    included = np.array([[True] * 6 + [False]])
    keys = pack_rows(time, event, treated, included)
    by_float = keys.copy()
    by_float.view(np.float64).sort(axis=1)
    assert np.isfinite(keys.view(np.float64)[included]).all()
    assert np.array_equal(np.sort(keys, axis=1), by_float)
    assert packed_rows(by_float)[2] == 6


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("own", [False, True])
def test_patients_used_are_those_counted_or_come_up_to_the_size(at_once: bool, own: bool) -> None:
    counted = (ENTRY < CUT - 3) & (RNG.random(SHAPE) < 0.9)
    size = RNG.integers(0, SHAPE[1], SHAPE[0])
    numbers = np.cumsum(RNG.integers(1, 4, SHAPE), axis=1)
    numbers = numbers if own else numbers[:1]
    rows = np.flatnonzero(RNG.random(SHAPE[0]) < 0.5)
    n, screened = used_rows(rows, ENTRY, counted, CUT, at_once, size, numbers)
    there = counted & np.isfinite(ENTRY) if at_once else (counted | (ENTRY < CUT))
    there &= np.arange(SHAPE[1]) < size[:, None]
    there[~np.isfinite(ENTRY)] = False
    assert np.array_equal(n, there.sum(axis=1)[rows])
    assert np.array_equal(screened, (np.where(there, numbers, -1).max(axis=1) + 1)[rows])


def test_blocks_give_their_arms_in_the_order_of_their_draws() -> None:
    drawn = np.round(RNG.random((50, 12)), 1)  # with ties: the earlier comes first
    arms = np.array([0, 0, 1, 2])
    given = permuted_blocks(drawn, arms, 10)
    place = np.argsort(np.argsort(drawn.reshape(50, 3, 4), axis=2, kind="stable"), axis=2)
    assert np.array_equal(given, arms[place].reshape(50, 12)[:, :10])
