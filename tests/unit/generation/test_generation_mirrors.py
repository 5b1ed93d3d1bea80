"""Days of endpoints that repeat why observation ended."""

from __future__ import annotations

import numpy as np
import pytest

from generation.assembly import TrialArrays
from generation.twin_model.mirrors import fit_offsets, missed_end, standing, stop_day

_NAN = float("nan")


@pytest.fixture
def arrays() -> TrialArrays:
    """Came to all, stopped after two, came back for the last, and never came."""
    days = np.array([
        [0.0, 14.0, 28.0, 42.0], [0.0, 14.0, _NAN, _NAN], [0.0, 14.0, _NAN, 42.0], [_NAN] * 4,
    ])  # fmt: skip
    n = len(days)
    return TrialArrays(
        baseline={}, arm=np.full(n, "A", dtype=object), follow_up=np.full(n, 50.0),
        end_reason=np.full(n, None, dtype=object), events={},
        visits=("V0", "V1", "V2", "V3"), visit_day=days, values={},
    )  # fmt: skip


def test_who_came_back_stopped_by_the_visit_before_the_absence(arrays: TrialArrays) -> None:
    day, back = standing(arrays, arrays.follow_up)
    assert day.tolist() == [42.0, 14.0, 14.0, 0.0]
    assert back.tolist() == [False, False, True, False]
    assert missed_end(arrays).tolist() == [False, True, True, True]


def test_a_stop_lies_between_the_visit_that_tells_it_and_the_end(arrays: TrialArrays) -> None:
    offsets = np.stack([np.linspace(0, 100, 9), np.zeros(9)])
    low = stop_day(arrays, arrays.follow_up, offsets, np.full(4, 1e-9))
    high = stop_day(arrays, arrays.follow_up, offsets, np.full(4, 1 - 1e-9))
    np.testing.assert_allclose(low, [42.0, 14.0, 14.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(high, [50.0, 50.0, 14.0, 50.0], atol=1e-6)


def test_too_few_stops_tell_no_offsets(arrays: TrialArrays) -> None:
    everyone = np.ones(len(arrays), dtype=bool)
    found = fit_offsets(arrays, arrays.follow_up, np.full(4, 20.0), everyone)
    assert found.shape == (2, 9)
    assert not found.any()


def _unplanned(n: int) -> TrialArrays:
    return TrialArrays(
        baseline={}, arm=np.full(n, "A", dtype=object), follow_up=np.linspace(10, 300, n),
        end_reason=np.full(n, None, dtype=object), events={},
    )  # fmt: skip


def test_without_visits_a_stop_is_a_share_of_observation_that_falls_with_its_length() -> None:
    """Short observation ends at the stop; of long observation half lies behind it. Exact."""
    arrays = _unplanned(60)
    until = arrays.follow_up
    day = np.where(until < 100, until, until / 2)
    offsets = fit_offsets(arrays, until, day, np.ones(60, dtype=bool))
    drawn = stop_day(arrays, until, offsets, np.full(60, 0.5))
    assert np.all(drawn <= until + 1e-9)
    np.testing.assert_allclose(drawn[:5], until[:5], rtol=1e-6)
    np.testing.assert_allclose(drawn[-5:], until[-5:] / 2, rtol=1e-6)
