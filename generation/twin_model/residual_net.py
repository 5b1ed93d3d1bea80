"""The neural part of a hazard's residual, trained with Lightning.

One small net for all causes of an endpoint and its censoring: covariates and arms in, a shift of
each cause's log hazard in each piece of time out. Five members train side by side, each without
its fold; their mean is used. Output weights start at zero, so that training starts at the
proportional hazards, and how long it goes on is told by the held-out folds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, IterableDataset

from generation.randomness import generator
from generation.tokenizer import FloatArray
from generation.twin_model.quiet import quiet
from generation.twin_model.residual import FOLDS, Cause, Design, held_out_gain

HIDDEN = 16
_DEGREES = 4
_STEPS = 120
_CHECK_EVERY = 10
_SPREAD = 1.0
_RATE = 0.03
_MOMENTUM = 0.9
_DECAY = 1e-3
_PATIENCE = 3
_ROWS = 4096


@dataclass(frozen=True)
class Snapshot:
    """The members' weights after some steps: (F, p, h), (F, 1, h), (F, h, K, P)."""

    enter: FloatArray
    enter_bias: FloatArray
    leave: FloatArray

    def shifts(self, x: FloatArray) -> FloatArray:
        """Shift by each member, (F, n, K, P)."""
        hidden = np.tanh(x @ self.enter + self.enter_bias)
        wide = self.leave.reshape(*self.leave.shape[:2], -1)
        return np.asarray((hidden @ wide).reshape(FOLDS, len(x), *self.leave.shape[2:]))

    def joined(self, cause: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Weights of the members' mean for one cause: (p, F h), (F h,) and (F h, P)."""
        width = self.enter.shape[1]
        enter = self.enter.transpose(1, 0, 2).reshape(width, -1)
        leave = self.leave[:, :, cause].reshape(enter.shape[1], -1) / FOLDS
        return enter, self.enter_bias.reshape(-1), leave


@dataclass(frozen=True)
class Best:
    """Weights of the largest held-out gain, that gain in nats, its standard error, its check."""

    snapshot: Snapshot
    gain: float
    error: float
    check: int


class Lots(IterableDataset[torch.Tensor]):
    """Row numbers of every step: everyone, or at most 4,096 patients."""

    def __init__(self, n: int, seed: int) -> None:
        self.n, self.seed = n, seed

    def __len__(self) -> int:
        return _STEPS

    def __iter__(self) -> Iterator[torch.Tensor]:
        rng = generator(self.seed, "residual lots")
        for _ in range(_STEPS):
            rows = np.arange(self.n)
            if self.n > _ROWS:
                rows = rng.choice(self.n, _ROWS, replace=False)
            yield torch.from_numpy(rows)


class ResidualNet(pl.LightningModule):
    """Members side by side and their profiled likelihood."""

    def __init__(self, design: Design, causes: list[Cause], seed: int) -> None:
        super().__init__()
        rng = generator(seed, "residual net")
        width, pieces = design.x.shape[1], design.pieces
        self.basis = torch.from_numpy(time_basis(pieces))
        start = rng.normal(size=(FOLDS, width, HIDDEN)) * (_SPREAD / np.sqrt(width))
        self.enter = torch.nn.Parameter(torch.from_numpy(start.astype(np.float32)))
        place = rng.uniform(-1, 1, size=(FOLDS, 1, HIDDEN))
        self.enter_bias = torch.nn.Parameter(torch.from_numpy(place.astype(np.float32)))
        self.leave = torch.nn.Parameter(
            torch.zeros(FOLDS, HIDDEN, len(causes) * self.basis.shape[0])
        )
        spent = np.stack([c.spent[:FOLDS] * np.exp(c.shift[:FOLDS]) for c in causes], axis=2)
        inside = np.arange(FOLDS)[:, None] != design.folds
        self.tables = {
            "x": torch.from_numpy(design.x.astype(np.float32)),
            "spent": torch.from_numpy((spent * inside[..., None, None]).astype(np.float32)),
            "events": torch.from_numpy(
                np.stack([c.events for c in causes], axis=1).astype(np.float32)
            ),
            "inside": torch.from_numpy(inside.astype(np.float32)),
        }
        self.design, self.causes = design, causes
        self.before = [held_out_gain(design, cause, cause.shift) for cause in causes]
        self.best: list[Best] = []

    def training_step(self, rows: torch.Tensor, _: int) -> torch.Tensor:
        """Negative profiled log-likelihood a training event, summed over members."""
        table, causes = self.tables, self.tables["events"].shape[1]
        hidden = torch.tanh(table["x"][rows] @ self.enter + self.enter_bias)
        heads = (hidden @ self.leave).reshape(FOLDS, len(rows), causes, -1)
        shift = heads @ self.basis
        died = table["events"][rows] * table["inside"][:, rows, None, None]
        expected = (table["spent"][:, rows] * torch.exp(shift.clamp(-3, 3))).sum(dim=1)
        total = died.sum(dim=1)
        gained = (died * shift).sum() - (total * torch.log(expected + 1e-6)).sum()
        return -gained / total.sum(dim=(1, 2)).mean().clamp(min=1.0)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Judge the weights of every tenth step; stop when no cause has gained for a while."""
        if (batch_idx + 1) % _CHECK_EVERY:
            return
        now, check = self.snapshot(), (batch_idx + 1) // _CHECK_EVERY
        shifts = np.clip(now.shifts(self.design.x), -3, 3)
        for k, cause in enumerate(self.causes):
            whole = cause.shift.copy()
            whole[:FOLDS] += shifts[:, :, k]
            gain = held_out_gain(self.design, cause, whole) - self.before[k]
            if len(self.best) <= k or gain.sum() > self.best[k].gain:
                error = float(np.sqrt(len(gain)) * gain.std())
                self.best[k : k + 1] = [Best(now, float(gain.sum()), error, check)]
        if check - max(best.check for best in self.best) >= _PATIENCE:
            self.trainer.should_stop = True

    def snapshot(self) -> Snapshot:
        """The weights now, in double precision."""
        enter, bias, leave, basis = (
            t.detach().numpy().astype(np.float64)
            for t in (self.enter, self.enter_bias, self.leave, self.basis)
        )
        causes = leave.shape[2] // len(basis)
        heads = leave.reshape(FOLDS, HIDDEN, causes, len(basis))
        return Snapshot(enter.copy(), bias.copy(), heads @ basis)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Plain momentum from zero learns strong directions first: stopping early shrinks."""
        return torch.optim.SGD(
            self.parameters(), lr=_RATE, momentum=_MOMENTUM, weight_decay=_DECAY
        )


def time_basis(pieces: int) -> npt.NDArray[np.float32]:
    """Legendre polynomials of degree 0 to 3 over the pieces of time, (degrees, P)."""
    place = (np.arange(pieces) + 0.5) / pieces * 2 - 1
    rows = [
        np.polynomial.legendre.Legendre.basis(d)(place) for d in range(min(_DEGREES, pieces))
    ]
    return np.array(rows, dtype=np.float32)


def train_residual(design: Design, causes: list[Cause], seed: int) -> list[Best]:
    """Train the members; each cause's weights where its held-out gain was largest."""
    with quiet():
        module = ResidualNet(design, causes, seed)
        trainer = pl.Trainer(
            accelerator="cpu", devices=1, max_epochs=1, logger=False,
            enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
            num_sanity_val_steps=0, use_distributed_sampler=False,
        )
        trainer.fit(module, DataLoader(Lots(len(design.x), seed), batch_size=None))
    return module.best
