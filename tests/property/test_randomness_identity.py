"""A draw belongs to an identity: order, batch and shape must not matter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generation.randomness import Stream, decision_id, generator, integer_seed

WORD = st.integers(min_value=0, max_value=2**32 - 1)


@settings(deadline=None, max_examples=50)
@given(
    seed=st.integers(min_value=-(2**63), max_value=2**64),
    identities=st.lists(st.tuples(WORD, WORD, WORD, WORD), min_size=1, max_size=20),
    shuffle=st.randoms(use_true_random=False),
)
def test_order_and_batch_do_not_matter(
    seed: int, identities: list[tuple[int, int, int, int]], shuffle: object
) -> None:
    stream = Stream(seed, "property")
    alone = [float(stream.uniform(*identity)) for identity in identities]
    order = list(range(len(identities)))
    shuffle.shuffle(order)  # type: ignore[attr-defined]
    columns = np.array([identities[i] for i in order], dtype=np.uint64).T
    together = stream.uniform(*columns)
    assert [float(x) for x in together] == [alone[i] for i in order]


@settings(deadline=None, max_examples=30)
@given(first=st.integers(1, 50), more=st.integers(0, 50))
def test_a_short_sample_is_the_head_of_a_long_one(first: int, more: int) -> None:
    stream = Stream(7, "head")
    long = stream.normal(replicate=3, patient=np.arange(first + more))
    short = stream.normal(replicate=3, patient=np.arange(first))
    assert np.array_equal(long[:first], short)


def test_broadcasting_is_an_outer_product_of_identities() -> None:
    stream = Stream(0, "outer")
    table = stream.uniform(np.arange(3)[:, None], np.arange(4)[None, :])
    assert table.shape == (3, 4)
    assert table[2, 1] == stream.uniform(2, 1)


@settings(deadline=None, max_examples=50)
@given(
    replicates=st.lists(WORD, min_size=1, max_size=4),
    patients=st.lists(WORD, min_size=1, max_size=19),
    decision=WORD,
    index=WORD,
    own=st.booleans(),
)
def test_a_table_holds_the_draws_of_its_identities(
    replicates: list[int], patients: list[int], decision: int, index: int, own: bool
) -> None:
    stream = Stream(5, "table")
    columns = np.array([patients] * (len(replicates) if own else 1))
    if own:
        columns = np.asfortranarray(columns[:, ::-1])
    table = stream.uniform(np.array(replicates)[:, None], columns, decision, index)
    assert table.shape == (len(replicates), len(patients))
    for (r, i), drawn in np.ndenumerate(table):
        patient = int(columns[r if own else 0, i])
        assert drawn == stream.uniform(replicates[r], patient, decision, index)


def test_streams_seeds_and_each_counter_word_matter() -> None:
    base = Stream(1, "a").bits(1, 2, 3, 4)
    others = [
        Stream(2, "a").bits(1, 2, 3, 4),
        Stream(1, "b").bits(1, 2, 3, 4),
        Stream(1, "a").bits(0, 2, 3, 4),
        Stream(1, "a").bits(1, 0, 3, 4),
        Stream(1, "a").bits(1, 2, 0, 4),
        Stream(1, "a").bits(1, 2, 3, 0),
    ]
    assert len({int(base), *(int(o) for o in others)}) == 7


@pytest.mark.parametrize("wrong", [-1, 2**32])
def test_an_identity_outside_32_bits_is_refused(wrong: int) -> None:
    with pytest.raises(ValueError, match="patient lies outside"):
        Stream(0, "range").uniform(patient=wrong)


def test_a_fractional_identity_is_refused() -> None:
    with pytest.raises(TypeError, match="whole numbers"):
        Stream(0, "range").uniform(patient=0.5)


def test_named_numbers_are_stable() -> None:
    assert decision_id("dropout") == decision_id("dropout") != decision_id("outcome")
    assert 0 <= decision_id("dropout") < 2**31
    assert 0 <= integer_seed(0, "fit", 3) < 2**31
    assert integer_seed(0, "fit", 3) != integer_seed(0, "fit", 4)
    assert integer_seed(0, "fit", 1, 23) != integer_seed(0, "fit", 12, 3)
    same = [generator(5, "bootstrap", 1).standard_normal() for _ in range(2)]
    assert same[0] == same[1]
