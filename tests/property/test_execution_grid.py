"""Whatever the grid, the rows are the same, in order, each once."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from simulation.execution import concatenate, digest, map_chunks

DRAWS = "tests.support.execution_support:draws"


@settings(deadline=None, max_examples=30)
@given(n=st.integers(1, 60), first=st.integers(1, 70), second=st.integers(1, 70))
def test_two_grids_give_the_same_rows(n: int, first: int, second: int) -> None:
    results = [
        map_chunks(DRAWS, {"seed": 1}, n, size, allow=("tests",)) for size in (first, second)
    ]
    assert digest(results[0]) == digest(results[1])
    assert np.array_equal(concatenate(results[0])["item"], np.arange(n))
