"""The baseline net in PyTorch on a device, and patients drawn by their numbers."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from extraction.records import InputError
from generation import fit
from generation.twin_model.model import TwinModel
from generation.twin_model.on_device import on_device
from tests.support.generation_support import simulated_trial


def fitted(architecture: str) -> TwinModel:
    trial = simulated_trial(120, seed=5)
    found = fit(trial, seed=1, epochs=3, members=2, architecture=architecture)
    assert isinstance(found, TwinModel)
    return found


@pytest.mark.parametrize("architecture", ["mlp", "transformer"])
def test_a_net_on_a_device_gives_the_same_probabilities(architecture: str) -> None:
    model = fitted(architecture)
    network = model.sampler.network
    assert network is not None
    moved = on_device(network, torch.device("cpu"))
    assert (moved.architecture, moved.size) == (architecture, network.size)
    rows = np.random.default_rng(0).normal(size=(300, network.columns.input_width))
    for column in range(len(network.columns)):
        inputs = rows.astype(np.float32)
        ours, theirs = (net.probabilities(inputs, column) for net in (network, moved))
        assert np.abs(ours - theirs).max() < 1e-6
    sampler = replace(model.sampler, network=moved)
    there = TwinModel(model.card, replace(model.parts, sampler=sampler)).sample(500).subjects
    here = model.sample(500).subjects
    same = (here == there) | (here.isna() & there.isna())
    assert same.to_numpy().mean() > 0.99  # a token may fall on the other side of its uniform


def test_a_gpu_that_is_not_there_is_refused() -> None:
    if torch.cuda.is_available():
        pytest.skip("PyTorch sees a GPU here")
    model = fitted("mlp")
    assert model.on("cpu") is model
    with pytest.raises(InputError, match="PyTorch sees none"):
        model.on("gpu")


def test_patients_of_given_numbers_are_those_of_one_long_sample() -> None:
    model = fitted("mlp")
    numbers = np.array([0, 3, 70, 199])
    some = model.sample_numbers(numbers, arm="Placebo", seed=4).subjects
    whole = model.sample(200, arm="Placebo", seed=4).subjects
    pd.testing.assert_frame_equal(some, whole.iloc[numbers].reset_index(drop=True))
