"""The baseline net as a Lightning module: stacked members and their masked-column loss."""

from __future__ import annotations

import numpy as np
import pytorch_lightning as pl
import torch
from torch.nn import functional

from generation.engine import Progress, report_progress
from generation.randomness import integer_seed
from generation.tokenizer import FloatArray
from generation.twin_model.columns import BaselineColumns, Encoded
from generation.twin_model.copula import EDGE, LEAST_VARIANCE, MISSING, OBSERVED, Copula
from generation.twin_model.net_settings import Shape
from generation.twin_model.orders import token_places
from generation.twin_model.training_batches import Batch
from generation.twin_model.training_checkpoint import SavedTraining, optimizer_state

CHECK_EVERY = 2
_BETTER = 1e-4


class CopulaStart(torch.nn.Module):
    """`Copula.tilt` for whole batches and all columns, on any device."""

    correlation: torch.Tensor
    places: torch.Tensor
    levels: torch.Tensor
    level_score: torch.Tensor
    owner: torch.Tensor
    score: torch.Tensor
    share: torch.Tensor
    tokens: torch.Tensor
    bit: torch.Tensor

    def __init__(self, copula: Copula, correlation: FloatArray) -> None:
        super().__init__()
        self.size = len(copula.columns)
        tables = {
            "correlation": correlation.astype(np.float32), "places": copula.places,
            "levels": copula.levels.astype(np.float32),
            "level_score": copula.level_score.astype(np.float32),
            "owner": copula.owner, "score": copula.score.astype(np.float32),
            "share": copula.log_share.astype(np.float32),
            "tokens": copula.tokens, "bit": 2 ** np.arange(self.size, dtype=np.int64),
        }
        for name, table in tables.items():
            self.register_buffer(name, torch.from_numpy(table), persistent=False)
        ends = np.cumsum(np.bincount(copula.owner, minlength=self.size)).tolist()
        self.spans = list(zip([0, *ends], ends, strict=False))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """What the observed columns add to the log shares of the bins, x.shape[:-1] + (t,)."""
        rank = (x[..., self.places].float() + 1) / 2
        known = (x[..., self.places + OBSERVED] > 0.5) & (x[..., self.places + MISSING] < 0.5)
        normal = torch.where(known, torch.special.ndtri(rank.clamp(EDGE, 1 - EDGE)), 0.0)
        numbers = len(self.places)
        z = torch.cat([normal, (x.float() @ self.level_score)[..., numbers:]], dim=-1)
        seen = torch.cat([known, (x.float() @ self.levels)[..., numbers:] > 0.5], dim=-1)
        # Rows with the same columns observed share their regression.
        code, which = torch.unique((seen * self.bit).sum(-1), return_inverse=True)
        pattern = (code[:, None] & self.bit) > 0
        both = pattern[:, :, None] & pattern[:, None, :]
        eye = torch.eye(self.size, device=x.device)
        inverse = torch.linalg.inv(torch.where(both, self.correlation, eye))
        cross = torch.where(pattern[:, None, :], self.correlation, 0.0)
        slopes = cross @ inverse
        variance = (1 - (slopes * cross).sum(-1)).clamp(LEAST_VARIANCE, 1.0)
        mean = (slopes[which] * z.unsqueeze(-2)).sum(-1)
        precision = 1 / variance[which]
        mean, precision = (mean * precision)[..., self.owner], precision[..., self.owner]
        raw = mean * self.score - self.score**2 * (precision - 1) / 2
        return torch.cat([
            raw[..., a:b] - torch.logsumexp(raw[..., a:b] + self.share[a:b], -1, keepdim=True)
            for a, b in self.spans
        ], dim=-1)


class Heads(torch.nn.Module):
    """A net from inputs (members, n, width) to coefficients of the logits' basis.

    It is called with inputs, weights by name, and the noise of dropout (None: no dropout).
    """

    dropout: float


class MlpHeads(Heads):
    """`Network.coefficients` for all columns at once: a linear skip and a small residual net."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout

    def forward(
        self, x: torch.Tensor, w: dict[str, torch.Tensor], noise: torch.Generator | None
    ) -> torch.Tensor:
        """Coefficients of the logits' basis; dropout where there is noise."""
        hidden = functional.gelu(
            torch.baddbmm(w["enter_bias"], x, w["enter"]), approximate="tanh"
        )
        for k in range(w["block"].shape[1]):
            inner = functional.layer_norm(hidden, (hidden.shape[-1],))
            inner = inner * w["norm"][:, :, k] + w["norm_bias"][:, :, k]
            inner = functional.gelu(
                torch.baddbmm(w["block_bias"][:, :, k], inner, w["block"][:, k]), approximate="tanh"
            )
            hidden = hidden + dropped(inner, noise, self.dropout)
        return torch.baddbmm(w["head_bias"], hidden, w["head"]) + torch.bmm(x, w["skip"])


def dropped(
    inner: torch.Tensor, noise: torch.Generator | None, share: float
) -> torch.Tensor:
    """Dropout by a generator of its own; everything where there is none."""
    if noise is None:
        return inner
    kept = torch.rand(inner.shape, generator=noise, device=inner.device)
    return inner * (kept >= share) / (1 - share)


def uniform_weights(shape: tuple[int, ...], fan_in: int, init: torch.Generator) -> torch.Tensor:
    """First weights, uniform within one over the root of `fan_in`."""
    bound = fan_in**-0.5
    drawn: torch.Tensor = (torch.rand(shape, generator=init) * 2 - 1) * bound
    return drawn


class BaselineNet(pl.LightningModule):
    """The stacked members and their masked-column loss."""

    table_inputs: torch.Tensor
    table_codes: torch.Tensor
    table_owner: torch.Tensor
    table_basis: torch.Tensor
    table_marginal: torch.Tensor
    table_places: torch.Tensor
    table_held_rows: torch.Tensor
    table_held_observed: torch.Tensor
    best_loss: torch.Tensor
    waited: torch.Tensor
    updates: torch.Tensor

    def __init__(
        self,
        columns: BaselineColumns,
        encoded: Encoded,
        start: CopulaStart | None,
        heads: Heads,
        weights: dict[str, torch.Tensor],
        shape: Shape,
        held_out: tuple[torch.Tensor, torch.Tensor],
        seed: int,
        epochs: int,
        progress: Progress | None,
    ) -> None:
        super().__init__()
        self.shape, self.seed, self.epochs, self.progress = shape, seed, epochs, progress
        self.start, self.heads = start, heads
        tables = {
            "inputs": np.concatenate(
                [columns.inputs(encoded, c) for c in range(len(columns))], axis=1
            ),
            "codes": encoded.codes,
            "owner": np.repeat(
                np.arange(len(columns)), [s.stop - s.start for s in columns.input_slices]
            ),
            "basis": columns.basis,
            "marginal": columns.log_marginal,
            "places": token_places(columns),
            "held_rows": held_out[0],
            "held_observed": held_out[1],
        }
        for name, table in tables.items():
            tensor = table if isinstance(table, torch.Tensor) else torch.from_numpy(table)
            self.register_buffer(f"table_{name}", tensor, persistent=False)
        self.weights = torch.nn.ParameterDict(weights)
        members = len(held_out[0])
        for name, value in self.weights.items():
            self.register_buffer(f"mean_{name}", value.detach().clone())
            self.register_buffer(f"best_{name}", value.detach().clone())
        self.register_buffer("best_loss", torch.full((members,), torch.inf))
        self.register_buffer("waited", torch.zeros(members))
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))
        self.epoch = -1
        self.checked = self.finished = False
        self.saved: SavedTraining | None = None

    def go_on_from(self, saved: SavedTraining) -> None:
        """Take up a training where it was stored; the moments follow with the optimiser."""
        own = {name: torch.from_numpy(saved.arrays[name]) for name in self.state_dict()}
        self.load_state_dict(own)
        self.saved, self.epoch = saved, saved.epochs_done - 1

    def losses(
        self,
        rows: torch.Tensor,
        observed: torch.Tensor,
        weights: dict[str, torch.Tensor],
        noise: torch.Generator | None,
    ) -> torch.Tensor:
        """Mean masked loss of each member in nats a patient, shape (members,)."""
        x = self.table_inputs[rows] * observed[..., self.table_owner]
        logits = self.table_marginal + (self.heads(x, weights, noise) @ self.table_basis).float()
        if self.start is not None:
            logits[..., self.start.tokens] += self.start(x)
        places = self.table_places
        padded = logits[..., places.clamp(min=0)].masked_fill(places < 0, -torch.inf)
        codes = self.table_codes[rows]
        target = codes.clamp(min=0).unsqueeze(-1)
        loss = -torch.log_softmax(padded, dim=-1).gather(-1, target).squeeze(-1)
        hidden_columns = (~observed) & (codes >= 0)
        share = observed.shape[-1] / hidden_columns.sum(-1).clamp(min=1)
        return (loss * hidden_columns * share.unsqueeze(-1)).sum(-1).mean(-1)

    def training_step(self, batch: Batch, _: int) -> torch.Tensor:
        """Sum of the members' losses; dropout is keyed by seed, epoch and step."""
        rows, observed, epoch, step = batch
        self.epoch = int(epoch)
        noise = torch.Generator(device=self.device)
        noise.manual_seed(integer_seed(self.seed, "twin dropout", int(epoch), int(step)))
        return self.losses(rows, observed, dict(self.weights.items()), noise).sum()

    def on_train_batch_end(self, *_: object) -> None:
        """Move the running mean of the weights, by which a member is judged and kept."""
        self.updates += 1
        step = int(self.updates)
        keep = min(self.shape.averaging, step / (step + 9.0))
        with torch.no_grad():
            for name, value in self.weights.items():
                getattr(self, f"mean_{name}").lerp_(value.detach().float(), 1 - keep)

    def on_train_epoch_end(self) -> None:
        """Keep each member's best weights; stop when none has improved for a while."""
        self.checked = self.epoch % CHECK_EVERY == 0
        if not self.checked:
            return
        report_progress(self.progress, "baseline net", self.epoch / self.epochs)
        means = {name: getattr(self, f"mean_{name}") for name in self.weights}
        with torch.no_grad():
            loss = self.losses(self.table_held_rows, self.table_held_observed, means, None)
        running = self.waited < self.shape.patience
        better = (loss < self.best_loss - _BETTER) & running
        self.best_loss = torch.where(better, loss, self.best_loss)
        self.waited = torch.where(better, torch.zeros_like(self.waited), self.waited + 1)
        for name, value in means.items():
            getattr(self, f"best_{name}")[better] = value[better]
        self.log("held_out_loss", loss.mean())
        self.finished = bool((self.waited >= self.shape.patience).all())
        if self.finished:
            self.trainer.should_stop = True

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW, one for all members (their gradients do not meet)."""
        optimizer = torch.optim.AdamW(
            self.weights.values(), lr=self.shape.rate, weight_decay=self.shape.decay
        )
        if self.saved is not None:
            for name, parameter in self.weights.items():
                optimizer.state[parameter] = {
                    key: torch.from_numpy(value).to(parameter.device if value.ndim else "cpu")
                    for key, value in optimizer_state(self.saved, name).items()
                }
        return optimizer

    def best(self) -> dict[str, np.ndarray]:
        """Best weights of all members."""
        return {
            name: getattr(self, f"best_{name}").float().cpu().numpy() for name in self.weights
        }
