"""Whole draws: the same law as drawing column by column, keyed by the patient's number."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from generation.assembly import to_arrays
from generation.cart import pick
from generation.randomness import Stream
from generation.twin_model.columns import BaselineColumns
from generation.twin_model.decoding import BaselineSampler
from generation.twin_model.drawing import WholeDraw
from generation.twin_model.net_settings import NetSettings
from generation.twin_model.network import Network
from generation.twin_model.orders import MOST_PATTERNS, drawing_orders, early_columns
from generation.twin_model.training import train_network
from generation.twin_model.transformer import NETWORKS
from tests.support.generation_support import simulated_trial

Z = 4.5  # about one false alarm in 150,000 comparisons


@cache
def sampler() -> BaselineSampler:
    trial = simulated_trial(400, seed=5)
    arrays = to_arrays(trial)
    columns = BaselineColumns.fit(trial.schema, arrays, (), False)
    network, _ = train_network(
        columns, columns.encode(arrays), seed=1, settings=NetSettings(members=2, epochs=4)
    )
    rng = np.random.default_rng(2)  # so that members differ, and no bias or norm is at its start
    weights = {
        name: value if name == "copula"
        else (value + rng.normal(0, 0.1, value.shape)).astype(np.float32)
        for name, value in network.weights.items()
    }
    return BaselineSampler(trial.schema, columns, replace(network, weights=weights))


def whole() -> WholeDraw:
    found = sampler().whole
    assert found is not None
    return found


def test_a_forward_draws_the_token_of_its_member() -> None:
    columns, network = sampler().columns, sampler().network
    assert network is not None
    encoded = sampler().draw(np.arange(200), Stream(3, "some")).encoded
    rng = np.random.default_rng(0)
    draws, differing = 0, 0
    for order in whole().orders:
        inputs = np.zeros((200, columns.input_width), dtype=np.float32)
        for before, c in pairwise(order):
            inputs[:, columns.input_slices[before]] = columns.inputs(encoded, before)
            member, choice = rng.integers(0, 2, 200), rng.random(200).astype(np.float32)
            slope = np.zeros((200, 2), dtype=np.float32)
            found = whole().forward.draw(inputs, member, np.full(200, c), slope, choice)
            for m in range(2):
                alone = Network(
                    {k: v[m : m + 1] for k, v in network.weights.items() if k != "copula"},
                    columns, network.copula,
                )
                rows = member == m
                expected = pick(alone.probabilities(inputs[rows], c), choice[rows])
                draws += int(rows.sum())
                # Without the copula's weights the tilt of a score of 0 is that of no regression.
                differing += int(np.sum(expected != found[rows]))
    assert differing <= 0.002 * draws  # single precision at a threshold


def test_whole_draws_have_the_law_of_draws_column_by_column() -> None:
    n = 6000
    slow = BaselineSampler(sampler().schema, sampler().columns, sampler().network)
    object.__setattr__(slow, "whole", None)
    one = sampler().draw(np.arange(n), Stream(1, "fast")).encoded
    other = slow.draw(np.arange(n), Stream(1, "slow")).encoded
    count = len(sampler().columns)
    for a in range(count):
        for b in range(a + 1):
            tokens = sampler().columns.codecs[b].tokens
            first = one.codes[:, a] * tokens + one.codes[:, b]
            second = other.codes[:, a] * tokens + other.codes[:, b]
            size = int(max(first.max(), second.max())) + 1
            share = np.stack([np.bincount(x, minlength=size) / n for x in (first, second)])
            error = np.sqrt(np.maximum(share.mean(axis=0), 10 / n) * 2 / n)
            assert np.all(np.abs(share[0] - share[1]) <= Z * error)


def test_a_patients_draw_belongs_to_his_number() -> None:
    stream = Stream(4, "keyed")
    everyone = sampler().draw(np.arange(9000), stream).encoded
    some = np.array([3, 64, 65, 700, 8191, 8192, 8999])
    alone = sampler().draw(some, stream).encoded
    np.testing.assert_array_equal(everyone.codes[some], alone.codes)
    np.testing.assert_array_equal(everyone.numbers[some], alone.numbers)


def test_one_patient_alone_is_drawn_as_among_all() -> None:
    stream = Stream(6, "alone")
    everyone = sampler().draw(np.arange(130), stream).encoded
    for k in range(0, 130, 13):
        alone = sampler().draw(np.array([k]), stream).encoded
        np.testing.assert_array_equal(everyone.codes[k], alone.codes[0])
        np.testing.assert_array_equal(everyone.numbers[k], alone.numbers[0])


def test_beginnings_have_the_probability_that_the_likelihood_tells() -> None:
    table, columns = whole().beginnings, sampler().columns
    law = np.diff(table.cumulative, prepend=0.0).reshape(len(whole().orders), table.patterns, -1)
    for k, order in enumerate(whole().orders):
        rows = np.arange(k * table.patterns, (k + 1) * table.patterns)
        following = int(order[whole().early])
        for token in range(table.tokens):
            if token >= columns.codecs[following].tokens:
                assert law[k, :, token] == pytest.approx(0.0, abs=1e-12)
                continue
            encoded = table.encoded.take(rows)
            encoded.codes[:, following] = encoded.numbers[:, following] = token
            chance = np.exp(sampler().log_prob(encoded, order))
            assert law[k, :, token] == pytest.approx(chance, rel=1e-4, abs=1e-9)
    first = sampler().draw(np.arange(50), Stream(2, "some")).encoded
    np.testing.assert_array_equal(
        sampler().log_prob(first), sampler().log_prob(first, whole().orders[0])
    )


def test_orders_begin_with_the_columns_of_few_patterns() -> None:
    columns = sampler().columns
    early = early_columns(columns)
    assert np.prod([columns.codecs[c].tokens for c in early]) <= MOST_PATTERNS
    orders = drawing_orders(len(columns), early=early)
    assert len(early)
    np.testing.assert_array_equal(
        np.sort(orders[:, : len(early)], axis=1), np.tile(early, (len(orders), 1))
    )
    assert len({tuple(order) for order in orders.tolist()}) > 1


@pytest.mark.parametrize("kind", ["transformer", "none"])
def test_other_nets_are_drawn_column_by_column(kind: str) -> None:
    network = sampler().network
    assert network is not None
    other = NETWORKS[kind](network.weights, network.columns, network.copula) if (
        kind in NETWORKS
    ) else None
    assert WholeDraw.of(sampler().schema, sampler().columns, other) is None
