"""Options of the net's training: device, precision, log, and going on from another net."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from extraction.records import InputError
from generation import fit
from generation.assembly import to_arrays
from generation.twin_model.columns import BaselineColumns, Encoded
from generation.twin_model.net_settings import MANY, NetSettings, Shape
from generation.twin_model.network import Network
from generation.twin_model.orders import drawing_orders
from generation.twin_model.training import accelerator, train_network
from generation.twin_model.training_batches import MaskedBatches, prefixes
from tests.support.generation_support import simulated_trial


@cache
def baseline() -> tuple[BaselineColumns, Encoded]:
    trial = simulated_trial(120, seed=5)
    arrays = to_arrays(trial)
    columns = BaselineColumns.fit(trial.schema, arrays, (), False)
    return columns, columns.encode(arrays)


def trained(epochs: int = 3, start: Network | None = None, **options: object) -> Network:
    settings = NetSettings(members=2, epochs=epochs, **options)  # type: ignore[arg-type]
    return train_network(*baseline(), seed=1, settings=settings, start=start)[0]


@cache
def plain() -> Network:
    return trained()


def test_the_same_training_twice_gives_the_same_net() -> None:
    assert trained().digest() == plain().digest()


def test_an_interrupt_reaches_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    import pytorch_lightning as pl

    def stopped(*_: object, **__: object) -> None:
        raise SystemExit(1)  # as Lightning ends a training at Ctrl-C

    monkeypatch.setattr(pl.Trainer, "fit", stopped)
    with pytest.raises(KeyboardInterrupt):
        trained()


def test_half_precision_gives_nearly_the_same_net() -> None:
    half = trained(precision="bf16")
    assert half.digest() != plain().digest()
    x = np.zeros((4, baseline()[0].input_width), dtype=np.float32)
    for column in range(len(baseline()[0])):
        # bfloat16 keeps 8 bits: 15 steps later probabilities agree to about a hundredth.
        assert half.probabilities(x, column) == pytest.approx(
            plain().probabilities(x, column), abs=0.02
        )


def test_a_gpu_that_is_not_there_is_refused_with_a_way_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="device='cpu'"):
        fit(simulated_trial(60, seed=5), epochs=1, device="gpu")
    assert accelerator("auto", 10**9) == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert accelerator("auto", 10**9) == "gpu"
    assert accelerator("auto", 10**4) == "cpu"
    assert accelerator("cpu", 10**9) == "cpu"


def test_the_held_out_loss_is_logged(tmp_path: Path) -> None:
    trained(log=tmp_path)
    rows = (tmp_path / "version_0" / "metrics.csv").read_text(encoding="utf-8").splitlines()
    assert "held_out_loss" in rows[0]
    assert len(rows) == 3  # epochs 1 and 3


def test_a_net_goes_on_from_another() -> None:
    settings = NetSettings(members=2, epochs=1)
    on, anew = (
        train_network(*baseline(), seed=7, settings=settings, start=start)[0].weights["enter"]
        for start in (plain(), None)
    )
    before = plain().weights["enter"]
    assert np.abs(on - before).mean() < 0.2 * np.abs(anew - before).mean()


def test_a_net_of_other_columns_is_no_start() -> None:
    trial = simulated_trial(60, seed=6)
    schema = trial.schema.replace(
        variables=tuple(v for v in trial.schema.variables if v.name != "AGE")
    )
    arrays = to_arrays(trial)
    other = BaselineColumns.fit(schema, arrays, (), False)
    if "AGE" in other.names:
        other = BaselineColumns(other.names[1:], other.codecs[1:], {}, {})
    with pytest.raises(InputError, match="other columns"):
        train_network(
            other, other.encode(arrays), seed=1, settings=NetSettings(epochs=1), start=plain()
        )


def test_an_epochs_batches_depend_on_its_number_alone() -> None:
    rows, orders = [np.arange(40), np.arange(20, 60)], drawing_orders(5)
    through = MaskedBatches(rows, orders, 10, 2, seed=3)
    list(through)
    second = list(through)
    again = list(MaskedBatches(rows, orders, 10, 2, seed=3, first=1))
    assert len(second) == 4
    for one, other in zip(second, again, strict=True):
        assert torch.equal(one[0], other[0])
        assert torch.equal(one[1], other[1])
        assert one[2:] == other[2:]


def test_orders_are_few_fixed_and_begin_with_the_columns_own() -> None:
    orders = drawing_orders(6)
    np.testing.assert_array_equal(orders[0], np.arange(6))
    np.testing.assert_array_equal(np.sort(orders, axis=1), np.tile(np.arange(6), (len(orders), 1)))
    np.testing.assert_array_equal(orders, drawing_orders(6))
    starts = prefixes(np.array([[2, 0, 1]]))
    assert starts.tolist() == [[False] * 3, [False, False, True], [True, False, True]]


def test_many_patients_get_a_wider_net() -> None:
    assert Shape.of(MANY).hidden > Shape.of(MANY - 1).hidden
