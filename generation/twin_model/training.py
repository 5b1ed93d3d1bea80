"""Training of the any-order baseline net with Lightning.

All members train side by side in one module, each without its own sixth of the patients;
that sixth decides when the member stops. Masks, batches and initial weights come from
`generation.randomness`; nothing is written to disk.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset

from generation.engine import Progress, report_progress
from generation.randomness import generator, integer_seed
from generation.twin_model.columns import BaselineColumns, Encoded
from generation.twin_model.copula import Copula
from generation.twin_model.decoding import token_places
from generation.twin_model.network import Network

HIDDEN = 64
_DROPOUT = 0.15
_RATE = 3e-3
_DECAY = 1e-2
_VALIDATION_MASKS = 8
_VALIDATION_ROWS = 512
_CHECK_EVERY = 2
_PATIENCE = 15


class MaskedBatches(IterableDataset[tuple[torch.Tensor, torch.Tensor]]):
    """Endless epochs of (row numbers, observed flags) for all members.

    Each row comes twice a batch with different masks; the number of hidden columns is
    uniform between one and all.
    """

    def __init__(self, rows: list[np.ndarray], columns: int, size: int, seed: int) -> None:
        self.rows, self.columns, self.size, self.seed = rows, columns, size, seed
        self.steps = max(1, min(len(r) for r in rows) // size)
        self.epoch = 0

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        rng = generator(self.seed, "twin batches", self.epoch)
        self.epoch += 1
        shuffled = [rng.permutation(r) for r in self.rows]
        for step in range(self.steps):
            part = slice(step * self.size, (step + 1) * self.size)
            batch = np.stack([np.tile(r[part], 2) for r in shuffled])
            observed = random_masks(rng, batch.shape, self.columns)
            yield torch.from_numpy(batch), torch.from_numpy(observed)


def random_masks(
    rng: np.random.Generator, shape: tuple[int, ...], columns: int
) -> np.ndarray:
    """Observed flags with a uniform number (1 to all) of hidden columns, shape + (columns,)."""
    hidden = rng.integers(1, columns + 1, size=(*shape, 1))
    rank = rng.random((*shape, columns)).argsort(axis=-1).argsort(axis=-1)
    return np.asarray(rank >= hidden)


class BaselineNet(pl.LightningModule):
    """The stacked members and their masked-column loss."""

    def __init__(
        self, columns: BaselineColumns, encoded: Encoded, held_out: list[np.ndarray], seed: int,
        progress: Progress | None, epochs: int,
    ) -> None:
        super().__init__()
        members, width = len(held_out), columns.input_width
        self.tables = {
            "inputs": torch.from_numpy(np.concatenate(
                [columns.inputs(encoded, c) for c in range(len(columns))], axis=1
            )),
            "codes": torch.from_numpy(encoded.codes),
            "owner": torch.from_numpy(np.repeat(
                np.arange(len(columns)), [s.stop - s.start for s in columns.input_slices]
            )),
            "basis": torch.from_numpy(columns.basis),
            "marginal": torch.from_numpy(columns.log_marginal),
            "places": torch.from_numpy(token_places(columns)),
        }
        self.copula = Copula.of(columns)
        self.correlation = np.stack([
            self.copula.fit(columns, encoded.take(np.setdiff1d(np.arange(len(encoded.codes)), out)))
            for out in held_out
        ])
        heads = columns.basis.shape[0]
        init = torch.Generator().manual_seed(integer_seed(seed, "twin weights"))
        self.weights = torch.nn.ParameterDict({
            "enter": _uniform((members, width, HIDDEN), width, init),
            "enter_bias": torch.zeros(members, 1, HIDDEN),
            "norm": torch.ones(members, 1, HIDDEN),
            "norm_bias": torch.zeros(members, 1, HIDDEN),
            "block": _uniform((members, HIDDEN, HIDDEN), HIDDEN, init),
            "block_bias": torch.zeros(members, 1, HIDDEN),
            "head": 0.1 * _uniform((members, HIDDEN, heads), HIDDEN, init),
            "head_bias": torch.zeros(members, 1, heads),
            "skip": torch.zeros(members, width, heads),
        })
        self.best = {name: value.detach().clone() for name, value in self.weights.items()}
        self.best_loss = torch.full((members,), torch.inf)
        self.waited = torch.zeros(members)
        self.progress, self.epochs = progress, epochs
        self.held_out = _validation_set(held_out, len(columns), seed)

    def losses(self, rows: torch.Tensor, observed: torch.Tensor) -> torch.Tensor:
        """Mean masked loss of each member in nats a patient, shape (members,)."""
        table, w = self.tables, self.weights
        x = table["inputs"][rows] * observed[..., table["owner"]]
        hidden = functional.gelu(
            torch.baddbmm(w["enter_bias"], x, w["enter"]), approximate="tanh"
        )
        inner = functional.layer_norm(hidden, (HIDDEN,)) * w["norm"] + w["norm_bias"]
        inner = functional.gelu(
            torch.baddbmm(w["block_bias"], inner, w["block"]), approximate="tanh"
        )
        hidden = hidden + functional.dropout(inner, _DROPOUT, self.training)
        heads = torch.baddbmm(w["head_bias"], hidden, w["head"]) + torch.bmm(x, w["skip"])
        logits = table["marginal"] + heads @ table["basis"]
        logits[..., self.copula.tokens] += self._start(x)
        places = table["places"]
        padded = logits[..., places.clamp(min=0)].masked_fill(places < 0, -torch.inf)
        codes = table["codes"][rows]
        target = codes.clamp(min=0).unsqueeze(-1)
        loss = -torch.log_softmax(padded, dim=-1).gather(-1, target).squeeze(-1)
        hidden_columns = (~observed) & (codes >= 0)
        share = observed.shape[-1] / hidden_columns.sum(-1).clamp(min=1)
        return (loss * hidden_columns * share.unsqueeze(-1)).sum(-1).mean(-1)

    def _start(self, x: torch.Tensor) -> torch.Tensor:
        """What each member's copula says given the observed columns."""
        pairs = zip(self.correlation, x.detach().numpy(), strict=True)
        return torch.from_numpy(
            np.stack([self.copula.tilt(r, rows) for r, rows in pairs]).astype(np.float32)
        )

    def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], _: int) -> torch.Tensor:
        """Sum of the members' losses."""
        return self.losses(*batch).sum()

    def on_train_epoch_end(self) -> None:
        """Keep each member's best weights; stop when none has improved for 15 checks."""
        if self.current_epoch % _CHECK_EVERY:
            return
        report_progress(self.progress, "baseline net", self.current_epoch / self.epochs)
        self.eval()
        with torch.no_grad():
            loss = self.losses(*self.held_out)
        self.train()
        running = self.waited < _PATIENCE
        better = (loss < self.best_loss - 1e-4) & running
        self.best_loss = torch.where(better, loss, self.best_loss)
        self.waited = torch.where(better, torch.zeros_like(self.waited), self.waited + 1)
        for name, value in self.weights.items():
            self.best[name][better] = value.detach()[better]
        if bool((self.waited >= _PATIENCE).all()):
            self.trainer.should_stop = True

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW, one for all members (their gradients do not meet)."""
        return torch.optim.AdamW(self.weights.values(), lr=_RATE, weight_decay=_DECAY)


def train_network(
    columns: BaselineColumns,
    encoded: Encoded,
    seed: int,
    members: int,
    epochs: int,
    progress: Progress | None,
) -> tuple[Network, dict[str, float]]:
    """Train the members and return their best weights and the held-out loss.

    Parameters
    ----------
    columns, encoded
        The baseline columns and the training patients.
    members
        Ensemble members; each leaves out a sixth of the patients.
    epochs
        Most epochs.
    """
    n = len(encoded.codes)
    part = generator(seed, "twin parts").permutation(n) % 6
    held_out = [np.flatnonzero(part == m % 6) for m in range(members)]
    rows = [np.flatnonzero(part != m % 6) for m in range(members)]
    size = int(np.clip(n // 6, min(64, *(len(r) for r in rows)), 256))
    with _quiet(integer_seed(seed, "twin dropout")):
        batches = MaskedBatches(rows, len(columns), size, seed)
        module = BaselineNet(columns, encoded, held_out, seed, progress, epochs)
        trainer = pl.Trainer(
            accelerator="cpu", devices=1, max_epochs=epochs, logger=False,
            enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
            num_sanity_val_steps=0, use_distributed_sampler=False, barebones=False,
        )
        trainer.fit(module, DataLoader(batches, batch_size=None))
    weights = {
        name: value.numpy().astype(np.float32) for name, value in module.best.items()
    }
    weights["copula"] = module.correlation
    metrics = {
        "held_out_loss": float(module.best_loss.mean()),
        "epochs": float(module.current_epoch),
    }
    return Network(weights, columns.basis, columns.log_marginal, module.copula), metrics


def _validation_set(
    held_out: list[np.ndarray], columns: int, seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Fixed masks of each member's held-out rows (rows repeated to equal length)."""
    rng = generator(seed, "twin validation")
    longest = min(_VALIDATION_ROWS, max(len(rows) for rows in held_out))
    chosen = np.stack([np.tile(np.resize(rows, longest), _VALIDATION_MASKS) for rows in held_out])
    observed = random_masks(rng, chosen.shape, columns)
    return torch.from_numpy(chosen), torch.from_numpy(observed)


def _uniform(shape: tuple[int, ...], fan_in: int, init: torch.Generator) -> torch.Tensor:
    bound = fan_in**-0.5
    drawn: torch.Tensor = (torch.rand(shape, generator=init) * 2 - 1) * bound
    return drawn


@contextmanager
def _quiet(seed: int) -> Iterator[None]:
    """One thread, a private random state, no advice from Lightning; all restored after."""
    logger: Any = logging.getLogger("pytorch_lightning")
    level, threads = logger.level, torch.get_num_threads()
    logger.setLevel(logging.ERROR)
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="pytorch_lightning")
            warnings.filterwarnings("ignore", category=UserWarning, message=".*IterableDataset.*")
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)
        logger.setLevel(level)
