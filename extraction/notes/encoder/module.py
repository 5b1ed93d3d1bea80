"""The Lightning module that trains a tagger's network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch.nn import functional

from .base import layers_of
from .batches import UNKNOWN, TaggedSet, collate, epoch_batches, tag_tensor
from .checkpoint import Saved, Store, Weights
from .frozen import FrozenLayers
from .network import Network, set_dropout
from .settings import TrainingSettings

Progress = Callable[[str, float], None]
Chosen = tuple[TaggedSet, tuple[int, ...]]


class TaggerModule(pl.LightningModule):
    """Cross entropy of the tags, a moving average of the weights, a rate that rises and falls.

    Parameters
    ----------
    network
        Its weights are trained in place, but for the table of pieces and the frozen layers.
    settings
        Rates, dropout, averaging.
    marks, pad
        Special pieces of the tokenizer.
    steps_an_epoch
        Batches of an epoch.
    score
        Returns the held-out score of the averaged weights, or None without held-out documents.
    seed
        Of the dropout.
    """

    def __init__(
        self,
        network: Network,
        settings: TrainingSettings,
        marks: tuple[int, int],
        pad: int,
        steps_an_epoch: int,
        score: Callable[[], float | None],
        seed: int,
        progress: Progress | None = None,
    ) -> None:
        super().__init__()
        self.network, self.settings, self.marks, self.pad = network, settings, marks, pad
        self.steps_an_epoch, self.score, self.seed = steps_an_epoch, score, seed
        self.progress = progress
        self.epochs_done = self.steps_done = 0
        self.scores: list[float] = []
        freeze(network, settings.frozen_layers)
        self.trained = {n: p for n, p in network.named_parameters() if p.requires_grad}
        self.average = self._copies()
        self.best = self._copies()
        self.memory: FrozenLayers | None = None
        self.store: Store | None = None
        self._moments: Saved | None = None

    def _copies(self) -> Weights:
        return {n: p.detach().clone() for n, p in self.trained.items()}

    def go_on_from(self, saved: Saved) -> None:
        """Take over the state at the end of an epoch."""
        put(self.network, saved.parts["now"])
        self.average, self.best = (
            {name: saved.parts[part][name] for name in self.trained} for part in ("average", "best")
        )
        self.epochs_done, self.steps_done = saved.epochs, saved.steps
        self.scores = list(saved.scores)
        self._moments = saved

    def configure_optimizers(self) -> Any:
        """AdamW with a rate for every layer, which rises over the warm-up and falls to zero."""
        total = self.settings.epochs * self.steps_an_epoch
        rise = max(1, round(self.settings.warm_up * total))
        optimizer = torch.optim.AdamW(rate_groups(self.network, self.settings), fused=True)
        done = self.steps_done
        if self._moments is not None:
            parts = self._moments.parts
            for name, weight in self.trained.items():
                optimizer.state[weight] = {
                    "step": torch.tensor(float(done)),
                    **{key: parts[key][name] for key in ("exp_avg", "exp_avg_sq")},
                }

        def factor(step: int) -> float:
            now = step + done
            return min((now + 1) / rise, max(0.0, (total - now) / max(1, total - rise)))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def transfer_batch_to_device(self, batch: Chosen, device: Any, dataloader_idx: int) -> Chosen:
        """Leave the numbers of the windows where they are."""
        return batch

    def on_train_epoch_start(self) -> None:
        """Switch dropout on."""
        self.network.train()
        set_dropout(self.network.encoder, self.settings.dropout, self.settings.frozen_layers)

    def training_step(self, chosen: Chosen, number: int) -> torch.Tensor:
        """Return the loss of one batch; its dropout is drawn from seed and step alone."""
        one, rows = chosen
        batch = collate([one.windows[i] for i in rows], self.marks, self.pad)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed((self.seed * 1_000_003 + self.steps_done) % 2**63)
            if self.memory is None or one.passing:
                words = self.network.words(batch)
            else:
                words = self.memory.words(batch, one, rows)
            scores = self.network.scores(words, (one.name,))[one.name]
        wanted = tag_tensor(one, rows)
        return functional.cross_entropy(
            scores.flatten(0, 1), wanted.flatten(), ignore_index=UNKNOWN
        )

    def on_before_optimizer_step(self, optimizer: Any) -> None:
        """Keep the gradient's norm at 1 or below."""
        torch.nn.utils.clip_grad_norm_(self.trained.values(), 1.0)

    def on_train_batch_end(self, *_: Any) -> None:
        """Move the average towards the weights."""
        self.steps_done += 1
        keep = min(self.settings.average, self.steps_done / (self.steps_done + 10))
        with torch.no_grad():
            weights = [p.detach() for p in self.trained.values()]
            torch._foreach_lerp_(list(self.average.values()), weights, 1 - keep)
        if self.progress is not None and self.steps_done % 20 == 0:
            total = self.settings.epochs * self.steps_an_epoch
            self.progress("training", min(1.0, self.steps_done / total))

    def on_train_epoch_end(self) -> None:
        """Score the averaged weights on the held-out documents, keep the best, and save."""
        self.epochs_done += 1
        own = self._copies()
        put(self.network, self.average)
        self.network.eval()
        score = self.score()
        put(self.network, own)
        if score is None or not self.scores or score > max(self.scores):
            self.best = {n: v.clone() for n, v in self.average.items()}
        if score is not None:
            self.scores.append(score)
        stop = self.finished()
        if stop:
            self.trainer.should_stop = True
        if self.store is not None:
            self.store.write(self._saved(own, stop))

    def _saved(self, now: Weights, stopped: bool) -> Saved:
        optimizer = self.trainer.optimizers[0]
        moments = {
            # A head without documents in this phase has no gradients, so no moments.
            key: {
                n: optimizer.state[p].get(key, torch.zeros_like(p)).detach()
                for n, p in self.trained.items()
            }
            for key in ("exp_avg", "exp_avg_sq")
        }
        parts = {"now": now, "average": self.average, "best": self.best, **moments}
        return Saved(self.epochs_done, self.steps_done, tuple(self.scores), stopped, parts)

    def finished(self) -> bool:
        """Return whether the epochs are done, or the score has not risen for too long."""
        if self.epochs_done >= self.settings.epochs:
            return True
        if not self.scores:
            return False
        since = len(self.scores) - 1 - self.scores.index(max(self.scores))
        return since >= self.settings.patience


def freeze(network: Network, layers: int) -> None:
    """Let the heads, the features and the encoder above its lowest `layers` layers be trained."""
    network.requires_grad_(True)
    embedded = set(network.encoder.parameters()) - set(layers_of(network.encoder).parameters())
    for weight in embedded:
        weight.requires_grad_(False)
    for layer in layers_of(network.encoder)[:layers]:
        layer.requires_grad_(False)
    if layers:
        network.shape.requires_grad_(False)
        network.lists.requires_grad_(False)


def rate_groups(network: Network, settings: TrainingSettings) -> list[dict[str, Any]]:
    """Return AdamW's groups: heads, features, and every layer with its own rate.

    Biases and norms have no weight decay (Loshchilov and Hutter 2019).
    """
    stack = layers_of(network.encoder)
    found: list[tuple[float, torch.nn.Module]] = [(settings.head_rate, network.heads)]
    for place, layer in enumerate(stack):
        found.append((settings.rate * settings.layer_decay ** (len(stack) - 1 - place), layer))
    found += [(settings.rate, network.shape), (settings.rate, network.lists)]
    groups = []
    for rate, part in found:
        trained = [p for p in part.parameters() if p.requires_grad]
        for weights, decay in (
            ([p for p in trained if p.ndim > 1], settings.weight_decay),
            ([p for p in trained if p.ndim == 1], 0.0),
        ):
            if weights:
                groups.append({"params": weights, "lr": rate, "weight_decay": decay})
    return groups


def put(network: Network, weights: Mapping[str, torch.Tensor]) -> None:
    """Copy weights into a network by name."""
    own = dict(network.named_parameters())
    with torch.no_grad():
        for name, value in weights.items():
            own[name].copy_(value)


def steps_of(sets: Sequence[TaggedSet], budget: int, seed: int) -> int:
    """Return how many batches the first epoch has; the others have about as many."""
    return max(1, sum(1 for _ in epoch_batches(sets, budget, seed, 0)))
