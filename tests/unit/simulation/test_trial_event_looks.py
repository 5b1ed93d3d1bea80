"""A look by events counts the very event that it waited for."""

import numpy as np

from simulation.kernels.survival import cut_rows


def test_the_event_at_the_cut_counts_whatever_the_rounding():
    rng = np.random.default_rng(3)
    entry, time = rng.uniform(0, 30, (2000, 40)), rng.exponential(12, (2000, 40))
    never = np.full(entry.shape, np.inf)
    everybody = np.ones(entry.shape, dtype=bool)
    calendar = np.sort(entry + time, axis=1)
    for wanted in (5, 20, 40):
        cut = calendar[:, wanted - 1 : wanted]
        assert (time > cut - entry)[entry + time == cut].any()  # where a subtraction would miss it
        seen, event, included = cut_rows(time, entry, never, cut, everybody, np.inf)
        assert np.array_equal(event.sum(axis=1), np.full(2000, wanted))
        assert np.array_equal(seen[event == 1], time[event == 1])
        assert np.array_equal(included, entry < cut)
