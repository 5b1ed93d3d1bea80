"""Training of the any-order baseline net with Lightning.

All members train side by side in one module, each without its own sixth of the patients;
that sixth decides when the member stops. Masks, batches, dropout and first weights are keyed by
seed, epoch and step, so a training that was killed goes on to the same model
(`generation.twin_model.training_checkpoint`).
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from extraction.records import InputError
from generation.engine import Progress
from generation.randomness import generator, integer_seed
from generation.tokenizer import IntArray
from generation.twin_model.columns import BaselineColumns, Encoded
from generation.twin_model.copula import Copula
from generation.twin_model.net_settings import NetSettings, Shape
from generation.twin_model.network import Network
from generation.twin_model.orders import drawing_orders, early_columns
from generation.twin_model.quiet import quiet
from generation.twin_model.training_batches import MaskedBatches, mixed_masks, prefixes
from generation.twin_model.training_checkpoint import (
    Binding,
    SavedTraining,
    TrainingCheckpoint,
    TrainingStore,
)
from generation.twin_model.training_module import (
    BaselineNet,
    CopulaStart,
    Heads,
    MlpHeads,
    uniform_weights,
)
from generation.twin_model.transformer import NETWORKS

_VALIDATION_MASKS = 8
_VALIDATION_ROWS = 512
_PARTS = 6
_WORTH_A_GPU = 1_000_000
"""Patients times columns from which ``device="auto"`` takes a GPU that is there."""


def train_network(
    columns: BaselineColumns,
    encoded: Encoded,
    seed: int,
    settings: NetSettings,
    progress: Progress | None = None,
    start: Network | None = None,
) -> tuple[Network, dict[str, float]]:
    """Train the members and return their best weights with the held-out loss.

    Parameters
    ----------
    columns, encoded
        The baseline columns and the training patients.
    settings
        Members, epochs, device, precision, checkpoint and log folders.
    start
        A net to go on from, whose architecture is kept: it must have been trained on the same
        columns. None starts anew.

    Raises
    ------
    InputError
        If there is no GPU where one is asked for, the checkpoint folder belongs to another
        training, or `start` has other columns.
    """
    n = len(encoded.codes)
    architecture, members = settings.chosen(), settings.members
    if start is not None:
        architecture, members = start.architecture, start.members
    shape = Shape.of(n, architecture)
    if start is not None:
        shape = _shape_of(start, columns, shape)
    part = generator(seed, "twin parts").permutation(n) % _PARTS
    held_out = [np.flatnonzero(part == m % _PARTS) for m in range(members)]
    copula = Copula.of(columns)
    correlation = copula.fit(columns, encoded)
    orders = drawing_orders(len(columns), early=early_columns(columns))
    heads, weights = begin(architecture, columns, members, shape, seed)
    if start is not None:
        weights = {name: torch.from_numpy(start.weights[name].copy()) for name in weights}
    with quiet():
        module = BaselineNet(
            columns, encoded,
            CopulaStart(copula, correlation) if len(copula.columns) > 1 else None,
            heads, weights, shape, _validation_set(held_out, orders, seed), seed, settings.epochs,
            progress,
        )
        store = None
        if settings.checkpoint is not None:
            begun = start.digest() if start is not None else ""
            binding = _binding(module, architecture, settings, seed, begun)
            store = TrainingStore(settings.checkpoint, binding)
        saved = store.read() if store else None
        if saved is not None:
            module.go_on_from(saved)
        rows = [np.setdiff1d(np.arange(n), out) for out in held_out]
        _run(module, rows, orders, settings, store, saved)
    found = module.best()
    if len(copula.columns) > 1:
        found["copula"] = correlation.astype(np.float32)
    metrics = {
        "held_out_loss": float(module.best_loss.mean()), "epochs": float(module.epoch + 1)
    }
    return NETWORKS[architecture](found, columns, copula), metrics


def accelerator(device: str, cells: int) -> Literal["cpu", "gpu"]:
    """Lightning's name of the device: "cpu" or "gpu".

    Parameters
    ----------
    device
        "cpu", "gpu", or "auto": a GPU if there is one and the table is large.
    cells
        Patients times columns.

    Raises
    ------
    InputError
        If a GPU is asked for and PyTorch sees none.
    """
    there = torch.cuda.is_available()
    if device == "gpu" and not there:
        raise InputError(
            "device: 'gpu', but PyTorch sees none; use device='cpu' or 'auto', or install a build "
            "of PyTorch with CUDA on a machine that has a GPU"
        )
    worth = device == "auto" and there and cells > _WORTH_A_GPU
    return "gpu" if device == "gpu" or worth else "cpu"


def _run(
    module: BaselineNet,
    rows: list[IntArray],
    orders: IntArray,
    settings: NetSettings,
    store: TrainingStore | None,
    saved: SavedTraining | None,
) -> None:
    """Train what is left to train."""
    first = saved.epochs_done if saved else 0
    cells = module.table_codes.numel()
    device = accelerator(settings.device, cells)
    if first >= settings.epochs or (saved and saved.finished):
        return
    least = min(len(r) for r in rows)
    size = int(np.clip(least // 5, min(64, least), module.shape.batch))
    batches = MaskedBatches(rows, orders, size, module.shape.repeats, module.seed, first)
    trainer = pl.Trainer(
        accelerator=device, devices=1, max_epochs=settings.epochs - first,
        precision="bf16-mixed" if settings.precision == "bf16" else "32-true",
        logger=_logger(settings.log), log_every_n_steps=1,
        callbacks=[TrainingCheckpoint(store)] if store else None,
        enable_checkpointing=store is not None, enable_progress_bar=False,
        enable_model_summary=False, num_sanity_val_steps=0, use_distributed_sampler=False,
    )
    try:
        trainer.fit(module, DataLoader(batches, batch_size=None))
    except SystemExit as stop:  # what Lightning makes of Ctrl-C; a caller expects the interrupt
        raise KeyboardInterrupt from stop


def _logger(folder: Path | None) -> Any:
    """Lightning's CSV logger: ``folder/version_k/metrics.csv``."""
    if folder is None:
        return False
    from pytorch_lightning.loggers import CSVLogger

    return CSVLogger(folder, name="")


def _binding(
    module: BaselineNet, architecture: str, settings: NetSettings, seed: int, start: str
) -> Binding:
    """What the training is bound to; `start` is the digest of the net it goes on from."""
    tables = {
        name: value.numpy() for name, value in module.named_buffers()
        if name.startswith("table_") and "held" not in name
    }
    options = {
        **settings.binding(), **asdict(module.shape), "architecture": architecture, "start": start
    }
    return Binding.of(tables, options, seed)


def begin(
    architecture: str, columns: BaselineColumns, members: int, shape: Shape, seed: int
) -> tuple[Heads, dict[str, torch.Tensor]]:
    """An architecture's forward for training, and its first weights."""
    if architecture == "mlp":
        return MlpHeads(shape.dropout), first_weights(columns, members, shape, seed)
    from generation.twin_model import transformer_training as other

    return (
        other.TransformerHeads(columns, shape),
        other.first_transformer_weights(columns, members, shape, seed),
    )


def first_weights(
    columns: BaselineColumns, members: int, shape: Shape, seed: int
) -> dict[str, torch.Tensor]:
    """Random first weights; the skip starts at zero and the heads are small."""
    init = torch.Generator().manual_seed(integer_seed(seed, "twin weights"))
    width, heads = columns.input_width, columns.basis.shape[0]
    hidden, blocks = shape.hidden, shape.blocks
    return {
        "enter": uniform_weights((members, width, hidden), width, init),
        "enter_bias": torch.zeros(members, 1, hidden),
        "norm": torch.ones(members, 1, blocks, hidden),
        "norm_bias": torch.zeros(members, 1, blocks, hidden),
        "block": uniform_weights((members, blocks, hidden, hidden), hidden, init),
        "block_bias": torch.zeros(members, 1, blocks, hidden),
        "head": 0.1 * uniform_weights((members, hidden, heads), hidden, init),
        "head_bias": torch.zeros(members, 1, heads),
        "skip": torch.zeros(members, width, heads),
    }


def _shape_of(start: Network, columns: BaselineColumns, shape: Shape) -> Shape:
    """The shape with the size of a net to go on from."""
    hidden, blocks = start.size
    if start.weights["skip"].shape[1:] != (columns.input_width, columns.basis.shape[0]):
        raise InputError(
            "start: a net of other columns; give it the columns of the model to go on from"
        )
    return replace(shape, hidden=hidden, blocks=blocks)


def _validation_set(
    held_out: list[IntArray], orders: IntArray, seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows and eight fixed masks for each member's left-out patients, of equal length.

    Half of the masks are random sets, half are beginnings of the drawing orders.
    """
    rng, starts = generator(seed, "twin validation"), prefixes(orders)
    longest = min(_VALIDATION_ROWS, max(len(rows) for rows in held_out))
    chosen = np.stack([np.tile(np.resize(rows, longest), _VALIDATION_MASKS) for rows in held_out])
    observed = mixed_masks(rng, chosen.shape, starts)
    return torch.from_numpy(chosen), torch.from_numpy(observed)
