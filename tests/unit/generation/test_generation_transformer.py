"""The column-token transformer as the twin's baseline net."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from extraction.records import InputError
from generation import fit, load_model
from generation.assembly import to_arrays
from generation.twin_model.columns import BaselineColumns, Encoded
from generation.twin_model.copula import Copula
from generation.twin_model.model import TwinModel
from generation.twin_model.net_settings import NetSettings, Shape
from generation.twin_model.network import TILE, Network
from generation.twin_model.training import begin, train_network
from generation.twin_model.transformer import NETWORKS, TransformerNetwork
from tests.support.generation_support import simulated_trial

ARCHITECTURES = sorted(NETWORKS)


@cache
def baseline(patients: int = 120) -> tuple[BaselineColumns, Encoded]:
    trial = simulated_trial(patients, seed=5)
    arrays = to_arrays(trial)
    columns = BaselineColumns.fit(trial.schema, arrays, (), False)
    return columns, columns.encode(arrays)


@cache
def model() -> TwinModel:
    fitted = fit(
        simulated_trial(120, seed=5), seed=1, epochs=3, members=2, architecture="transformer"
    )
    assert isinstance(fitted, TwinModel)
    return fitted


def masked_inputs(rng: np.random.Generator) -> np.ndarray:
    """Inputs of all patients, each with a random set of columns unknown."""
    columns, encoded = baseline()
    blocks = [
        columns.inputs(encoded, c) * (rng.random((len(encoded.codes), 1)) < 0.6)
        for c in range(len(columns))
    ]
    return np.concatenate(blocks, axis=1).astype(np.float32)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_drawing_computes_what_training_computes(architecture: str) -> None:
    columns = baseline()[0]
    heads, first = begin(architecture, columns, 2, Shape.of(120, architecture), seed=3)
    rng = np.random.default_rng(2)
    # No weight is left at a start that would hide it (zero biases and skip, norms of one).
    weights = {
        name: value + torch.from_numpy(rng.normal(0, 0.1, value.shape).astype(np.float32))
        for name, value in first.items()
    }
    x = masked_inputs(rng)
    with torch.no_grad():
        theirs = heads(torch.from_numpy(np.stack([x, x])), weights, None).numpy()
    network = NETWORKS[architecture](
        {name: value.numpy() for name, value in weights.items()}, columns, Copula.of(columns)
    )
    for c, (own, tokens) in enumerate(
        zip(columns.head_slices, columns.token_slices, strict=True)
    ):
        logits = theirs[..., own] @ columns.basis[own, tokens] + columns.log_marginal[tokens]
        assert network.logits(x, c) == pytest.approx(logits, abs=1e-5)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_patients_forward_does_not_depend_on_who_else_is_drawn(architecture: str) -> None:
    columns = baseline()[0]
    _, first = begin(architecture, columns, 2, Shape.of(120, architecture), seed=3)
    network = NETWORKS[architecture](
        {name: value.numpy() for name, value in first.items()}, columns, Copula.of(columns)
    )
    x = np.concatenate([masked_inputs(np.random.default_rng(k)) for k in range(12)])
    assert len(x) > 16 * TILE  # more tiles than go at once
    for c in range(len(columns)):
        whole = network.probabilities(x, c)
        for n in (1, TILE, 100):
            np.testing.assert_array_equal(network.probabilities(x[:n], c), whole[:n])
        np.testing.assert_allclose(whole.sum(axis=1), 1.0)


def test_an_unknown_column_is_not_the_same_as_a_missing_value() -> None:
    columns, network = model().sampler.columns, model().sampler.network
    assert isinstance(network, TransformerNetwork)
    lab = columns.names.index("LAB")
    lost = Encoded(np.full((1, len(columns)), -1), np.full((1, len(columns)), np.nan))
    lost.codes[0, lab] = columns.codecs[lab].tokens - 1
    x = np.zeros((2, columns.input_width), dtype=np.float32)
    x[1, columns.input_slices[lab]] = columns.inputs(lost, lab)[0]
    unknown, missing = network.probabilities(x, columns.names.index("AGE"))
    assert np.abs(unknown - missing).max() > 1e-6


def test_a_transformer_is_saved_and_read(tmp_path: Path) -> None:
    read = load_model(model().save(tmp_path / "model"))
    assert isinstance(read, TwinModel)
    assert isinstance(read.sampler.network, TransformerNetwork)
    assert read.card.options["architecture"] == "transformer"
    assert read.sample(30, seed=2).digest() == model().sample(30, seed=2).digest()


def test_fewer_patients_are_the_first_of_more() -> None:
    few, many = (model().sample(n, seed=4).subjects for n in (70, 150))
    pd.testing.assert_frame_equal(few, many.iloc[:70])


def test_conditions_are_met_and_likelihoods_agree_over_orders() -> None:
    drawn = model().sample(60, {"SEX": "F", "AGE": [55, 70]}, seed=1).subjects
    assert set(drawn["SEX"]) == {"F"}
    assert drawn["AGE"].between(55, 70).all()
    cohort = simulated_trial(40, seed=8)
    orders = model().log_prob_orders(cohort, orders=3)
    assert np.isfinite(orders.by_order).all()
    names = model().baseline_columns
    assert np.isfinite(model().log_prob(cohort, names[::-1])).all()


def test_training_lowers_the_held_out_loss_and_is_the_same_twice() -> None:
    nets, losses = [], []
    for epochs in (1, 9, 9):
        settings = NetSettings(members=2, epochs=epochs, architecture="transformer")
        network, metrics = train_network(*baseline(400), seed=1, settings=settings)
        nets.append(network.digest())
        losses.append(metrics["held_out_loss"])
    assert nets[1] == nets[2] != nets[0]
    assert losses[1] < losses[0]


def test_half_precision_gives_nearly_the_same_transformer() -> None:
    full, half = (
        train_network(
            *baseline(), seed=1, settings=NetSettings(
                members=1, epochs=3, precision=precision, architecture="transformer"
            ),
        )
        for precision in ("32", "bf16")
    )
    assert half[0].digest() != full[0].digest()
    assert all(value.dtype == np.float32 for value in half[0].weights.values())
    x = masked_inputs(np.random.default_rng(3))
    for column in range(len(baseline()[0])):
        # bfloat16 keeps 8 bits: after three steps probabilities agree to about a hundredth.
        assert half[0].probabilities(x, column) == pytest.approx(
            full[0].probabilities(x, column), abs=0.02
        )


def test_a_refitted_model_keeps_its_architecture() -> None:
    again = model().refitted(simulated_trial(130, seed=6), seed=2)
    assert isinstance(again.sampler.network, TransformerNetwork)


def test_auto_is_the_mlp_and_others_are_refused() -> None:
    assert NetSettings().chosen() == "mlp"
    network, _ = train_network(*baseline(), seed=1, settings=NetSettings(members=1, epochs=1))
    assert type(network) is Network
    with pytest.raises(InputError, match="architecture"):
        fit(simulated_trial(60, seed=5), architecture="convolution")
